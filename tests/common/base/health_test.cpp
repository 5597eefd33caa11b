#include "common/base/health.h"

#include <string>

#include "gtest/gtest.h"

namespace vipair {
namespace {

// Feeds "+" and "-", answers the verdict after each as "U" and "d".
std::string verdicts(Health health, const std::string& results) {
  std::string out;
  for (char result : results) {
    const bool before = health.up();
    const bool changed = health.report(result == '+');
    EXPECT_EQ(changed, health.up() != before);
    out += health.up() ? 'U' : 'd';
  }
  return out;
}

TEST(Health, ChangesAfterRiseOrFallInARow) {
  const struct {
    int rise, fall;
    bool up;
    const char* results;
    const char* verdicts;
  } cases[] = {
      {1, 1, false, "+-+-", "UdUd"},
      {2, 3, false, "++---++", "dUUUddU"},
      {2, 3, false, "+-+-+", "ddddd"},         // never two in a row
      {2, 3, true, "--+--+---", "UUUUUUUUd"},  // never three in a row until the end
      {3, 1, true, "-++-+++",
       "dddddd"
       "U"},
      {1, 2, true, "-+-+--+", "UUUUUdU"},
      {2, 1, false, "++-+-++",
       "dUdddd"
       "U"},
  };
  for (const auto& each : cases)
    EXPECT_EQ(verdicts(Health(each.rise, each.fall, each.up), each.results), each.verdicts)
        << each.rise << "/" << each.fall << " " << each.results;
}

TEST(Health, StartsAsSaid) {
  EXPECT_TRUE(Health(2, 3, true).up());
  EXPECT_FALSE(Health(2, 3, false).up());
}

TEST(Health, CountsAtLeastOneResult) {
  EXPECT_DEATH(Health(0, 1, true), "rise and fall");
  EXPECT_DEATH(Health(1, 0, true), "rise and fall");
}

TEST(Health, IsChangingWhileResultsContradictTheVerdict) {
  Health health(2, 2, true);
  EXPECT_FALSE(health.is_changing());
  health.report(false);
  EXPECT_TRUE(health.is_changing());
  health.report(false);
  EXPECT_FALSE(health.is_changing()) << "down for certain";
  health.report(true);
  EXPECT_TRUE(health.is_changing());
}

}  // namespace
}  // namespace vipair
