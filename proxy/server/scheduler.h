#pragma once
// Who runs next, and who has waited too long: the part of a worker's loop that needs no file descriptor, so that
// tests drive it with memory streams and a number for the time.
//
// A turn has two halves. First everything that became ready is marked and its waiter queued; then the queue runs.
// No object is destroyed in the first half, so an event never meets a dead stream, and a session whose client and
// upstream became ready together runs once.
//
// Deadlines are coarse (kTick) and lazy: moving one further away is a store, the wheel finds out when the old slot
// comes round. One thread; a Waiter outlives neither its Scheduler nor the coroutine that waits on it.

#include <array>
#include <coroutine>
#include <cstdint>

#include "common/base/time.h"
#include "proxy/server/intrusive_list.h"

namespace vipair::proxy {

class Scheduler;

// What one coroutine waits on: activity on its streams, or its deadline. Streams call wake().
class Waiter {
 public:
  explicit Waiter(Scheduler& scheduler) : scheduler_(scheduler) {}
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  void wake();  // no effect unless the coroutine is suspended on this waiter

  struct Awaiter {
    Waiter& waiter;
    bool yields;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) noexcept;
    bool await_resume() const noexcept;  // true: the deadline has passed
  };
  // Suspends until wake() or the deadline. TimePoint::max() is no deadline.
  Awaiter activity(TimePoint deadline);
  // Lets every other ready waiter run first.
  Awaiter yield();

 private:
  friend class Scheduler;
  class RunNode : public ListHook {
   public:
    explicit RunNode(Waiter& owner_waiter) : owner(owner_waiter) {}
    Waiter& owner;
  };
  class TimerNode : public ListHook {
   public:
    explicit TimerNode(Waiter& owner_waiter) : owner(owner_waiter) {}
    Waiter& owner;
    std::int64_t tick = 0;  // the slot's tick while linked
  };

  Scheduler& scheduler_;
  std::coroutine_handle<> handle_;  // set while suspended
  TimePoint deadline_ = TimePoint::max();
  RunNode run_{*this};
  TimerNode timer_{*this};
};

class Scheduler {
 public:
  static constexpr Duration kTick = std::chrono::milliseconds(25);
  static constexpr std::size_t kSlots = 512;

  explicit Scheduler(TimePoint now) : now_(now), tick_(tick_of(now)) {}

  TimePoint now() const { return now_; }  // of this turn
  // Sets the time of this turn and queues the waiters whose deadline has passed.
  void advance(TimePoint now);
  // Resumes every queued waiter once; those queued meanwhile wait for the next turn.
  void run();
  bool has_work() const { return !ready_.empty(); }

 private:
  friend class Waiter;
  static std::int64_t tick_of(TimePoint time) { return time.time_since_epoch() / kTick; }
  void schedule(Waiter& waiter, TimePoint deadline);

  TimePoint now_;
  std::int64_t tick_;  // slots up to this one have been looked at
  IntrusiveList<Waiter::RunNode> ready_;
  IntrusiveList<Waiter::RunNode> running_;
  std::array<IntrusiveList<Waiter::TimerNode>, kSlots> slots_;
};

}  // namespace vipair::proxy
