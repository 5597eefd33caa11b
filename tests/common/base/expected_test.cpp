#include "common/base/expected.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"

namespace vipair {
namespace {

Expected<int, std::string> half(int number) {
  if (number % 2) return Unexpected{std::string("odd")};
  return number / 2;
}

TEST(Expected, HoldsAValueOrAReason) {
  auto value = half(4);
  ASSERT_TRUE(value);
  EXPECT_EQ(*value, 2);
  auto reason = half(3);
  ASSERT_FALSE(reason);
  EXPECT_EQ(reason.error(), "odd");
}

TEST(Expected, MovesWhatCannotBeCopied) {
  Expected<std::unique_ptr<int>, int> expected(std::make_unique<int>(7));
  std::unique_ptr<int> taken = *std::move(expected);
  EXPECT_EQ(*taken, 7);
}

TEST(Expected, KeepsValueAndReasonOfOneTypeApart) {
  Expected<std::string, std::string> value = std::string("a");
  Expected<std::string, std::string> reason = Unexpected{std::string("b")};
  EXPECT_TRUE(value);
  EXPECT_FALSE(reason);
  EXPECT_EQ(value->size(), 1u);
  EXPECT_EQ(reason.error(), "b");
}

TEST(Expected, OfNothingHoldsAReasonOrNot) {
  Expected<void, std::string> good;
  Expected<void, std::string> bad = Unexpected{std::string("why")};
  EXPECT_TRUE(good);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error(), "why");
}

TEST(Expected, WrongQuestionIsABrokenInvariant) {
  auto value = half(4), reason = half(3);
  EXPECT_DEATH((void)reason.value(), "value\\(\\) of an Expected that has none");
  EXPECT_DEATH((void)value.error(), "error\\(\\) of an Expected that has a value");
  Expected<void, int> good;
  EXPECT_DEATH((void)good.error(), "error\\(\\) of an Expected that has a value");
}

}  // namespace
}  // namespace vipair
