#include "proxy/server/server.h"

#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <thread>

#include "common/runtime/clock.h"
#include "common/runtime/daemon.h"
#include "common/runtime/log.h"
#include "common/runtime/metrics.h"
#include "proxy/config_files.h"
#include "proxy/server/server_orders.h"

namespace vipair::proxy {

namespace {
constexpr std::size_t kTicketFileMax = 4096;  // bytes

std::size_t worker_count(const Config& config) {
  if (config.workers > 0) return static_cast<std::size_t>(config.workers);
  return std::max(1u, std::thread::hardware_concurrency());
}

Config fitted_to_descriptors(Config config, std::size_t workers) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return config;
  const std::size_t clients = connection_limit(config, workers, limit.rlim_cur);
  if (clients < config.limits.connections) {
    log::info("limits.connections is more than the limit of open files allows, connections=" +
              std::to_string(clients) + " open_files=" + std::to_string(limit.rlim_cur));
    config.limits.connections = clients;
  }
  return config;
}

// No name has been looked up yet.
Config without_answers(Config config) {
  apply_names(config, {});
  return config;
}
}  // namespace

ProxyServer::ProxyServer(boost::asio::io_context& io, Config config, SnapshotFiles files,
                         std::unique_ptr<TicketKeys> tickets, std::string config_path, std::size_t workers,
                         std::function<void()> on_stopped)
    : io_(io),
      config_path_(std::move(config_path)),
      started_(monotonic_now()),
      on_stopped_(std::move(on_stopped)),
      tickets_(std::move(tickets)),
      snapshot_(make_snapshot(without_answers(fitted_to_descriptors(std::move(config), workers)), workers, nullptr,
                              std::move(files))),
      access_log_(workers),
      watches_(workers),
      watcher_(io, [this](const std::vector<std::string>& paths) { on_files_changed(paths); }),
      stop_timer_(io),
      minute_timer_(io),
      gate_(
          gate_io_, snapshot_->config.gate_socket, [this] { return report(); },
          [this](bool is_connected, std::optional<NodeRole> role) {
            boost::asio::post(io_, [this, is_connected, role] { on_gate_change(is_connected, role); });
          }),
      watch_timer_(gate_io_),
      health_([this] { boost::asio::post(gate_io_, [this] { gate_.report_now(); }); }),
      resolver_([this](NameAnswers answers) {
        boost::asio::post(io_, [this, answers = std::move(answers)]() mutable { on_names(std::move(answers)); });
      }) {
  for (std::size_t index = 0; index < workers; ++index) {
    Worker::Settings settings;
    settings.index = index;
    settings.access_log = &access_log_;
    settings.passwords = &passwords_;
    settings.wake_elsewhere = [this](std::size_t worker, auto numbers, auto server) {
      workers_[worker]->wake_waiting(std::move(numbers), std::move(server));
    };
    workers_.push_back(std::make_unique<Worker>(
        settings, snapshot_, [this] { boost::asio::post(io_, [this] { on_worker_finished(); }); }));
  }
}

ProxyServer::~ProxyServer() {
  // Threads end before what they use goes.
  resolver_.stop();
  health_.stop();
  stop_gate();
  passwords_.stop();
  for (auto& worker : workers_) worker->stop();
  for (auto& worker : workers_) worker->join();
  workers_.clear();
}

