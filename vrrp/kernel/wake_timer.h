#pragma once
// The one moment at which the event loop wants to wake up: a timerfd of the monotonic clock. To move it is one
// system call, to leave it where it is none; nothing needs to be read. (A timer of Asio's takes three calls for
// each time it goes off and is set again, and a handler that learns of its cancellation whenever it is moved.)

#include "common/base/time.h"
#include "common/runtime/unique_fd.h"

namespace vipair::vrrp {

class WakeTimer {
 public:
  WakeTimer();  // throws std::system_error

  int poll_fd() const { return fd_.get(); }  // readable from that moment on, until the timer is set again
  void set(TimePoint now, TimePoint at);

 private:
  UniqueFd fd_;
  TimePoint set_for_;
};

}  // namespace vipair::vrrp
