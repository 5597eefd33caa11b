#pragma once
// Checks the servers of every upstream that has a `health`, each server once for the whole process, in a thread of
// its own: a large configuration that is read elsewhere never looks like dead servers. What it finds is in
// Server::is_up, which balancing reads; why, in report(), for the operator; how many upstreams can be used, in
// upstreams(), for the agent.
//
// A server is up until it was checked. One that stays in the next snapshot with the same check keeps its state.

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/base/gate_protocol.h"
#include "proxy/server/reactor.h"
#include "proxy/server/server_check.h"
#include "proxy/server/snapshot.h"

namespace vipair::proxy {

// What is known of one server's health.
struct CheckReport {
  bool is_up = true;
  std::string reason = "not checked yet";  // of the last check
  TimePoint since{};                       // of this state
  Duration took{};                         // the last check
  std::uint64_t checks = 0, failures = 0;  // made, and those that were bad
};

class HealthChecker {
 public:
  using Reports = std::map<const Server*, CheckReport>;

  // on_change: in the checker's thread, when upstreams() says something else.
  explicit HealthChecker(std::function<void()> on_change);
  // For tests: without a thread, driven through this scheduler.
  HealthChecker(std::function<void()> on_change, Scheduler& scheduler, Connector connector);
  ~HealthChecker();
  HealthChecker(const HealthChecker&) = delete;
  HealthChecker& operator=(const HealthChecker&) = delete;

  // From the main thread. The thread runs from the first snapshot on that needs it.
  void use(std::shared_ptr<const Snapshot> snapshot);
  void stop();  // joins; nothing is checked any more

  // From any thread.
  UpstreamCount upstreams() const;
  Reports reports() const;

 private:
  struct Target {
    std::string where;  // "server 10.0.0.1:80 of blog (blog.example.com)"
    std::unique_ptr<ServerCheck> check;
  };

  void run();
  void apply(std::shared_ptr<const Snapshot> snapshot);
  void add(const Snapshot::Upstream& upstream, const std::shared_ptr<Server>& server, const HealthCheck& check);
  void on_result(const Target& target, const ServerCheck::Result& result);
  void count_upstreams();

  const std::function<void()> on_change_;
  std::unique_ptr<Reactor> reactor_;  // none in tests
  Scheduler& scheduler_;
  const Connector connector_;
  std::thread thread_;
  std::atomic<bool> is_stopping_{false};

  // The checker's thread alone, or the main thread while there is none.
  CheckSeats seats_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::map<const Server*, std::unique_ptr<Target>> targets_;
  std::uint32_t random_;

  std::atomic<std::uint64_t> upstreams_{0};  // usable << 32 | total
  mutable std::mutex mutex_;
  Reports reports_;  // under mutex_
};

}  // namespace vipair::proxy