Expected<std::unique_ptr<ProxyServer>, std::string> ProxyServer::start(boost::asio::io_context& io, Config config,
                                                                       std::string config_path,
                                                                       std::function<void()> on_stopped) {
  const std::size_t workers = worker_count(config);
  auto tickets = std::make_unique<TicketKeys>(wall_now());
  auto files = load_files(config, *tickets, nullptr);
  if (!files) {
    std::string text;
    for (const ConfigError& error : files.error()) text += (text.empty() ? "" : "; ") + error.to_string();
    return Unexpected{std::move(text)};
  }
  std::unique_ptr<ProxyServer> server(new ProxyServer(io, std::move(config), std::move(files).value(),
                                                      std::move(tickets), std::move(config_path), workers,
                                                      std::move(on_stopped)));
  const Config& used = server->snapshot_->config;
  // The control socket first: it is how a second instance finds out that there is one.
  auto control = server->open_control(used);
  if (!control) return Unexpected{"control socket: " + control.error()};
  server->control_ = std::move(control).value();
  auto admin = server->open_admin(used);
  if (!admin) return Unexpected{"admin: " + admin.error()};
  server->admin_ = std::move(admin).value();
  if (auto opened = server->access_log_.configure(used.access_log); !opened) {
    return Unexpected{"access_log: " + opened.error()};
  }
  for (const IpEndpoint& address : listening_addresses(used)) {
    auto listeners = server->open_listeners(address);
    if (!listeners) return Unexpected{"listener: " + listeners.error()};
    server->add_listeners(address, std::move(listeners).value());
  }
  if (auto resolving = server->resolver_.use(used.resolver, names_of(used)); !resolving) {
    return Unexpected{"resolver: " + resolving.error()};
  }
  server->switch_to_snapshot();
  server->on_minute();
  for (auto& worker : server->workers_) worker->start();
  server->phase_ = Phase::serving;
  server->is_serving_ = true;
  server->worker_hang_ = used.timeouts.worker_hang.count();
  server->gate_thread_ = std::thread([raw = server.get()] {
    raw->watch_workers();
    raw->gate_.start();
    raw->gate_io_.run();
  });
  return server;
}

Expected<ProxyServer::Listeners, std::string> ProxyServer::open_listeners(const IpEndpoint& endpoint) const {
  Listeners listeners;
  IpEndpoint wanted = endpoint;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    auto listener = open_listener(wanted);
    if (!listener) return Unexpected{std::move(listener).error()};
    if (wanted.port == 0) {
      auto bound = bound_endpoint(*listener);
      if (!bound) return Unexpected{std::move(bound).error()};
      wanted = *bound;
    }
    listeners.push_back(std::move(listener).value());
  }
  return listeners;
}

void ProxyServer::add_listeners(const IpEndpoint& endpoint, Listeners listeners) {
  auto bound = bound_endpoint(listeners.front());
  listening_[endpoint] = bound ? *bound : endpoint;
  for (std::size_t i = 0; i < workers_.size(); ++i) workers_[i]->listen(std::move(listeners[i]), endpoint);
}

std::vector<IpEndpoint> ProxyServer::endpoints() const {
  std::vector<IpEndpoint> result;
  for (const auto& [configured, bound] : listening_) result.push_back(bound);
  return result;
}

Expected<std::unique_ptr<ControlServer>, std::string> ProxyServer::open_control(const Config& config) {
  return ControlServer::listen_unix(io_, config.control_socket,
                                    [this](const ControlRequest& request) { return handle(request); });
}

Expected<std::unique_ptr<ControlServer>, std::string> ProxyServer::open_admin(const Config& config) {
  if (!config.admin) return std::unique_ptr<ControlServer>();
  return ControlServer::listen_tcp(io_, *config.admin,
                                   [this](const ControlRequest& request) { return handle(request); });
}

// ---- files -----------------------------------------------------------------------------------

Expected<SnapshotFiles, ConfigErrors> ProxyServer::load_files(const Config& config, TicketKeys& tickets,
                                                              const Snapshot* previous) {
  SnapshotFiles files;
  ConfigErrors errors;
  files.stamps = stamps_of(files_of(config));  // before they are read: what changes meanwhile is found later
  auto tls = TlsContexts::load(config, tickets, wall_now(), previous ? previous->files.tls.get() : nullptr);
  if (!tls) {
    errors = std::move(tls).error();
  } else {
    files.tls = std::move(tls).value();
  }
  auto upstream_tls = load_upstream_tls(config, wall_now());
  if (!upstream_tls) {
    errors.insert(errors.end(), upstream_tls.error().begin(), upstream_tls.error().end());
  } else {
    files.upstream_tls = std::move(upstream_tls).value();
  }
  if (const FileSetting& file = config.tls.ticket_keys; file) {
    auto text = read_whole_file(file.path, kTicketFileMax);
    auto secrets = text ? TicketKeys::parse(*text)
                        : Expected<std::vector<TicketKeys::Secret>, std::string>(Unexpected{text.error()});
    if (!secrets) {
      errors.push_back(file.error(file.path + ": " + secrets.error()));
    } else {
      files.ticket_secrets = std::move(secrets).value();
    }
  }
  if (!errors.empty()) return Unexpected{std::move(errors)};
  return files;
}

