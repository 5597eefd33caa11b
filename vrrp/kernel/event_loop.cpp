#include "vrrp/kernel/event_loop.h"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "common/runtime/clock.h"
#include "common/runtime/control_socket.h"
#include "common/runtime/log.h"
#include "common/runtime/readable.h"
#include "vrrp/agent/agent.h"
#include "vrrp/agent/instances.h"
#include "vrrp/kernel/checks.h"
#include "vrrp/kernel/control.h"
#include "vrrp/kernel/doctor.h"
#include "vrrp/kernel/drain_flag.h"
#include "vrrp/kernel/gate.h"
#include "vrrp/kernel/hmac.h"
#include "vrrp/kernel/monitor.h"
#include "vrrp/kernel/notifier.h"
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

// A move that is not over by then did not happen: the agent itself waits for the peer a second at most.
constexpr Duration kMoveMax = std::chrono::seconds(10);

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

std::vector<IpAddress> peers_of(const Config& config, const VirtualRouterConfig& router) {
  std::vector<IpAddress> addresses;
  const auto& peer = router.peer ? router.peer : config.peer;
  if (!peer) return addresses;
  for (const auto& address : {peer->address_v4, peer->address_v6})
    if (address) addresses.push_back(*address);
  return addresses;
}

// On which interfaces, and in which families: where the virtual routers are, and the paths to the peer.
std::map<std::string, std::set<IpFamily>> families_spoken(const Config& config) {
  std::map<std::string, std::set<IpFamily>> families;
  for (const VirtualRouterConfig& router : config.virtual_routers)
    for (const IpPrefix& prefix : router.addresses) families[router.interface].insert(prefix.address.family());
  for (const PathConfig& path : paths_of(config)) families[path.interface].insert(path.family);
  return families;
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
        signals_(io_),
        drain_flag_(config_.control_socket + ".drained") {}

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

  void use(const Config& config);
  void use_checks_and_notify(const Config& config);
  void on_check_result(std::string_view name, bool success, std::string reason);
  void follow_interfaces(TimePoint now);
  std::set<VirtualMac> virtual_macs() const;
  void report_lost_addresses(TimePoint now);
  void leave_unused_interfaces(TimePoint now);
  void open_sockets(const InterfaceInfo& interface);

  ConfigErrors load_again();
  Status current_status(TimePoint now) const;
  std::vector<EdgeCounter> edge_counters() const;

  // what the control socket asks
  std::string status() override;
  std::string metrics() override;
  std::string plan() override;
  ConfigErrors reload() override;
  void handover(const std::optional<std::string>& router, Done done) override;
  void drain(bool force, Done done) override;
  void undrain(Done done) override;
  void doctor(std::function<void(std::string)> done) override;
  void finish_moves(TimePoint now);
  Doctor::Chart chart();
  std::vector<PathEvidence> probed();
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
  std::unique_ptr<Monitor> monitor_;
  std::unique_ptr<Gate> gate_;
  std::unique_ptr<Agent> agent_;
  Checks checks_{io_, [this](std::string_view name, bool success, std::string reason) {
                   on_check_result(name, success, std::move(reason));
                 }};
  Notifier notifier_{io_};
  struct Move {  // a handover or drain that waits for the peer
    TimePoint began;
    Done done;
  };
  std::vector<Move> moves_;
  DrainFlag drain_flag_;
  std::string drain_warning_;  // why the drain will not be remembered
  Control control_{*this};
  Doctor doctor_{
      io_,
      {[this] { agent_->start_probe(monotonic_now()); }, [this] { return probed(); }, [this] { return chart(); }}};
  std::unique_ptr<ControlServer> control_server_;

  std::map<std::string, std::set<IpFamily>> spoken_on_;             // by the configuration
  std::map<std::string, std::optional<InterfaceInfo>> interfaces_;  // as last told to the agent
  std::map<std::string, std::string> deaf_;  // interface → why its sockets cannot be opened
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
  bool monitor_failed_ = false;
  bool has_unused_interfaces_ = false;
  std::optional<std::uint64_t> seen_version_;
  std::uint64_t seen_resyncs_ = 0;
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
  auto monitor = Monitor::open();
  if (!monitor) return Unexpected{monitor.error()};
  monitor_ = std::move(*monitor);

  const TimePoint now = monotonic_now();
  agent_ = std::make_unique<Agent>(config_, *host_, now, PairIdentity{random_epoch(), hmac_sha256});
  if (drain_flag_.is_set()) (void)agent_->drain(now, true);
  use(config_);
  follow_interfaces(now);
  use_checks_and_notify(config_);

  for (int signal : {SIGTERM, SIGINT, SIGHUP}) signals_.add(signal);
  wait_for_signal();
  watch(timer_.poll_fd(), nullptr);
  watch(host_->sockets().poll_fd(), nullptr);
  watch(monitor_->poll_fd(), &has_interface_news_);
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

  if (has_interface_news_ || !deaf_.empty()) follow_interfaces(now);
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
  finish_moves(now);
  host_->flush();
  leave_unused_interfaces(now);
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
      const std::string line = log_line(entry);
      switch (entry.level) {
        case JournalEntry::Level::debug:
          log::debug(line);
          break;
        case JournalEntry::Level::info:
          log::info(line);
          break;
        case JournalEntry::Level::warn:
          log::warn(line);
          break;
        case JournalEntry::Level::error:
          log::error(line);
          break;
      }
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
  link_.heartbeat();
  beat_at_ = now + link_.beat_interval();
}

