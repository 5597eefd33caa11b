#include "vrrp/kernel/event_loop.h"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <memory>
#include <utility>

#include "common/runtime/clock.h"
#include "common/runtime/control_socket.h"
#include "common/runtime/log.h"
#include "common/runtime/readable.h"
#include "vrrp/agent/agent.h"
#include "vrrp/kernel/checks.h"
#include "vrrp/kernel/control.h"
#include "vrrp/kernel/doctor.h"
#include "vrrp/kernel/edge_counters.h"
#include "vrrp/kernel/gate.h"
#include "vrrp/kernel/hmac.h"
#include "vrrp/kernel/interfaces.h"
#include "vrrp/kernel/notifier.h"
#include "vrrp/kernel/planned_moves.h"
#include "vrrp/kernel/report.h"
#include "vrrp/kernel/wake_timer.h"

namespace vipair::vrrp {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Descriptor = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;

// Nothing turns after the last turn: the kernel may take its time (RCU) to close the sockets of a relay, and that
// is no hang.
constexpr Duration kTakeApartMax = std::chrono::seconds(5);

// After the last turn those who follow the events are sent the end; nobody else can keep us by it.
constexpr int kFarewellHandlers = 1000;

// What only a new start can change.
ConfigErrors fixed_settings_that_differ(const Config& running, const Config& wanted, const std::string& file) {
  ConfigErrors errors;
  auto check = [&](bool is_same, const char* setting) {
    if (!is_same) errors.push_back({file, 0, setting, "cannot be changed by a reload: restart the daemon for it"});
  };
  check(running.control_socket == wanted.control_socket, "control_socket");
  check(running.gate_socket == wanted.gate_socket, "gate_socket");
  check(running.realtime_priority == wanted.realtime_priority, "realtime_priority");
  check(running.lock_memory == wanted.lock_memory, "lock_memory");
  return errors;
}

void write_to_log(const JournalEntry& entry) {
  const std::string line = log_line(entry);
  switch (entry.level) {
    case JournalEntry::Level::debug:
      return log::debug(line);
    case JournalEntry::Level::info:
      return log::info(line);
    case JournalEntry::Level::warn:
      return log::warn(line);
    case JournalEntry::Level::error:
      return log::error(line);
  }
}

class EventLoop : private Operations {
 public:
  EventLoop(EventLoopOptions options, const SupervisorLink& link)
      : link_(link),
        config_(std::move(options.config)),
        config_path_(std::move(options.config_path)),
        load_(std::move(options.load)),
        start_warnings_(std::move(options.warnings)),
        drain_time_max_(options.drain_time_max),
        signals_(io_) {}

  Expected<void, std::string> run();

 private:
  // A descriptor whose news are for the next turn, which follows at once; `has_news` is set for it.
  void watch(int fd, bool* has_news);
  void wait(Descriptor& descriptor, bool* has_news);
  void watch_parent();
  void wait_for_parents_end(Descriptor& parent);
  void wait_for_signal();
  void turn();
  void tell(TimePoint now);
  void arm(TimePoint now);
  void stop(const std::string& why);
  void before_release(const std::vector<std::string>& routers, const std::string& reason, const std::string& text,
                      std::function<void()> then);

  void use_checks_and_notify(const Config& config);
  void on_check_result(std::string_view name, bool success, std::string reason);
  void follow_interfaces(TimePoint now);

  ConfigErrors load_again();
  Status current_status(TimePoint now) const;

  // what the control socket asks
  std::string status() override;
  std::string metrics() override;
  std::string plan() override;
  ConfigErrors reload() override;
  void handover(const std::optional<std::string>& router, Done done) override;
  void drain(bool force, Done done) override;
  void undrain(Done done) override;
  void doctor(std::function<void(std::string)> done) override;
  Doctor::Chart chart();
  PlannedMoves::Surroundings surroundings_of_moves();
  void turn_soon() {
    asio::post(io_, [this] { turn(); });
  }
  Clocks clocks() const { return {monotonic_now(), wall_now()}; }

