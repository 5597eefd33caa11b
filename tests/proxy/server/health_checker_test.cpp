#include "proxy/server/health_checker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <set>
#include <thread>

#include "tests/support/conversation.h"
#include "tests/support/tcp_peers.h"

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;

// Two servers of one upstream, checked by connecting; who is in `dead` refuses.
class HealthCheckerTest : public ::testing::Test {
 protected:
  HealthCheckerTest() {
    config_ = testing::simple_config(2);
    HealthCheck check;
    check.type = HealthCheck::Type::tcp;
    check.timing = {1s, 1s, 0s, 1s, 1, 2};
    config_.sites[0].upstreams[0].health = check;
    use();
  }
  void use() {
    snapshot_ = make_snapshot(config_, 1, snapshot_.get());
    checker_.use(snapshot_);
  }
  void pass(Duration duration) {
    for (const TimePoint end = now_ + duration; now_ < end;) {
      now_ += Scheduler::kTick;
      scheduler_.advance(now_);
      for (int i = 0; i < 100 && scheduler_.has_work(); ++i) scheduler_.run();
    }
  }
  Server& server(std::size_t index) { return *snapshot_->upstreams[0].servers[index]; }
  CheckReport report(std::size_t index) { return checker_.reports().at(&server(index)); }

  TimePoint now_{1h};
  Scheduler scheduler_{now_};
  std::set<std::string> dead_;
  std::vector<std::shared_ptr<testing::Wire>> wires_;
  int changes_ = 0;
  Config config_;
  std::shared_ptr<const Snapshot> snapshot_;
  HealthChecker checker_{[this] { ++changes_; }, scheduler_,
                         [this](const IpEndpoint& endpoint, int&) -> std::unique_ptr<Stream> {
                           wires_.push_back(std::make_shared<testing::Wire>());
                           auto stream = std::make_unique<testing::MemoryStream>(wires_.back());
                           if (dead_.contains(endpoint.to_string())) {
                             wires_.back()->refuse(ECONNREFUSED);
                           } else {
                             wires_.back()->accept();
                           }
                           return stream;
                         }};
};

TEST_F(HealthCheckerTest, ServersAreUpUntilTheyWereChecked) {
  EXPECT_TRUE(server(0).is_up);
  EXPECT_EQ(checker_.upstreams(), (UpstreamCount{1, 1}));
  EXPECT_EQ(report(0).reason, "not checked yet");
  pass(1s);
  EXPECT_EQ(report(0).reason, "connected");
  EXPECT_EQ(report(0).checks, 1u);
}

TEST_F(HealthCheckerTest, SaysWhichServerIsDownAndWhy) {
  pass(1s);
  dead_ = {"10.0.0.2:80"};
  pass(3s);
  EXPECT_TRUE(server(0).is_up);
  EXPECT_FALSE(server(1).is_up);
  EXPECT_FALSE(report(1).is_up);
  EXPECT_EQ(report(1).reason, "connect refused");
  EXPECT_GE(report(1).failures, 2u);
  EXPECT_EQ(checker_.upstreams(), (UpstreamCount{1, 1})) << "one is left";
}

TEST_F(HealthCheckerTest, UpstreamWithoutAServerCannotBeUsedAndIsToldAtOnce) {
  pass(1s);
  const int before = changes_;
  dead_ = {"10.0.0.1:80", "10.0.0.2:80"};
  pass(3s);
  EXPECT_EQ(checker_.upstreams(), (UpstreamCount{0, 1}));
  EXPECT_EQ(changes_, before + 1);
  dead_.clear();
  pass(2s);
  EXPECT_EQ(checker_.upstreams(), (UpstreamCount{1, 1}));
  EXPECT_EQ(changes_, before + 2);
}

TEST_F(HealthCheckerTest, ServerThatStaysKeepsItsState) {
  dead_ = {"10.0.0.2:80"};
  pass(3s);
  const auto checks = report(1).checks;
  config_.sites[0].upstreams[0].servers.push_back({"10.0.0.3:80", *IpEndpoint::parse("10.0.0.3:80")});
  use();
  EXPECT_FALSE(server(1).is_up);
  EXPECT_EQ(report(1).checks, checks);
  EXPECT_TRUE(server(2).is_up) << "not checked yet";
  EXPECT_EQ(report(2).checks, 0u);
}

TEST_F(HealthCheckerTest, AnotherCheckBeginsWithTheOldStateAndItsFirstResultDecides) {
  dead_ = {"10.0.0.2:80"};
  pass(3s);
  config_.sites[0].upstreams[0].health->timing.rise = 50;
  dead_.clear();
  use();
  EXPECT_FALSE(server(1).is_up);
  pass(1s);
  EXPECT_TRUE(server(1).is_up);
}

TEST_F(HealthCheckerTest, ServerThatIsCheckedNoLongerIsUp) {
  dead_ = {"10.0.0.2:80"};
  pass(3s);
  config_.sites[0].upstreams[0].health.reset();
  use();
  EXPECT_TRUE(server(1).is_up);
  EXPECT_TRUE(checker_.reports().empty());
  const auto checks = wires_.size();
  pass(3s);
  EXPECT_EQ(wires_.size(), checks);
}

TEST(HealthCheckerThread, ChecksRealServers) {
  testing::TcpOrigin origin("hello");
  Config config = testing::simple_config(2);
  auto& upstream = config.sites[0].upstreams[0];
  upstream.servers[0] = {origin.address(), *IpEndpoint::parse(origin.address())};
  upstream.servers[1] = {"127.0.0.1:1", *IpEndpoint::parse("127.0.0.1:1")};
  HealthCheck check;
  check.timing = {100ms, 100ms, 0s, 1s, 1, 1};
  upstream.health = check;
  const auto snapshot = make_snapshot(config, 1, nullptr);
  std::atomic<int> changes{0};
  HealthChecker checker([&] { ++changes; });
  checker.use(snapshot);
  const auto* good = snapshot->upstreams[0].servers[0].get();
  const auto* bad = snapshot->upstreams[0].servers[1].get();
  for (int i = 0; i < 1000 && (bad->is_up || checker.reports()[good].checks < 2); ++i)
    std::this_thread::sleep_for(20ms);
  EXPECT_TRUE(good->is_up);
  EXPECT_EQ(checker.reports()[good].reason, "status 200");
  EXPECT_FALSE(bad->is_up);
  EXPECT_EQ(checker.reports()[bad].reason, "connect refused");
  EXPECT_GE(changes, 1);
  checker.stop();
}

}  // namespace
}  // namespace vipair::proxy
