#include "vrrp/config.h"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <map>
#include <set>
#include <tuple>

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;

constexpr Duration kIntervalMin = 10ms, kIntervalMax = 40950ms;  // RFC 9568 section 5.2.7: 12 bits of centiseconds
constexpr Duration kIntervalUnit = 10ms;
constexpr Duration kDelayMax = 1h;
constexpr Duration kHangTimeoutMin = 50ms, kHangTimeoutMax = 10s;
constexpr int kRealtimePriorityMax = 99;
constexpr std::size_t kKeyDigits = 64;

// A text of the file inside a message, which stays one printable line.
std::string quoted(std::string_view text) {
  constexpr std::size_t kShownMax = 80;
  std::string shown = "\"";
  for (char c : text.substr(0, kShownMax)) shown += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
  return shown + (text.size() > kShownMax ? "…\"" : "\"");
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kNameMax && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_' || c == '.';
  });
}

// What the kernel accepts as a name (dev_valid_name), without the loopback, where no neighbour can be.
bool is_interface_name(std::string_view text) {
  return !text.empty() && text.size() <= kInterfaceNameMax && text != "." && text != ".." && text != "lo" &&
         std::none_of(text.begin(), text.end(),
                      [](unsigned char c) { return std::isspace(c) || std::iscntrl(c) || c == '/' || c == ':'; });
}

// Addresses of a network that cannot be anybody's: "10.0.0.0/24" and "10.0.0.255/24".
bool is_network_or_broadcast(const IpPrefix& prefix) {
  if (!prefix.address.is_v4() || prefix.length >= 31) return false;
  const std::uint32_t host_bits = prefix.length == 0 ? 0xFFFFFFFFu : (1u << (32 - prefix.length)) - 1;
  const std::uint32_t host = prefix.address.v4_value() & host_bits;
  return host == 0 || host == host_bits;
}

const char* why_not_unicast(const IpAddress& address) {
  if (address.is_unspecified()) return "is the unspecified address";
  if (address.is_multicast()) return "is a multicast address";
  if (address.is_loopback()) return "is a loopback address";
  if (address == IpAddress::v4(0xFFFFFFFFu)) return "is the broadcast address";
  return nullptr;
}

void refuse_unsupported(ConfigGroup& group, std::string_view key, std::string_view what) {
  if (group.has(key))
    group.error(key, std::string(what) + " is not supported by this version of vipair; remove the setting");
}

std::optional<ConfigText> name_setting(ConfigGroup& group, std::string_view key) {
  auto name = group.text(key);
  if (!name || is_name(name->value)) return name;
  group.error(*name, quoted(name->value) + " is not a name: expected 1 to " + std::to_string(kNameMax) +
                         " letters, digits, '-', '_' or '.'");
  return std::nullopt;
}

std::string socket_setting(ConfigGroup& group, std::string_view key, std::string fallback) {
  auto text = group.text(key);
  if (!text) return fallback;
  std::string path = group.path_relative_to_file(text->value);
  if (text->value.empty()) {
    group.error(*text, "is empty: expected the path of a Unix socket such as \"" + fallback + "\"");
  } else if (path.size() > kSocketPathMax) {
    group.error(*text, "the path is " + std::to_string(path.size()) +
                           " bytes long: a Unix socket's path has at most " + std::to_string(kSocketPathMax));
  }
  return path;
}

// One key per line, 64 hexadecimal digits; the first one signs, all of them verify.
void check_key_file(ConfigGroup& peer, const ConfigText& setting, Config& config) {
  const std::string path = peer.path_relative_to_file(setting.value);
  struct stat info {};
  std::ifstream file(path, std::ios::binary);
  if (!file || ::stat(path.c_str(), &info) != 0) {
    peer.error(setting, "cannot read " + quoted(path) + ": make the file and let the daemon's user read it");
    return;
  }
  if (!S_ISREG(info.st_mode) || static_cast<std::size_t>(info.st_size) > kKeyFileSizeMax) {
    peer.error(setting, quoted(path) + " is not a key file: expected a regular file of at most " +
                            std::to_string(kKeyFileSizeMax) + " bytes");
    return;
  }
  int number = 0, keys = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.empty()) continue;
    ++keys;
    if (line.size() != kKeyDigits ||
        !std::all_of(line.begin(), line.end(), [](unsigned char c) { return std::isxdigit(c); }))
      peer.error(setting, quoted(path) + " line " + std::to_string(number) + " is not a key: expected " +
                              std::to_string(kKeyDigits) + " hexadecimal digits and nothing else");
  }
  if (keys == 0)
    peer.error(setting, quoted(path) + " holds no key: expected one per line, 64 hexadecimal digits each");
  if (info.st_mode & (S_IRWXO | S_IWGRP))
    config.warnings.push_back(path + " can be read or changed by others: chmod 0600 " + path);
  config.warnings.push_back(
      "peer.key_file is checked but not used: this version does not authenticate advertisements; only the peer's "
      "address protects against strangers on the network");
}

