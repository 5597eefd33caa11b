#include "vrrp/config_router.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "vrrp/agent/plan.h"
#include "vrrp/config_checks.h"
#include "vrrp/config_reader.h"
#include "vrrp/core/advertisement.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;

constexpr Duration kDelayMax = 1h;
constexpr int kOwnerPriority = 255;

// The intervals that a version can express, and nothing in between.
struct IntervalRange {
  Duration min, max, unit, usual;
  const char* unit_name;
};
constexpr IntervalRange kIntervals2 = {1s, 255s, 1s, 1s, "1s, the unit of a VRRPv2 interval"};  // RFC 3768 5.3.7
constexpr IntervalRange kIntervals3 = {10ms, 40950ms, 10ms, 100ms,
                                       "10ms, the unit of a VRRPv3 interval"};  // RFC 9568 section 5.2.7

// Addresses of a network that cannot be anybody's: "10.0.0.0/24" and "10.0.0.255/24".
bool is_network_or_broadcast(const IpPrefix& prefix) {
  if (!prefix.address.is_v4() || prefix.length >= 31) return false;
  const std::uint32_t host_bits = prefix.length == 0 ? 0xFFFFFFFFu : (1u << (32 - prefix.length)) - 1;
  const std::uint32_t host = prefix.address.v4_value() & host_bits;
  return host == 0 || host == host_bits;
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

// Reads the list; what must be unique or fit over the whole file is remembered from one router to the next.
class Reader {
 public:
  Reader(ConfigGroup root, Config& config)
      : root_(std::move(root)),
        config_(config),
        track_proxy_(root_.boolean("track_proxy").value_or(true)),
        upstream_weight_(root_.integer("upstream_weight", 0, kWeightMax)) {}

  void load() {
    const bool is_present = root_.require("virtual_routers");
    auto groups = root_.groups("virtual_routers");
    if (is_present && groups.empty())
      root_.error("virtual_routers",
                  "holds no virtual router: expected at least one { name = …; interface = …; vrid = …; addresses = "
                  "…; }");
    if (groups.size() > kVirtualRoutersMax)
      root_.error("virtual_routers", std::to_string(groups.size()) + " virtual routers: expected at most " +
                                         std::to_string(kVirtualRoutersMax));
    for (ConfigGroup& group : groups) config_.virtual_routers.push_back(load_router(group));
    if (address_count_ > kAddressesMax)
      root_.error("virtual_routers", std::to_string(address_count_) + " addresses: expected at most " +
                                         std::to_string(kAddressesMax) + " over all virtual routers");
    for (std::size_t i = 0; i < groups.size(); ++i) check_sync_group(groups[i], i);
    check_paths();
    warn_of_lonely_groups();
    warn_of_untracked_checks();
    for (std::string& warning : weight_warnings(config_, {})) config_.warnings.push_back(std::move(warning));
  }

 private:
  VirtualRouterConfig load_router(ConfigGroup group);
  void load_identity(ConfigGroup& group, VirtualRouterConfig& router);
  void load_interval(ConfigGroup& group, VirtualRouterConfig& router);
  void load_preemption(ConfigGroup& group, VirtualRouterConfig& router);
  void load_peer(ConfigGroup& group, VirtualRouterConfig& router);
  void load_addresses(ConfigGroup& group, VirtualRouterConfig& router);
  std::vector<IpPrefix> load_list(ConfigGroup& group, std::string_view key, const VirtualRouterConfig& router);
  void check_families(ConfigGroup& group, const VirtualRouterConfig& router);
  void load_wire(ConfigGroup& group, VirtualRouterConfig& router);
  void load_tracking(ConfigGroup& group, VirtualRouterConfig& router);

  void check_sync_group(ConfigGroup& group, std::size_t index);
  void check_paths();
  void warn_of_lonely_groups();
  void warn_of_untracked_checks();
  const CheckConfig* check(const std::string& name) const;
  const std::optional<PeerConfig>& peer_of(const VirtualRouterConfig& router) const {
    return router.peer ? router.peer : config_.peer;
  }

  ConfigGroup root_;
  Config& config_;
  const bool track_proxy_;
  const std::optional<std::int64_t> upstream_weight_;
  std::map<std::string, ConfigText> names_;
  std::map<std::tuple<std::string, int, IpFamily>, std::string> vrids_;  // → the router's name
  std::map<std::pair<IpAddress, std::string>, ConfigText> addresses_;    // with the interface where link-local
  std::size_t address_count_ = 0;
};

VirtualRouterConfig Reader::load_router(ConfigGroup group) {
  VirtualRouterConfig router;
  load_identity(group, router);
  load_interval(group, router);
  load_preemption(group, router);
  load_peer(group, router);
  load_addresses(group, router);
  load_wire(group, router);
  load_tracking(group, router);
  group.finish();
  return router;
}

void Reader::load_identity(ConfigGroup& group, VirtualRouterConfig& router) {
  if (group.require("name")) {
    if (auto name = name_setting(group, "name")) {
      router.name = name->value;
      auto [first, is_new] = names_.try_emplace(router.name, *name);
      if (!is_new) group.error(*name, quoted(router.name) + " is used twice: first at " + place(first->second));
    }
  }
  if (group.require("interface")) {
    if (auto interface = interface_setting(group, "interface")) router.interface = interface->value;
  }
  if (group.require("vrid"))
    router.vrid = static_cast<std::uint8_t>(group.integer("vrid", 1, 255).value_or(router.vrid));
  router.priority = static_cast<std::uint8_t>(group.integer("priority", 1, 255).value_or(router.priority));
  router.version = static_cast<int>(group.integer("version", 2, 3).value_or(router.version));
}

void Reader::load_interval(ConfigGroup& group, VirtualRouterConfig& router) {
  const IntervalRange& range = router.version == 2 ? kIntervals2 : kIntervals3;
  Duration interval = range.usual;
  if (auto found = group.duration("advertisement_interval", kIntervals3.min, kIntervals2.max)) interval = *found;
  if (interval % range.unit != Duration::zero()) {
    const Duration below = interval / range.unit * range.unit;
    group.error("advertisement_interval", format_duration(interval) + " is not a multiple of " + range.unit_name +
                                              "; it is never rounded: write " +
                                              (below >= range.min ? format_duration(below) + " or " : "") +
                                              format_duration(below + range.unit));
  } else if (interval < range.min || interval > range.max) {
    group.error("advertisement_interval", format_duration(interval) + " is out of range for version " +
                                              std::to_string(router.version) + ", expected " +
                                              format_duration(range.min) + " to " + format_duration(range.max));
  } else {
    router.advertisement_interval = std::chrono::duration_cast<Centiseconds>(interval);
  }
}

void Reader::load_preemption(ConfigGroup& group, VirtualRouterConfig& router) {
  const auto preempt = group.boolean("preempt");
  const bool is_owner = router.priority == kOwnerPriority;
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
  router.join_hold = group.duration("join_hold", 0s, kDelayMax).value_or(router.join_hold);
}

void Reader::load_peer(ConfigGroup& group, VirtualRouterConfig& router) {
  auto peer = group.group("peer");
  if (!peer) return;
  if (!config_.peer)
    group.error("peer",
                "is this network's address of the pair's peer: add peer = { address = \"…\"; } to the file's top "
                "level");
  router.peer = peer_addresses(*peer);
  peer->finish();
}

void Reader::load_addresses(ConfigGroup& group, VirtualRouterConfig& router) {
  group.require("addresses");
  router.addresses = load_list(group, "addresses", router);
  router.excluded_addresses = load_list(group, "excluded_addresses", router);
  if (group.has("addresses") && group.texts("addresses").empty())
    group.error("addresses", "is empty: expected at least one address such as \"192.0.2.100/24\"");
  check_families(group, router);
  if (!link_local_comes_first(router.addresses))
    group.error("addresses",
                "the link-local address comes first among the IPv6 addresses (RFC 9568 section 5.2.9)");
}

std::vector<IpPrefix> Reader::load_list(ConfigGroup& group, std::string_view key,
                                        const VirtualRouterConfig& router) {
  const std::optional<PeerConfig>& peer = peer_of(router);
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
    } else if (router.version == 2 && address.is_v6()) {
      group.error(text, address.to_string() +
                            " is an IPv6 address, which version 2 does not know (RFC 3768): move it "
                            "to a virtual router of version 3");
    } else {
      auto [first, is_new] =
          addresses_.try_emplace({address, address.is_link_local() ? router.interface : ""}, text);
      if (!is_new) group.error(text, address.to_string() + " is listed twice: first at " + place(first->second));
    }
    prefixes.push_back(*prefix);
  }
  address_count_ += prefixes.size();
  return prefixes;
}

