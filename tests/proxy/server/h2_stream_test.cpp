// The stream alone; with its connection it is tested in h2_session_test.cpp and h2_receive_test.cpp.
#include "proxy/server/h2_stream.h"

#include <gtest/gtest.h>

#include "tests/support/conversation.h"
#include "tests/support/h2_peer.h"

namespace vipair::proxy {
namespace {

using testing::Conversation;
using testing::Fields;
using testing::H2Peer;

TEST(H2Stream, ReadsTheSameInPiecesOfAnySize) {
  std::string expected;
  for (const std::size_t head_limit : {std::size_t{64 * 1024}, std::size_t{2048}}) {
    Config config = testing::simple_config();
    config.limits.request_head = head_limit;
    Conversation talk(config);
    auto wire = talk.connect_http2();
    H2Peer peer(*wire);
    peer.send_preface();
    Fields request = testing::post("/path");
    for (int i = 0; i < 20; ++i) request.emplace_back("x-" + std::to_string(i), std::string(20, 'v'));
    peer.send(testing::headers(1, request, false) + testing::data(1, std::string(5000, 'b')) +
              testing::headers(1, {{"t", "1"}}));
    talk.run();
    const std::string received = talk.origin_gets();
    EXPECT_NE(received.find("1388\r\n" + std::string(5000, 'b') + "\r\n0\r\nt: 1\r\n\r\n"), std::string::npos);
  }
}

}  // namespace
}  // namespace vipair::proxy