PeerConfig load_peer(ConfigGroup& group) {
  PeerConfig peer;
  auto usable = [&](std::string_view key) -> std::optional<IpAddress> {
    auto address = group.address(key);
    if (!address) return std::nullopt;
    if (const char* why = why_not_unicast(*address)) {
      group.error(key, address->to_string() + " " + why + ": expected the peer's own address");
      return std::nullopt;
    }
    if (address->is_v6() && !address->is_link_local()) {
      group.error(key, address->to_string() +
                           " is not link-local: expected the fe80:: address of the peer's interface, since that is "
                           "where IPv6 advertisements come from (RFC 9568 section 5.1.2.1)");
      return std::nullopt;
    }
    return address;
  };
  if (group.require("address")) {
    if (auto address = usable("address")) (address->is_v4() ? peer.address_v4 : peer.address_v6) = address;
  }
  if (auto address = usable("address_ipv6")) {
    if (address->is_v4()) {
      group.error("address_ipv6", address->to_string() + " is an IPv4 address: write it as address");
    } else if (peer.address_v6) {
      group.error("address_ipv6", "address is an IPv6 address already: expected an IPv4 address there");
    } else {
      peer.address_v6 = address;
    }
  }
  return peer;
}

// What must be unique over the whole file, with the place of the first one.
struct Seen {
  std::map<std::string, ConfigText> names;
  std::map<std::tuple<std::string, int, IpFamily>, std::string> vrids;  // → the router's name
  std::map<std::pair<IpAddress, std::string>, ConfigText> addresses;    // with the interface where link-local
  std::size_t address_count = 0;
};

std::string place(const ConfigText& text) { return text.setting + " (line " + std::to_string(text.line) + ")"; }

std::vector<IpPrefix> load_addresses(ConfigGroup& group, std::string_view key, const std::string& interface,
                                     const std::optional<PeerConfig>& peer, Seen& seen) {
  std::vector<IpPrefix> prefixes;
  for (const ConfigText& text : group.texts(key)) {
    auto prefix = IpPrefix::parse(text.value);
    if (!prefix) {
      group.error(text, quoted(text.value) +
                            " is not an address: expected one such as \"192.0.2.100/24\" or \"2001:db8::100/64\"");
      continue;
    }
    const IpAddress& address = prefix->address;
    if (const char* why = why_not_unicast(address)) {
      group.error(text, address.to_string() + " " + why + ": expected an address that a node can hold");
    } else if (is_network_or_broadcast(*prefix)) {
      group.error(text, prefix->to_string() + " is the network's or broadcast address: expected a host's address");
    } else if (peer && (peer->address_v4 == address || peer->address_v6 == address)) {
      group.error(text, address.to_string() + " is the peer's own address: a virtual address is nobody's own");
    } else {
      auto [first, is_new] = seen.addresses.try_emplace({address, address.is_link_local() ? interface : ""}, text);
      if (!is_new) group.error(text, address.to_string() + " is listed twice: first at " + place(first->second));
    }
    prefixes.push_back(*prefix);
  }
  seen.address_count += prefixes.size();
  return prefixes;
}

std::size_t count_family(const std::vector<IpPrefix>& prefixes, IpFamily family) {
  return static_cast<std::size_t>(std::count_if(
      prefixes.begin(), prefixes.end(), [&](const IpPrefix& prefix) { return prefix.address.family() == family; }));
}

// RFC 9568 section 5.2.9: the first IPv6 address is the virtual router's link-local one.
bool link_local_comes_first(const std::vector<IpPrefix>& prefixes) {
  bool has_global = false;
  for (const IpPrefix& prefix : prefixes) {
    if (!prefix.address.is_v6()) continue;
    if (prefix.address.is_link_local() && has_global) return false;
    has_global |= !prefix.address.is_link_local();
  }
  return true;
}

