#include "proxy/server/h2_opening.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/conversation.h"
#include "tests/support/h2_peer.h"

namespace vipair::proxy {
namespace {

using testing::Conversation;
using testing::first_line;
using testing::H2Peer;

constexpr const char* kGet = "GET /one HTTP/1.1\r\nHost: a\r\n\r\n";

TEST(H2Opening, StartsTheSessionThatTheFirstBytesAskFor) {
  for (const std::size_t at_once : {std::size_t{1}, std::size_t{5}, testing::kAnySize}) {
    Conversation talk;
    auto wire = talk.connect_to_either();
    wire->read_max = at_once;
    wire->send(kGet);
    talk.run();
    EXPECT_EQ(first_line(talk.origin_gets()), "GET /one HTTP/1.1");

    auto other = talk.connect_to_either();
    other->read_max = at_once;
    H2Peer peer(*other);
    peer.send_preface();
    peer.send(testing::headers(1, testing::get("/two")));
    talk.run();
    EXPECT_EQ(first_line(talk.origin_gets()), "GET /two HTTP/1.1");
  }
}

TEST(H2Opening, GivesGarbageToTheParserOfHttp1) {
  Conversation talk;
  auto wire = talk.connect_to_either();
  wire->send("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n");
  talk.run();
  EXPECT_EQ(first_line(wire->take()), "HTTP/1.1 505 HTTP Version Not Supported");
}

TEST(H2Opening, WaitsNoLongerThanForAHead) {
  Conversation talk;
  auto silent = talk.connect_to_either();
  auto slow = talk.connect_to_either();
  slow->send("PRI * H");
  talk.pass(std::chrono::seconds(11));
  EXPECT_TRUE(silent->is_closed());
  EXPECT_TRUE(slow->is_closed());
}

TEST(H2Opening, CountsAConnectionOnce) {
  Conversation talk;
  const std::size_t before = talk.sessions();
  auto wire = talk.connect_to_either();
  EXPECT_EQ(talk.sessions(), before + 1);
  wire->send(kGet);
  talk.run();
  EXPECT_EQ(talk.sessions(), before + 1);
  wire->reset();
  talk.run();
  EXPECT_EQ(talk.sessions(), before);
}

TEST(H2Opening, LeavesWithTheWorker) {
  Conversation talk;
  auto wire = talk.connect_to_either();
  talk.drain();
  talk.pass(std::chrono::seconds(2));
  EXPECT_TRUE(wire->is_closed());
}

}  // namespace
}  // namespace vipair::proxy
