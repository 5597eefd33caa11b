#pragma once
// Requests that wait for a server of one upstream because all that could take them are at their max_connections.
// Each worker has a line of its own; whose first has waited longest is next, whichever worker it belongs to. A
// request of a sticky client waits for its server, any other for the first that has room.

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/time.h"
#include "proxy/server/counters.h"
#include "proxy/server/intrusive_list.h"
#include "proxy/server/scheduler.h"

namespace vipair::proxy {

struct Server;

// What all workers know of one upstream, the same object in every snapshot that has it. Slot i is written by worker
// i, read by anybody.
struct UpstreamNumbers {
  struct alignas(64) Slot {
    Counter waiting, queue_full, queue_timed_out;
    Counter retries_denied;                    // by the budget
    Counter cookies_unknown;                   // sticky cookies that nobody here has set
    std::atomic<std::int64_t> waits_since{0};  // the first of the line; monotonic nanoseconds, 0: nobody waits
  };
  explicit UpstreamNumbers(std::size_t workers) : slots(workers) {}
  std::vector<Slot> slots;
  std::atomic<std::uint64_t> waiting_for_any{0};
};

class WaitingLine {
 public:
  struct Place : ListHook {
    Waiter* waiter = nullptr;
    const Server* wanted = nullptr;  // nullptr: any
    TimePoint since{};
  };

  WaitingLine(std::shared_ptr<UpstreamNumbers> numbers, std::size_t worker)
      : numbers_(std::move(numbers)), worker_(worker) {}

  std::size_t worker() const { return worker_; }
  std::size_t size() const { return size_; }
  void enter(Place& place);  // at the end
  void leave(Place& place);
  // A new request may not pass those that wait for any server.
  bool must_wait() const { return numbers_->waiting_for_any.load(std::memory_order_relaxed) != 0; }
  bool is_first(const Place& place) const;  // of those that wait for the same

  // `server` has room: wakes whoever is next here. The place is left by who was woken, not by this.
  void wake_next(const Server& server);
  // The worker whose first has waited longest; its own when nobody waits.
  std::size_t longest_waiting() const;

  const std::shared_ptr<UpstreamNumbers>& numbers() const { return numbers_; }
  UpstreamNumbers::Slot& slot() const { return numbers_->slots[worker_]; }

 private:
  void tell();

  std::shared_ptr<UpstreamNumbers> numbers_;
  std::size_t worker_;
  std::size_t size_ = 0;
  IntrusiveList<Place> for_any_, for_one_;
};

}  // namespace vipair::proxy
