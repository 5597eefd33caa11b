#include "proxy/server/server.h"

#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <thread>

#include "common/runtime/clock.h"
#include "common/runtime/daemon.h"
#include "common/runtime/log.h"
#include "common/runtime/metrics.h"
#include "proxy/server/metrics.h"
#include "proxy/server/server_orders.h"
#include "proxy/server/snapshot_files.h"

namespace vipair::proxy {

namespace {
// No name has been looked up yet.
Config without_answers(Config config) {
  apply_names(config, {});
  return config;
}
}  // namespace

std::size_t ProxyServer::worker_count(const Config& config) {
  if (config.workers > 0) return static_cast<std::size_t>(config.workers);
  return std::max(1u, std::thread::hardware_concurrency());
}

Config ProxyServer::fitted_to_descriptors(Config config, std::size_t workers) {
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
      watcher_(io, [this](const std::vector<std::string>& paths) { on_files_changed(paths); }),
      stop_timer_(io),
      minute_timer_(io),
      gate_(
          gate_io_, snapshot_->config.gate_socket, [this] { return report(); },
          [this](bool is_connected, std::optional<NodeRole> role) {
            boost::asio::post(io_, [this, is_connected, role] { on_gate_change(is_connected, role); });
          }),
      watch_timer_(gate_io_),
      watch_(workers),
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
  auto files = load_snapshot_files(config, *tickets, nullptr);
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

Expected<void, ConfigErrors> ProxyServer::check_files(const Config& config) {
  TicketKeys tickets(wall_now());
  auto files = load_snapshot_files(config, tickets, nullptr);
  if (!files) return Unexpected{std::move(files).error()};
  return {};
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
  watch_.look(monotonic_now(), 2 * kGateHeartbeat,
              [this](std::size_t worker) { return workers_[worker]->turns(); });
  const TimePoint now = watch_.looked_at();
  if (watchdog_ && now >= next_watchdog_ && (!is_serving_ || report().is_ready)) {
    sd_notify("WATCHDOG=1");
    next_watchdog_ = now + *watchdog_;
  }
  watch_timer_.expires_after(kGateHeartbeat);
  watch_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) watch_workers();
  });
}

ProxyReport ProxyServer::report() {
  if (!is_serving_) return {false, "stopping"};
  if (const auto worker = watch_.hanging(Duration(worker_hang_)))
    return {false, "worker " + std::to_string(*worker) + " hangs"};
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
    view.workers.push_back(
        {&workers_[i]->counters(), workers_[i]->turns(), std::max(Duration{0}, view.now - watch_.moved_at(i))});
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
