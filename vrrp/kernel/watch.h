#pragma once
// Waiting for one descriptor or one moment on an io_context, by callbacks that are never called after their owner
// is gone. One thread.

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>

#include "common/base/time.h"
#include "common/runtime/unique_fd.h"

namespace vipair::vrrp {

// Owns a descriptor that epoll takes. A wait ends with its first call; an error or hangup counts as readiness. The
// callback may wait again, replace or destroy its owner.
class WatchedFd {
 public:
  WatchedFd() = default;  // watches nothing
  WatchedFd(boost::asio::io_context& io, UniqueFd fd);
  WatchedFd(WatchedFd&& other) noexcept = default;
  WatchedFd& operator=(WatchedFd&& other) noexcept;
  ~WatchedFd();

  explicit operator bool() const { return state_ != nullptr; }
  int get() const;  // -1: none
  void reset() { *this = WatchedFd(); }

  void when_readable(std::function<void()> call);
  void when_writable(std::function<void()> call);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// One moment of the monotonic clock; setting it again forgets the former one.
class Alarm {
 public:
  explicit Alarm(boost::asio::io_context& io);
  ~Alarm();
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

  void at(TimePoint time, std::function<void()> call);
  void cancel();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace vipair::vrrp
