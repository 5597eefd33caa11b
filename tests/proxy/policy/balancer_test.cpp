#include "proxy/policy/balancer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace vipair::policy {
namespace {

constexpr TimePoint kNow{std::chrono::seconds(100)};

std::string picks(RoundRobin& balancer, const std::vector<ServerState>& servers, int count,
                  std::optional<std::size_t> excluded = {}) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    auto state_of = [&](std::size_t index) { return servers[index]; };
    auto index = balancer.pick(servers.size(), state_of, kNow, excluded);
    text += index ? std::to_string(*index) : "-";
  }
  return text;
}

TEST(RoundRobin, TakesAllInTurn) {
  RoundRobin balancer;
  EXPECT_EQ(picks(balancer, std::vector<ServerState>(3), 7), "0120120");
}

TEST(RoundRobin, AsksOnlyAsFarAsItMust) {
  RoundRobin balancer;
  int asked = 0;
  auto state_of = [&](std::size_t) { return ++asked, ServerState{}; };
  EXPECT_EQ(balancer.pick(1000, state_of, kNow), 0u);
  EXPECT_EQ(asked, 1);
}

TEST(RoundRobin, SkipsWhatIsDown) {
  RoundRobin balancer;
  std::vector<ServerState> servers(3);
  servers[1].is_up = false;
  EXPECT_EQ(picks(balancer, servers, 4), "0202");
  servers[0].is_up = servers[2].is_up = false;
  EXPECT_EQ(picks(balancer, servers, 2), "--");
  EXPECT_EQ(picks(balancer, {}, 1), "-");
}

TEST(RoundRobin, AvoidsForAWhileWhatFailed) {
  RoundRobin balancer;
  std::vector<ServerState> servers(3);
  servers[0].avoid_until = kNow + std::chrono::nanoseconds(1);
  servers[1].avoid_until = kNow;  // just over
  EXPECT_EQ(picks(balancer, servers, 4), "1212");
}

TEST(RoundRobin, TriesTheOneWhoseMarkEndsFirstWhenAllFailed) {
  RoundRobin balancer;
  std::vector<ServerState> servers(3);
  for (std::size_t i = 0; i < 3; ++i) servers[i].avoid_until = kNow + std::chrono::seconds(3 - static_cast<int>(i));
  EXPECT_EQ(picks(balancer, servers, 3), "222");
  servers[2].is_up = false;
  EXPECT_EQ(picks(balancer, servers, 1), "1") << "but never one that its health check calls down";
}

TEST(RoundRobin, TakesAnotherServerForTheRetryIfThereIsOne) {
  RoundRobin balancer;
  std::vector<ServerState> servers(2);
  EXPECT_EQ(picks(balancer, servers, 3, 0), "111");
  servers[1].avoid_until = kNow + std::chrono::seconds(1);
  EXPECT_EQ(picks(balancer, servers, 1, 0), "1") << "an avoided one before the one that failed this request";
  servers[1].is_up = false;
  EXPECT_EQ(picks(balancer, servers, 1, 0), "0") << "the same again, on a new connection";
  servers[0].is_up = false;
  EXPECT_EQ(picks(balancer, servers, 1, 0), "-");
}

TEST(RoundRobin, GoesOnWhenTheListShrinks) {
  RoundRobin balancer;
  EXPECT_EQ(picks(balancer, std::vector<ServerState>(5), 4), "0123");
  EXPECT_EQ(picks(balancer, std::vector<ServerState>(2), 3), "010");
}

}  // namespace
}  // namespace vipair::policy
