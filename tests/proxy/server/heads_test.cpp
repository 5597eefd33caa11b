#include "proxy/server/heads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/conversation.h"
#include "tests/support/decoding.h"

namespace vipair::proxy {
namespace {

using testing::body_of;
using testing::Conversation;
using testing::decode;
using testing::field;
using testing::first_line;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Config sticky_config() {
  Config config = testing::simple_config();
  Sticky sticky;
  sticky.cookie = "app";
  sticky.keys = {StickyKey{}};
  config.sites[0].upstreams[0].sticky = sticky;
  return config;
}

TEST(Heads, EverythingThatChangesAResponseMeetsInOne) {
  Config config = sticky_config();
  Site& site = config.sites[0];
  site.compression.is_on = true;
  site.routes[0].path = "/api";
  site.routes[0].rewrite = "/v1";
  site.routes[0].response_headers.set = {{"X-Rule", "${path}"}};
  Conversation talk(config);
  talk.client_sends("GET /api/x HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nCookie: app=forged; b=c\r\n\r\n");
  const std::string request = talk.origin_gets();
  EXPECT_EQ(first_line(request), "GET /v1/x HTTP/1.1");
  EXPECT_EQ(field(request, "Cookie"), "b=c");
  const std::string body(5000, 'x');
  talk.origin_sends(
      "HTTP/1.1 201 Created\r\nLocation: /v1/new\r\nContent-Type: text/plain\r\nContent-Length: 5000\r\n\r\n" +
      body);
  const std::string response = talk.client_gets();
  EXPECT_EQ(first_line(response), "HTTP/1.1 201 Created");
  EXPECT_EQ(field(response, "Location"), "/api/new");
  EXPECT_EQ(field(response, "Content-Encoding"), "gzip");
  EXPECT_EQ(field(response, "X-Rule"), "/api/x");
  EXPECT_THAT(field(response, "Set-Cookie"), StartsWith("app="));
  EXPECT_EQ(decode(http::Coding::gzip, testing::unchunk(body_of(response)).text).text, body);
}

TEST(Heads, ASwitchOfProtocolsSetsTheCookieToo) {
  Conversation talk(sticky_config());
  talk.client_sends("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  EXPECT_EQ(field(talk.origin_gets(), "Upgrade"), "websocket");
  talk.origin_sends("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  const std::string response = talk.client_gets();
  EXPECT_EQ(first_line(response), "HTTP/1.1 101 Switching Protocols");
  EXPECT_THAT(field(response, "Set-Cookie"), StartsWith("app="));
}

TEST(Heads, AnInterimResponseIsPassedOnAsItIs) {
  Conversation talk(sticky_config());
  talk.client_sends("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  talk.origin_sends("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
  EXPECT_EQ(talk.client_gets(), "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nVia: 1.1 lb-a\r\n\r\n");
}

}  // namespace
}  // namespace vipair::proxy
