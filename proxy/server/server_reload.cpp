// How ProxyServer comes to another snapshot: by a reload, by a file that has changed, by names that have other
// addresses now.

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "common/runtime/clock.h"
#include "common/runtime/log.h"
#include "proxy/config_files.h"
#include "proxy/server/server.h"
#include "proxy/server/snapshot_files.h"

namespace vipair::proxy {

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

  auto files = load_snapshot_files(config, *tickets_, snapshot_.get());
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
  auto files = load_snapshot_files(snapshot_->config, *tickets_, snapshot_.get());
  if (!files) return refuse(std::move(files).error());
  auto config = with_files_read_again(snapshot_->config);
  if (!config) return refuse(std::move(config).error());
  snapshot_ = make_snapshot(std::move(config).value(), workers_.size(), snapshot_.get(), std::move(files).value());
  switch_to_snapshot();
  ++reloads_;
  last_reload_ = ReloadResult{wall_now(), {}};
  log::info("taken over: " + names);
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

}  // namespace vipair::proxy
