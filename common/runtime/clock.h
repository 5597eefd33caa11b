#pragma once
// The two clocks, asked at the edge only and passed inwards as arguments.

#include "common/base/time.h"

namespace vipair {

TimePoint monotonic_now();  // CLOCK_MONOTONIC
WallTime wall_now();        // CLOCK_REALTIME

}  // namespace vipair
