#pragma once
// A worker's event loop over one epoll instance. Streams are added once, edge-triggered; closing one removes it.
// turn() waits, marks what became ready, runs the posted functions and then the scheduler's queue.
//
// Everything but post(), wake_up() and turns() belongs to the thread that calls turn().

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "common/runtime/unique_fd.h"
#include "proxy/server/scheduler.h"

namespace vipair::proxy {

class Reactor {
 public:
  // Something with a descriptor. Outlives its descriptor's registration.
  class Target {
   public:
    virtual void on_events(std::uint32_t epoll_events) = 0;

   protected:
    ~Target() = default;
  };

  Reactor();  // throws std::system_error when the kernel refuses an epoll instance or an eventfd
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  Scheduler& scheduler() { return scheduler_; }

  // Readable, writable and peer-closed, edge-triggered. 0 or an errno (ENOSPC: max_user_watches).
  [[nodiscard]] int add_stream(int fd, Target& target);
  // The same without writable: for what can be written to as it is. Should that end, watch_writable() asks for the
  // rest.
  [[nodiscard]] int add_writable_stream(int fd, Target& target);
  [[nodiscard]] int watch_writable(int fd, Target& target);
  // Readable only, level-triggered: listeners.
  [[nodiscard]] int add_listener(int fd, Target& target);
  void remove(int fd);  // for a descriptor that stays open; not removed yet or no longer in is the same

  void turn();                                            // one turn, at most one tick long
  int events_in_turn() const { return events_in_turn_; }  // so many descriptors had something to tell

  // From any thread: runs in the loop's thread, in order, before the next queue run.
  void post(std::function<void()> function);
  std::uint64_t turns() const { return turns_.load(std::memory_order_relaxed); }  // the heartbeat

 private:
  static constexpr int kEventsMax = 256;  // per turn; more wait for the next
  void run_posted();

  UniqueFd epoll_;
  UniqueFd wake_;
  Scheduler scheduler_;
  std::atomic<std::uint64_t> turns_{0};
  int events_in_turn_ = 0;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;  // under mutex_
};

}  // namespace vipair::proxy
