#include "vrrp/kernel/kernel_host.h"

#include <linux/ip.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "common/runtime/clock.h"
#include "vrrp/core/announcement.h"
#include "vrrp/kernel/monitor.h"

namespace vipair::vrrp {
namespace {

constexpr int kRelayLogBurst = 1;
constexpr Duration kRelayLogPeriod = std::chrono::minutes(1);

std::string interface_name(int index) {
  std::array<char, IF_NAMESIZE> name{};
  return ::if_indextoname(static_cast<unsigned>(index), name.data()) ? name.data()
                                                                     : "interface " + std::to_string(index);
}

IpFamily family_of(const AddressSet& set) {
  return set.addresses.empty() ? IpFamily::ipv4 : set.addresses.front().address.family();
}

VirtualMac virtual_mac_of(const AddressSet& set) { return {set.interface_index, family_of(set), set.vrid}; }

}  // namespace

Expected<std::unique_ptr<KernelHost>, std::string> KernelHost::open(const SupervisorLink& link,
                                                                    Duration drain_time) {
  auto netlink = NetlinkSocket::open();
  if (!netlink) return Unexpected{netlink.error()};
  return std::unique_ptr<KernelHost>(new KernelHost(link, drain_time, std::move(*netlink)));
}

KernelHost::KernelHost(const SupervisorLink& link, Duration drain_time, NetlinkSocket netlink)
    : link_(link),
      drain_time_(drain_time),
      netlink_(std::move(netlink)),
      virtual_macs_([this](const std::vector<NetlinkMessage>& requests) { return execute(requests); }),
      lingering_(drain_time, [this] { tell_last_will(); }),
      relay_(drain_time),
      relay_log_(kRelayLogBurst, kRelayLogPeriod),
      lease_log_(kRelayLogBurst, kRelayLogPeriod) {
  lingering_.adopt(monotonic_now(), link.inherited);
}

// Thousands of addresses take a while: the supervisor hears from us between the batches.
std::vector<NetlinkAnswer> KernelHost::execute(const std::vector<NetlinkMessage>& requests) {
  std::vector<NetlinkAnswer> answers;
  answers.reserve(requests.size());
  for (std::size_t done = 0; done < requests.size(); done += NetlinkSocket::kBatchMax) {
    const std::size_t count = std::min(NetlinkSocket::kBatchMax, requests.size() - done);
    link_.heartbeat();
    auto part = netlink_.execute(std::span(requests).subspan(done, count));
    std::move(part.begin(), part.end(), std::back_inserter(answers));
  }
  return answers;
}

Expected<std::vector<std::string>, std::string> KernelHost::release_leftovers(const Config& config) {
  auto names = remove_virtual_mac_leftovers(netlink_);  // before the first heartbeat: it may take long
  if (!names) return names;
  (void)lease_.remove_leftovers();  // where there is no nf_tables nothing is left
  auto addresses = list_addresses(netlink_);
  if (!addresses) return Unexpected{addresses.error()};
  // a kernel that knows marks shows its own on every node: those of the loopback addresses
  const bool knows_marks = std::any_of(addresses->begin(), addresses->end(),
                                       [](const KernelAddress& address) { return address.protocol != 0; });
  std::set<std::pair<std::string, IpAddress>> ours;
  for (const VirtualRouterConfig& router : config.virtual_routers)
    for (const auto* list : {&router.addresses, &router.excluded_addresses})
      for (const IpPrefix& prefix : *list) {
        ours.emplace(router.interface, prefix.address);
        ours.emplace("lo", prefix.address);
      }
  std::vector<NetlinkMessage> requests;
  std::vector<std::string> on_interfaces;
  for (const KernelAddress& address : *addresses) {
    const std::string interface = interface_name(address.interface_index);
    const bool is_leftover = knows_marks ? address.protocol == kAddressProtocol
                                         : ours.contains({interface, address.prefix.address}) ||
                                               is_virtual_router_link_local(address.prefix.address);
    const bool lingers = interface == "lo" && lingering_.lingers(address.prefix.address);
    if (!is_leftover || lingers) continue;
    requests.push_back(delete_address_request(address.interface_index, address.prefix));
    on_interfaces.push_back(address.prefix.to_string() + " on " + interface);
  }
  const auto answers = execute(requests);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (answers[i].error == 0 || answers[i].error == EADDRNOTAVAIL) continue;
    std::string text =
        "cannot remove " + on_interfaces[i] + ", left by an earlier run: " + std::strerror(answers[i].error);
    if (answers[i].error == EPERM) text += "; run the daemon as root or give it CAP_NET_ADMIN";
    return Unexpected{text};
  }
  names->insert(names->end(), on_interfaces.begin(), on_interfaces.end());
  return names;
}