Expected<void, ConfigErrors> ProxyServer::check_files(const Config& config) {
  TicketKeys tickets(wall_now());
  auto files = load_files(config, tickets, nullptr);
  if (!files) return Unexpected{std::move(files).error()};
  return {};
}

void ProxyServer::switch_to_snapshot() {
  const SnapshotFiles& files = snapshot_->files;
  tickets_->use(files.ticket_secrets, wall_now());
  if (files.tls != nullptr) {
    for (const std::string& warning : files.tls->name_warnings()) log::warn(warning);
  }
  warn_of_dates();
  watcher_.watch(files.stamps);
  use_snapshot();
}

void ProxyServer::use_snapshot() {
  for (auto& worker : workers_) worker->use(snapshot_);
  health_.use(snapshot_);
}

void ProxyServer::warn_of_dates() {
  const Snapshot& snapshot = *snapshot_;
  if (snapshot.files.tls == nullptr) return;
  const Duration ahead = snapshot.config.tls.expiry_warning;
  for (const std::string& warning : snapshot.files.tls->date_warnings(wall_now(), ahead)) log::warn(warning);
}

void ProxyServer::on_minute() {
  constexpr int kMinutesOfADay = 24 * 60;
  tickets_->advance(wall_now());
  if (++minutes_ % kMinutesOfADay == 0) warn_of_dates();
  minute_timer_.expires_after(std::chrono::minutes(1));
  minute_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) on_minute();
  });
}

void ProxyServer::on_files_changed(const std::vector<std::string>& paths) {
  if (phase_ != Phase::serving) return;
  std::string names;
  for (const std::string& path : paths) names += (names.empty() ? "" : ", ") + path;
  auto refuse = [this](ConfigErrors errors) {
    ++reloads_refused_;
    for (const ConfigError& error : errors) {
      log::error("changed and refused, what it was before is used on: " + error.to_string());
    }
    last_reload_ = ReloadResult{wall_now(), std::move(errors)};
  };
  auto files = load_files(snapshot_->config, *tickets_, snapshot_.get());
  if (!files) return refuse(std::move(files).error());
  auto config = with_files_read_again(snapshot_->config);
  if (!config) return refuse(std::move(config).error());
  snapshot_ = make_snapshot(std::move(config).value(), workers_.size(), snapshot_.get(), std::move(files).value());
  switch_to_snapshot();
  ++reloads_;
  last_reload_ = ReloadResult{wall_now(), {}};
  log::info("taken over: " + names);
}

// ---- reload ----------------------------------------------------------------------------------

