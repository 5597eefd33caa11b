#include "vrrp/kernel/supervisor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <limits>
#include <memory>
#include <optional>

#include "common/runtime/clock.h"
#include "common/runtime/config_file.h"
#include "common/runtime/daemon.h"
#include "common/runtime/log.h"
#include "vrrp/kernel/answer_lease.h"

namespace vipair::vrrp {

// Written by the child, read by the parent: the numbers at any time, the will after the child's death. A child that
// dies while it writes a will leaves the other slot, which `will_slot` still points to, as it was.
struct SharedWithChild {
  struct Slot {
    std::uint32_t size;
    std::array<std::uint8_t, kLastWillSizeMax> bytes;
  };
  std::atomic<std::int64_t> beat_at;       // the last sign of life on the monotonic clock, nanoseconds; 0: none yet
  std::atomic<std::int64_t> hang_timeout;  // nanoseconds
  std::atomic<bool> is_relievable;
  std::atomic<std::uint32_t> held;  // families, by held_bit()
  std::atomic<std::uint32_t> will_slot;
  std::array<Slot, 2> will;
};
static_assert(std::atomic<std::int64_t>::is_always_lock_free && std::atomic<std::uint32_t>::is_always_lock_free,
              "atomics between processes must not be locks");

namespace {

constexpr int kExitFailure = 1;
constexpr int kLinkFd = 1000;  // or more; above whatever the agent opens, below the usual limit of 1024
constexpr Duration kKillGrace =
    std::chrono::milliseconds(50);  // from SIGKILL to the will, should death not be seen
// A child that begins to hold addresses, or that can be relieved from now on, says so: we may be asleep for longer
// than its lease lasts, or it may be silent.
constexpr std::string_view kWakeUp = "WAKEUP=1";

class SharedMemory {
 public:
  SharedMemory()
      : memory_(
            ::mmap(nullptr, sizeof(SharedWithChild), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {}
  ~SharedMemory() {
    if (*this) ::munmap(memory_, sizeof(SharedWithChild));
  }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  explicit operator bool() const { return memory_ != MAP_FAILED; }
  // All zero, as the kernel delivers it, is a valid start: the types are trivial.
  SharedWithChild& operator*() const { return *static_cast<SharedWithChild*>(memory_); }
  SharedWithChild* operator->() const { return &**this; }

 private:
  void* memory_;
};

// At most kLastWillSizeMax bytes.
void write_will(SharedWithChild& shared, ByteView encoded) {
  const std::uint32_t next = 1 - shared.will_slot.load(std::memory_order_relaxed) % 2;
  SharedWithChild::Slot& slot = shared.will[next];
  slot.size = static_cast<std::uint32_t>(encoded.size());
  std::copy(encoded.begin(), encoded.end(), slot.bytes.begin());
  shared.will_slot.store(next, std::memory_order_release);
}

Duration hang_timeout_of(const SharedWithChild& shared) {
  return std::max(kHangTimeoutMin, Duration(shared.hang_timeout.load(std::memory_order_relaxed)));
}

// What is on the interfaces, or will be in a moment; what lingers already is not answered for.
std::uint32_t held_families(const KernelWill& will) {
  std::uint32_t held = 0;
  auto add = [&](const AddressSet& set) {
    if (!set.addresses.empty()) held |= held_bit(set.addresses.front().address.family());
  };
  for (const AddressSet& set : will.withdrawn) add(set);
  for (const LingeringState::Entry& entry : will.lingering.entries)
    if (!entry.until) add(entry.set);
  return held;
}

std::string errno_text(int error) { return std::strerror(error); }

std::string describe(int wait_status) {
  if (WIFEXITED(wait_status)) return fmt::format("exited with status {}", WEXITSTATUS(wait_status));
  const int signal = WTERMSIG(wait_status);
  return fmt::format("killed by signal {} ({})", signal, ::strsignal(signal));
}

struct Child {
  pid_t pid = 0;
  UniqueFd link;
  TimePoint started_at;
  bool is_will_done = false;
  LastWillExecutor::Result will;
  std::optional<TimePoint> killed_at;
  std::string killed_because;
};

class Supervisor {
 public:
  Supervisor(const SupervisorOptions& options, const std::function<int(ChildLink&)>& run_child)
      : options_(options), run_child_(run_child) {}
  ~Supervisor() { ::sigprocmask(SIG_SETMASK, &mask_of_caller_, nullptr); }
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  int run();

 private:
  Expected<void, std::string> open();
  bool start_child();
  [[noreturn]] void become_child(UniqueFd link, pid_t parent);
  void wait_for_something(TimePoint now);
  TimePoint next_wake_up() const;
  void read_signals(TimePoint now);
  bool read_link();  // false at its end
  void on_end_of_link();
  void look(TimePoint now);
  void kill_child(TimePoint now, std::string because);
  void execute_will();
  void reap(TimePoint now);
  void after_death(TimePoint now, int wait_status);
  void forward(int signal) const {
    if (child_) ::kill(child_->pid, signal);
  }

  Duration hang_timeout() const { return hang_timeout_of(*shared_); }
  // Who is to beat twice in its hang timeout may be late for that by some more than a beat.
  Duration quiet_max(TimePoint beat_at) const {
    if (beat_at == TimePoint()) return std::max(options_.start_timeout, hang_timeout());
    if (shared_->is_relievable.load(std::memory_order_relaxed)) return hang_timeout() * 5 / 4;
    return std::max(options_.idle_hang_timeout, hang_timeout());
  }
  std::uint32_t held() const { return shared_->held.load(std::memory_order_relaxed); }

  const SupervisorOptions& options_;
  const std::function<int(ChildLink&)>& run_child_;
  sigset_t mask_of_caller_{};
  UniqueFd lock_;
  UniqueFd signals_;
  SharedMemory shared_;
  LastWillExecutor executor_;
  LingeringAddresses lingering_{Duration::zero(), nullptr};  // of dead children, while there is no other
  RestartBackoff backoff_;
  HangDetector hang_detector_;
  LeaseKeeper lease_;
  std::optional<Child> child_;
  bool was_ever_ready_ = false;
  TimePoint restart_at_;
  std::optional<TimePoint> stop_deadline_;
  TimePoint watchdog_beat_;
  TimePoint watchdog_at_;
  std::optional<Duration> watchdog_interval_;
  std::optional<int> exit_status_;
};

Expected<void, std::string> Supervisor::open() {
  auto lock = acquire_instance_lock(options_.lock_path);
  if (!lock) return Unexpected{lock.error()};
  lock_ = std::move(*lock);
  if (!shared_) return Unexpected{fmt::format("cannot share memory with the child: {}", errno_text(errno))};

  sigset_t handled;
  ::sigemptyset(&handled);
  for (int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGPIPE}) ::sigaddset(&handled, signal);
  ::sigprocmask(SIG_BLOCK, &handled, nullptr);
  signals_ = UniqueFd(::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return Unexpected{fmt::format("cannot receive signals: {}", errno_text(errno))};

  if (const int error = executor_.prepare(); error != 0) {
    log::warn(fmt::format("the last will of the agent cannot be carried out yet: {}{}", errno_text(error),
                          error == EPERM ? " (raw sockets need CAP_NET_RAW)" : ""));
  }
  watchdog_interval_ = watchdog_interval();
  return {};
}

int Supervisor::run() {
  ::sigprocmask(SIG_SETMASK, nullptr, &mask_of_caller_);
  if (auto opened = open(); !opened) {
    log::error(opened.error());
    return kExitFailure;
  }
  restart_at_ = monotonic_now();
  while (!exit_status_) {
    const TimePoint now = monotonic_now();
    if (!child_ && !stop_deadline_ && now >= restart_at_ && !start_child()) {
      restart_at_ = now + backoff_.after_death(Duration::zero());
    }
    wait_for_something(monotonic_now());
  }
  return *exit_status_;
}

bool Supervisor::start_child() {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()) != 0) {
    log::error(fmt::format("cannot make the link to a new child: {}", errno_text(errno)));
    return false;
  }
  UniqueFd ours(pair[0]);
  UniqueFd theirs(pair[1]);
  shared_->beat_at = 0;
  shared_->hang_timeout = options_.hang_timeout.count();
  shared_->is_relievable = false;
  shared_->held = 0;
  Bytes first_will;
  encode_last_will({{}, {}, lingering_.state()}, first_will);
  write_will(*shared_, first_will);
  const pid_t parent = ::getpid();
  std::fflush(nullptr);  // or the child would write it again
  const pid_t pid = ::fork();
  if (pid < 0) {
    log::error(fmt::format("cannot start a new child: {}", errno_text(errno)));
    return false;
  }
  if (pid == 0) {
    ours.reset();
    become_child(std::move(theirs), parent);
  }
  child_.emplace();
  child_->pid = pid;
  child_->link = std::move(ours);
  child_->started_at = monotonic_now();
  lingering_.forget();
  hang_detector_.restart(child_->started_at);
  lease_.restart(child_->started_at);
  return true;
}

void Supervisor::become_child(UniqueFd link, pid_t parent) {
  signals_.reset();
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(kExitFailure);  // it died before the line above
  ::unsetenv("NOTIFY_SOCKET");                       // service managers listen to the main process, which forwards
  std::signal(SIGHUP, SIG_IGN);
  ::sigprocmask(SIG_SETMASK, &mask_of_caller_, nullptr);
  int status = kExitFailure;
  // The link is closed by the end of the process, after the exit status is settled: its end is the sign of death.
  // The kernel closes the files of a dead process from the highest number down, and some take it long (the tables
  // of a relay: hundreds of milliseconds under load); so the link gets the highest.
  if (const int highest = ::fcntl(link.get(), F_DUPFD_CLOEXEC, kLinkFd); highest >= 0) link = UniqueFd(highest);
  auto* child_link = new ChildLink(*shared_, std::move(link), lingering_.state());
  try {
    status = run_child_(*child_link);
  } catch (const std::exception& e) {
    log::error(fmt::format("the agent cannot go on: {}", e.what()));
  } catch (...) {
    log::error("the agent cannot go on: an exception of unknown type");
  }
  std::fflush(nullptr);
  ::_exit(status);
}

TimePoint Supervisor::next_wake_up() const {
  TimePoint at = TimePoint::max();
  if (child_) {
    at = hang_detector_.next_look();
    if (held() != 0 && !child_->killed_at) at = std::min(at, lease_.next_renewal(lease_duration(hang_timeout())));
    if (child_->killed_at && !child_->is_will_done) at = std::min(at, *child_->killed_at + kKillGrace);
    if (stop_deadline_ && !child_->killed_at) at = std::min(at, *stop_deadline_);
  } else {
    at = restart_at_;
  }
  if (const auto lingering = lingering_.next_deadline()) at = std::min(at, *lingering);
  return at;
}

void Supervisor::wait_for_something(TimePoint now) {
  const Duration wait = std::clamp(next_wake_up() - now, Duration::zero(), Duration(std::chrono::seconds(10)));
  const timespec timeout = {static_cast<time_t>(wait / std::chrono::seconds(1)),
                            static_cast<long>((wait % std::chrono::seconds(1)).count())};
  std::array<pollfd, 2> fds{};
  fds[0] = {signals_.get(), POLLIN, 0};
  fds[1] = {child_ ? child_->link.get() : -1, POLLIN, 0};
  const int ready = ::ppoll(fds.data(), fds.size(), &timeout, nullptr);
  now = monotonic_now();
  if (ready > 0 && fds[1].revents != 0 && !read_link()) on_end_of_link();
  if (ready > 0 && fds[0].revents != 0) read_signals(now);
  if (child_) look(now);
  if (child_ && (ready != 0 || !child_->link)) reap(now);  // its end is heard as SIGCHLD or the end of its link
  lingering_.on_time(now);
  if (stop_deadline_ && !child_ && !exit_status_) exit_status_ = 0;  // between two children
}

void Supervisor::read_signals(TimePoint now) {
  signalfd_siginfo info;
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
    switch (info.ssi_signo) {
      case SIGTERM:
      case SIGINT:
        if (!stop_deadline_) {
          stop_deadline_ = now + options_.stop_timeout;
          sd_notify("STOPPING=1");
        }
        forward(SIGTERM);
        break;
      case SIGHUP:
        forward(SIGHUP);
        break;
      default:  // SIGCHLD: reap() looks anyway; SIGPIPE: a closed standard error is no reason to die
        break;
    }
  }
}

bool Supervisor::read_link() {
  std::array<char, kChildNotificationMax> buffer;
  for (;;) {
    const ssize_t size = ::recv(child_->link.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size > 0) {
      const std::string_view state(buffer.data(), static_cast<std::size_t>(size));
      if (state == "READY=1") was_ever_ready_ = true;
      if (state != kWakeUp) sd_notify(state);
      continue;
    }
    if (size < 0 && errno == EINTR) continue;
    return size < 0 && errno == EAGAIN;
  }
}

// The kernel takes the child apart, which may go on for a while, but it runs no more. SIGKILL makes sure of that
// should it have closed its link in madness, and changes nothing, not even the exit status, when it is dying
// already.
void Supervisor::on_end_of_link() {
  ::kill(child_->pid, SIGKILL);
  execute_will();
  child_->link.reset();
}

void Supervisor::look(TimePoint now) {
  if (child_->killed_at && !child_->is_will_done && now >= *child_->killed_at + kKillGrace) execute_will();
  if (stop_deadline_ && now >= *stop_deadline_) kill_child(now, "it did not stop in time");
  const TimePoint beat_at{Duration(shared_->beat_at.load(std::memory_order_acquire))};
  const Duration limit = quiet_max(beat_at);
  const Duration quiet = hang_detector_.look(now, beat_at, limit);
  if (quiet >= limit) {
    kill_child(now, fmt::format("it hung: no heartbeat for {} ms",
                                std::chrono::duration_cast<std::chrono::milliseconds>(quiet).count()));
  } else if (beat_at != TimePoint() && !child_->killed_at) {
    lease_.renew(now, lease_duration(hang_timeout()), held());
  }
  if (watchdog_interval_ && beat_at != watchdog_beat_ && now >= watchdog_at_) {
    watchdog_beat_ = beat_at;
    watchdog_at_ = now + *watchdog_interval_;
    sd_notify("WATCHDOG=1");
  }
}

void Supervisor::kill_child(TimePoint now, std::string because) {
  if (child_->killed_at || !child_->link) return;
  ::kill(child_->pid, SIGKILL);
  child_->killed_at = now;
  child_->killed_because = std::move(because);
}

void Supervisor::execute_will() {
  if (std::exchange(child_->is_will_done, true)) return;
  const std::uint32_t index = shared_->will_slot.load(std::memory_order_acquire);
  const SharedWithChild::Slot& slot = shared_->will[index % shared_->will.size()];
  const ByteView will = ByteView(slot.bytes).first(std::min<std::size_t>(slot.size, kLastWillSizeMax));
  child_->will = executor_.execute(will);
  lingering_.adopt(monotonic_now(), decode_lingering(will));
}

void Supervisor::reap(TimePoint now) {
  int wait_status = 0;
  const pid_t reaped = ::waitpid(child_->pid, &wait_status, WNOHANG);
  if (reaped == 0 || (reaped < 0 && errno == EINTR)) return;
  execute_will();
  if (child_->link) read_link();    // its last words
  if (reaped < 0) wait_status = 0;  // reaped by somebody else: gone all the same
  after_death(now, wait_status);
}

void Supervisor::after_death(TimePoint now, int wait_status) {
  const Child child = std::move(*child_);
  child_.reset();
  const bool has_exited = WIFEXITED(wait_status);
  const int status = has_exited ? WEXITSTATUS(wait_status) : kExitFailure;

  std::string text = fmt::format("agent pid={} {}", child.pid, describe(wait_status));
  if (child.killed_at) text += fmt::format(" by its supervisor: {}", child.killed_because);
  const LastWillExecutor::Result& will = child.will;
  if (will.advertisements_sent + will.advertisements_failed + will.addresses_withdrawn + will.addresses_lingering !=
      0) {
    text += fmt::format("; last will: {} resignations sent, {} failed, {} addresses withdrawn, {} linger",
                        will.advertisements_sent, will.advertisements_failed, will.addresses_withdrawn,
                        will.addresses_lingering);
  }
  if (will.error != 0) text += fmt::format(", first error: {}", errno_text(will.error));

  if (stop_deadline_) {
    const bool is_stopped = has_exited || (WTERMSIG(wait_status) == SIGTERM && !child.killed_at);
    exit_status_ = has_exited ? status : is_stopped ? 0 : kExitFailure;
    *exit_status_ == 0 ? log::debug(text) : log::error(text);
    return;
  }
  if (has_exited && (status == kExitConfig || !was_ever_ready_)) {
    exit_status_ = status;
    log::error(text);
    return;
  }
  const Duration pause = backoff_.after_death(now - child.started_at);
  restart_at_ = now + pause;
  log::error(fmt::format(
      "{}; a new one starts {}", text,
      pause == Duration::zero()
          ? std::string("now")
          : fmt::format("in {} ms", std::chrono::duration_cast<std::chrono::milliseconds>(pause).count())));
}

}  // namespace

