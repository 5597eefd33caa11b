#pragma once
// A circuit breaker of one server, shared by all workers. Failures in a row open it: the server is ejected for a
// time that doubles with every ejection that follows soon upon the last. Behind that time one request probes the
// server, the others stay away until it is known how that went.
//
// Lock-free; the answers are right for one thread and good enough for several: a failure more or less counts.

#include <atomic>
#include <cstdint>

#include "common/base/time.h"

namespace vipair::policy {

struct BreakerSettings {
  unsigned failures = 0;  // in a row; 0: never opens
  Duration eject = std::chrono::seconds(10);
  Duration eject_max = std::chrono::minutes(5);
  friend bool operator==(const BreakerSettings&, const BreakerSettings&) = default;
};

class Breaker {
 public:
  bool is_closed() const { return open_until_.load(std::memory_order_relaxed) == 0; }
  // While it is open: until then nobody goes there; from then on one may probe. TimePoint{} when closed.
  TimePoint open_until() const { return TimePoint(Duration(open_until_.load(std::memory_order_relaxed))); }
  unsigned failures() const { return failures_.load(std::memory_order_relaxed); }

  // For one request of those that would like to: true for the one that goes. The others wait as long as the last
  // ejection lasted, should nobody ever hear of the probe again.
  bool try_probe(const BreakerSettings& settings, TimePoint now);
  void abandon_probe(TimePoint now);  // it was told nothing: the next one may try

  void on_success() {
    if (failures_.load(std::memory_order_relaxed) != 0) failures_.store(0, std::memory_order_relaxed);
  }
  // True when open() should follow: there were so many in a row, or it was the probe that failed. What else fails
  // while it is open had begun before.
  bool on_failure(const BreakerSettings& settings, bool is_probe);
  Duration open(const BreakerSettings& settings, TimePoint now);  // for how long
  void close(TimePoint now);                                      // a request was answered meanwhile

 private:
  Duration length(const BreakerSettings& settings) const;

  std::atomic<std::int64_t> open_until_{0};  // monotonic nanoseconds; 0: closed
  std::atomic<std::int64_t> closed_at_{0};
  std::atomic<unsigned> failures_{0};
  std::atomic<unsigned> ejections_{0};  // that followed soon upon each other
};

}  // namespace vipair::policy
