#pragma once
// The vocabulary of one VRRP instance: its states and what each of them remembers. Values only: comparable,
// printable, hence checkable. RFC 9568 section 6.4; Yielding is ours (pair mode): resigned, but answering until the
// peer was heard.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "common/base/ip_address.h"
#include "common/base/time.h"

namespace vipair::vrrp {

inline constexpr std::uint8_t kPriorityOwner = 255;  // the node owns the virtual address (RFC 9568 section 5.2.4)
inline constexpr std::uint8_t kPriorityResigned = 0;

// How addresses are given up. `lingering`: a planned move to a live peer. The node stops answering ARP and ND for
// them at once but keeps serving the connections it has until the drain time ends, while the new Active relays
// their segments here (make before break).
enum class ReleaseMode { immediate, lingering };

// Progress through the repeat schedule of announcements (vrrp/core/announcement.h).
struct AnnouncementSchedule {
  TimePoint started_at;
  int sent = 0;  // bursts so far
  TimePoint next_at;
  friend bool operator==(const AnnouncementSchedule&, const AnnouncementSchedule&) = default;
};

struct Initialize {
  // Pair mode: when the Active resigned, if it did while this node could not take its place and nobody was heard
  // since.
  std::optional<TimePoint> resigned_at;
  friend bool operator==(const Initialize&, const Initialize&) = default;
};
inline constexpr TimePoint kNever = TimePoint::max();

struct Backup {
  // An advertisement that was discarded for its lower priority: its sender is alive and about to be preempted.
  struct Outranked {
    IpAddress source;
    TimePoint heard_at;
    friend bool operator==(const Outranked&, const Outranked&) = default;
  };
  TimePoint active_down_at;
  Centiseconds active_adver_interval{};  // learned from the Active (RFC 9568 section 6.1)
  TimePoint preempt_at;  // before this a lower priority is accepted even when preempting; kNever after a handover
  std::optional<Outranked> outranked;
  bool is_listening_again = false;  // woke up too late to trust the silence and armed the timer once more
  friend bool operator==(const Backup&, const Backup&) = default;
};
struct Active {
  TimePoint adver_at;
  AnnouncementSchedule announcements;
  bool is_listening =
      false;  // was silent for so long that a Backup has taken over if one lives: listen until adver_at
  TimePoint answered_at{};  // the last advertisement that was an answer to somebody else's
  friend bool operator==(const Active&, const Active&) = default;
};
struct Yielding {
  TimePoint until;
  TimePoint adver_at;    // of the next repetition of priority 0
  bool returns = false;  // a handover: if nobody takes over, Active again
  friend bool operator==(const Yielding&, const Yielding&) = default;
};
using State = std::variant<Initialize, Backup, Active, Yielding>;

const char* name_of(const State& state);  // "initialize" "backup" "active" "yielding"

}  // namespace vipair::vrrp