void load_interval(ConfigGroup& group, VirtualRouterConfig& router) {
  auto interval = group.duration("advertisement_interval", kIntervalMin, kIntervalMax);
  if (!interval) return;
  if (*interval % kIntervalUnit != Duration::zero()) {
    group.error("advertisement_interval",
                format_duration(*interval) +
                    " is not a multiple of 10ms, the unit of a VRRPv3 interval; it is never "
                    "rounded: write " +
                    format_duration(*interval / kIntervalUnit * kIntervalUnit) + " or " +
                    format_duration((*interval / kIntervalUnit + 1) * kIntervalUnit));
    return;
  }
  router.advertisement_interval = std::chrono::duration_cast<Centiseconds>(*interval);
}

void load_preemption(ConfigGroup& group, VirtualRouterConfig& router) {
  const auto preempt = group.boolean("preempt");
  const bool is_owner = router.priority == 255;
  router.preempt = preempt.value_or(is_owner);
  if (preempt && !*preempt && is_owner)
    group.error("preempt",
                "false contradicts priority 255: an address owner always takes over; use a priority of 1 to 254");
  if (auto delay = group.duration("preempt_delay", 0s, kDelayMax)) {
    router.preempt_delay = *delay;
    if (*delay > 0s && !router.preempt)
      group.error("preempt_delay", "has no effect without preempt = true: add that or remove this");
    if (*delay > 0s && is_owner)
      group.error("preempt_delay", "contradicts priority 255: an address owner takes over at once");
  }
}

void load_unsupported(ConfigGroup& group) {
  if (auto version = group.integer("version", 2, 3); version == 2)
    group.error("version", "VRRP version 2 is not supported by this version of vipair; expected 3");
  if (group.boolean("virtual_mac").value_or(false))
    group.error("virtual_mac",
                "the virtual MAC address is not supported by this version of vipair; expected false");
  if (!group.boolean("accept").value_or(true))
    group.error(
        "accept",
        "not accepting packets to the virtual addresses is not supported by this version of vipair; expected true");
  refuse_unsupported(group, "authentication", "authentication of version 2 neighbours");
  refuse_unsupported(group, "sync_group", "a sync group");
  refuse_unsupported(group, "track", "tracking of checks");
}

