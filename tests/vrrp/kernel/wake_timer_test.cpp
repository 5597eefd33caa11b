#include "vrrp/kernel/wake_timer.h"

#include <gtest/gtest.h>
#include <poll.h>

#include "common/runtime/clock.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;

bool is_readable(const WakeTimer& timer, int patience_ms) {
  pollfd readable = {timer.poll_fd(), POLLIN, 0};
  return ::poll(&readable, 1, patience_ms) == 1;
}

TEST(WakeTimer, GoesOffAtItsTimeAndStaysReadableUntilItIsSetAgain) {
  WakeTimer timer;
  EXPECT_FALSE(is_readable(timer, 0)) << "never set";
  const TimePoint start = monotonic_now();
  timer.set(start, start + 30ms);
  EXPECT_TRUE(is_readable(timer, 10'000));
  EXPECT_GE(monotonic_now(), start + 30ms);
  EXPECT_TRUE(is_readable(timer, 0));
  timer.set(monotonic_now(), monotonic_now() + 1h);
  EXPECT_FALSE(is_readable(timer, 0));
}

TEST(WakeTimer, GoesOffAtOnceForWhatHasPassed) {
  WakeTimer timer;
  const TimePoint now = monotonic_now();
  for (const TimePoint passed : {now, now, now - 1h, TimePoint()}) {
    timer.set(now, passed);
    EXPECT_TRUE(is_readable(timer, 10'000));
  }
}

TEST(WakeTimer, MovesInBothDirections) {
  WakeTimer timer;
  const TimePoint now = monotonic_now();
  timer.set(now, now + 1ms);
  timer.set(now, now + 1h);
  timer.set(now, now + 1h);
  EXPECT_FALSE(is_readable(timer, 30));
  timer.set(now, now + 2ms);
  EXPECT_TRUE(is_readable(timer, 10'000));
}

}  // namespace
}  // namespace vipair::vrrp
