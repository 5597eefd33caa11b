#pragma once
// What the control socket tells: GET /status as JSON, GET /metrics for Prometheus, the answer to POST /reload.
// Numbers of all workers are summed here and nowhere else.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/gate_protocol.h"
#include "common/base/time.h"
#include "common/runtime/config_file.h"
#include "proxy/server/counters.h"
#include "proxy/server/health_checker.h"
#include "proxy/server/resolver.h"
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

std::string status_json(const ServerView& view);
std::string metrics_text(const ServerView& view);
std::string reload_json(const ConfigErrors& errors);  // {"reloaded": true, "errors": []}

}  // namespace vipair::proxy