// Where a virtual address came first, the kernel makes a real one of the same network its secondary and deletes it
// with its primary, unless told to promote it.
void KernelHost::keep_real_addresses() {
  std::set<int> needing;
  // sorted by interface and then by family, IPv4 first
  for (auto held = held_.begin(); held != held_.end(); held = held_.lower_bound({held->first + 1, {}}))
    if (held->second.address.is_v4()) needing.insert(held->first);
  InterfaceSettings& settings = lingering_.settings();
  for (const int index : needing)
    if (!promoting_.contains(index)) settings.hold(index, InterfaceNeed::lasting_secondaries);
  for (const int index : promoting_)
    if (!needing.contains(index)) settings.let_go(index, InterfaceNeed::lasting_secondaries);
  promoting_ = std::move(needing);
}

int KernelHost::agents_index(int interface_index) const {
  const auto mac = virtual_macs_.at(interface_index);
  return mac ? mac->parent_index : interface_index;
}

Expected<AddressSet, HostError> KernelHost::make_place(const AddressSet& set) {
  if (!set.virtual_mac) return set;
  const VirtualMac mac = virtual_mac_of(set);
  const auto before = virtual_macs_.index_of(mac);
  if (up_.insert(mac).second && mac.family == IpFamily::ipv4)
    lingering_.settings().hold(mac.parent_index, InterfaceNeed::quiet);
  const auto index = virtual_macs_.bring_up(mac);
  if (!index) {
    leave_place(set);
    return Unexpected{index.error()};
  }
  if (before != *index) tell_last_will();  // now it can say where
  return *placed(set);
}

std::optional<AddressSet> KernelHost::placed(const AddressSet& set) const {
  if (!set.virtual_mac) return set;
  const VirtualMac mac = virtual_mac_of(set);
  const auto index = virtual_macs_.index_of(mac);
  if (!index) return std::nullopt;
  AddressSet there = set;
  there.interface = interface_name(mac);
  there.interface_index = *index;
  return there;
}

void KernelHost::leave_place(const AddressSet& set) {
  if (!set.virtual_mac) return;
  const VirtualMac mac = virtual_mac_of(set);
  if (const auto index = virtual_macs_.index_of(mac)) {
    const auto first = held_.lower_bound({*index, {}});
    if (first != held_.end() && first->first == *index) return;
    virtual_macs_.take_down(mac);
  }
  if (up_.erase(mac) > 0 && mac.family == IpFamily::ipv4)
    lingering_.settings().let_go(mac.parent_index, InterfaceNeed::quiet);
}

void KernelHost::cover_by_lease(const AddressSet& set) {
  const auto covered = lease_.cover(set);
  if (covered) return;
  ++counters_.lease_errors;
  std::uint64_t suppressed = 0;
  if (lease_log_.allow(monotonic_now(), suppressed))
    log::warn("should all processes of this node freeze, it goes on answering for the addresses: " +
              covered.error());
}

// Who accepts nothing has no connections to keep.
bool KernelHost::may_linger(const AddressSet& set, ReleaseMode mode) const {
  return mode == ReleaseMode::lingering && drain_time_ > Duration::zero() && set.accept;
}

HostError KernelHost::claim_error(const AddressSet& set, const IpPrefix& prefix,
                                  const NetlinkAnswer& answer) const {
  std::string text = "cannot add " + prefix.to_string() + " to " + set.interface + ": ";
  switch (answer.error) {
    case EEXIST:
      return {HostError::Kind::address_in_use,
              prefix.address.to_string() + " is on " + set.interface +
                  " already, and not because of this daemon; a virtual address must not be one of the node's own: "
                  "remove it from the interface's configuration (ip address del " +
                  prefix.to_string() + " dev " + set.interface + ")"};
    case EPERM:
      return {HostError::Kind::not_permitted,
              text + "not permitted; run the daemon as root or give it CAP_NET_ADMIN"};
    case EACCES:
      return {HostError::Kind::other, text + "IPv6 is disabled there; enable it (sysctl net.ipv6.conf." +
                                          set.interface + ".disable_ipv6=0) or remove the IPv6 addresses"};
    case ENODEV:
      return {HostError::Kind::no_interface, text + "the interface is gone"};
    default:
      return {host_error_kind(answer.error),
              text + std::strerror(answer.error) + (answer.text.empty() ? "" : " (" + answer.text + ")")};
  }
}