void EventLoop::arm(TimePoint now) {
  TimePoint next = beat_at_;
  for (const auto& deadline : {agent_->next_deadline(), host_->next_deadline(), gate_->next_deadline(), stop_by_})
    if (deadline && *deadline < next) next = *deadline;
  armed_for_ = std::max(next, now);
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
    checks_.on_interface(monotonic_now(), monitor_->table().info(name));
  const auto configured = notifier_.configure(config.notify);
  notify_error_ = configured ? "" : configured.error();
  if (!configured) log::warn(notify_error_);
}

// Results come in the middle of anything; a turn takes them in.
void EventLoop::on_check_result(std::string_view name, bool success, std::string reason) {
  if (check_results_.empty()) turn_soon();
  check_results_.push_back({std::string(name), success, std::move(reason)});
}

// ---- interfaces ----

void EventLoop::use(const Config& config) {
  std::set<IpAddress> addresses;
  for (const VirtualRouterConfig& router : config.virtual_routers)
    for (const auto* list : {&router.addresses, &router.excluded_addresses})
      for (const IpPrefix& prefix : *list) addresses.insert(prefix.address);
  monitor_->table().set_virtual(std::move(addresses));
  std::vector<IpAddress> peers;
  for (const VirtualRouterConfig& router : config.virtual_routers)
    for (const IpAddress& peer : peers_of(config, router)) peers.push_back(peer);
  for (const PeerPath& path : config.peer_paths) peers.push_back(path.address);
  monitor_->table().set_peers(std::move(peers));
  spoken_on_ = families_spoken(config);
}

void EventLoop::follow_interfaces(TimePoint now) {
  const auto drained = monitor_->drain();
  if (!drained && !monitor_failed_) log::error("interface changes may go unnoticed: " + drained.error());
  monitor_failed_ = has_interface_news_ = !drained;

  InterfaceTable& table = monitor_->table();
  const bool has_news = table.version() != seen_version_;
  seen_version_ = table.version();
  if (!has_news && deaf_.empty()) return;
  for (const std::string& name : checks_.interfaces()) checks_.on_interface(now, table.info(name));
  for (const auto& [name, families] : spoken_on_) interfaces_.try_emplace(name);
  host_->make_virtual_macs(virtual_macs());
  for (auto& [name, told] : interfaces_) {
    const InterfaceInfo info = table.info(name);
    if (told && told->index != info.index) host_->sockets().close(told->index);
    open_sockets(info);
    if (told == info) continue;
    told = info;
    agent_->on_interface(now, info);
  }
  report_lost_addresses(now);
}

