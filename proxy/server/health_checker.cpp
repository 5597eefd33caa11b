#include "proxy/server/health_checker.h"

#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <random>

#include "common/runtime/log.h"
#include "proxy/server/tcp_stream.h"

namespace vipair::proxy {

namespace {

bool has_checks(const Snapshot& snapshot) {
  return std::any_of(snapshot.upstreams.begin(), snapshot.upstreams.end(),
                     [](const Snapshot::Upstream& upstream) { return upstream.config->health.has_value(); });
}

// A name that has not been looked up yet says nothing against its upstream.
bool is_usable(const Snapshot::Upstream& upstream) {
  if (upstream.servers.empty()) return upstream.config->is_resolving;
  return std::any_of(upstream.servers.begin(), upstream.servers.end(),
                     [](const auto& server) { return server->is_up.load(std::memory_order_relaxed); });
}

}  // namespace

HealthChecker::HealthChecker(std::function<void()> on_change)
    : on_change_(std::move(on_change)),
      reactor_(std::make_unique<Reactor>()),
      scheduler_(reactor_->scheduler()),
      connector_([reactor = reactor_.get()](const IpEndpoint& endpoint, int& error) -> std::unique_ptr<Stream> {
        return TcpStream::connect(*reactor, endpoint, error);
      }),
      random_(std::random_device{}()) {}

HealthChecker::HealthChecker(std::function<void()> on_change, Scheduler& scheduler, Connector connector)
    : on_change_(std::move(on_change)), scheduler_(scheduler), connector_(std::move(connector)), random_(1) {}

HealthChecker::~HealthChecker() { stop(); }

void HealthChecker::use(std::shared_ptr<const Snapshot> snapshot) {
  if (reactor_ != nullptr && !thread_.joinable() && has_checks(*snapshot)) {
    // Signals are the main thread's: blocked here before the thread exists, so there is no moment in between.
    sigset_t all, previous;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &previous);
    thread_ = std::thread([this] { run(); });
    pthread_sigmask(SIG_SETMASK, &previous, nullptr);
    pthread_setname_np(thread_.native_handle(), "health");
  }
  if (!thread_.joinable()) return apply(std::move(snapshot));
  reactor_->post([this, snapshot = std::move(snapshot)] { apply(snapshot); });
}

void HealthChecker::stop() {
  if (thread_.joinable()) {
    reactor_->post([this] { is_stopping_ = true; });
    thread_.join();
  }
  targets_.clear();
}

void HealthChecker::run() {
  while (!is_stopping_) reactor_->turn();
}

void HealthChecker::apply(std::shared_ptr<const Snapshot> snapshot) {
  auto before = std::exchange(targets_, {});
  for (const Snapshot::Upstream& upstream : snapshot->upstreams) {
    if (!upstream.config->health) continue;
    for (std::size_t i = 0; i < upstream.servers.size(); ++i) {
      const auto& server = upstream.servers[i];
      HealthCheck check = *upstream.config->health;
      if (check.host.empty()) check.host = upstream.config->servers[i].text;
      const auto known = before.find(server.get());
      if (known != before.end() && known->second->check->check() == check) {
        targets_.insert(before.extract(known));
      } else {
        add(upstream, server, check);
      }
      targets_.at(server.get())->check->use_tls(upstream.tls, upstream.config->servers[i].text);
    }
  }
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [server, target] : before) {
      if (!targets_.contains(server)) reports_.erase(server);
    }
  }
  for (const auto& [server, target] : before) {
    // nobody looks any more
    if (!targets_.contains(server)) target->check->server().set_up(true, scheduler_.now());
  }
  snapshot_ = std::move(snapshot);
  count_upstreams();
}

void HealthChecker::add(const Snapshot::Upstream& upstream, const std::shared_ptr<Server>& server,
                        const HealthCheck& check) {
  {
    const std::lock_guard lock(mutex_);
    CheckReport& report = reports_[server.get()];
    report = {};
    report.is_up = server->is_up.load(std::memory_order_relaxed);  // what an earlier check has found
    report.since = scheduler_.now();
  }
  auto target = std::make_unique<Target>();
  target->where = "server " + server->text + " of " + upstream.config->name + " (" + upstream.site + ")";
  random_ = random_ * 1664525 + 1013904223;
  target->check = std::make_unique<ServerCheck>(
      scheduler_, connector_, seats_, server, check, random_,
      [this, target = target.get()](const ServerCheck::Result& result) { on_result(*target, result); });
  target->check->start();
  targets_[server.get()] = std::move(target);
}

void HealthChecker::on_result(const Target& target, const ServerCheck::Result& result) {
  Server& server = target.check->server();
  const bool is_up = target.check->state().is_up();
  const bool has_changed = server.set_up(is_up, scheduler_.now());
  {
    const std::lock_guard lock(mutex_);
    CheckReport& report = reports_[&server];
    if (has_changed) report.since = scheduler_.now();
    report.is_up = is_up;
    report.reason = result.reason;
    report.took = result.took;
    ++report.checks;
    if (!result.success) ++report.failures;
  }
  if (!has_changed) return;
  log::write(is_up ? log::Level::info : log::Level::warn,
             "health: " + target.where + " is " + (is_up ? "up: " : "down: ") + result.reason);
  count_upstreams();
}

void HealthChecker::count_upstreams() {
  std::uint64_t usable = 0;
  for (const Snapshot::Upstream& upstream : snapshot_->upstreams) usable += is_usable(upstream) ? 1 : 0;
  const std::uint64_t count = usable << 32 | snapshot_->upstreams.size();
  if (upstreams_.exchange(count, std::memory_order_relaxed) != count) on_change_();
}

UpstreamCount HealthChecker::upstreams() const {
  const std::uint64_t count = upstreams_.load(std::memory_order_relaxed);
  return {static_cast<std::uint32_t>(count >> 32), static_cast<std::uint32_t>(count)};
}

HealthChecker::Reports HealthChecker::reports() const {
  const std::lock_guard lock(mutex_);
  return reports_;
}

}  // namespace vipair::proxy