void KernelHost::relay(const AddressSet& all, const IpAddress& to) {
  if (drain_time_ == Duration::zero()) return;
  flush();
  const TimePoint now = monotonic_now();
  const auto place = make_place(all);
  if (!place) return;  // the claim fails as well, and says so
  const auto started = relay_.start(now, all, to, lingering_.connections(all), place->interface_index);
  if (started) return;
  ++counters_.relay_errors;
  std::uint64_t suppressed = 0;
  if (relay_log_.allow(now, suppressed))
    log::warn("connections that live on the peer will break, they cannot be relayed: " + started.error());
}

Expected<void, HostError> KernelHost::claim(const AddressSet& set) {
  ++counters_.claims;
  flush();
  auto failed = [&](HostError error) {
    ++counters_.claim_failures;
    relay_.stop(set);
    return Unexpected{std::move(error)};
  };
  const IpFamily family = family_of(set);
  // A node that cannot hear the other must not conclude that there is none.
  if (auto open = sockets_.open(set.interface_index, set.interface, family); !open) return failed(open.error());
  if (auto open = announcer_.open(); !open) return failed(open.error());

  auto place = make_place(set);
  if (!place) return failed(place.error());
  if (auto guarded = guard_.apply(set); !guarded) {
    leave_place(set);
    return failed({HostError::Kind::other, guarded.error()});
  }
  cover_by_lease(set);

  std::vector<NetlinkMessage> requests;
  requests.reserve(set.addresses.size());
  const NetworkRoute route = set.virtual_mac ? NetworkRoute::no : NetworkRoute::yes;
  for (const IpPrefix& prefix : set.addresses)
    requests.push_back(new_address_request(place->interface_index, prefix, route));
  const auto answers = execute(requests);

  std::vector<NetlinkMessage> undo;
  std::optional<HostError> error;
  std::optional<std::vector<KernelAddress>> present;  // asked for when somebody has an address already
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const IpPrefix& prefix = set.addresses[i];
    if (answers[i].error == 0) {
      undo.push_back(delete_address_request(place->interface_index, prefix));
      continue;
    }
    if (answers[i].error == EEXIST) {
      if (held_.contains({place->interface_index, prefix})) continue;
      if (!present) {
        auto listed = list_addresses(netlink_);
        present = listed ? std::move(*listed) : std::vector<KernelAddress>{};
      }
      const bool has_our_mark = std::any_of(present->begin(), present->end(), [&](const KernelAddress& address) {
        return address.interface_index == place->interface_index && address.prefix == prefix &&
               address.protocol == kAddressProtocol;
      });
      if (has_our_mark) continue;
    }
    if (!error) error = claim_error(*place, prefix, answers[i]);
  }
  if (error) {
    execute(undo);
    AddressSet refused = set;
    std::erase_if(refused.addresses, [&](const IpPrefix& prefix) {
      return held_.contains({place->interface_index, prefix});
    });
    guard_.remove(refused);
    lease_.uncover(refused);
    leave_place(set);
    return failed(std::move(*error));
  }
  if (held_.empty()) renew_at_ = monotonic_now() + kRenewInterval;
  for (const IpPrefix& prefix : set.addresses) held_.emplace(place->interface_index, prefix);
  keep_real_addresses();
  std::vector<NetlinkMessage> bridges;  // announced addresses are served at once
  for (const IpPrefix& prefix : set.addresses) {
    if (prefix.address.is_v6() && !prefix.address.is_link_local())
      bridges.push_back(bridging_route_request(prefix.address));
  }
  execute(bridges);
  lingering_.cancel(set);
  return {};
}

