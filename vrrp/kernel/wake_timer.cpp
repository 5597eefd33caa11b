#include "vrrp/kernel/wake_timer.h"

#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace vipair::vrrp {

WakeTimer::WakeTimer() : fd_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
  if (!fd_) throw std::system_error(errno, std::generic_category(), "timerfd_create");
}

void WakeTimer::set(TimePoint now, TimePoint at) {
  if (at == set_for_ && at > now) return;
  set_for_ = at;
  const Duration since_boot = std::max(at.time_since_epoch(), Duration(1));  // 0 would disarm it
  itimerspec moment{};
  moment.it_value.tv_sec = static_cast<time_t>(since_boot / std::chrono::seconds(1));
  moment.it_value.tv_nsec = static_cast<long>((since_boot % std::chrono::seconds(1)).count());
  (void)::timerfd_settime(fd_.get(), TFD_TIMER_ABSTIME, &moment, nullptr);
}

}  // namespace vipair::vrrp
