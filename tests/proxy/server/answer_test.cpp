#include "proxy/server/answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/conversation.h"

namespace vipair::proxy {
namespace {

using testing::body_of;
using testing::Conversation;
using testing::field;
using testing::first_line;
using ::testing::HasSubstr;

TEST(Answer, CarriesTheFieldsOfTheInnermostLevel) {
  Config config = testing::simple_config();
  config.sites[0].routes[0].path = "/app";
  config.response_headers.set = {{"X-Level", "proxy"}};
  config.sites[0].response_headers.set = {{"X-Level", "site"}};
  config.sites[0].routes[0].response_headers.set = {{"X-Level", "route ${path}"}};
  Conversation talk(config);
  talk.on_connect({Conversation::Connect::refuse, Conversation::Connect::refuse});
  talk.client_sends("GET /app/x HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(field(talk.client_gets(), "X-Level"), "route /app/x");
  talk.client_sends("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(field(talk.client_gets(), "X-Level"), "site");
  talk.client_sends("nonsense\r\n\r\n");
  EXPECT_EQ(field(talk.client_gets(), "X-Level"), "proxy");
}

TEST(Answer, LeavesTheConnectionOpenWhenTheBodyIsHere) {
  Config config = testing::simple_config();
  config.sites[0].routes[0].path = "/app";
  Conversation talk(config);
  talk.client_sends("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 404 Not Found");
  EXPECT_FALSE(talk.client().is_closed());
  talk.client_sends("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na");
  EXPECT_EQ(field(talk.client_gets(), "Connection"), "close") << "the rest would be taken for a request";
}

}  // namespace
}  // namespace vipair::proxy
