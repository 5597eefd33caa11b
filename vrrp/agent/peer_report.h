#pragma once
// What one node of a pair tells the other about one VRRP instance, whatever its role: a Backup is silent in VRRP,
// and whoever hands over wants to know that somebody takes. Sent and received by hello messages; never decides
// about a peer's death.

#include <chrono>
#include <cstdint>
#include <string>

#include "common/base/time.h"

namespace vipair::vrrp {

// Older than this, a report says nothing about the peer any more: three hellos.
inline constexpr Duration kPeerReportMax = std::chrono::seconds(3);

struct PeerReport {
  std::string state;  // "initialize" "backup" "active" "yielding"
  std::uint8_t effective_priority = 0;
  int penalty = 0;           // the sum of the weights of the checks that are down there
  bool is_eligible = false;  // nothing speaks against its being Active: no fault
  TimePoint heard;
  friend bool operator==(const PeerReport&, const PeerReport&) = default;
};

}  // namespace vipair::vrrp
