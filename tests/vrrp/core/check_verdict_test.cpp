#include "vrrp/core/check_verdict.h"

namespace vipair::vrrp {
namespace {

constexpr CheckVerdict kUp = CheckVerdict::up, kDown = CheckVerdict::down, kUnknown = CheckVerdict::unknown;

TEST(CheckVerdict, IsReversedUnlessItIsUnknown) {
  EXPECT_EQ(reversed(kUp), kDown);
  EXPECT_EQ(reversed(kDown), kUp);
  EXPECT_EQ(reversed(kUnknown), kUnknown);
}

TEST(CheckVerdict, OfAnExpressionCountsWhatIsUp) {
  EXPECT_EQ(combined(1, {kDown, kUp}), kUp);
  EXPECT_EQ(combined(2, {kDown, kUp}), kDown);
  EXPECT_EQ(combined(2, {kUp, kUp, kDown}), kUp);
  EXPECT_EQ(combined(1, {}), kDown);
}

TEST(CheckVerdict, OfAnExpressionIsUnknownWhileTheUnknownCanDecideIt) {
  EXPECT_EQ(combined(1, {kDown, kUnknown}), kUnknown);
  EXPECT_EQ(combined(1, {kUp, kUnknown}), kUp);
  EXPECT_EQ(combined(2, {kUp, kUnknown}), kUnknown);
  EXPECT_EQ(combined(3, {kUp, kUnknown, kDown}), kDown) << "it cannot be reached any more";
}

}  // namespace
}  // namespace vipair::vrrp
