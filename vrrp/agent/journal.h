#pragma once
// The agent's memory of what happened since somebody last asked, and the brake on what strangers can make it say.

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "vrrp/agent/status.h"

namespace vipair::vrrp {

inline constexpr std::size_t kJournalMax = 1024;  // entries; the oldest go first when nobody takes them

class Journal {
 public:
  void add(JournalEntry entry);
  std::vector<JournalEntry> take();  // oldest first
  std::uint64_t lost() const { return lost_; }

 private:
  std::deque<JournalEntry> entries_;
  std::uint64_t lost_ = 0;
};

// Lets the first one through, then at most one per interval.
class RateLimit {
 public:
  static constexpr Duration kInterval = std::chrono::seconds(10);

  // nullopt: keep quiet. Otherwise how many were kept quiet since the last one.
  std::optional<std::uint64_t> pass(TimePoint now);

 private:
  std::optional<TimePoint> passed_at_;
  std::uint64_t suppressed_ = 0;
};

// Waiting times that double from the first to the last.
class Backoff {
 public:
  Backoff(Duration first, Duration last) : first_(first), last_(last), next_(first) {}
  Duration next();
  void reset() { next_ = first_; }

 private:
  Duration first_, last_, next_;
};

}  // namespace vipair::vrrp