std::set<VirtualMac> EventLoop::virtual_macs() const {
  std::set<VirtualMac> wanted;
  for (const VirtualRouterConfig& router : config_.virtual_routers) {
    const int index = router.virtual_mac ? monitor_->table().info(router.interface).index : 0;
    if (index == 0) continue;
    for (const IpPrefix& prefix : router.addresses) wanted.insert({index, prefix.address.family(), router.vrid});
  }
  return wanted;
}

// Interfaces that no virtual router uses since a reload; not before those that resign there are done.
void EventLoop::leave_unused_interfaces(TimePoint now) {
  if (!has_unused_interfaces_) return;
  std::set<std::string> used;
  for (const RouterStatus& router : agent_->status(now).routers) used.insert(router.interface);
  has_unused_interfaces_ = false;
  for (const auto& [name, families] : spoken_on_) used.erase(name);
  has_unused_interfaces_ = !used.empty();
  for (const auto& [name, families] : spoken_on_) used.insert(name);
  for (auto it = interfaces_.begin(); it != interfaces_.end();) {
    if (used.contains(it->first)) {
      ++it;
      continue;
    }
    if (it->second) host_->sockets().close(it->second->index);
    deaf_.erase(it->first);
    it = interfaces_.erase(it);
  }
}

void EventLoop::open_sockets(const InterfaceInfo& interface) {
  deaf_.erase(interface.name);
  if (interface.index == 0) return;
  const auto families = spoken_on_.find(interface.name);
  if (families == spoken_on_.end()) return;
  for (IpFamily family : families->second)
    if (auto opened = host_->sockets().open(interface.index, interface.name, family); !opened)
      deaf_[interface.name] = opened.error().text;
}

// An address counts as lost when the kernel said so. That it is not in the table yet says nothing: the news of an
// IPv6 address comes some time after the address.
void EventLoop::report_lost_addresses(TimePoint now) {
  InterfaceTable& table = monitor_->table();
  std::set<KernelHost::Held> lost;
  for (const InterfaceTable::Removed& removed : table.take_removed()) {
    const KernelHost::Held held{removed.interface_index, removed.prefix};
    if (table.has(held.first, held.second)) continue;
    if (host_->held().contains(held))
      lost.insert(held);
    else if (removed.was_foreign)
      agent_->on_address_removed(now, held.first, held.second.address);
  }
  if (std::exchange(seen_resyncs_, monitor_->resyncs()) != monitor_->resyncs()) {
    for (const KernelHost::Held& held : host_->held())
      if (!table.has(held.first, held.second)) lost.insert(held);
  }
  for (const KernelHost::Held& held : lost) host_->forget(held);
  for (const KernelHost::Held& held : lost)
    agent_->on_address_removed(now, host_->agents_index(held.first), held.second.address);
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
    use(config_);
    follow_interfaces(now);  // a new virtual router finds its interface's sockets open
    agent_->reload(now, config_);
    use_checks_and_notify(config_);
    has_unused_interfaces_ = true;
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
  for (const auto& [name, why] : deaf_) warnings.push_back(why);
  if (!notify_error_.empty()) warnings.push_back(notify_error_);
  if (status.drained) warnings.push_back("this node is drained: it takes no addresses until `vipairctl undrain`");
  if (!drain_warning_.empty()) warnings.push_back(drain_warning_);
  const InterfaceTable& table = monitor_->table();
  for (const VirtualRouterConfig& router : config_.virtual_routers) {
    for (const IpAddress& peer : peers_of(config_, router)) {
      if (table.is_own(peer))
        warnings.push_back(router.name + ": the peer's address " + peer.to_string() +
                           " is this node's own: name the other node's address");
      else if (!table.is_neighbour(router.interface, peer))
        warnings.push_back(router.name + ": the peer's address " + peer.to_string() + " is in no network of " +
                           router.interface + ": give the virtual router a peer = { address = \"…\"; } of its own");
    }
  }
  for (const PeerPath& path : config_.peer_paths) {
    if (!table.is_neighbour(path.interface, path.address))
      warnings.push_back("peer.paths: " + path.address.to_string() + " is in no network of " + path.interface +
                         ": give the peer's address there, or give this node one");
  }
  return status;
}