void Reader::check_families(ConfigGroup& group, const VirtualRouterConfig& router) {
  for (IpFamily family : {IpFamily::ipv4, IpFamily::ipv6}) {
    const std::size_t listed = count_family(router.addresses, family), max = advertised_max(family);
    if (listed > max)
      config_.warnings.push_back(router.name + ": " + std::to_string(listed) + " " + to_string(family) +
                                 " addresses do not fit into one advertisement: those after the first " +
                                 std::to_string(max) + " move too, but are not advertised, as excluded_addresses");
    if (listed == 0) {
      if (!router.addresses.empty() && count_family(router.excluded_addresses, family) > 0)
        group.error("excluded_addresses", std::string("holds ") + to_string(family) +
                                              " addresses, but addresses holds none: list one of them there, it is "
                                              "what gets advertised");
      continue;
    }
    if (router.interface.empty() || router.vrid == 0) continue;
    auto [first, is_new] = vrids_.try_emplace({router.interface, router.vrid, family}, router.name);
    if (!is_new)
      group.error("vrid", std::to_string(router.vrid) + " is used on " + router.interface + " for " +
                              to_string(family) + " by virtual router \"" + first->second +
                              "\" already: expected another number");
  }
}

void Reader::load_wire(ConfigGroup& group, VirtualRouterConfig& router) {
  const auto unicast = group.boolean("unicast");
  router.unicast = unicast.value_or(config_.peer.has_value());
  if (router.unicast && !config_.peer) group.error("unicast", "true needs a peer: add peer = { address = \"…\"; }");

  if (auto checksum = group.choice("checksum", {"rfc5798", "rfc9568", "auto"})) {
    router.checksum = static_cast<ChecksumForm>(*checksum);
    if (router.version == 2)
      group.error("checksum", "has no effect on version 2, which has one form only: remove this");
  }
  if (auto authentication = group.group("authentication")) {
    if (authentication->require("type")) (void)authentication->choice("type", {"pass"});
    if (authentication->require("password_file"))
      router.password = password_file_setting(*authentication, "password_file", config_);
    authentication->finish();
    if (router.version != 2)
      group.error("authentication",
                  "only version 2 knows passwords: remove this; in pair mode peer.key_file protects everything");
  }
  router.virtual_mac = group.boolean("virtual_mac").value_or(router.virtual_mac);
  if (router.virtual_mac && router.unicast)
    config_.warnings.push_back(router.name +
                               ": with unicast = true the switches learn the place of the virtual MAC address from "
                               "announcements only, not "
                               "from every advertisement: consider unicast = false, or virtual_mac = false");
  router.accept = group.boolean("accept").value_or(router.accept);
  if (!router.accept && router.priority == kOwnerPriority)
    group.error("accept", "false contradicts priority 255: an address owner accepts packets to its addresses");
}

