#pragma once
// Time as values. Nothing here can ask what time it is: `now` is always an argument, taken once at the edge
// (common/runtime/clock.h).

#include <chrono>
#include <cstdint>

namespace vipair {

using Duration = std::chrono::nanoseconds;
using Centiseconds = std::chrono::duration<std::int64_t, std::centi>;  // the unit of a VRRPv3 interval

// Nanoseconds since an arbitrary start, never set back. Deliberately without now().
struct MonotonicClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock, Duration>;
  static constexpr bool is_steady = true;
};
using TimePoint = MonotonicClock::time_point;

// The calendar, for logs and headers only; no decision rests on it. Nanoseconds since the Unix epoch, UTC.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

}  // namespace vipair