std::vector<EdgeCounter> EventLoop::edge_counters() const {
  const KernelHost::Counters& host = host_->counters();
  const Gate::Counters& gate = gate_->counters();
  return {
      {"claims", "Batches of addresses that were claimed.", host.claims},
      {"claim_failures", "Claims that failed.", host.claim_failures},
      {"releases", "Batches of addresses that were released.", host.releases},
      {"announcements_sent", "Gratuitous ARP and neighbour advertisement frames sent.", host.frames_sent},
      {"announcements_lost", "Announcement frames that the device did not take.", host.frames_lost},
      {"relay_errors", "Planned moves whose connections could not be relayed.", host.relay_errors},
      {"lease_errors", "Addresses that a frozen node would go on answering for.", host.lease_errors},
      {"gate_connects", "Connections of a proxy to the gate.", gate.connects},
      {"gate_disconnects", "Connections of a proxy that ended.", gate.disconnects},
      {"gate_hangs", "Times a connected proxy fell silent.", gate.hangs},
      {"gate_invalid_messages", "Messages at the gate that were none.", gate.invalid_messages},
      {"interface_resyncs", "Times interface events were lost and the full list was read.", monitor_->resyncs()},
      {"check_runs", "Runs of checks.", checks_.counters().runs},
      {"check_failures", "Runs of checks that failed.", checks_.counters().failures},
      {"check_timeouts", "Runs of checks that took longer than their time limit.", checks_.counters().timeouts},
      {"notify_runs", "Runs of the notify program.", notifier_.counters().runs},
      {"notify_failures", "Runs of the notify program that failed.", notifier_.counters().failures},
      {"notify_coalesced", "Changes of role that a later one replaced before they were told.",
       notifier_.counters().coalesced},
      {"notify_fifo_dropped", "Changes of role that nobody read from the pipe.", notifier_.fifo_dropped()},
      {"reloads", "Configurations that were loaded by a reload.", reloads_},
      {"reloads_refused", "Reloads that were refused.", reloads_refused_}};
}

std::string EventLoop::status() {
  const Clocks both = clocks();
  return status_json(current_status(both.now), both);
}

std::string EventLoop::metrics() {
  const Clocks both = clocks();
  return metrics_text(current_status(both.now), lag_, edge_counters(), both);
}

ConfigErrors EventLoop::reload() {
  turn_soon();
  return load_again();
}

std::string EventLoop::plan() { return plan_json(agent_->plan()); }

void EventLoop::handover(const std::optional<std::string>& router, Done done) {
  const auto routers = agent_->may_hand_over(monotonic_now(), router);
  if (!routers) return done(Unexpected{routers.error()});
  before_release(*routers, "handover", "an operator asked for a handover", [this, router, done = std::move(done)] {
    const TimePoint now = monotonic_now();
    if (auto begun = agent_->handover(now, router); !begun) return done(begun);
    moves_.push_back({now, done});
    turn_soon();
  });
}

