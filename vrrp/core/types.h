#pragma once
// The vocabulary of one VRRP instance: states, events, actions. Values only: comparable, printable, hence checkable.
// RFC 9568 section 6.4; Yielding is ours (pair mode): resigned, but answering until the peer was heard.

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "common/base/ip_address.h"
#include "common/base/time.h"

namespace vipair::vrrp {

// Progress through the repeat schedule of announcements (vrrp/core/announcement.h).
struct AnnouncementSchedule {
  TimePoint started_at;
  int sent = 0;        // bursts so far
  TimePoint next_at;
  friend bool operator==(const AnnouncementSchedule&, const AnnouncementSchedule&) = default;
};

struct Initialize {
  friend bool operator==(const Initialize&, const Initialize&) = default;
};
struct Backup {
  TimePoint active_down_at;
  Centiseconds active_adver_interval{};  // learned from the Active (RFC 9568 section 6.1)
  TimePoint preempt_at;                  // before this a lower priority is accepted even when preempting
  friend bool operator==(const Backup&, const Backup&) = default;
};
struct Active {
  TimePoint adver_at;
  AnnouncementSchedule announcements;
  friend bool operator==(const Active&, const Active&) = default;
};
struct Yielding {
  TimePoint until;
  friend bool operator==(const Yielding&, const Yielding&) = default;
};
using State = std::variant<Initialize, Backup, Active, Yielding>;

}  // namespace vipair::vrrp
