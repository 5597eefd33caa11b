#include "common/runtime/clock.h"

#include "gtest/gtest.h"

namespace vipair {
namespace {

TEST(Clock, MonotonicTimeNeverRunsBackwards) {
  TimePoint last = monotonic_now();
  EXPECT_GT(last.time_since_epoch().count(), 0);
  for (int i = 0; i < 1000; ++i) {
    const TimePoint now = monotonic_now();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(Clock, WallTimeIsThatOfTheCalendar) {
  const auto difference = std::chrono::system_clock::now() - wall_now();
  EXPECT_LT(std::chrono::abs(difference), std::chrono::minutes(1));
}

}  // namespace
}  // namespace vipair
