#include "vrrp/agent/instances.h"

#include <algorithm>

namespace vipair::vrrp {

namespace {

std::vector<IpPrefix> of_family(const std::vector<IpPrefix>& prefixes, IpFamily family) {
  std::vector<IpPrefix> result;
  std::copy_if(prefixes.begin(), prefixes.end(), std::back_inserter(result),
               [&](const IpPrefix& prefix) { return prefix.address.family() == family; });
  return result;
}

// IPv6 advertisements come from a link-local address (RFC 9568 section 5.1.2.1): only such a peer can be
// recognised.
std::optional<IpAddress> pinned_peer(const std::optional<PeerConfig>& peer, IpFamily family) {
  if (!peer) return std::nullopt;
  if (family == IpFamily::ipv4) return peer->address_v4;
  return peer->address_v6 && peer->address_v6->is_link_local() ? peer->address_v6 : std::nullopt;
}

// The link-local address first, in front of whatever else is listed.
void put_link_local_first(std::vector<IpPrefix>& advertised, std::uint8_t vrid) {
  auto found = std::find_if(advertised.begin(), advertised.end(),
                            [](const IpPrefix& prefix) { return prefix.address.is_link_local(); });
  if (found == advertised.end()) {
    advertised.insert(advertised.begin(), derived_link_local(vrid));
  } else {
    std::rotate(advertised.begin(), found, found + 1);
  }
}

}  // namespace

IpPrefix derived_link_local(std::uint8_t vrid) {
  return {IpAddress::v6({0xFE, 0x80, 0, 0, 0, 0, 0, 0, 0x02, 0x00, 0x5E, 0xFF, 0xFE, 0x00, 0x02, vrid}), 64};
}

std::vector<InstanceConfig> instances_of(const Config& config) {
  std::vector<InstanceConfig> instances;
  for (const VirtualRouterConfig& router : config.virtual_routers) {
    for (IpFamily family : {IpFamily::ipv4, IpFamily::ipv6}) {
      InstanceConfig instance;
      instance.advertised = of_family(router.addresses, family);
      if (instance.advertised.empty()) continue;
      if (family == IpFamily::ipv6) put_link_local_first(instance.advertised, router.vrid);
      if (const std::size_t max = advertised_max(family); instance.advertised.size() > max) {
        const auto first_excess = instance.advertised.begin() + static_cast<std::ptrdiff_t>(max);
        instance.excluded.assign(first_excess, instance.advertised.end());
        instance.advertised.erase(first_excess, instance.advertised.end());
      }
      const auto excluded = of_family(router.excluded_addresses, family);
      instance.excluded.insert(instance.excluded.end(), excluded.begin(), excluded.end());

      instance.key = {router.interface, family, router.vrid};
      instance.name = router.name;
      instance.version = family == IpFamily::ipv4 ? router.version : 3;  // version 2 is for IPv4
      instance.password = router.password;
      instance.virtual_mac = router.virtual_mac;
      instance.accept = router.accept;
      instance.sync_group = router.sync_group;
      instance.track = router.track;
      instance.priority = router.priority;
      instance.advertisement_interval = router.advertisement_interval;
      instance.preempt = router.preempt;
      instance.preempt_delay = router.preempt_delay;
      instance.join_hold = router.join_hold;
      instance.track_proxy = router.track_proxy;
      instance.upstream_weight = router.track_proxy ? router.upstream_weight : 0;
      instance.checksum = router.checksum;
      const std::optional<PeerConfig>& peer = router.peer ? router.peer : config.peer;
      instance.is_pair = peer.has_value();
      instance.peer = pinned_peer(peer, family);
      instance.is_unicast = router.unicast && instance.peer.has_value();
      instances.push_back(std::move(instance));
    }
  }
  return instances;
}

std::vector<std::string> warnings_about(const Config& config) {
  std::vector<std::string> warnings;
  for (const InstanceConfig& instance : instances_of(config)) {
    if (!instance.is_pair || instance.peer) continue;
    const bool is_v6 = instance.key.family == IpFamily::ipv6;
    warnings.push_back(instance.name + "/" + to_string(instance.key.family) +
                       ": the peer is not pinned, any neighbour on " + instance.key.interface +
                       " is believed and advertisements go by multicast: give the peer's " +
                       (is_v6 ? "link-local IPv6" : "IPv4") + " address");
  }
  return warnings;
}

}  // namespace vipair::vrrp
