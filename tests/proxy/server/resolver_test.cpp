#include "proxy/server/resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>

#include "tests/support/dns_server.h"

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;
using testing::DnsServer;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const NameQuery kApp{"app.internal", false};
const NameQuery kService{"_http._tcp.app.internal", true};

class ResolverTest : public ::testing::Test {
 protected:
  ResolverTest() {
    settings_.servers = {server_.endpoint()};
    settings_.timeout = 100ms;
    settings_.attempts = 1;
    settings_.min_ttl = 100ms;
  }
  ~ResolverTest() override { resolver_.stop(); }
  void use(std::set<NameQuery> names) { ASSERT_TRUE(resolver_.use(settings_, std::move(names))); }

  // Waits until the table says so.
  using Lines = std::vector<std::string>;
  static Lines lines_of(const NameAnswers& answers, const NameQuery& query) {
    Lines lines;
    const auto found = answers.find(query);
    if (found == answers.end()) return {"not looked up"};
    for (const NameTarget& target : found->second) {
      lines.push_back(target.address.to_string() + (target.port == 0 ? "" : ":" + std::to_string(target.port)) +
                      (query.is_srv ? " " + std::to_string(target.priority) : ""));
    }
    return lines;
  }
  Lines wait_for(const NameQuery& query, const Lines& expected) {
    std::unique_lock lock(mutex_);
    told_.wait_for(lock, 30s, [&] { return lines_of(answers_, query) == expected; });
    return lines_of(answers_, query);
  }
  NameReport report() { return resolver_.reports().at(0); }
  // Waits until a report says so.
  template <class Condition>
  bool becomes(Condition condition) {
    for (int i = 0; i < 3000; ++i) {
      const auto reports = resolver_.reports();
      if (!reports.empty() && condition(reports[0])) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }

  DnsServer server_;
  ResolverSettings settings_;
  std::mutex mutex_;
  std::condition_variable told_;
  NameAnswers answers_;
  int tellings_ = 0;
  Resolver resolver_{[this](NameAnswers answers) {
    const std::lock_guard lock(mutex_);
    answers_ = std::move(answers);
    ++tellings_;
    told_.notify_all();
  }};
};

TEST_F(ResolverTest, TellsBothFamilies) {
  server_.set("app.internal",
              {DnsServer::address("10.0.0.2"), DnsServer::address("10.0.0.1"), DnsServer::address("2001:db8::1")});
  use({kApp});
  const Lines expected{"10.0.0.1", "10.0.0.2", "2001:db8::1"};
  EXPECT_EQ(wait_for(kApp, expected), expected);
  EXPECT_TRUE(becomes([](const NameReport& each) { return each.ttl == 60s && each.error.empty(); }));
  EXPECT_THAT(report().targets, ElementsAre("10.0.0.1", "10.0.0.2", "2001:db8::1"));
}

TEST_F(ResolverTest, AnswerThatHasLivedItsTimeIsAskedForAgain) {
  server_.set("app.internal", {DnsServer::address("10.0.0.1", 0)});
  use({kApp});
  EXPECT_EQ(wait_for(kApp, {"10.0.0.1"}), Lines{"10.0.0.1"});
  server_.set("app.internal", {DnsServer::address("10.0.0.2", 0)});
  EXPECT_EQ(wait_for(kApp, {"10.0.0.2"}), Lines{"10.0.0.2"});
  const auto lookups = report().lookups;
  EXPECT_TRUE(becomes([&](const NameReport& each) { return each.lookups > lookups + 2; }));
  const std::lock_guard lock(mutex_);
  EXPECT_LE(tellings_, 4) << "the same answer is no news";
}

TEST_F(ResolverTest, LastGoodAnswerIsKeptWhateverComes) {
  server_.set("app.internal", {DnsServer::address("10.0.0.1", 0)});
  use({kApp});
  EXPECT_EQ(wait_for(kApp, {"10.0.0.1"}), Lines{"10.0.0.1"});
  for (auto mode : {DnsServer::Mode::silent, DnsServer::Mode::server_failure, DnsServer::Mode::garbage}) {
    server_.set_mode(mode);
    const auto failures = report().failures;
    EXPECT_TRUE(becomes([&](const NameReport& each) { return each.failures > failures && !each.error.empty(); }));
    EXPECT_THAT(report().targets, ElementsAre("10.0.0.1"));
  }
  server_.set_mode(DnsServer::Mode::normal);
  server_.remove("app.internal");  // it does not exist any more
  const auto failures = report().failures;
  EXPECT_TRUE(becomes([&](const NameReport& each) { return each.failures > failures; }));
  EXPECT_EQ(wait_for(kApp, {"10.0.0.1"}), Lines{"10.0.0.1"});
  server_.set("app.internal", {DnsServer::address("10.0.0.9", 0)});
  EXPECT_EQ(wait_for(kApp, {"10.0.0.9"}), Lines{"10.0.0.9"});
  EXPECT_EQ(report().error, "");
}

TEST_F(ResolverTest, NameWithoutAnAnswerIsToldToHaveNoneAndTriedAgain) {
  server_.set_mode(DnsServer::Mode::server_failure);
  use({kApp});
  EXPECT_EQ(wait_for(kApp, {}), Lines{});
  EXPECT_NE(report().error, "");
  EXPECT_FALSE(report().answered_at);
  server_.set("app.internal", {DnsServer::address("10.0.0.1")});
  server_.set_mode(DnsServer::Mode::normal);
  EXPECT_EQ(wait_for(kApp, {"10.0.0.1"}), Lines{"10.0.0.1"});
}

TEST_F(ResolverTest, ServicesAreFollowedToTheirAddresses) {
  server_.set("_http._tcp.app.internal",
              {DnsServer::service(10, 1, 8080, "a.internal"), DnsServer::service(20, 1, 8081, "b.internal")});
  server_.set("a.internal", {DnsServer::address("10.0.0.1")});
  server_.set("b.internal", {DnsServer::address("10.0.0.2")});
  use({kService});
  const Lines expected{"10.0.0.1:8080 10", "10.0.0.2:8081 20"};
  EXPECT_EQ(wait_for(kService, expected), expected);
}

TEST_F(ResolverTest, HostOfAServiceThatFailsKeepsItsAddressesAlone) {
  server_.set("_http._tcp.app.internal",
              {DnsServer::service(0, 1, 80, "a.internal", 0), DnsServer::service(0, 1, 80, "b.internal", 0)});
  server_.set("a.internal", {DnsServer::address("10.0.0.1", 0)});
  server_.set("b.internal", {DnsServer::address("10.0.0.2", 0)});
  use({kService});
  EXPECT_THAT(wait_for(kService, {"10.0.0.1:80 0", "10.0.0.2:80 0"}), ::testing::SizeIs(2));
  server_.remove("b.internal");
  server_.set("a.internal", {DnsServer::address("10.0.0.7", 0)});
  EXPECT_THAT(wait_for(kService, {"10.0.0.2:80 0", "10.0.0.7:80 0"}),
              ElementsAre("10.0.0.2:80 0", "10.0.0.7:80 0"));
}

TEST_F(ResolverTest, OtherNamesAndOtherServersAreTakenOver) {
  server_.set("app.internal", {DnsServer::address("10.0.0.1")});
  use({kApp});
  EXPECT_EQ(wait_for(kApp, {"10.0.0.1"}), Lines{"10.0.0.1"});
  use({kService});
  EXPECT_EQ(wait_for(kApp, {"not looked up"}), Lines{"not looked up"});
  DnsServer other;
  other.set("app.internal", {DnsServer::address("10.0.0.2")});
  settings_.servers = {other.endpoint()};
  use({kApp});
  EXPECT_EQ(wait_for(kApp, {"10.0.0.2"}), Lines{"10.0.0.2"});
  use({});
  EXPECT_EQ(wait_for(kApp, {"not looked up"}), Lines{"not looked up"});
  EXPECT_THAT(resolver_.reports(), IsEmpty());
}

TEST_F(ResolverTest, StopsWhileItIsAsking) {
  server_.set_mode(DnsServer::Mode::silent);
  settings_.timeout = 30s;
  use({kApp, kService});
  resolver_.stop();
}

TEST_F(ResolverTest, WithoutNamesThereIsNoThread) {
  use({});
  EXPECT_THAT(resolver_.reports(), IsEmpty());
  EXPECT_EQ(server_.questions(), 0);
}

}  // namespace
}  // namespace vipair::proxy