Expected<void, ConfigErrors> ProxyServer::reload() {
  auto refused = [this](ConfigErrors errors) -> Expected<void, ConfigErrors> {
    ++reloads_refused_;
    for (const ConfigError& error : errors) log::error("reload refused: " + error.to_string());
    last_reload_ = ReloadResult{wall_now(), errors};
    return Unexpected{std::move(errors)};
  };
  auto whole = [this](std::string message) { return ConfigErrors{{config_path_, 0, "", std::move(message)}}; };

  if (phase_ != Phase::serving) return refused(whole("the proxy is stopping"));
  auto loaded = load_config(config_path_);
  if (!loaded) return refused(std::move(loaded).error());
  const Config& config = *loaded;
  const Config& running = snapshot_->config;

  // Everything that can fail.
  std::map<IpEndpoint, Listeners> opened;
  for (const IpEndpoint& address : listening_addresses(config)) {
    if (listening_.contains(address)) continue;
    auto listeners = open_listeners(address);
    if (!listeners) return refused(whole("listener: " + listeners.error()));
    opened.emplace(address, std::move(listeners).value());
  }
  std::unique_ptr<ControlServer> control, admin;
  if (config.control_socket != running.control_socket) {
    auto result = open_control(config);
    if (!result) return refused(whole("control socket: " + result.error()));
    control = std::move(result).value();
  }
  if (config.admin != running.admin) {
    auto result = open_admin(config);
    if (!result) return refused(whole("admin: " + result.error()));
    admin = std::move(result).value();
  }
  if (auto result = access_log_.configure(config.access_log); !result) {
    return refused(whole("access_log: " + result.error()));
  }

  auto files = load_files(config, *tickets_, snapshot_.get());
  if (!files) return refused(std::move(files).error());
  if (auto result = resolver_.use(config.resolver, names_of(config)); !result) {
    return refused(whole("resolver: " + result.error()));
  }

  // The switch.
  if (worker_count(config) != workers_.size())
    log::warn("reload: the number of workers changes with the next start");
  if (config.gate_socket != running.gate_socket) log::warn("reload: gate_socket changes with the next start");
  const bool admin_changed = config.admin != running.admin;
  Config next = fitted_to_descriptors(std::move(loaded).value(), workers_.size());
  apply_names(next, names_);
  snapshot_ = make_snapshot(std::move(next), workers_.size(), snapshot_.get(), std::move(files).value());
  worker_hang_ = snapshot_->config.timeouts.worker_hang.count();
  // A connection is served by the configuration that has its listener.
  const std::vector<IpEndpoint> wanted = listening_addresses(snapshot_->config);
  std::erase_if(listening_, [&](const auto& entry) {
    if (std::find(wanted.begin(), wanted.end(), entry.first) != wanted.end()) return false;
    for (auto& worker : workers_) worker->unlisten(entry.first);
    return true;
  });
  switch_to_snapshot();
  for (auto& [endpoint, listeners] : opened) add_listeners(endpoint, std::move(listeners));
  if (control != nullptr) {
    // The old one may be answering this very reload.
    boost::asio::post(io_, [this, next = std::make_shared<std::unique_ptr<ControlServer>>(std::move(control))] {
      control_ = std::move(*next);
    });
  }
  if (admin_changed) admin_ = std::move(admin);
  ++reloads_;
  last_reload_ = ReloadResult{wall_now(), {}};
  log::info("reload: done, generation=" + std::to_string(snapshot_->generation));
  return {};
}

// The servers of the same configuration are others now.
void ProxyServer::on_names(NameAnswers answers) {
  names_ = std::move(answers);
  Config config = snapshot_->config;
  if (phase_ == Phase::stopped || !apply_names(config, names_)) return;
  snapshot_ = make_snapshot(std::move(config), workers_.size(), snapshot_.get(), snapshot_->files);
  use_snapshot();
}

// ---- stop ------------------------------------------------------------------------------------

void ProxyServer::stop() {
  if (phase_ != Phase::serving) return stop_now();
  const bool hands_over = role_ == NodeRole::active;
  log::info(hands_over ? "stop: handing over" : "stop: finishing what runs");
  phase_ = Phase::handing_over;
  is_serving_ = false;
  sd_notify("STOPPING=1");
  announce_close();
  boost::asio::post(gate_io_, [this] { gate_.report_now(); });
  if (!hands_over) return begin_drain();
  stop_timer_.expires_after(snapshot_->config.timeouts.handover);
  stop_timer_.async_wait([this](boost::system::error_code error) {
    if (error || phase_ != Phase::handing_over) return;
    log::warn("stop: no other node has taken over in time");
    begin_drain();
  });
}

void ProxyServer::begin_drain() {
  phase_ = Phase::draining;
  for (auto& worker : workers_) worker->drain();
  stop_timer_.expires_after(snapshot_->config.timeouts.stop);
  stop_timer_.async_wait([this](boost::system::error_code error) {
    if (error || phase_ != Phase::draining) return;
    log::warn("stop: requests still run, they are cut off");
    stop_now();
  });
}

void ProxyServer::stop_now() {
  if (phase_ == Phase::stopped) return;
  for (auto& worker : workers_) worker->stop();
  if (phase_ == Phase::serving || phase_ == Phase::handing_over) phase_ = Phase::draining;
  is_serving_ = false;
}

void ProxyServer::on_worker_finished() {
  if (phase_ == Phase::stopped) return;
  for (const auto& worker : workers_) {
    if (!worker->is_finished()) return;
  }
  phase_ = Phase::stopped;
  stop_timer_.cancel();
  stop_gate();
  log::info("stop: done");
  on_stopped_();
}

