#include "proxy/http/h2_flood.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace vipair::http::h2 {
namespace {

constexpr TimePoint kStart{std::chrono::hours(1)};

std::uint32_t taken(FloodGuard& guard, Flood kind, TimePoint now) {
  std::uint32_t count = 0;
  while (guard.allows(kind, now)) ++count;
  return count;
}

TEST(FloodGuard, GrantsABurstAndThenARate) {
  for (std::size_t i = 0; i < kFloods; ++i) {
    const auto kind = static_cast<Flood>(i);
    const FloodGuard::Allowance allowance = FloodGuard::kAllowances[i];
    FloodGuard guard;
    EXPECT_EQ(taken(guard, kind, kStart), allowance.burst) << to_string(kind);
    EXPECT_EQ(taken(guard, kind, kStart + std::chrono::seconds(1)), allowance.per_second) << to_string(kind);
    EXPECT_EQ(taken(guard, kind, kStart + std::chrono::hours(9)), allowance.burst) << "never more than a burst";
  }
}

TEST(FloodGuard, KeepsKindsApart) {
  FloodGuard guard;
  (void)taken(guard, Flood::pings, kStart);
  EXPECT_TRUE(guard.allows(Flood::resets, kStart));
}

TEST(FloodGuard, LeavesAnHonestPeerAlone) {
  FloodGuard guard;
  TimePoint now = kStart;
  for (int i = 0; i < 10000; ++i, now += std::chrono::milliseconds(500))
    EXPECT_TRUE(guard.allows(Flood::pings, now));
}

TEST(FloodGuard, NamesEveryKind) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < kFloods; ++i) names.insert(to_string(static_cast<Flood>(i)));
  EXPECT_EQ(names.size(), kFloods);
  EXPECT_FALSE(names.contains("unknown"));
}

}  // namespace
}  // namespace vipair::http::h2
