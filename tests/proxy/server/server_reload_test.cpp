#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/dns_server.h"
#include "tests/support/whole_proxy.h"

namespace vipair::proxy {
namespace {

using ::testing::EndsWith;
using testing::free_endpoint;
using ::testing::HasSubstr;
using testing::TcpClient;
using testing::TcpOrigin;

class ProxyReloadTest : public testing::WholeProxy {};

TEST_F(ProxyReloadTest, ReloadsWithoutLosingAConnection) {
  write_proxy({first_});
  start();
  TcpClient client(endpoint_);
  EXPECT_THAT(client.get(), EndsWith("hello"));
  TcpOrigin other("other");
  write_site(other.address());
  EXPECT_EQ(control("POST", "/reload").status, 200);
  EXPECT_THAT(client.get(), EndsWith("other"));
  EXPECT_THAT(TcpClient(endpoint_).get(), EndsWith("other"));
}

TEST_F(ProxyReloadTest, RefusesABrokenConfigurationAndGoesOn) {
  write_proxy({first_});
  start();
  write("sites.d/site.conf", "site = { hosts = [ \"*\" ]; nonsense = 1; };\n");
  const ControlResponse response = control("POST", "/reload");
  EXPECT_EQ(response.status, 422);
  EXPECT_THAT(response.body, HasSubstr("site.conf"));
  EXPECT_THAT(TcpClient(endpoint_).get(), EndsWith("hello"));
  const boost::json::value status = boost::json::parse(control("GET", "/status").body);
  EXPECT_FALSE(status.at("config").at("last_reload").at("ok").as_bool());
  EXPECT_EQ(status.at("config").at("generation").to_number<int>(), 1);
}

TEST_F(ProxyReloadTest, OpensAndClosesListenersWithAReload) {
  write_proxy({first_});
  start();
  const IpEndpoint added = free_endpoint();
  write_proxy({first_, added.to_string()});
  EXPECT_EQ(control("POST", "/reload").status, 200);
  EXPECT_THAT(TcpClient(added).get(), EndsWith("hello"));
  EXPECT_THAT(TcpClient(endpoint_).get(), EndsWith("hello")) << "the unchanged one is the same socket";
  write_proxy({first_});
  EXPECT_EQ(control("POST", "/reload").status, 200);
  while (TcpClient(added).is_connected()) std::this_thread::yield();
}

TEST_F(ProxyReloadTest, AListenerThatCannotBeOpenedRefusesTheReload) {
  write_proxy({first_});
  start();
  UniqueFd taken(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(listen(taken.get(), 1), 0);
  write_proxy({first_, bound_endpoint(taken).value().to_string()});
  const ControlResponse response = control("POST", "/reload");
  EXPECT_EQ(response.status, 422);
  EXPECT_THAT(response.body, HasSubstr("Address already in use"));
  EXPECT_THAT(TcpClient(endpoint_).get(), EndsWith("hello"));
}

TEST_F(ProxyReloadTest, ServersByNameComeAndGoWithTheirAddresses) {
  testing::DnsServer dns;
  const std::string port = origin_.address().substr(origin_.address().rfind(':'));
  write_site("app.internal" + port);
  write_proxy({first_}, "resolver = { servers = [ \"" + dns.endpoint().to_string() +
                            "\" ]; min_ttl = \"100ms\"; timeout = \"200ms\"; attempts = 1; };\n");
  start();
  EXPECT_THAT(TcpClient(endpoint_).get(), HasSubstr("503")) << "starts without an answer";
  dns.set("app.internal", {testing::DnsServer::address("127.0.0.1", 0)});
  auto wait_for = [&](const std::string& text) {
    std::string response;
    for (int i = 0; i < 500 && !response.ends_with(text); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      response = TcpClient(endpoint_).get();
    }
    EXPECT_THAT(response, EndsWith(text));
  };
  wait_for("\r\n\r\nhello");
  dns.remove("app.internal");
  boost::json::value status;
  do {
    status = boost::json::parse(control("GET", "/status").body);
  } while (status.at("names").at(0).at("error").as_string().empty());
  EXPECT_THAT(TcpClient(endpoint_).get(), EndsWith("hello")) << "the last good answer is kept";
  EXPECT_TRUE(control("POST", "/reload").status == 200);
  EXPECT_THAT(TcpClient(endpoint_).get(), EndsWith("hello")) << "by a reload as well";
}

}  // namespace
}  // namespace vipair::proxy
