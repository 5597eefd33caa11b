#pragma once
// The supervisor: the small parent of the agent. It forks the child that runs the agent and holds the child's last
// will: the ready-made priority-0 advertisements and the addresses to let go of. However the child dies, its parent
// sends the will, lets go of the addresses and starts a new child, which joins as Backup.
//
// Addresses that linger (lingering_addresses.h) keep the connections they have through the death of the child: the
// parent cares for them until the next child is there, which adopts them, and ends them when its own end comes
// first.
//
// Death is the end of the link or SIGCHLD, whichever is seen first. A child whose heartbeat stands still for the
// hang timeout is killed and counts as dead; a supervisor that finds that it was itself late (a paused machine,
// starvation) gives the child a fresh hang timeout instead. A child that nobody could relieve is given more time:
// it waits for a lock of the kernel perhaps, for which the next one would wait as well, after its join hold. When
// the parent dies, the child gets SIGTERM and the end of its link, resigns and exits: nothing is left behind.
//
// Between the death and the last address let go of the parent allocates nothing: everything it needs is open and in
// memory. It is single-threaded and must be called from a single-threaded process (it forks).

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/bytes.h"
#include "common/base/expected.h"
#include "common/base/time.h"
#include "common/runtime/unique_fd.h"
#include "vrrp/kernel/last_will.h"
#include "vrrp/kernel/lingering_addresses.h"

namespace vipair::vrrp {

// A will of 255 routers with 4,000 addresses takes about 200 KiB, the largest configuration over three paths less
// than this.
inline constexpr std::size_t kLastWillSizeMax = 2u << 20;  // bytes, encoded
inline constexpr Duration kHangTimeoutMin = std::chrono::milliseconds(20);
inline constexpr Duration kIdleHangTimeout = std::chrono::seconds(2);
inline constexpr std::size_t kChildNotificationMax = 512;  // bytes of one sd_notify state

struct SupervisorOptions {
  std::string lock_path;  // single instance: flock, "<control_socket>.lock"
  Duration hang_timeout =
      std::chrono::milliseconds(200);  // no heartbeat for a quarter longer is a hang; at least kHangTimeoutMin
  Duration start_timeout = std::chrono::seconds(30);  // the same until the first heartbeat: loading, first dump
  Duration stop_timeout = std::chrono::seconds(20);   // from SIGTERM to SIGKILL; must exceed the drain time
  Duration idle_hang_timeout = kIdleHangTimeout;      // as hang_timeout, while the child cannot be relieved
};

// What makes sure that there is one agent: held as long as the descriptor, or a copy of it in a child, is open. The
// error says who holds it.
Expected<UniqueFd, std::string> acquire_instance_lock(const std::string& path);

struct SharedWithChild;  // memory that parent and child share

// The child's end. Lives in the child only; every call is made from its one thread, none blocks.
class ChildLink {
 public:
  ChildLink(SharedWithChild& shared, UniqueFd link, LingeringState inherited)
      : shared_(shared), link_(std::move(link)), inherited_(std::move(inherited)) {}
  ChildLink(const ChildLink&) = delete;
  ChildLink& operator=(const ChildLink&) = delete;

  // Replaces the will as a whole; in effect before it returns. On an error (larger than kLastWillSizeMax) the
  // previous will stays in effect.
  Expected<void, std::string> set_last_will(const KernelWill& will);
  // What lingers from the children before: to be adopted. The will of a new child is that it goes on lingering.
  const LingeringState& inherited() const { return inherited_; }

  // A store of the time. To be called at least every beat_interval() by the loop itself, and between the parts of
  // anything that may take long (thousands of addresses), never by a helper thread.
  void heartbeat();
  // The heartbeat at the end of a turn, with the time of the next one, which is due by then and not only after a
  // whole hang_timeout: an Active that does not wake up to advertise is dead before its peer's Active_Down_Interval
  // is over.
  void sleep_until(TimePoint wake_up);
  Duration beat_interval() const;           // hang_timeout / 2 while the child can be relieved
  void set_hang_timeout(Duration timeout);  // after a reload
  // Whether the child serves what another node would, were it dead. A new child does not.
  void set_relievable(bool is_relievable);

  // The child serves: READY=1 goes out once, from the parent, which is the main process of the service.
  void ready();
  void notify(std::string_view state);  // any other sd_notify state ("STATUS=…"), forwarded by the parent

  // Becomes readable (end of file) when the parent is gone: resign and exit. Nothing is ever sent to the child on
  // it.
  int parent_fd() const { return link_.get(); }

 private:
  SharedWithChild& shared_;
  UniqueFd link_;
  LingeringState inherited_;
  Bytes encoded_;
};

// Runs until a stop is asked for (SIGTERM, SIGINT, forwarded as SIGTERM; SIGHUP is forwarded as it is) or the child
// says that going on is useless, and returns the exit status for the process: 0 after a graceful stop; the child's
// when it exits by itself with kExitConfig, after a stop request, or before any child was ever ready; 1 when
// another instance runs, what the supervisor needs cannot be had, or the child had to be killed in a stop.
//
// Any other death is answered with a new child: at once, then after 100 ms doubling to 10 s, from the start again
// once a child lived for 60 s.
//
// run_child runs in every child, with the signal mask of the caller, and returns its exit status. Locked memory and
// real-time scheduling do not pass through fork: it asks for them itself. What it captured is as old as the parent:
// a child that replaces another should load the configuration again (and go on with the captured one when that
// fails). Until run_child installs handlers, SIGHUP is ignored and SIGTERM ends the child. A stop may reach it
// twice (a terminal signals parent and child; a dead parent is SIGTERM and the end of the link), so the second must
// not hurry it.
int supervise(const SupervisorOptions& options, const std::function<int(ChildLink&)>& run_child);

// How long to wait before the next child, given how long the last one lived.
class RestartBackoff {
 public:
  static constexpr Duration kFirst = std::chrono::milliseconds(100);
  static constexpr Duration kMax = std::chrono::seconds(10);
  static constexpr Duration kResetAfter = std::chrono::seconds(60);

  Duration after_death(Duration lived);

 private:
  Duration next_{};  // 0: at once
};

// For how long a child has been quiet, not counting what the supervisor itself slept through: both may have been
// paused together, and the child then deserves the whole patience again. Two looks find a hang, at three quarters
// of the patience and at its end, so that a child which was paused with us has time to beat.
class HangDetector {
 public:
  // However long the patience: the service manager's watchdog is to be told.
  static constexpr Duration kLookMax = std::chrono::milliseconds(500);
  static constexpr Duration kLookMin = std::chrono::milliseconds(10);
  static Duration suspicion(Duration patience) { return patience * 3 / 4; }

  // A look that comes late by more than a quarter of the patience tells nothing about the child.
  Duration look(TimePoint now, TimePoint beat_at, Duration patience);
  void restart(TimePoint now);
  TimePoint next_look() const { return next_look_; }

 private:
  TimePoint counted_from_;
  TimePoint next_look_;
};

}  // namespace vipair::vrrp