void Reader::load_tracking(ConfigGroup& group, VirtualRouterConfig& router) {
  router.track_proxy = group.boolean("track_proxy").value_or(track_proxy_);
  const auto weight = group.integer("upstream_weight", 0, kWeightMax);
  router.upstream_weight = static_cast<int>(weight.value_or(upstream_weight_.value_or(kUpstreamWeightDefault)));
  if (weight.value_or(0) > 0 && router.priority == kOwnerPriority)
    group.error("upstream_weight", "cannot lower the priority 255 of an address owner: use a priority of 1 to 254");
  if (!router.track_proxy || router.priority == kOwnerPriority) router.upstream_weight = 0;
  if (!router.accept && router.track_proxy)
    config_.warnings.push_back(router.name +
                               ": with accept = false no client reaches vipair-proxyd at the virtual "
                               "addresses: is track_proxy = false meant?");
  const auto texts = group.texts("track");
  router.track = check_names(group, texts, config_);
  for (const ConfigText& text : texts) {
    const CheckConfig* tracked = check(text.value);
    if (tracked && tracked->weight && router.priority == kOwnerPriority)
      group.error(text, quoted(text.value) +
                            " has a weight, which cannot lower the priority 255 of an address owner: "
                            "use a priority of 1 to 254, or a check without weight");
  }
  if (auto name = name_setting(group, "sync_group")) router.sync_group = name->value;
}