void EventLoop::drain(bool force, Done done) {
  const auto routers = agent_->may_drain(monotonic_now(), force);
  if (!routers) return done(Unexpected{routers.error()});
  before_release(*routers, "drained", "an operator drains this node", [this, force, done = std::move(done)] {
    const TimePoint now = monotonic_now();
    if (auto begun = agent_->drain(now, force); !begun) return done(begun);
    drain_warning_.clear();
    if (auto kept = drain_flag_.set(rfc3339(wall_now())); !kept)
      drain_warning_ = "the drain will not outlive the agent: " + kept.error();
    moves_.push_back({now, done});
    turn_soon();
  });
}

void EventLoop::undrain(Done done) {
  // first, so that what is told to be over cannot come back
  if (auto cleared = drain_flag_.clear(); !cleared) return done(Unexpected{cleared.error()});
  drain_warning_.clear();
  agent_->undrain(monotonic_now());
  turn_soon();
  done({});
}

// A move is over when nothing waits for the peer any more; whether it took over shows in what is Active here.
void EventLoop::finish_moves(TimePoint now) {
  if (moves_.empty()) return;
  const auto has_left = [](const RouterStatus& router) { return router.state != "yielding"; };
  const Status status = agent_->status(now);
  const bool is_over = std::all_of(status.routers.begin(), status.routers.end(), has_left);
  std::vector<Move> left;
  for (Move& move : moves_) {
    if (!is_over && now < move.began + kMoveMax) {
      left.push_back(std::move(move));
      continue;
    }
    const auto returned = std::find_if(
        status.routers.begin(), status.routers.end(),
        [&](const RouterStatus& router) { return router.state == "active" && router.since >= move.began; });
    if (returned != status.routers.end())
      move.done(Unexpected{returned->name + ": nobody took over, this node is Active again"});
    else if (!is_over)
      move.done(Unexpected{std::string("it takes too long; see the events")});
    else
      move.done({});
  }
  moves_ = std::move(left);
}

void EventLoop::doctor(std::function<void(std::string)> done) {
  doctor_.examine(
      [done = std::move(done)](const std::vector<Finding>& findings) { done(findings_json(findings)); });
}

std::vector<PathEvidence> EventLoop::probed() {
  std::vector<PathEvidence> paths;
  const std::vector<InstanceConfig> instances = instances_of(config_);
  const Status status = agent_->status(monotonic_now());
  for (const PathProbe& probe : agent_->probe_results()) {
    PathEvidence& path = paths.emplace_back();
    path.interface = probe.interface;
    path.peer = probe.peer;
    const auto known = interfaces_.find(probe.interface);
    if (probe.prefix_length > 0 && known != interfaces_.end() && known->second && known->second->primary_v4)
      path.own = IpPrefix{*known->second->primary_v4, probe.prefix_length};
    path.probes_sent = probe.is_sent ? 1 : 0;
    path.probes_answered = probe.is_heard ? 1 : 0;
    path.multicast_answered = probe.is_multicast_heard;
    path.multicast_needed = probe.is_multicast_sent &&
                            std::any_of(instances.begin(), instances.end(), [&](const InstanceConfig& instance) {
                              return instance.key.interface == probe.interface &&
                                     instance.key.family == probe.peer.family() && !instance.is_unicast;
                            });
    path.peer_is_heard = std::any_of(status.paths.begin(), status.paths.end(), [&](const PathStatus& each) {
      return each.interface == probe.interface && each.is_heard;
    });
    if (probe.is_heard) path.clock_offset = probe.clock_ahead;
    if (probe.peer_prefix_length > 0) path.peer_prefix_length = probe.peer_prefix_length;
  }
  return paths;
}

Doctor::Chart EventLoop::chart() {
  Doctor::Chart chart;
  chart.config = config_;
  chart.status = current_status(monotonic_now());
  for (const auto& [name, info] : interfaces_)
    if (info) chart.interfaces.push_back(*info);
  chart.relay_error = relay_error_;
  return chart;
}

}  // namespace

Expected<void, std::string> run_event_loop(EventLoopOptions options, const SupervisorLink& link) {
  return EventLoop(std::move(options), link).run();
}

}  // namespace vipair::vrrp
