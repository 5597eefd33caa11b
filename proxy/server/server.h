#pragma once
// The proxy as a whole: its workers, and everything that concerns all of them. Lives in the main thread.
//
//   start    the sockets are bound, whether or not this node holds the addresses; then the workers run
//   reload   every step that can fail comes first; then the switch, which cannot: unchanged listeners keep their
//            sockets, unchanged servers their connections, running requests their configuration
//   stop     says "not ready" to the agent, goes on serving until another node has the addresses, then takes what
//   the
//            kernel has queued, closes the listeners and lets running requests end

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/base/expected.h"
#include "common/runtime/config_file.h"
#include "common/runtime/control_socket.h"
#include "common/runtime/daemon.h"
#include "common/runtime/file_watcher.h"
#include "proxy/config.h"
#include "proxy/server/access_log.h"
#include "proxy/server/gate_client.h"
#include "proxy/server/health_checker.h"
#include "proxy/server/password_checker.h"
#include "proxy/server/resolver.h"
#include "proxy/server/snapshot.h"
#include "proxy/server/status.h"
#include "proxy/server/worker.h"
#include "proxy/server/worker_watch.h"

namespace vipair::proxy {

class ProxyServer {
 public:
  // Binds and starts everything. The error says what is in the way. on_stopped is called when a stop is complete.
  static Expected<std::unique_ptr<ProxyServer>, std::string> start(boost::asio::io_context& io, Config config,
                                                                   std::string config_path,
                                                                   std::function<void()> on_stopped);
  ~ProxyServer();
  // Whether every file that the configuration names can be used.
  static Expected<void, ConfigErrors> check_files(const Config& config);

  Expected<void, ConfigErrors> reload();
  void reopen_log() { access_log_.reopen(); }
  void stop();      // gracefully; bounded by timeouts.handover and timeouts.stop
  void stop_now();  // what still runs is cut off

  // The addresses that are listened on, with the kernel's choice for port 0.
  std::vector<IpEndpoint> endpoints() const;

 private:
  enum class Phase { starting, serving, handing_over, draining, stopped };
  struct ReloadResult {
    WallTime time{};
    ConfigErrors errors;
  };
  using Listeners = std::vector<UniqueFd>;  // one per worker

  ProxyServer(boost::asio::io_context& io, Config config, SnapshotFiles files, std::unique_ptr<TicketKeys> tickets,
              std::string config_path, std::size_t workers, std::function<void()> on_stopped);

  Expected<Listeners, std::string> open_listeners(const IpEndpoint& endpoint) const;
  Expected<std::unique_ptr<ControlServer>, std::string> open_control(const Config& config);
  Expected<std::unique_ptr<ControlServer>, std::string> open_admin(const Config& config);
  void add_listeners(const IpEndpoint& endpoint, Listeners listeners);
  void on_names(NameAnswers answers);

  ProxyReport report();  // in the gate's thread
  void watch_workers();  // in the gate's thread, every kGateHeartbeat
  void on_gate_change(bool is_connected, std::optional<NodeRole> role);
  void stop_gate();
  void announce_close();
  void begin_drain();
  void on_worker_finished();
  static std::size_t worker_count(const Config& config);
  static Config fitted_to_descriptors(Config config, std::size_t workers);
  void switch_to_snapshot();
  void use_snapshot();
  void on_files_changed(const std::vector<std::string>& paths);
  void on_minute();
  void warn_of_dates();
  ControlResponse handle(const ControlRequest& request);
  ServerView view() const;

  boost::asio::io_context& io_;
  const std::string config_path_;
  const TimePoint started_;
  std::function<void()> on_stopped_;
  const std::unique_ptr<TicketKeys> tickets_;  // the snapshots' TLS contexts use it
  std::shared_ptr<const Snapshot> snapshot_;
  PasswordChecker passwords_;
  AccessLogWriter access_log_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::map<IpEndpoint, IpEndpoint> listening_;  // as configured → as bound
  std::unique_ptr<ControlServer> control_, admin_;
  FileWatcher watcher_;
  boost::asio::steady_timer stop_timer_, minute_timer_;
  int minutes_ = 0;
  Phase phase_ = Phase::starting;
  bool gate_is_connected_ = false;
  std::optional<NodeRole> role_;  // of this node, by the agent's word
  bool was_active_ = false;

  // The gate has a thread of its own: reading a large configuration must not look like a hang.
  boost::asio::io_context gate_io_{1};
  GateClient gate_;
  boost::asio::steady_timer watch_timer_;
  std::atomic<bool> is_serving_{false};
  std::atomic<std::int64_t> worker_hang_{0};                      // nanoseconds
  const std::optional<Duration> watchdog_ = watchdog_interval();  // systemd's
  TimePoint next_watchdog_{};
  WorkerWatch watch_;  // the gate thread looks
  std::thread gate_thread_;
  HealthChecker health_;  // has a thread too, for the same reason
  NameAnswers names_;
  Resolver resolver_;  // and so has this one

  std::optional<ReloadResult> last_reload_;
  std::uint64_t reloads_ = 0, reloads_refused_ = 0;
};

}  // namespace vipair::proxy
