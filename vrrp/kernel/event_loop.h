#pragma once
// The agent's process: one thread, one io_context, one timer. Whatever wakes it, a turn is always the same: read
// what the sockets hold, then let time pass, then tell (log, role, heartbeat) and arm the timer for the nearest
// deadline. Sockets before timers: an advertisement that waits in the kernel must be heard before the loop
// concludes that there was none.
//
// Stops on SIGTERM, SIGINT or the death of the supervisor: the agent resigns, then connections drain, bounded by
// kStopGrace beyond the drain time; a second signal cuts the draining short. SIGHUP and POST /reload load the
// configuration again, all or nothing.

#include <functional>
#include <string>
#include <vector>

#include "common/base/expected.h"
#include "common/runtime/config_file.h"
#include "vrrp/agent/config.h"
#include "vrrp/kernel/kernel_host.h"

namespace vipair::vrrp {

inline constexpr Duration kStopGrace = std::chrono::seconds(5);

using ConfigLoader = std::function<Expected<Config, ConfigErrors>()>;

struct EventLoopOptions {
  Config config;
  std::string config_path;            // for messages
  ConfigLoader load;                  // for a reload
  std::vector<std::string> warnings;  // of the start, for status
  Duration drain_time_max{};          // in a stop: the supervisor's patience was set at its start
};

// Runs until it is told to stop. The error is why it could not start: text for the operator.
Expected<void, std::string> run_event_loop(EventLoopOptions options, const SupervisorLink& link);

}  // namespace vipair::vrrp
