#include "proxy/server/dns_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/support/dns_server.h"

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;
using testing::DnsServer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DnsClientTest : public ::testing::Test {
 protected:
  DnsClientTest() {
    settings_.servers = {server_.endpoint()};
    settings_.timeout = 100ms;
    settings_.attempts = 1;
    client_ = DnsClient::create(settings_).value();
  }
  Expected<DnsClient::Addresses, DnsClient::Error> find(const std::string& host, IpFamily family = IpFamily::ipv4) {
    std::optional<Expected<DnsClient::Addresses, DnsClient::Error>> found;
    client_->find_addresses(host, family, [&](auto&& answer) { found.emplace(std::move(answer)); });
    while (!found) client_->turn(10s);
    return *found;
  }
  Expected<DnsClient::Services, DnsClient::Error> find_services(const std::string& name) {
    std::optional<Expected<DnsClient::Services, DnsClient::Error>> found;
    client_->find_services(name, [&](auto&& answer) { found.emplace(std::move(answer)); });
    while (!found) client_->turn(10s);
    return *found;
  }

  DnsServer server_;
  ResolverSettings settings_;
  std::unique_ptr<DnsClient> client_;
};

TEST_F(DnsClientTest, FindsAddressesOfEitherFamilyAndHowLongTheyLive) {
  server_.set("app.internal", {DnsServer::address("10.0.0.1", 30), DnsServer::address("10.0.0.2", 20),
                               DnsServer::address("2001:db8::1", 40)});
  auto v4 = find("app.internal");
  ASSERT_TRUE(v4);
  EXPECT_THAT(v4->list,
              ::testing::UnorderedElementsAre(*IpAddress::parse("10.0.0.1"), *IpAddress::parse("10.0.0.2")));
  EXPECT_EQ(v4->ttl, 20s);
  auto v6 = find("app.internal", IpFamily::ipv6);
  ASSERT_TRUE(v6);
  EXPECT_THAT(v6->list, ElementsAre(*IpAddress::parse("2001:db8::1")));
  EXPECT_EQ(v6->ttl, 40s);
}

TEST_F(DnsClientTest, TellsANameWithoutAddressesFromOneThatIsNotThere) {
  server_.set("app.internal", {DnsServer::address("10.0.0.1")});
  auto none = find("app.internal", IpFamily::ipv6);
  ASSERT_FALSE(none);
  EXPECT_TRUE(none.error().is_empty);
  auto unknown = find("nothing.internal");
  ASSERT_FALSE(unknown);
  EXPECT_FALSE(unknown.error().is_empty);
  EXPECT_NE(unknown.error().text, "");
}

TEST_F(DnsClientTest, FindsServices) {
  server_.set("_http._tcp.app.internal", {DnsServer::service(10, 60, 8080, "a.internal", 30),
                                          DnsServer::service(20, 0, 8081, "b.internal", 15)});
  auto services = find_services("_http._tcp.app.internal");
  ASSERT_TRUE(services);
  EXPECT_EQ(services->ttl, 15s);
  ASSERT_EQ(services->list.size(), 2u);
  for (const DnsClient::Service& service : services->list) {
    const bool is_first = service.host == "a.internal";
    EXPECT_EQ(service.port, is_first ? 8080 : 8081);
    EXPECT_EQ(service.priority, is_first ? 10 : 20);
    EXPECT_EQ(service.weight, is_first ? 60 : 0);
  }
  EXPECT_FALSE(find_services("_http._tcp.nothing.internal"));
}

TEST_F(DnsClientTest, TruncatedAnswersAreAskedForAgainOverTcp) {
  server_.set("app.internal", {DnsServer::address("10.0.0.1")});
  server_.set_mode(DnsServer::Mode::truncated);
  auto found = find("app.internal");
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_THAT(found->list, ElementsAre(*IpAddress::parse("10.0.0.1")));
  EXPECT_GE(server_.tcp_questions(), 1);
}

TEST_F(DnsClientTest, SilenceGarbageAndFailuresAreErrors) {
  server_.set("app.internal", {DnsServer::address("10.0.0.1")});
  for (auto mode : {DnsServer::Mode::silent, DnsServer::Mode::garbage, DnsServer::Mode::server_failure}) {
    server_.set_mode(mode);
    auto found = find("app.internal");
    ASSERT_FALSE(found) << static_cast<int>(mode);
    EXPECT_FALSE(found.error().is_empty);
    EXPECT_FALSE(find_services("app.internal"));
  }
  server_.set_mode(DnsServer::Mode::normal);
  EXPECT_TRUE(find("app.internal")) << "and forgotten";
}

TEST_F(DnsClientTest, ClientThatGoesAnswersWhatIsStillAsked) {
  server_.set_mode(DnsServer::Mode::silent);
  int answers = 0;
  client_->find_addresses("app.internal", IpFamily::ipv4, [&](const auto& answer) { answers += answer ? 0 : 1; });
  client_->find_services("app.internal", [&](const auto& answer) { answers += answer ? 0 : 1; });
  client_.reset();
  EXPECT_EQ(answers, 2);
}

TEST(ReadServices, TakesAnyBytes) {
  using namespace std::string_literals;
  const std::string question = "\x12\x34\x81\x80\0\1\0\1\0\0\0\0\1a\0\0\x21\0\1"s;
  const std::string record = "\xc0\x0c\0\x21\0\1\0\0\0\x1e\0\x09\0\1\0\2\x1f\x90\1b\0"s;
  const std::string whole = question + record;
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const std::vector<unsigned char> message(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    const auto services = read_services(message);
    ASSERT_EQ(services.has_value(), size == whole.size()) << size;
    if (!services) continue;
    ASSERT_EQ(services->list.size(), 1u);
    EXPECT_EQ(services->list[0].host, "b");
    EXPECT_EQ(services->list[0].port, 8080);
    EXPECT_EQ(services->ttl, 30s);
  }
}

TEST_F(DnsClientTest, WakingEndsATurn) {
  client_->wake();
  client_->turn(60s);  // or the test takes a minute
}

}  // namespace
}  // namespace vipair::proxy