  const SupervisorLink& link_;
  Config config_;
  std::string config_path_;
  ConfigLoader load_;
  std::vector<std::string> start_warnings_;
  Duration drain_time_max_;

  asio::io_context io_{1};
  WakeTimer timer_;
  asio::signal_set signals_;
  std::vector<std::unique_ptr<Descriptor>> watched_;
  bool has_interface_news_ = true;
  bool has_gate_news_ = true;

  std::unique_ptr<KernelHost> host_;
  std::unique_ptr<Interfaces> interfaces_;
  std::unique_ptr<Gate> gate_;
  std::unique_ptr<Agent> agent_;
  std::unique_ptr<PlannedMoves> moves_;
  Checks checks_{io_, [this](std::string_view name, bool success, std::string reason) {
                   on_check_result(name, success, std::move(reason));
                 }};
  Notifier notifier_{io_};
  Control control_{*this};
  Doctor doctor_{io_,
                 {[this] { agent_->start_probe(monotonic_now()); },
                  [this] { return path_evidence(agent_->probe_results(), chart()); }, [this] { return chart(); }}};
  std::unique_ptr<ControlServer> control_server_;

  std::optional<ProxyReport> told_report_;
  struct CheckResult {
    std::string name;
    bool success = false;
    std::string reason;
  };
  std::vector<CheckResult> check_results_;  // for the next turn
  std::optional<TimePoint> stop_by_;
  int stop_signals_ = 0;
  bool is_over_ = false;
  TimePoint started_;
  TimePoint beat_at_;
  TimePoint armed_for_;
  std::string told_status_;
  std::vector<std::string> refused_reload_;
  std::string notify_error_;
  std::string relay_error_;  // why connections cannot be relayed
  std::uint64_t reloads_ = 0, reloads_refused_ = 0;
  LoopLag lag_;
};

Expected<void, std::string> EventLoop::run() {
  auto control = ControlServer::listen_unix(io_, config_.control_socket, [this](const ControlRequest& request) {
    return agent_ ? control_.answer(request) : ControlResponse{503, "text/plain; charset=utf-8", "starting\n"};
  });
  if (!control) return Unexpected{control.error()};
  control_server_ = std::move(*control);
  auto gate = Gate::listen(config_.gate_socket);
  if (!gate) return Unexpected{gate.error()};
  gate_ = std::move(*gate);
  auto host = KernelHost::open(link_, config_.drain_time);
  if (!host) return Unexpected{host.error()};
  host_ = std::move(*host);
  host_->set_lease_duration(lease_duration(config_.hang_timeout));

  // No permission is no reason to end: the agent says what is wrong in its status and works once it may.
  if (auto leftovers = host_->release_leftovers(config_); !leftovers) {
    log::error(leftovers.error());
    start_warnings_.push_back(leftovers.error());
  } else {
    for (const std::string& address : *leftovers) log::warn("removed " + address + ", left by an earlier run");
  }
  if (config_.drain_time > Duration::zero()) {
    if (auto relay = host_->check_relay(); !relay) {
      const std::string text = "a planned move will break connections, they cannot be relayed: " + relay.error();
      log::warn(text);
      start_warnings_.push_back(text);
      relay_error_ = relay.error();
    }
  }
  auto interfaces = Interfaces::open(*host_);
  if (!interfaces) return Unexpected{interfaces.error()};
  interfaces_ = std::move(*interfaces);

  const TimePoint now = monotonic_now();
  agent_ = std::make_unique<Agent>(config_, *host_, now, PairIdentity{random_epoch(), hmac_sha256});
  moves_ = std::make_unique<PlannedMoves>(*agent_, DrainFlag(config_.control_socket + ".drained"),
                                          surroundings_of_moves());
  interfaces_->use(config_);
  follow_interfaces(now);
  use_checks_and_notify(config_);

  for (int signal : {SIGTERM, SIGINT, SIGHUP}) signals_.add(signal);
  wait_for_signal();
  watch(timer_.poll_fd(), nullptr);
  watch(host_->sockets().poll_fd(), nullptr);
  watch(interfaces_->poll_fd(), &has_interface_news_);
  watch(gate_->poll_fd(), &has_gate_news_);
  watch_parent();
  beat_at_ = armed_for_ = started_ = now;
  turn();
  link_.ready();
  log::info("started node=" + config_.node + " virtual_routers=" + std::to_string(config_.virtual_routers.size()));
  io_.run();
  io_.restart();
  for (int left = kFarewellHandlers; left > 0 && io_.poll_one() > 0;) --left;
  return {};
}

void EventLoop::watch(int fd, bool* has_news) {
  // a duplicate: the descriptor closes what it owns, and the original has its owner
  watched_.push_back(std::make_unique<Descriptor>(io_, ::dup(fd)));
  wait(*watched_.back(), has_news);
}

void EventLoop::wait(Descriptor& descriptor, bool* has_news) {
  descriptor.async_wait(Descriptor::wait_read, [this, &descriptor, has_news](error_code error) {
    if (error || is_over_) return;
    if (has_news) *has_news = true;
    turn();
    wait(descriptor, has_news);
  });
}

void EventLoop::watch_parent() {
  if (link_.parent_fd < 0) return;
  watched_.push_back(std::make_unique<Descriptor>(io_, ::dup(link_.parent_fd)));
  wait_for_parents_end(*watched_.back());
}

void EventLoop::wait_for_parents_end(Descriptor& parent) {
  parent.async_wait(Descriptor::wait_read, [this, &parent](error_code error) {
    if (error) return;
    if (!is_readable(parent.native_handle())) return wait_for_parents_end(parent);
    stop("the supervisor is gone");  // nothing is ever sent here: readable is end of file
    turn();
  });
}

void EventLoop::wait_for_signal() {
  signals_.async_wait([this](error_code error, int signal) {
    if (error) return;
    wait_for_signal();
    if (signal == SIGHUP) {
      load_again();
    } else if (++stop_signals_ == 1) {
      stop(signal == SIGTERM ? "SIGTERM" : "SIGINT");
    } else {
      log::info("told to stop again: nobody is waited for, draining ends now");
      agent_->shutdown(monotonic_now());
      host_->stop_draining();
    }
    turn();
  });
}

void EventLoop::turn() {
  if (is_over_) return;
  TimePoint now = monotonic_now();
  if (now >= armed_for_) lag_.add(now - armed_for_);
  link_.heartbeat();  // whatever this turn waits for, it has begun

  if (has_interface_news_ || interfaces_->is_behind()) follow_interfaces(now);
  host_->sockets().drain(
      [&](const DatagramInfo& info, ByteView message) { agent_->on_datagram(now, info, message); });

  now = monotonic_now();
  const auto gate_at = gate_->next_deadline();  // before it judges silence it hears what was said
  if (std::exchange(has_gate_news_, false) || (gate_at && now >= *gate_at)) gate_->drain(now);
  gate_->on_time(now);
  if (gate_->report() != told_report_) {
    told_report_ = gate_->report();
    agent_->on_proxy_report(now, told_report_);
  }
  for (CheckResult& result : std::exchange(check_results_, {}))
    agent_->on_check_result(now, result.name, result.success, std::move(result.reason));
  host_->on_time(now);
  agent_->on_wall_clock(now, wall_now());
  agent_->on_time(now);
  moves_->on_time(now);
  host_->flush();
  interfaces_->leave_unused(now, *agent_);
  tell(now);

  const bool is_done = agent_->is_stopped() && !host_->is_draining() && notifier_.is_idle();
  const bool is_over = stop_by_ && (now >= *stop_by_ || is_done);
  if (is_over) {
    if (!agent_->is_stopped()) log::error("stopping took too long: the supervisor withdraws what is left");
    link_.set_hang_timeout(kTakeApartMax);
    host_->stop_draining();
    log::info("stopped");
    control_.end_streams();
    is_over_ = true;
    io_.stop();
    return;
  }
  arm(now);
}

void EventLoop::tell(TimePoint now) {
  const auto entries = agent_->take_journal();
  if (!entries.empty()) {
    const Clocks both = clocks();
    for (const JournalEntry& entry : entries) {
      write_to_log(entry);
      control_.add(entry, both);
      notifier_.tell(entry);
    }
    const Status current = agent_->status(now);
    const auto active = std::count_if(current.routers.begin(), current.routers.end(),
                                      [](const RouterStatus& router) { return router.state == "active"; });
    const std::string text =
        "STATUS=active on " + std::to_string(active) + " of " + std::to_string(current.routers.size()) + " routers";
    if (text != told_status_) link_.notify(told_status_ = text);
  }
  gate_->set_role(agent_->role());
  // as of the end of a turn: the next one, which may be a claim that waits for the kernel, is given the time for it
  link_.set_relievable(agent_->is_relievable(now));
  beat_at_ = now + link_.beat_interval();
}

void EventLoop::arm(TimePoint now) {
  TimePoint next = beat_at_;
  for (const auto& deadline : {agent_->next_deadline(), host_->next_deadline(), gate_->next_deadline(), stop_by_})
    if (deadline && *deadline < next) next = *deadline;
  armed_for_ = std::max(next, now);
  link_.sleep_until(armed_for_);
  timer_.set(now, armed_for_);
}

void EventLoop::stop(const std::string& why) {
  const TimePoint now = monotonic_now();
  if (stop_by_) return;  // the end of the supervisor is told by a signal as well
  log::info("stopping: " + why);
  link_.notify("STOPPING=1");
  stop_by_ = now + Notifier::kReleaseWaitMax + std::min(config_.drain_time, drain_time_max_) + kStopGrace;
  std::vector<std::string> routers;
  for (const VirtualRouterConfig& router : config_.virtual_routers) routers.push_back(router.name);
  before_release(routers, "shutdown", "the agent stops: " + why, [this] { agent_->shutdown(monotonic_now()); });
}

// A planned move: whoever wants to be told before the addresses go is told, then `then` makes it.
void EventLoop::before_release(const std::vector<std::string>& routers, const std::string& reason,
                               const std::string& text, std::function<void()> then) {
  const TimePoint now = monotonic_now();
  std::vector<RouterStatus> releases = agent_->status(now).routers;
  std::erase_if(releases, [&](const RouterStatus& router) {
    const bool is_meant = std::find(routers.begin(), routers.end(), router.name) != routers.end();
    return !is_meant || router.state != "active";
  });
  notifier_.before_release(now, releases, reason, text, [this, then = std::move(then)] {
    then();
    turn_soon();
  });
}

// ---- checks, and who is told ----

void EventLoop::use_checks_and_notify(const Config& config) {
  checks_.configure(config.checks);
  for (const std::string& name : checks_.interfaces())
    checks_.on_interface(monotonic_now(), interfaces_->table().info(name));
  const auto configured = notifier_.configure(config.notify);
  notify_error_ = configured ? "" : configured.error();
  if (!configured) log::warn(notify_error_);
}

// Results come in the middle of anything; a turn takes them in.
void EventLoop::on_check_result(std::string_view name, bool success, std::string reason) {
  if (check_results_.empty()) turn_soon();
  check_results_.push_back({std::string(name), success, std::move(reason)});
}

void EventLoop::follow_interfaces(TimePoint now) {
  has_interface_news_ = false;
  if (!interfaces_->has_news()) return;
  for (const std::string& name : checks_.interfaces()) checks_.on_interface(now, interfaces_->table().info(name));
  interfaces_->tell(now, *agent_);
}

// ---- reload and control ----

// Everything that can fail comes before the switch.
ConfigErrors EventLoop::load_again() {
  link_.notify("RELOADING=1\nMONOTONIC_USEC=" +
               std::to_string(monotonic_now().time_since_epoch() / std::chrono::microseconds(1)));
  auto loaded = load_();
  ConfigErrors errors = loaded ? fixed_settings_that_differ(config_, *loaded, config_path_) : loaded.error();
  if (stop_by_) errors.push_back({config_path_, 0, "", "the daemon is stopping: nothing is reloaded"});
  refused_reload_.clear();
  if (!errors.empty()) {
    ++reloads_refused_;
    log::error("reload refused, the running configuration stays: " + std::to_string(errors.size()) + " errors");
    for (const ConfigError& error : errors) {
      log::error(error.to_string());
      refused_reload_.push_back("reload refused: " + error.to_string());
    }
  } else {
    ++reloads_;
    config_ = std::move(*loaded);
    for (const std::string& warning : config_.warnings) log::warn(warning);
    const TimePoint now = monotonic_now();
    link_.set_hang_timeout(config_.hang_timeout);
    host_->set_drain_time(config_.drain_time);
    host_->set_lease_duration(lease_duration(config_.hang_timeout));
    interfaces_->use(config_);
    follow_interfaces(now);  // a new virtual router finds its interface's sockets open
    agent_->reload(now, config_);
    use_checks_and_notify(config_);
  }
  link_.notify("READY=1");
  return errors;
}

Status EventLoop::current_status(TimePoint now) const {
  Status status = agent_->status(now);
  status.started = started_;
  auto& warnings = status.warnings;
  warnings.insert(warnings.end(), start_warnings_.begin(), start_warnings_.end());
  warnings.insert(warnings.end(), refused_reload_.begin(), refused_reload_.end());
  for (std::string& warning : interfaces_->warnings()) warnings.push_back(std::move(warning));
  if (!notify_error_.empty()) warnings.push_back(notify_error_);
  if (status.drained) warnings.push_back("this node is drained: it takes no addresses until `vipairctl undrain`");
  if (!moves_->warning().empty()) warnings.push_back(moves_->warning());
  return status;
}

std::string EventLoop::status() {
  const Clocks both = clocks();
  return status_json(current_status(both.now), both);
}

std::string EventLoop::metrics() {
  const Clocks both = clocks();
  const EdgeCounts counts = {
      host_->counters(),        gate_->counters(),      checks_.counters(), notifier_.counters(),
      notifier_.fifo_dropped(), interfaces_->resyncs(), reloads_,           reloads_refused_};
  return metrics_text(current_status(both.now), lag_, edge_counters(counts), both);
}

ConfigErrors EventLoop::reload() {
  turn_soon();
  return load_again();
}

std::string EventLoop::plan() { return plan_json(agent_->plan()); }

void EventLoop::handover(const std::optional<std::string>& router, Done done) {
  moves_->handover(router, std::move(done));
}

void EventLoop::drain(bool force, Done done) { moves_->drain(force, std::move(done)); }

void EventLoop::undrain(Done done) { moves_->undrain(std::move(done)); }

PlannedMoves::Surroundings EventLoop::surroundings_of_moves() {
  return {[this](const auto& routers, const auto& reason, const auto& text, std::function<void()> then) {
            before_release(routers, reason, text, std::move(then));
          },
          [this] { turn_soon(); }, monotonic_now};
}

void EventLoop::doctor(std::function<void(std::string)> done) {
  doctor_.examine(
      [done = std::move(done)](const std::vector<Finding>& findings) { done(findings_json(findings)); });
}

Doctor::Chart EventLoop::chart() {
  Doctor::Chart chart;
  chart.config = config_;
  chart.status = current_status(monotonic_now());
  for (const auto& [name, info] : interfaces_->known())
    if (info) chart.interfaces.push_back(*info);
  chart.relay_error = relay_error_;
  return chart;
}

}  // namespace

Expected<void, std::string> run_event_loop(EventLoopOptions options, const SupervisorLink& link) {
  return EventLoop(std::move(options), link).run();
}

}  // namespace vipair::vrrp
