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

// The places of a waiter in the scheduler's lists.
struct RunHook : ListHook {};
struct TimerHook : ListHook {
  std::int64_t tick = 0;  // the slot's tick while linked
};

// What one coroutine waits on: activity on its streams, or its deadline. Streams call wake(). Whoever waits for
// long and needs no coroutine until then is called instead (call()): a frame would be most of an idle connection's
// memory.
class Waiter : private RunHook, private TimerHook {
 public:
  explicit Waiter(Scheduler& scheduler) : scheduler_(scheduler) {}
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  void wake();  // no effect unless somebody waits

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
  // function(owner) is called once, in place of a coroutine that is resumed: after wake() or the deadline. It looks
  // at the clock itself.
  void call(TimePoint deadline, void (*function)(void* owner), void* owner);

 private:
  friend class Scheduler;
  void resume();

  Scheduler& scheduler_;
  void* waiting_ = nullptr;            // a suspended coroutine's frame, or the owner that is to be called
  void (*function_)(void*) = nullptr;  // nullptr: a coroutine
  TimePoint deadline_ = TimePoint::max();
};

class Scheduler {
 public:
  static constexpr Duration kTick = std::chrono::milliseconds(25);
  static constexpr std::size_t kSlots = 512;

  explicit Scheduler(TimePoint now) : now_(now), tick_(tick_of(now)) {}

  TimePoint now() const { return now_; }  // of this turn
  // Sets the time of this turn and queues the waiters whose deadline has passed.
  void advance(TimePoint now);
  // Resumes or calls for every queued waiter once; those queued meanwhile wait for the next turn.
  void run();
  bool has_work() const { return !ready_.empty(); }

 private:
  friend class Waiter;
  static std::int64_t tick_of(TimePoint time) { return time.time_since_epoch() / kTick; }
  void schedule(Waiter& waiter, TimePoint deadline);

  TimePoint now_;
  std::int64_t tick_;  // slots up to this one have been looked at
  IntrusiveList<RunHook> ready_;
  IntrusiveList<RunHook> running_;
  std::array<IntrusiveList<TimerHook>, kSlots> slots_;
};

}  // namespace vipair::proxy