// The lock belongs to the open file, which parent and child share: it is free when both are gone.
Expected<UniqueFd, std::string> acquire_instance_lock(const std::string& path) {
  if (const std::size_t slash = path.rfind('/'); slash != std::string::npos && slash != 0) {
    (void)::mkdir(path.substr(0, slash).c_str(), 0755);  // whether that helped is seen by open
  }
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!file) return Unexpected{fmt::format("cannot open the lock file {}: {}", path, errno_text(errno))};
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Unexpected{fmt::format("cannot lock {}: {}", path, errno_text(errno))};
    std::array<char, 16> text{};
    const ssize_t size = ::pread(file.get(), text.data(), text.size() - 1, 0);
    const long pid = size > 0 ? std::strtol(text.data(), nullptr, 10) : 0;
    return Unexpected{
        fmt::format("another vipair-vrrpd runs (pid {}) and holds {}; stop it first, or give this one another "
                    "control_socket",
                    pid > 0 ? std::to_string(pid) : "unknown", path)};
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(file.get(), 0) != 0 || ::pwrite(file.get(), pid.data(), pid.size(), 0) < 0) {
    log::warn(fmt::format("cannot write the pid into {}: {}", path, errno_text(errno)));
  }
  return file;
}

Expected<void, std::string> ChildLink::set_last_will(const KernelWill& will) {
  encode_last_will(will, encoded_);
  if (encoded_.size() > kLastWillSizeMax) {
    return Unexpected{
        fmt::format("the last will takes {} bytes, more than the {} there are for it; the previous one "
                    "stays in force",
                    encoded_.size(), kLastWillSizeMax)};
  }
  write_will(shared_, encoded_);
  const std::uint32_t held = held_families(will);
  if (shared_.held.exchange(held, std::memory_order_relaxed) == 0 && held != 0) notify(kWakeUp);
  return {};
}

