#pragma once
// What a peer may send of the frames that cost us more than them: a bucket of tokens per kind, refilled with time
// (passed in). An honest peer never empties one; who does ends its connection with ENHANCE_YOUR_CALM.
//
// Resets sent and received share one bucket, because a client can have us send them (rapid reset CVE-2023-44487,
// MadeYouReset CVE-2025-8671).

#include <array>
#include <cstddef>
#include <cstdint>

#include "common/base/time.h"

namespace vipair::http::h2 {

enum class Flood : std::uint8_t {
  resets,          // RST_STREAM in both directions, streams refused
  pings,           // PING
  settings,        // SETTINGS
  priorities,      // PRIORITY, and frames of unknown types
  empty_frames,    // DATA without payload or end, empty HEADERS and CONTINUATION
  window_updates,  // WINDOW_UPDATE: each may move as little as one byte
};
inline constexpr std::size_t kFloods = static_cast<std::size_t>(Flood::window_updates) + 1;
const char* to_string(Flood kind);  // "resets"

class FloodGuard {
 public:
  struct Allowance {
    std::uint32_t burst;       // at once
    std::uint32_t per_second;  // regained
  };
  static constexpr std::array<Allowance, kFloods> kAllowances{
      {{256, 32}, {64, 8}, {32, 2}, {512, 64}, {64, 8}, {8192, 4096}}};

  FloodGuard() {
    for (std::size_t i = 0; i < kFloods; ++i) tokens_[i] = kAllowances[i].burst;
  }
  // Takes one token; false: there is none.
  [[nodiscard]] bool allows(Flood kind, TimePoint now) {
    std::uint32_t& tokens = tokens_[static_cast<std::size_t>(kind)];
    if (tokens == 0) refill(now);
    if (tokens == 0) return false;
    if (tokens-- == kAllowances[static_cast<std::size_t>(kind)].burst) since_[static_cast<std::size_t>(kind)] = now;
    return true;
  }

 private:
  void refill(TimePoint now);

  std::array<std::uint32_t, kFloods> tokens_;
  std::array<TimePoint, kFloods> since_{};  // when the bucket was last refilled, or left being full
};

}  // namespace vipair::http::h2
