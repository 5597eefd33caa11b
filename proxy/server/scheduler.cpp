#include "proxy/server/scheduler.h"

#include <algorithm>
#include <utility>

namespace vipair::proxy {

void Waiter::wake() {
  if (waiting_ != nullptr && !RunHook::is_linked()) scheduler_.ready_.push_back(*this);
}

Waiter::Awaiter Waiter::activity(TimePoint deadline) {
  scheduler_.schedule(*this, deadline);
  return {*this, false};
}

Waiter::Awaiter Waiter::yield() { return {*this, true}; }

void Waiter::call(TimePoint deadline, void (*function)(void* owner), void* owner) {
  waiting_ = owner;
  function_ = function;
  scheduler_.schedule(*this, deadline);
}

void Waiter::resume() {
  void* const waiting = std::exchange(waiting_, nullptr);
  if (function_ != nullptr) {
    function_(waiting);
  } else {
    std::coroutine_handle<>::from_address(waiting).resume();
  }
}

void Waiter::Awaiter::await_suspend(std::coroutine_handle<> handle) noexcept {
  waiter.waiting_ = handle.address();
  waiter.function_ = nullptr;
  if (yields) waiter.wake();
}

bool Waiter::Awaiter::await_resume() const noexcept {
  return !yields && waiter.scheduler_.now() >= waiter.deadline_;
}

void Scheduler::schedule(Waiter& waiter, TimePoint deadline) {
  waiter.deadline_ = deadline;
  if (deadline == TimePoint::max()) return;
  // The slot after the deadline's, so that a deadline never fires early.
  const std::int64_t wanted =
      std::clamp(tick_of(deadline) + 1, tick_ + 1, tick_ + static_cast<std::int64_t>(kSlots) - 1);
  TimerHook& node = waiter;
  if (node.is_linked() && node.tick <= wanted) return;
  node.tick = wanted;
  slots_[static_cast<std::size_t>(wanted) % kSlots].push_back(node);
}

void Scheduler::advance(TimePoint now) {
  now_ = std::max(now_, now);
  const std::int64_t last = tick_of(now_);
  // After a long pause every slot is looked at once, not once per missed tick.
  if (last - tick_ > static_cast<std::int64_t>(kSlots)) tick_ = last - static_cast<std::int64_t>(kSlots);
  while (tick_ < last) {
    ++tick_;
    IntrusiveList<TimerHook> due;
    due.take(slots_[static_cast<std::size_t>(tick_) % kSlots]);
    while (TimerHook* node = due.pop_front()) {
      auto& waiter = static_cast<Waiter&>(*node);
      if (waiter.deadline_ <= now_) {
        waiter.wake();
      } else {
        schedule(waiter, waiter.deadline_);
      }
    }
  }
}

void Scheduler::run() {
  running_.take(ready_);
  while (RunHook* node = running_.pop_front()) static_cast<Waiter*>(node)->resume();
}

}  // namespace vipair::proxy
