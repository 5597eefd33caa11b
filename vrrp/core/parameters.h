#pragma once
// What one VRRP instance is configured to do, as the state machine needs it (RFC 9568 section 6.1).

#include <cstdint>

#include "common/base/ip_address.h"
#include "common/base/time.h"
#include "vrrp/core/types.h"

namespace vipair::vrrp {

inline constexpr Centiseconds kAdvertisementIntervalMin{1};
inline constexpr Centiseconds kAdvertisementIntervalMax{4095};  // twelve bits on the wire

struct Parameters {
  int version = 3;              // 2: RFC 3768, whole seconds
  std::uint8_t priority = 100;  // 1-254; 255: this node owns the address
  Centiseconds advertisement_interval{10};
  bool preempt = false;
  Duration preempt_delay{};   // counted from each entry into Backup
  Duration join_hold{};       // at Startup: no election for so long unless somebody was heard
  bool is_pair = false;       // two nodes and no others: no herd to skew, make before break
  IpAddress source;           // of our advertisements: decides between equal priorities
  std::size_t addresses = 0;  // that move: many take the other node longer to claim

  bool is_owner() const { return priority == kPriorityOwner; }
  friend bool operator==(const Parameters&, const Parameters&) = default;
};

}  // namespace vipair::vrrp
