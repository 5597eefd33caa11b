#include "common/base/assert.h"

#include "gtest/gtest.h"

namespace vipair {
namespace {

TEST(Assert, BrokenInvariantAbortsWithItsReasonAndPlace) {
  const int two = 2;
  EXPECT_DEATH(VIPAIR_ASSERT(two == 3, "two is three"),
               "broken invariant: two is three \\(two == 3\\) at .*assert_test");
}

TEST(Assert, IsOneExpressionEvaluatedOnce) {
  int evaluated = 0;
  if (true)
    VIPAIR_ASSERT(++evaluated == 1, "once");
  else
    FAIL();
  EXPECT_EQ(evaluated, 1);
}

}  // namespace
}  // namespace vipair
