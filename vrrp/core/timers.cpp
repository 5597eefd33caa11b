#include "vrrp/core/timers.h"

#include <algorithm>

namespace vipair::vrrp {

Duration skew_time(std::uint8_t priority, Centiseconds active_adver_interval, int version) {
  const Duration unit = version == 2 ? Duration(std::chrono::seconds(1)) : Duration(active_adver_interval);
  return (256 - priority) * unit / 256;
}

Duration active_down_interval(std::uint8_t priority, Centiseconds active_adver_interval, int version) {
  return 3 * Duration(active_adver_interval) + skew_time(priority, active_adver_interval, version);
}

Duration longest_active_down_interval(Centiseconds active_adver_interval) {
  return active_down_interval(0, active_adver_interval);
}

Centiseconds learned_interval(const Parameters& parameters, Centiseconds advertised) {
  if (parameters.version == 2) return parameters.advertisement_interval;
  const Centiseconds floor = parameters.is_pair ? kLearnedIntervalFloorOfPair : kLearnedIntervalFloor;
  return std::min(advertised, std::max(kLearnedIntervalFactorMax * parameters.advertisement_interval, floor));
}

Duration yield_time(Centiseconds advertisement_interval, std::size_t addresses) {
  return std::clamp(2 * Duration(advertisement_interval), kYieldMin, kYieldMax) +
         static_cast<Duration::rep>(addresses) * kYieldPerAddress;
}

TimePoint next_multiple(Duration interval, TimePoint now) {
  return now + interval - now.time_since_epoch() % interval;
}

TimePoint next_advertisement(Centiseconds advertisement_interval, TimePoint now) {
  return next_multiple(advertisement_interval, now);
}

}  // namespace vipair::vrrp