void load_virtual_router(ConfigGroup group, Config& config, bool track_proxy, Seen& seen) {
  VirtualRouterConfig router;
  if (group.require("name")) {
    if (auto name = name_setting(group, "name")) {
      router.name = name->value;
      auto [first, is_new] = seen.names.try_emplace(router.name, *name);
      if (!is_new) group.error(*name, quoted(router.name) + " is used twice: first at " + place(first->second));
    }
  }
  bool has_interface = false, has_vrid = false;
  if (group.require("interface")) {
    if (auto interface = group.text("interface")) {
      has_interface = is_interface_name(interface->value);
      router.interface = interface->value;
      if (!has_interface)
        group.error(*interface,
                    quoted(interface->value) +
                        " cannot be used: expected the name of a network interface such as \"eth0\", 1 to " +
                        std::to_string(kInterfaceNameMax) + " characters, not \"lo\"");
    }
  }
  if (group.require("vrid")) {
    if (auto vrid = group.integer("vrid", 1, 255)) {
      router.vrid = static_cast<std::uint8_t>(*vrid);
      has_vrid = true;
    }
  }
  if (auto priority = group.integer("priority", 1, 255)) router.priority = static_cast<std::uint8_t>(*priority);
  load_interval(group, router);
  load_preemption(group, router);
  if (auto hold = group.duration("join_hold", 0s, kDelayMax)) router.join_hold = *hold;

  if (auto peer = group.group("peer")) {
    if (!config.peer)
      group.error(
          "peer",
          "is this network's address of the pair's peer: add peer = { address = \"…\"; } to the file's top level");
    router.peer = load_peer(*peer);
    peer->finish();
  }
  const auto& peer = router.peer ? router.peer : config.peer;
  group.require("addresses");
  router.addresses = load_addresses(group, "addresses", router.interface, peer, seen);
  router.excluded_addresses = load_addresses(group, "excluded_addresses", router.interface, peer, seen);
  if (group.has("addresses") && group.texts("addresses").empty())
    group.error("addresses", "is empty: expected at least one address such as \"192.0.2.100/24\"");
  for (auto [family, max] :
       {std::pair{IpFamily::ipv4, kAdvertisedIpv4Max}, std::pair{IpFamily::ipv6, kAdvertisedIpv6Max}}) {
    const std::size_t advertised = count_family(router.addresses, family);
    if (advertised > max)
      group.error("addresses", std::to_string(advertised) + " " + to_string(family) +
                                   " addresses do not fit into one " + "advertisement: list at most " +
                                   std::to_string(max) + " here and the others in excluded_addresses");
    if (advertised == 0 && !router.addresses.empty() && count_family(router.excluded_addresses, family) > 0)
      group.error("excluded_addresses", std::string("holds ") + to_string(family) +
                                            " addresses, but addresses holds none: " +
                                            "list one of them there, it is what gets advertised");
    if (advertised > 0 && has_interface && has_vrid) {
      auto [first, is_new] = seen.vrids.try_emplace({router.interface, router.vrid, family}, router.name);
      if (!is_new)
        group.error("vrid", std::to_string(router.vrid) + " is used on " + router.interface + " for " +
                                to_string(family) + " by virtual router \"" + first->second +
                                "\" already: expected another number");
    }
  }
  if (!link_local_comes_first(router.addresses))
    group.error("addresses",
                "the link-local address comes first among the IPv6 addresses (RFC 9568 section 5.2.9)");

  const auto unicast = group.boolean("unicast");
  router.unicast = unicast.value_or(config.peer.has_value());
  if (router.unicast && !config.peer) group.error("unicast", "true needs a peer: add peer = { address = \"…\"; }");
  router.track_proxy = group.boolean("track_proxy").value_or(track_proxy);
  if (auto checksum = group.choice("checksum", {"rfc5798", "rfc9568", "auto"}))
    router.checksum = static_cast<ChecksumForm>(*checksum);
  load_unsupported(group);
  group.finish();
  config.virtual_routers.push_back(std::move(router));
}

Config load_root(ConfigGroup root) {
  Config config;
  if (root.require("node")) {
    if (auto node = name_setting(root, "node")) config.node = node->value;
  }
  if (auto peer = root.group("peer")) {
    config.peer = load_peer(*peer);
    if (auto key_file = peer->text("key_file")) check_key_file(*peer, *key_file, config);
    refuse_unsupported(*peer, "paths", "a second path to the peer");
    peer->finish();
  }
  const bool track_proxy = root.boolean("track_proxy").value_or(true);
  const bool has_routers = root.require("virtual_routers");
  auto routers = root.groups("virtual_routers");
  if (has_routers && routers.empty())
    root.error(
        "virtual_routers",
        "holds no virtual router: expected at least one { name = …; interface = …; vrid = …; addresses = …; }");
  if (routers.size() > kVirtualRoutersMax)
    root.error("virtual_routers", std::to_string(routers.size()) + " virtual routers: expected at most " +
                                      std::to_string(kVirtualRoutersMax));
  Seen seen;
  for (ConfigGroup& router : routers) load_virtual_router(router, config, track_proxy, seen);
  if (seen.address_count > kAddressesMax)
    root.error("virtual_routers", std::to_string(seen.address_count) + " addresses: expected at most " +
                                      std::to_string(kAddressesMax) + " over all virtual routers");
  refuse_unsupported(root, "checks", "checking anything but the proxy");
  refuse_unsupported(root, "notify", "notification");
  config.control_socket = socket_setting(root, "control_socket", config.control_socket);
  config.gate_socket = socket_setting(root, "gate_socket", config.gate_socket);
  if (config.control_socket == config.gate_socket)
    root.error("gate_socket", "is the control socket as well: expected another path");
  if (auto priority = root.integer("realtime_priority", 0, kRealtimePriorityMax))
    config.realtime_priority = static_cast<int>(*priority);
  config.lock_memory = root.boolean("lock_memory").value_or(config.lock_memory);
  config.hang_timeout =
      root.duration("hang_timeout", kHangTimeoutMin, kHangTimeoutMax).value_or(config.hang_timeout);
  config.drain_time = root.duration("drain_time", 0s, kDelayMax).value_or(config.drain_time);
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
