#include "vrrp/kernel/interfaces.h"

#include <utility>

#include "common/runtime/log.h"
#include "vrrp/agent/instances.h"

namespace vipair::vrrp {
namespace {

std::vector<IpAddress> peers_of(const Config& config, const VirtualRouterConfig& router) {
  std::vector<IpAddress> addresses;
  const auto& peer = router.peer ? router.peer : config.peer;
  if (!peer) return addresses;
  for (const auto& address : {peer->address_v4, peer->address_v6})
    if (address) addresses.push_back(*address);
  return addresses;
}

// On which interfaces, and in which families: where the virtual routers are, and the paths to the peer.
std::map<std::string, std::set<IpFamily>> families_spoken(const Config& config) {
  std::map<std::string, std::set<IpFamily>> families;
  for (const VirtualRouterConfig& router : config.virtual_routers)
    for (const IpPrefix& prefix : router.addresses) families[router.interface].insert(prefix.address.family());
  for (const PathConfig& path : paths_of(config)) families[path.interface].insert(path.family);
  return families;
}

}  // namespace

Expected<std::unique_ptr<Interfaces>, std::string> Interfaces::open(KernelHost& host) {
  auto monitor = Monitor::open();
  if (!monitor) return Unexpected{monitor.error()};
  return std::unique_ptr<Interfaces>(new Interfaces(host, std::move(*monitor)));
}

void Interfaces::use(const Config& config) {
  config_ = config;
  std::set<IpAddress> addresses;
  for (const VirtualRouterConfig& router : config.virtual_routers)
    for (const auto* list : {&router.addresses, &router.excluded_addresses})
      for (const IpPrefix& prefix : *list) addresses.insert(prefix.address);
  monitor_->table().set_virtual(std::move(addresses));
  std::vector<IpAddress> peers;
  for (const VirtualRouterConfig& router : config.virtual_routers)
    for (const IpAddress& peer : peers_of(config, router)) peers.push_back(peer);
  for (const PeerPath& path : config.peer_paths) peers.push_back(path.address);
  monitor_->table().set_peers(std::move(peers));
  spoken_on_ = families_spoken(config);
  has_unused_ = true;
}

bool Interfaces::has_news() {
  const auto drained = monitor_->drain();
  if (!drained && !is_failing_) log::error("interface changes may go unnoticed: " + drained.error());
  is_failing_ = !drained;
  const bool is_new = table().version() != seen_version_;
  seen_version_ = table().version();
  return is_new || !deaf_.empty();
}

void Interfaces::tell(TimePoint now, Agent& agent) {
  for (const auto& [name, families] : spoken_on_) known_.try_emplace(name);
  host_.make_virtual_macs(virtual_macs());
  for (auto& [name, told] : known_) {
    const InterfaceInfo info = table().info(name);
    if (told && told->index != info.index) host_.sockets().close(told->index);
    open_sockets(info);
    if (told == info) continue;
    told = info;
    agent.on_interface(now, info);
  }
  report_lost_addresses(now, agent);
}

std::set<VirtualMac> Interfaces::virtual_macs() const {
  std::set<VirtualMac> wanted;
  for (const VirtualRouterConfig& router : config_.virtual_routers) {
    const int index = router.virtual_mac ? monitor_->table().info(router.interface).index : 0;
    if (index == 0) continue;
    for (const IpPrefix& prefix : router.addresses) wanted.insert({index, prefix.address.family(), router.vrid});
  }
  return wanted;
}

void Interfaces::leave_unused(TimePoint now, const Agent& agent) {
  if (!has_unused_) return;
  std::set<std::string> used;
  for (const RouterStatus& router : agent.status(now).routers) used.insert(router.interface);
  has_unused_ = false;
  for (const auto& [name, families] : spoken_on_) used.erase(name);
  has_unused_ = !used.empty();
  for (const auto& [name, families] : spoken_on_) used.insert(name);
  for (auto it = known_.begin(); it != known_.end();) {
    if (used.contains(it->first)) {
      ++it;
      continue;
    }
    if (it->second) host_.sockets().close(it->second->index);
    deaf_.erase(it->first);
    it = known_.erase(it);
  }
}

void Interfaces::open_sockets(const InterfaceInfo& interface) {
  deaf_.erase(interface.name);
  if (interface.index == 0) return;
  const auto families = spoken_on_.find(interface.name);
  if (families == spoken_on_.end()) return;
  for (IpFamily family : families->second)
    if (auto opened = host_.sockets().open(interface.index, interface.name, family); !opened)
      deaf_[interface.name] = opened.error().text;
}

// An address counts as lost when the kernel said so. That it is not in the table yet says nothing: the news of an
// IPv6 address comes some time after the address.
void Interfaces::report_lost_addresses(TimePoint now, Agent& agent) {
  InterfaceTable& table = monitor_->table();
  std::set<KernelHost::Held> lost;
  for (const InterfaceTable::Removed& removed : table.take_removed()) {
    const KernelHost::Held held{removed.interface_index, removed.prefix};
    if (table.has(held.first, held.second)) continue;
    if (host_.held().contains(held))
      lost.insert(held);
    else if (removed.was_foreign)
      agent.on_address_removed(now, held.first, held.second.address);
  }
  if (std::exchange(seen_resyncs_, monitor_->resyncs()) != monitor_->resyncs()) {
    for (const KernelHost::Held& held : host_.held())
      if (!table.has(held.first, held.second)) lost.insert(held);
  }
  for (const KernelHost::Held& held : lost) host_.forget(held);
  for (const KernelHost::Held& held : lost)
    agent.on_address_removed(now, host_.agents_index(held.first), held.second.address);
}

std::vector<std::string> Interfaces::warnings() const {
  std::vector<std::string> warnings;
  for (const auto& [name, why] : deaf_) warnings.push_back(why);
  for (const VirtualRouterConfig& router : config_.virtual_routers) {
    for (const IpAddress& peer : peers_of(config_, router)) {
      if (table().is_own(peer))
        warnings.push_back(router.name + ": the peer's address " + peer.to_string() +
                           " is this node's own: name the other node's address");
      else if (!table().is_neighbour(router.interface, peer))
        warnings.push_back(router.name + ": the peer's address " + peer.to_string() + " is in no network of " +
                           router.interface + ": give the virtual router a peer = { address = \"…\"; } of its own");
    }
  }
  for (const PeerPath& path : config_.peer_paths) {
    if (!table().is_neighbour(path.interface, path.address))
      warnings.push_back("peer.paths: " + path.address.to_string() + " is in no network of " + path.interface +
                         ": give the peer's address there, or give this node one");
  }
  return warnings;
}

}  // namespace vipair::vrrp
