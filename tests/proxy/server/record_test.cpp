#include "proxy/server/record.h"

#include <gtest/gtest.h>

#include "tests/support/conversation.h"

namespace vipair::proxy {
namespace {

using testing::Conversation;
using testing::simple_config;

constexpr const char* kRequest = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

TEST(Record, CountsARequestForItsSiteAndItsUpstream) {
  Conversation talk;
  talk.client_sends(kRequest);
  talk.pass(std::chrono::milliseconds(100));
  talk.origin_sends("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  const Snapshot& snapshot = *talk.worker().current().snapshot;
  const Traffic::Sum site = snapshot.sites[0].traffic->sum();
  EXPECT_EQ(site.responses[2], 1u);
  EXPECT_EQ(site.response_bytes, 5u);
  const Traffic::Sum upstream = snapshot.upstreams[0].traffic->sum();
  EXPECT_EQ(upstream.requests, 1u);
  EXPECT_NEAR(upstream.seconds, 0.1, 0.03);
}

TEST(Record, AServerThatDidNotAnswerHasNoTime) {
  Conversation talk;
  talk.on_connect({Conversation::Connect::refuse, Conversation::Connect::refuse});
  talk.client_sends(kRequest);
  const Snapshot& snapshot = *talk.worker().current().snapshot;
  EXPECT_EQ(snapshot.sites[0].traffic->sum().responses[5], 1u);
  EXPECT_EQ(snapshot.upstreams[0].traffic->sum().requests, 0u);
}

TEST(Record, NumbersOutliveAReload) {
  Conversation talk;
  talk.client_sends(kRequest);
  talk.origin_sends("HTTP/1.1 204 No Content\r\n\r\n");
  talk.reload(simple_config(2));
  EXPECT_EQ(talk.worker().current().snapshot->sites[0].traffic->sum().requests, 1u);
}

}  // namespace
}  // namespace vipair::proxy
