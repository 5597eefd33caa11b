#include "proxy/http/h2_flood.h"

#include <algorithm>

namespace vipair::http::h2 {

void FloodGuard::refill(TimePoint now) {
  for (std::size_t i = 0; i < kFloods; ++i) {
    const Allowance& allowance = kAllowances[i];
    if (tokens_[i] != 0) continue;
    const std::int64_t milliseconds = std::clamp<std::int64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now - since_[i]).count(), 0, 1'000'000);
    const std::int64_t gained = milliseconds * allowance.per_second / 1000;
    if (gained == 0) continue;
    tokens_[i] = static_cast<std::uint32_t>(std::min<std::int64_t>(gained, allowance.burst));
    since_[i] = now;
  }
}

const char* to_string(Flood kind) {
  switch (kind) {
    case Flood::resets:
      return "resets";
    case Flood::pings:
      return "pings";
    case Flood::settings:
      return "settings";
    case Flood::priorities:
      return "priorities";
    case Flood::empty_frames:
      return "empty_frames";
    case Flood::window_updates:
      return "window_updates";
  }
  return "unknown";
}

}  // namespace vipair::http::h2