void KernelHost::release(const AddressSet& set, ReleaseMode mode) {
  ++counters_.releases;
  flush();
  relay_.release(set);
  if (may_linger(set, mode)) {
    if (auto lingers = lingering_.start(monotonic_now(), set); !lingers) {
      ++counters_.relay_errors;
      log::warn("connections to the released addresses break, the addresses cannot linger: " + lingers.error());
    }
    if (!set.virtual_mac)
      for (const IpPrefix& prefix : set.addresses) held_.erase({set.interface_index, prefix});
  }
  if (const auto place = placed(set)) remove(*place);
  guard_.remove(set);
  lease_.uncover(set);
  leave_place(set);
  keep_real_addresses();
}

void KernelHost::remove(const AddressSet& set) {
  std::vector<NetlinkMessage> requests;
  std::vector<IpPrefix> prefixes;
  for (const IpPrefix& prefix : set.addresses) {
    if (held_.erase({set.interface_index, prefix}) == 0) continue;
    requests.push_back(delete_address_request(set.interface_index, prefix));
    prefixes.push_back(prefix);
  }
  const auto answers = execute(requests);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const int error = answers[i].error;
    if (error == 0 || error == EADDRNOTAVAIL || error == ENODEV) continue;  // gone is gone
    log::error("cannot remove " + prefixes[i].to_string() + " from " + set.interface + ": " + std::strerror(error) +
               "; two nodes may answer for it: remove it by hand");
  }
}

Expected<void, HostError> KernelHost::send(const OutgoingAdvertisement& advertisement) {
  if (advertisement.source_mac && announcer_.open()) {
    const Bytes frame = advertisement_frame(*advertisement.source_mac, advertisement.source,
                                            advertisement.destination, advertisement.message);
    if (announcer_.send({{advertisement.interface_index, frame}}) == 0) return {};
  }
  // also one that is too large for a frame: from the interface's own MAC address, and in fragments
  return sockets_.send(advertisement);
}

void KernelHost::announce(const std::vector<OutgoingFrame>& frames) {
  const std::size_t lost = announcer_.open() ? announcer_.send(frames) : frames.size();
  counters_.frames_sent += frames.size() - lost;
  counters_.frames_lost += lost;
}

void KernelHost::set_last_will(const LastWill& will) {
  will_ = will;
  tell_last_will();
}

void KernelHost::tell_last_will() {
  KernelWill will;
  will.resignations = will_.resignations;
  std::vector<AddressSet> lingering;
  for (const LastWill::Release& release : will_.releases) {
    const bool lingers = may_linger(release.set, release.mode);
    if (lingers) lingering.push_back(release.set);
    if (lingers && !release.set.virtual_mac) continue;
    const auto place = placed(release.set);
    if (place) will.withdrawn.push_back(*place);
    if (place && release.set.virtual_mac) will.taken_down.push_back(place->interface_index);
  }
  will.lingering = lingering_.state(lingering);
  if (auto set = link_.set_last_will(will); !set)
    log::error("the supervisor keeps an old last will, a crash may leave addresses behind: " + set.error());
}

void KernelHost::set_drain_time(Duration drain_time) {
  drain_time_ = drain_time;
  lingering_.set_drain_time(drain_time);
  relay_.set_drain_time(drain_time);
  tell_last_will();
}

void KernelHost::on_time(TimePoint now) {
  lingering_.on_time(now);
  relay_.on_time(now);
  if (now >= renew_at_) renew(now);
}

// Whatever goes wrong with an address, the monitor tells.
void KernelHost::renew(TimePoint now) {
  if (!renewed_last_) renew_round_at_ = now;
  auto next = renewed_last_ ? held_.upper_bound(*renewed_last_) : held_.begin();
  std::vector<NetlinkMessage> requests;
  for (; next != held_.end() && requests.size() < kRenewedMax; ++next) {
    const NetworkRoute route = virtual_macs_.at(next->first) ? NetworkRoute::no : NetworkRoute::yes;
    requests.push_back(renew_address_request(next->first, next->second, route));
    renewed_last_ = *next;
  }
  execute(requests);
  if (next != held_.end()) return;
  renewed_last_.reset();
  renew_at_ = renew_round_at_ + kRenewInterval;
}

std::optional<TimePoint> KernelHost::next_deadline() const {
  auto earliest = held_.empty() ? std::nullopt : std::optional(renew_at_);
  for (const auto& deadline : {lingering_.next_deadline(), relay_.next_deadline()})
    if (deadline && (!earliest || *deadline < *earliest)) earliest = deadline;
  return earliest;
}

void KernelHost::stop_draining() { lingering_.stop(); }

}  // namespace vipair::vrrp