void ProxyServer::announce_close() {
  // A node that had the addresses and lost them serves what is still connected, and asks it to come again
  // elsewhere.
  const bool on = phase_ != Phase::serving || (was_active_ && role_ == NodeRole::standby);
  for (auto& worker : workers_) worker->announce_close(on);
}

// ---- the gate --------------------------------------------------------------------------------

void ProxyServer::watch_workers() {
  const std::int64_t now = monotonic_now().time_since_epoch().count();
  // A look that comes late says nothing about the workers: whatever held us up may have held them up as well.
  const bool is_late = now - std::exchange(watched_at_, now) > 2 * kGateHeartbeat.count();
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    const std::uint64_t turns = workers_[i]->turns();
    if (turns != watches_[i].turns || is_late) watches_[i].moved_at = now;
    watches_[i].turns = turns;
  }
  if (watchdog_ && now >= next_watchdog_ && (!is_serving_ || report().is_ready)) {
    sd_notify("WATCHDOG=1");
    next_watchdog_ = now + watchdog_->count();
  }
  watch_timer_.expires_after(kGateHeartbeat);
  watch_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) watch_workers();
  });
}

ProxyReport ProxyServer::report() {
  if (!is_serving_) return {false, "stopping"};
  for (std::size_t i = 0; i < watches_.size(); ++i) {
    if (watched_at_ - watches_[i].moved_at > worker_hang_) return {false, "worker " + std::to_string(i) + " hangs"};
  }
  return {true, "", health_.upstreams()};
}

void ProxyServer::on_gate_change(bool is_connected, std::optional<NodeRole> role) {
  gate_is_connected_ = is_connected;
  role_ = role;
  if (role == NodeRole::active) was_active_ = true;
  announce_close();
  if (phase_ == Phase::handing_over && role != NodeRole::active) {
    stop_timer_.cancel();
    begin_drain();
  }
}

void ProxyServer::stop_gate() {
  if (!gate_thread_.joinable()) return;
  gate_io_.stop();
  gate_thread_.join();
  gate_.stop();
}

// ---- the control socket ----------------------------------------------------------------------

ControlResponse ProxyServer::handle(const ControlRequest& request) {
  if (request.method == "GET" && request.path == "/status") return {200, "application/json", status_json(view())};
  if (request.method == "GET" && request.path == "/metrics") {
    return {200, std::string(MetricsWriter::kContentType), metrics_text(view())};
  }
  if (request.method == "POST" && request.path == "/reload") {
    auto result = reload();
    return {result ? 200 : 422, "application/json", reload_json(result ? ConfigErrors{} : result.error())};
  }
  if (request.path == "/servers" || request.path.starts_with("/servers/"))
    return handle_server_order(*snapshot_, request, monotonic_now());
  const bool is_known = request.path == "/status" || request.path == "/metrics" || request.path == "/reload";
  return {is_known ? 405 : 404, "application/json",
          is_known ? "{\"error\":\"method not allowed\"}\n" : "{\"error\":\"not found\"}\n"};
}

ServerView ProxyServer::view() const {
  ServerView view;
  view.snapshot = snapshot_.get();
  view.now = monotonic_now();
  view.wall = wall_now();
  view.uptime = view.now - started_;
  view.phase = phase_ == Phase::serving ? "serving" : phase_ == Phase::starting ? "starting" : "stopping";
  view.gate_connected = gate_is_connected_;
  view.role = role_;
  view.reloads = reloads_;
  view.reloads_refused = reloads_refused_;
  if (last_reload_) {
    view.last_reload = last_reload_->time;
    view.last_reload_errors = &last_reload_->errors;
  }
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    const TimePoint moved{Duration(watches_[i].moved_at)};
    view.workers.push_back(
        {&workers_[i]->counters(), workers_[i]->turns(), std::max(Duration{0}, view.now - moved)});
  }
  for (const auto& [configured, bound] : listening_) view.listeners.push_back(bound);
  view.checks = health_.reports();
  view.usable_upstreams = health_.upstreams();
  view.names = resolver_.reports();
  view.log_lines_written = access_log_.lines_written();
  view.log_lines_lost = access_log_.lines_lost_in_writing();
  return view;
}

}  // namespace vipair::proxy
