#include "proxy/server/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/conversation.h"

namespace vipair::proxy {
namespace {

using testing::Conversation;
using testing::field;
using testing::first_line;

std::uint64_t refused(Conversation& talk, policy::Refusal refusal) {
  return talk.worker().counters.refusals[static_cast<std::size_t>(refusal)].get();
}

TEST(Admission, CountsEachRefusalByItsReason) {
  Config config = testing::simple_config();
  config.sites[0].hosts = {"a.example"};
  config.sites[0].routes[0].path = "/app";
  config.sites[0].request_body_max = 10;
  Conversation talk(config);
  struct {
    const char* request;
    int status;
    policy::Refusal refusal;
  } const cases[] = {
      {"GET /app HTTP/1.1\r\nHost: b.example\r\n\r\n", 404, policy::Refusal::no_site},
      {"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n", 404, policy::Refusal::no_route},
      {"TRACE /app HTTP/1.1\r\nHost: a.example\r\n\r\n", 405, policy::Refusal::method},
      {"GET /app/%2f HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, policy::Refusal::bad_target},
      {"POST /app HTTP/1.1\r\nHost: a.example\r\nContent-Length: 11\r\n\r\n12345678901", 413,
       policy::Refusal::body_too_large},
  };
  for (const auto& each : cases) {
    talk.client_sends(each.request);
    EXPECT_EQ(first_line(talk.client_gets()).substr(9, 3), std::to_string(each.status)) << each.request;
    EXPECT_EQ(refused(talk, each.refusal), 1u) << each.request;
  }
}

}  // namespace
}  // namespace vipair::proxy
