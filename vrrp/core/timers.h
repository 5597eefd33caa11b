#pragma once
// The intervals of RFC 9568 section 6.1, of RFC 3768 section 6.1 for version 2, and ours, in exact integer
// nanoseconds: a skew can be 39 microseconds.

#include <chrono>
#include <cstddef>

#include "common/base/time.h"
#include "vrrp/core/parameters.h"

namespace vipair::vrrp {

// An advertised interval counts for at most this many of our own, or for the floor, so that one forged message
// cannot silence the others for minutes. Honest nodes of a pair stay far below it; strangers get more room.
inline constexpr int kLearnedIntervalFactorMax = 10;
inline constexpr Centiseconds kLearnedIntervalFloor{500};
inline constexpr Centiseconds kLearnedIntervalFloorOfPair{100};

// A resigned Active waits so long for its peer: two advertisement intervals within these bounds, and what the peer
// may need to claim the addresses, several times what the kernel takes for one.
inline constexpr Duration kYieldMin = std::chrono::milliseconds(200);
inline constexpr Duration kYieldMax = std::chrono::seconds(1);
inline constexpr Duration kYieldPerAddress = std::chrono::microseconds(250);
// Priority 0 goes out again after this part of that time, since the first one may be lost, and from then on an
// interval later each time: a peer of another make waits Skew_Time after each and must not be kept waiting.
inline constexpr int kYieldRepeatPart = 10;
// An Active answers the advertisements of others at most so often.
inline constexpr int kAnswersPerInterval = 4;

// Skew_Time = ((256 - priority) * Active_Adver_Interval) / 256; version 2: (256 - priority) / 256 seconds
Duration skew_time(std::uint8_t priority, Centiseconds active_adver_interval, int version = 3);
// Active_Down_Interval = 3 * Active_Adver_Interval + Skew_Time
Duration active_down_interval(std::uint8_t priority, Centiseconds active_adver_interval, int version = 3);
// No Backup, whatever its priority and version, waits longer than this: four intervals.
Duration longest_active_down_interval(Centiseconds active_adver_interval);

// What a Backup learns from an advertisement: the advertised interval, bounded. Version 2 learns nothing: every
// advertisement that is accepted has our own interval.
Centiseconds learned_interval(const Parameters& parameters, Centiseconds advertised);

Duration yield_time(Centiseconds advertisement_interval, std::size_t addresses);

// The next multiple of the interval: who has something to do at intervals that divide each other wakes up once for
// all of it.
TimePoint next_multiple(Duration interval, TimePoint now);

// Routers of one interval advertise at the same moments, hundreds of them in one wake-up.
TimePoint next_advertisement(Centiseconds advertisement_interval, TimePoint now);

}  // namespace vipair::vrrp
