#include "common/runtime/clock.h"

#include <ctime>

namespace vipair {
namespace {

Duration read_clock(clockid_t id) {
  timespec time{};
  clock_gettime(id, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

TimePoint monotonic_now() { return TimePoint(read_clock(CLOCK_MONOTONIC)); }
WallTime wall_now() { return WallTime(read_clock(CLOCK_REALTIME)); }

}  // namespace vipair