// One group, one election: what decides it must be the same for all of its members.
void Reader::check_sync_group(ConfigGroup& group, std::size_t index) {
  const VirtualRouterConfig& router = config_.virtual_routers[index];
  if (router.sync_group.empty()) return;
  const auto& all = config_.virtual_routers;
  const auto first = std::find_if(all.begin(), all.end(),
                                  [&](const auto& other) { return other.sync_group == router.sync_group; });
  auto refuse = [&](const char* setting, bool is_same) {
    if (!is_same)
      group.error(setting, "differs from that of \"" + first->name + "\" in the same sync_group \"" +
                               router.sync_group + "\": the members move together, so it must be the same");
  };
  refuse("priority", router.priority == first->priority);
  refuse("preempt", router.preempt == first->preempt);
  refuse("preempt_delay", router.preempt_delay == first->preempt_delay);
  refuse("upstream_weight",
         router.upstream_weight == first->upstream_weight || router.track_proxy != first->track_proxy);
  refuse("advertisement_interval", router.advertisement_interval == first->advertisement_interval);
}

// A further path is another way than that of the advertisements, to an address of the peer's own.
void Reader::check_paths() {
  auto peer = root_.group("peer");
  if (!peer) return;
  auto paths = peer->groups("paths");
  for (std::size_t i = 0; i < std::min(paths.size(), config_.peer_paths.size()); ++i) {
    const PeerPath& path = config_.peer_paths[i];
    const bool is_link_local = path.address.is_link_local();
    if (auto found = addresses_.find({path.address, is_link_local ? path.interface : ""});
        found != addresses_.end())
      paths[i].error("address", path.address.to_string() + " is a virtual address, " + place(found->second) +
                                    ": expected the peer's own");
    bool is_shared = false;
    for (const VirtualRouterConfig& router : config_.virtual_routers) {
      const std::optional<PeerConfig>& primary = peer_of(router);
      const bool is_same_interface = router.interface == path.interface;
      is_shared |= is_same_interface;
      if (primary && (primary->address_v4 == path.address || primary->address_v6 == path.address) &&
          (is_same_interface || !is_link_local)) {
        paths[i].error("address", path.address.to_string() + " is the way that the advertisements of \"" +
                                      router.name + "\" go already: expected another one");
        break;
      }
    }
    if (is_shared)
      config_.warnings.push_back("peer.paths[" + std::to_string(i) + "]: " + path.interface +
                                 " carries virtual routers too: a path over an interface of its own survives more");
  }
}

void Reader::warn_of_lonely_groups() {
  std::map<std::string, int> members;
  for (const VirtualRouterConfig& router : config_.virtual_routers) ++members[router.sync_group];
  for (const auto& [name, count] : members)
    if (!name.empty() && count == 1)
      config_.warnings.push_back("sync_group \"" + name + "\" has one member only: it changes nothing");
}

const CheckConfig* Reader::check(const std::string& name) const {
  for (const CheckConfig& each : config_.checks)
    if (each.name == name) return &each;
  return nullptr;
}

void Reader::warn_of_untracked_checks() {
  std::set<std::string> used;
  for (const VirtualRouterConfig& router : config_.virtual_routers)
    used.insert(router.track.begin(), router.track.end());
  for (const CheckConfig& each : config_.checks)
    if (const auto* what = std::get_if<CombinedCheck>(&each.what))
      used.insert(what->checks.begin(), what->checks.end());
  for (const CheckConfig& each : config_.checks)
    if (!each.name.empty() && !used.contains(each.name))
      config_.warnings.push_back("check \"" + each.name +
                                 "\" decides nothing: add its name to the track of a virtual router");
}

}  // namespace

void load_virtual_routers(ConfigGroup& root, Config& config) { Reader(root, config).load(); }

}  // namespace vipair::vrrp
