#include "vrrp/config.h"

#include <algorithm>
#include <tuple>

#include "vrrp/config_checks.h"
#include "vrrp/config_reader.h"
#include "vrrp/config_router.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;

constexpr Duration kDrainTimeMax = 1h, kUpstreamDelayMax = 1h;
constexpr Duration kHangTimeoutMin = 50ms, kHangTimeoutMax = 10s;
constexpr Duration kNotifyTimeoutMin = 10ms, kNotifyTimeoutMax = 5min;
constexpr int kRealtimePriorityMax = 99;

void load_path(ConfigGroup group, Config& config) {
  PeerPath path;
  if (group.require("interface")) {
    if (auto interface = interface_setting(group, "interface")) path.interface = interface->value;
  }
  if (group.require("address")) path.address = peer_address_setting(group, "address").value_or(path.address);
  if (std::find(config.peer_paths.begin(), config.peer_paths.end(), path) != config.peer_paths.end())
    group.error("address", path.address.to_string() + " over " + path.interface + " is listed twice");
  group.finish();
  config.peer_paths.push_back(std::move(path));
}

void load_peer(ConfigGroup& group, Config& config) {
  config.peer = peer_addresses(group);
  if (auto priority = group.integer("priority", 1, 255))
    config.peer_priority = static_cast<std::uint8_t>(*priority);
  config.pair_keys = key_file_setting(group, "key_file", config);
  if (!group.has("key_file"))
    config.warnings.push_back(
        "peer.key_file is missing: advertisements are not authenticated, only the peer's address tells it from "
        "strangers on the network; vipairctl keygen makes a key for both nodes");
  auto paths = group.groups("paths");
  if (!paths.empty() && !group.has("key_file"))
    group.error(
        "paths",
        "need peer.key_file: what comes over another network is believed for its signature alone; vipairctl "
        "keygen makes a key for both nodes");
  if (paths.size() > kPathsMax)
    group.error("paths", std::to_string(paths.size()) + " paths: expected at most " + std::to_string(kPathsMax));
  for (ConfigGroup& path : paths) load_path(path, config);
  group.finish();
}

void load_notify(ConfigGroup& root, Config& config) {
  NotifyConfig& notify = config.notify;
  notify.command = command_setting(root, "notify", config);
  for (const char* setting : {"notify_user", "notify_timeout"})
    if (root.has(setting) && !root.has("notify")) root.error(setting, "has no effect without notify: add that");
  notify.user = user_setting(root, "notify_user", "", config);
  notify.timeout = root.duration("notify_timeout", kNotifyTimeoutMin, kNotifyTimeoutMax).value_or(notify.timeout);
  notify.fifo = path_setting(root, "notify_fifo").value_or("");
}

Config load_root(ConfigGroup root) {
  Config config;
  if (root.require("node")) {
    if (auto node = name_setting(root, "node")) config.node = node->value;
  }
  if (auto peer = root.group("peer")) load_peer(*peer, config);
  load_checks(root, config);
  load_virtual_routers(root, config);
  load_notify(root, config);
  config.control_socket = socket_setting(root, "control_socket", config.control_socket);
  config.gate_socket = socket_setting(root, "gate_socket", config.gate_socket);
  if (config.control_socket == config.gate_socket)
    root.error("gate_socket", "is the control socket as well: expected another path");
  if (auto priority = root.integer("realtime_priority", 0, kRealtimePriorityMax))
    config.realtime_priority = static_cast<int>(*priority);
  config.lock_memory = root.boolean("lock_memory").value_or(config.lock_memory);
  config.hang_timeout =
      root.duration("hang_timeout", kHangTimeoutMin, kHangTimeoutMax).value_or(config.hang_timeout);
  config.drain_time = root.duration("drain_time", 0s, kDrainTimeMax).value_or(config.drain_time);
  config.upstream_delay = root.duration("upstream_delay", 0s, kUpstreamDelayMax).value_or(config.upstream_delay);
  root.finish();
  return config;
}

Expected<Config, ConfigErrors> load(std::optional<ConfigFile> file, ConfigErrors& errors) {
  std::optional<Config> config;
  if (file) config = load_root(file->root());
  std::stable_sort(errors.begin(), errors.end(), [](const ConfigError& a, const ConfigError& b) {
    return std::tie(a.file, a.line) < std::tie(b.file, b.line);
  });
  if (!errors.empty() || !config) return Unexpected{std::move(errors)};
  return std::move(*config);
}

}  // namespace

Expected<Config, ConfigErrors> load_config(const std::string& path) {
  ConfigErrors errors;
  return load(ConfigFile::load(path, errors), errors);
}

Expected<Config, ConfigErrors> parse_config(const std::string& text, const std::string& name) {
  ConfigErrors errors;
  return load(ConfigFile::parse(text, name, errors), errors);
}

}  // namespace vipair::vrrp
