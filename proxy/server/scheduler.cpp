#include "proxy/server/scheduler.h"

#include <algorithm>
#include <utility>

namespace vipair::proxy {

void Waiter::wake() {
  if (handle_ && !run_.is_linked()) scheduler_.ready_.push_back(run_);
}

Waiter::Awaiter Waiter::activity(TimePoint deadline) {
  scheduler_.schedule(*this, deadline);
  return {*this, false};
}

Waiter::Awaiter Waiter::yield() { return {*this, true}; }

void Waiter::Awaiter::await_suspend(std::coroutine_handle<> handle) noexcept {
  waiter.handle_ = handle;
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
  Waiter::TimerNode& node = waiter.timer_;
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
    IntrusiveList<Waiter::TimerNode> due;
    due.take(slots_[static_cast<std::size_t>(tick_) % kSlots]);
    while (Waiter::TimerNode* node = due.pop_front()) {
      Waiter& waiter = node->owner;
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
  while (Waiter::RunNode* node = running_.pop_front()) {
    Waiter& waiter = node->owner;
    std::exchange(waiter.handle_, nullptr).resume();
  }
}

}  // namespace vipair::proxy
