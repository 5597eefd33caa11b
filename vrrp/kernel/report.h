#pragma once
// What the agent tells the world, rendered: the JSON of GET /status and GET /events, the text of GET /metrics, and
// log lines. Functions of values; the clocks are arguments. JSON shapes and metric names are interfaces: they only
// grow.

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/time.h"
#include "common/runtime/config_file.h"
#include "vrrp/agent/plan.h"
#include "vrrp/agent/status.h"

namespace vipair::vrrp {

std::string rfc3339(WallTime time);  // UTC with milliseconds: "2026-11-20T05:00:00.123Z"

// Both clocks at the same moment, to tell the calendar time of a TimePoint.
struct Clocks {
  TimePoint now;
  WallTime wall;
  WallTime at(TimePoint time) const { return wall + (time - now); }
};

std::string status_json(const Status& status, const Clocks& clocks);
std::string plan_json(
    const std::vector<PlanRow>& plan);  // {"rows": [{"group", "failing", "here", "there", "everywhere"}]}
std::string errors_json(const ConfigErrors& errors);

// An entry of the journal: { cursor, at, level, router, event, text }, and of a change of role also { name, family,
// interface, vrid, from, to, reason, phase, addresses, peer }.
std::string event_json(const JournalEntry& entry, std::uint64_t cursor, const Clocks& clocks);

// The same object of a change of role, without a cursor, for the notify program and pipe: `coalesced` is the number
// of changes of this instance that this one replaces.
std::string notice_json(const JournalEntry& entry, std::uint64_t coalesced, const Clocks& clocks);

// The last kEventsMax journal entries, numbered from 1 without gaps; the numbers are the cursor of GET /events.
class EventRing {
 public:
  static constexpr std::size_t kEventsMax = 1000;

  void add(const JournalEntry& entry, const Clocks& clocks);
  // The entries after the one numbered `after`, oldest first; all of them when there is no such number yet: it is
  // from before a restart.
  std::string json(std::uint64_t after) const;   // an array
  std::string lines(std::uint64_t after) const;  // one object per line
  std::string last_line() const { return events_.empty() ? "" : events_.back() + "\n"; }

 private:
  std::size_t first_after(std::uint64_t after) const;

  std::deque<std::string> events_;  // as JSON; the last one has number last_cursor_
  std::uint64_t last_cursor_ = 0;
};

std::string log_line(const JournalEntry& entry);  // "text router=web/ipv4 event=state"

// How late the loop handled its timer.
class LoopLag {
 public:
  void add(Duration lag);
  Duration max() const { return max_; }
  Duration last() const { return last_; }
  std::uint64_t late_turns() const { return late_turns_; }
  static constexpr Duration kLate = std::chrono::milliseconds(10);

 private:
  Duration max_{}, last_{};
  std::uint64_t late_turns_ = 0;
};

// Further samples of the edge: name without prefix, help, value; all of them counters.
struct EdgeCounter {
  std::string_view name;
  std::string_view help;
  std::uint64_t value = 0;
};
std::string metrics_text(const Status& status, const LoopLag& lag, const std::vector<EdgeCounter>& edge,
                         const Clocks& clocks);

}  // namespace vipair::vrrp
