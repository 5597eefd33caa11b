#pragma once
// Everything that /status and /metrics tell, as it is at one moment, and the sums over all workers.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/base/gate_protocol.h"
#include "common/base/time.h"
#include "common/runtime/config_file.h"
#include "proxy/server/counters.h"
#include "proxy/server/health_checker.h"
#include "proxy/server/resolver.h"
#include "proxy/server/server_orders.h"
#include "proxy/server/snapshot.h"

namespace vipair::proxy {

struct ServerView {
  struct Worker {
    const WorkerCounters* counters = nullptr;
    std::uint64_t turns = 0;
    Duration heartbeat_age{};
  };
  const Snapshot* snapshot = nullptr;
  TimePoint now{};
  WallTime wall{};
  Duration uptime{};
  std::string_view phase;  // "starting" "serving" "stopping"
  bool gate_connected = false;
  std::optional<NodeRole> role;  // as the agent says
  std::uint64_t reloads = 0, reloads_refused = 0;
  std::optional<WallTime> last_reload;
  const ConfigErrors* last_reload_errors = nullptr;
  std::vector<Worker> workers;
  std::vector<IpEndpoint> listeners;
  HealthChecker::Reports checks;  // of the servers that are checked
  UpstreamCount usable_upstreams;
  std::vector<NameReport> names;
  std::uint64_t log_lines_written = 0, log_lines_lost = 0;
};

template <class Pick>
std::uint64_t sum(const ServerView& view, Pick pick) {
  std::uint64_t total = 0;
  for (const ServerView::Worker& worker : view.workers) total += pick(*worker.counters).get();
  return total;
}

template <class Slot>
std::uint64_t sum(const std::vector<Slot>& slots, Counter Slot::*counter) {
  std::uint64_t total = 0;
  for (const Slot& slot : slots) total += (slot.*counter).get();
  return total;
}

// A server is up while at least one worker would use it.
inline bool is_up(const Server& server, TimePoint now) { return state_of(server, now) == std::string_view("up"); }

inline constexpr std::string_view kResponseClasses[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};

}  // namespace vipair::proxy