void ChildLink::heartbeat() {
  shared_.beat_at.store(monotonic_now().time_since_epoch().count(), std::memory_order_release);
}

void ChildLink::sleep_until(TimePoint wake_up) {
  const TimePoint beat_at = std::min(monotonic_now(), wake_up - beat_interval());
  shared_.beat_at.store(beat_at.time_since_epoch().count(), std::memory_order_release);
}

Duration ChildLink::beat_interval() const {
  const bool is_relievable = shared_.is_relievable.load(std::memory_order_relaxed);
  return is_relievable ? hang_timeout_of(shared_) / 2 : kIdleHangTimeout / 4;
}

void ChildLink::set_hang_timeout(Duration timeout) {
  shared_.hang_timeout.store(timeout.count(), std::memory_order_relaxed);
}

void ChildLink::set_relievable(bool is_relievable) {
  if (shared_.is_relievable.load(std::memory_order_relaxed) == is_relievable) return;
  if (is_relievable) heartbeat();  // before the parent looks with less patience
  shared_.is_relievable.store(is_relievable, std::memory_order_release);
  if (is_relievable) notify(kWakeUp);
}

void ChildLink::ready() { notify("READY=1"); }

void ChildLink::notify(std::string_view state) {
  state = state.substr(0, kChildNotificationMax);
  (void)::send(link_.get(), state.data(), state.size(), MSG_DONTWAIT | MSG_NOSIGNAL);  // a lost one harms nobody
}

int supervise(const SupervisorOptions& options, const std::function<int(ChildLink&)>& run_child) {
  return Supervisor(options, run_child).run();
}

Duration RestartBackoff::after_death(Duration lived) {
  if (lived >= kResetAfter) next_ = Duration::zero();
  const Duration pause = next_;
  next_ = pause == Duration::zero() ? kFirst : std::min(kMax, 2 * pause);
  return pause;
}

void HangDetector::restart(TimePoint now) { counted_from_ = next_look_ = now; }

Duration HangDetector::look(TimePoint now, TimePoint beat_at, Duration patience) {
  if (now > next_look_ + std::min(patience, kLookMax) / 4) counted_from_ = now;
  const TimePoint since = std::max(beat_at, counted_from_);
  const Duration quiet = now - since;
  const Duration next = quiet < suspicion(patience) ? suspicion(patience) : patience;
  next_look_ = std::clamp(since + next, now + kLookMin, now + kLookMax);
  return quiet;
}

}  // namespace vipair::vrrp
