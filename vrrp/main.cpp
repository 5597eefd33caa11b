// vipair-vrrpd: floats virtual addresses between two nodes. The table of contents; the chapters are elsewhere.

#include <cstdio>
#include <string>
#include <vector>

#include "common/runtime/daemon.h"
#include "common/runtime/log.h"
#include "vrrp/config.h"
#include "vrrp/kernel/event_loop.h"
#include "vrrp/kernel/supervisor.h"

namespace {

using namespace vipair;
using namespace vipair::vrrp;

constexpr const char* kProgram = "vipair-vrrpd";
constexpr Duration kStopMargin = std::chrono::seconds(10);  // supervisor's patience beyond the child's own

void print_errors(const ConfigErrors& errors) {
  for (const ConfigError& error : errors) std::fprintf(stderr, "%s\n", error.to_string().c_str());
}

// Neither passes through fork, so parent and child both ask. The warnings are for the status.
std::vector<std::string> take_precedence(const Config& config) {
  std::vector<std::string> warnings;
  auto warn = [&](const Expected<void, std::string>& done, const char* consequence) {
    if (!done) warnings.push_back(done.error() + consequence);
  };
  if (config.lock_memory) warn(lock_memory(), "; under memory pressure failovers may come late or falsely");
  if (config.realtime_priority > 0)
    warn(use_realtime_scheduling(config.realtime_priority), "; under load failovers may come late or falsely");
  return warnings;
}

// What a child runs with: the file as it is now, since it may have been reloaded after the parent's start. A child
// that follows a dead one does not end because somebody was editing: then it is the configuration of the start.
Config config_for_child(const std::string& path, const Config& at_start) {
  auto loaded = load_config(path);
  if (!loaded) {
    Config config = at_start;
    for (const ConfigError& error : loaded.error())
      config.warnings.push_back("running with the configuration of the daemon's start, the file is refused: " +
                                error.to_string());
    return config;
  }
  Config config = std::move(*loaded);
  config.control_socket = at_start.control_socket;  // what the parent's lock guards
  config.gate_socket = at_start.gate_socket;
  config.realtime_priority = at_start.realtime_priority;
  config.lock_memory = at_start.lock_memory;
  return config;
}

int run_agent(const std::string& path, const Config& at_start, ChildLink& child) {
  EventLoopOptions options;
  options.config = config_for_child(path, at_start);
  options.config_path = path;
  options.load = [path] { return load_config(path); };
  options.drain_time_max = at_start.drain_time;
  options.warnings = take_precedence(options.config);
  for (const std::string& warning : options.warnings) log::warn(warning);
  for (const std::string& warning : options.config.warnings) log::warn(warning);

  SupervisorLink link;
  link.heartbeat = [&] { child.heartbeat(); };
  link.sleep_until = [&](TimePoint wake_up) { child.sleep_until(wake_up); };
  link.beat_interval = [&] { return child.beat_interval(); };
  link.ready = [&] { child.ready(); };
  link.notify = [&](std::string_view state) { child.notify(state); };
  link.set_hang_timeout = [&](Duration timeout) { child.set_hang_timeout(timeout); };
  link.set_relievable = [&](bool is_relievable) { child.set_relievable(is_relievable); };
  link.set_last_will = [&](const KernelWill& will) { return child.set_last_will(will); };
  link.inherited = child.inherited();
  link.parent_fd = child.parent_fd();

  auto ran = run_event_loop(std::move(options), link);
  if (!ran) log::error(ran.error());
  return ran ? 0 : 1;
}

// The last net of a service manager, for when supervisor and child were both killed: the next start would do the
// same, but nobody knows when that is. A configuration that is refused is no reason to keep an address: its mark
// shows it.
int release(const std::string& path) {
  auto loaded = load_config(path);
  const Config config = loaded ? std::move(*loaded) : Config{};
  const auto lock = acquire_instance_lock(config.control_socket + ".lock");
  if (!lock) {
    log::error(lock.error());
    return 1;
  }
  const SupervisorLink nobody;
  auto host = KernelHost::open(nobody, Duration::zero());
  if (!host) {
    log::error(host.error());
    return 1;
  }
  const auto released = (*host)->release_leftovers(config);
  if (!released) {
    log::error(released.error());
    return 1;
  }
  for (const std::string& address : *released) log::warn("removed " + address + ", left by a run that was killed");
  return 0;
}

int run(const std::vector<std::string>& arguments) {
  auto options = parse_daemon_options(
      kProgram, "floats virtual addresses between two nodes (VRRPv3, RFC 9568)", "/etc/vipair/node.conf", arguments,
      "take away the addresses that a killed agent left, and exit; not while one runs");
  if (!options) {
    std::fprintf(stderr, "%s: %s\n", kProgram, options.error().c_str());
    return 2;
  }
  if (options->print) {
    std::fputs(options->print->c_str(), stdout);
    return 0;
  }
  if (options->release_only) {
    log::init(kProgram, options->debug ? log::Level::debug : log::Level::info);
    return release(options->config_path);
  }
  auto config = load_config(options->config_path);
  if (!config) {
    print_errors(config.error());
    return kExitConfig;
  }
  if (options->check_only) {
    for (const std::string& warning : config->warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
    std::puts("configuration ok");
    return 0;
  }
  log::init(kProgram, options->debug ? log::Level::debug : log::Level::info);
  (void)take_precedence(*config);  // the parent's own; the child tells what is missing
  SupervisorOptions supervisor;
  supervisor.lock_path = config->control_socket + ".lock";
  supervisor.hang_timeout = config->hang_timeout;
  supervisor.stop_timeout = config->drain_time + kStopGrace + kStopMargin;
  return supervise(supervisor, [&](ChildLink& child) { return run_agent(options->config_path, *config, child); });
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const std::exception& exception) {
    log::error(std::string("cannot go on: ") + exception.what());
    return 1;
  }
}
