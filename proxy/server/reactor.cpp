#include "proxy/server/reactor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "common/base/assert.h"
#include "common/runtime/clock.h"

namespace vipair::proxy {

Reactor::Reactor()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      scheduler_(monotonic_now()) {
  if (!epoll_ || !wake_) throw std::system_error(errno, std::generic_category(), "epoll");
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = nullptr;  // the one descriptor without a target
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
}

static int control(int epoll, int operation, int fd, std::uint32_t events, Reactor::Target* target) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = target;
  return epoll_ctl(epoll, operation, fd, &event) == 0 ? 0 : errno;
}

static constexpr std::uint32_t kReadable = EPOLLIN | EPOLLRDHUP | EPOLLET;

int Reactor::add_stream(int fd, Target& target) {
  return control(epoll_.get(), EPOLL_CTL_ADD, fd, kReadable | EPOLLOUT, &target);
}

int Reactor::add_writable_stream(int fd, Target& target) {
  return control(epoll_.get(), EPOLL_CTL_ADD, fd, kReadable, &target);
}

int Reactor::watch_writable(int fd, Target& target) {
  return control(epoll_.get(), EPOLL_CTL_MOD, fd, kReadable | EPOLLOUT, &target);
}

int Reactor::add_listener(int fd, Target& target) {
  return control(epoll_.get(), EPOLL_CTL_ADD, fd, EPOLLIN, &target);
}

void Reactor::remove(int fd) { (void)control(epoll_.get(), EPOLL_CTL_DEL, fd, 0, nullptr); }

void Reactor::turn() {
  std::array<epoll_event, kEventsMax> events;
  const int timeout_ms =
      scheduler_.has_work()
          ? 0
          : static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(Scheduler::kTick).count());
  const int count = epoll_wait(epoll_.get(), events.data(), kEventsMax, timeout_ms);
  VIPAIR_ASSERT(count >= 0 || errno == EINTR, "epoll_wait fails only when interrupted");
  events_in_turn_ = std::max(count, 0);
  turns_.store(turns_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  scheduler_.advance(monotonic_now());
  bool is_posted = false;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.ptr == nullptr) {
      is_posted = true;
    } else {
      static_cast<Target*>(event.data.ptr)->on_events(event.events);
    }
  }
  if (is_posted) run_posted();
  scheduler_.run();
}

void Reactor::post(std::function<void()> function) {
  {
    std::lock_guard lock(mutex_);
    posted_.push_back(std::move(function));
  }
  eventfd_write(wake_.get(), 1);
}

void Reactor::run_posted() {
  std::vector<std::function<void()>> functions;
  {
    std::lock_guard lock(mutex_);
    functions.swap(posted_);
  }
  for (auto& function : functions) function();
}

}  // namespace vipair::proxy
