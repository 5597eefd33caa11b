#pragma once
// What both daemons do at their start and end, besides their work: command line, sd_notify, scheduling, signals.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/expected.h"
#include "common/base/time.h"

namespace vipair {

// `program [--config FILE] [--check] [--log-level LEVEL]`, `--help`, `--version`; `--release` where `release_help`
// says what it does. A wrong option is an error text.
struct DaemonOptions {
  std::string config_path;
  bool check_only = false;
  bool release_only = false;         // --release, of a daemon that has it
  bool debug = false;                // --log-level debug
  std::optional<std::string> print;  // text of --help or --version: print it and exit 0
};
Expected<DaemonOptions, std::string> parse_daemon_options(std::string_view program, std::string_view purpose,
                                                          std::string_view default_config,
                                                          const std::vector<std::string>& arguments,
                                                          std::string_view release_help = "");

// systemd's notification protocol without libsystemd: sends "READY=1" and the like to $NOTIFY_SOCKET; does nothing
// when that is unset. Abstract sockets ("@…") work. Never waits; a message that cannot be sent now is dropped.
void sd_notify(std::string_view state);
std::optional<Duration> watchdog_interval();  // half of $WATCHDOG_USEC when systemd asked for it

// Real-time round-robin scheduling (1-99; children fall back to normal) and locked memory; an error text says what
// is missing (CAP_SYS_NICE, CAP_IPC_LOCK) when it is not permitted.
Expected<void, std::string> use_realtime_scheduling(int priority);
Expected<void, std::string> lock_memory();

}  // namespace vipair
