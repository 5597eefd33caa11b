#include "vrrp/core/settling.h"

#include <gtest/gtest.h>

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;

constexpr Duration kDelay = 5s;
const TimePoint kStart{1h};

TEST(SettlingLoss, OfTheActiveGrowsOnlyWhenItHasLasted) {
  SettlingLoss loss;
  EXPECT_FALSE(loss.update(kStart, 50, true, kDelay));
  EXPECT_EQ(loss.value(), 0);
  EXPECT_EQ(loss.settles_at(kDelay), kStart + 5s);
  EXPECT_FALSE(loss.update(kStart + 4s, 50, true, kDelay));
  EXPECT_TRUE(loss.update(kStart + 5s, 50, true, kDelay));
  EXPECT_EQ(loss.value(), 50);
  EXPECT_EQ(loss.settles_at(kDelay), std::nullopt);
}

TEST(SettlingLoss, ThatWasShortNeverCounts) {
  SettlingLoss loss;
  loss.update(kStart, 50, true, kDelay);
  EXPECT_FALSE(loss.update(kStart + 3s, 0, true, kDelay));
  EXPECT_EQ(loss.settles_at(kDelay), std::nullopt);
  EXPECT_FALSE(loss.update(kStart + 6s, 50, true, kDelay)) << "it begins anew";
}

TEST(SettlingLoss, OfTheActiveShrinksAtOnce) {
  SettlingLoss loss;
  loss.update(kStart, 50, false, kDelay);
  EXPECT_TRUE(loss.update(kStart + 1s, 20, true, kDelay));
  EXPECT_EQ(loss.value(), 20);
}

TEST(SettlingLoss, OfTheOtherNodeIsTheOtherWayRound) {
  SettlingLoss loss;
  EXPECT_TRUE(loss.update(kStart, 50, false, kDelay)) << "it will not take over";
  EXPECT_FALSE(loss.update(kStart + 1s, 0, false, kDelay)) << "the Active may see the same in a moment";
  EXPECT_TRUE(loss.update(kStart + 6s, 0, false, kDelay));
  EXPECT_EQ(loss.value(), 0);
}

TEST(SettlingLoss, ChangeOfRoleChangesWhatSpeaksForAMove) {
  SettlingLoss loss;
  loss.update(kStart, 50, true, kDelay);
  EXPECT_TRUE(loss.update(kStart + 1s, 50, false, kDelay)) << "it has given the role away";
}

TEST(SettlingLoss, WithoutADelayEverythingCountsAtOnce) {
  SettlingLoss loss;
  EXPECT_TRUE(loss.update(kStart, 50, true, 0s));
  EXPECT_TRUE(loss.update(kStart, 0, false, 0s));
}

}  // namespace
}  // namespace vipair::vrrp
