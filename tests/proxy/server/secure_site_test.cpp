#include "proxy/server/secure_site.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/conversation.h"

namespace vipair::proxy {
namespace {

using testing::Conversation;
using testing::field;
using testing::first_line;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Config config_of(HttpsMode https, ClientCertificateMode mode = ClientCertificateMode::none) {
  Config config = testing::simple_config();
  config.sites[0].tls.https = https;
  config.sites[0].tls.clients.mode = mode;
  return config;
}

std::string asks(Config config, const std::string& request) {
  Conversation talk(std::move(config));
  talk.client_sends(request);
  return talk.connections() > 0 ? "passed on" : talk.client_gets();
}

const std::string kGet = "GET /a%20b?c=d HTTP/1.1\r\nHost: A.test:8080\r\n\r\n";

TEST(SecureSite, RedirectsToHttps) {
  const std::string answer = asks(config_of(HttpsMode::redirect), kGet);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 301 "));
  EXPECT_EQ(field(answer, "Location"), "https://a.test/a%20b?c=d");
  const std::string post = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n\r\nx";
  EXPECT_THAT(asks(config_of(HttpsMode::redirect), post), StartsWith("HTTP/1.1 308 "));
  EXPECT_THAT(asks(config_of(HttpsMode::redirect), "GET / HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.1 403 "));
}

TEST(SecureSite, RedirectsToThePortThatSpeaksTls) {
  Config config = config_of(HttpsMode::redirect);
  config.listeners.push_back(config.listeners[0]);
  config.listeners[1].address.port = 8443;
  config.listeners[1].tls = true;
  EXPECT_EQ(field(asks(config, kGet), "Location"), "https://a.test:8443/a%20b?c=d");
}

TEST(SecureSite, OnlyMeansNothingInTheClear) {
  EXPECT_THAT(asks(config_of(HttpsMode::only), kGet), StartsWith("HTTP/1.1 403 "));
  EXPECT_EQ(asks(config_of(HttpsMode::both), kGet), "passed on");
  EXPECT_EQ(asks(config_of(HttpsMode::off), kGet), "passed on");
}

TEST(SecureSite, ServesNoHttpsTargetInTheClear) {
  const std::string request = "GET HTTPS://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n";
  EXPECT_THAT(asks(config_of(HttpsMode::off), request), StartsWith("HTTP/1.1 421 "));
  EXPECT_THAT(asks(config_of(HttpsMode::redirect), request), StartsWith("HTTP/1.1 421 "));
  EXPECT_EQ(asks(config_of(HttpsMode::off), "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n"), "passed on");
}

TEST(SecureSite, BelievesATrustedProxyThatItWasHttps) {
  const std::string request = "GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-Proto: https\r\n\r\n";
  EXPECT_THAT(asks(config_of(HttpsMode::redirect), request), StartsWith("HTTP/1.1 301 ")) << "anybody can say that";
  Config config = config_of(HttpsMode::redirect);
  config.trusted_proxies = {*IpPrefix::parse("192.0.2.0/24")};
  EXPECT_EQ(asks(config, request), "passed on");
  config.sites[0].tls.clients.mode = ClientCertificateMode::required;
  EXPECT_THAT(asks(config, request), StartsWith("HTTP/1.1 403 ")) << "nobody has shown us a certificate";
}

}  // namespace
}  // namespace vipair::proxy
