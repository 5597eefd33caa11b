#include "vrrp/kernel/monitor.h"

#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace vipair::vrrp {
namespace {

constexpr std::size_t kMessageBuffer = 8u << 10;  // an event that does not fit is made up for by a full list
constexpr unsigned kMessagesPerCall = 16;         // thousands of addresses come in one row

}  // namespace

bool is_virtual_router_link_local(const IpAddress& address) {
  static constexpr std::array<std::uint8_t, 15> kPrefix = {0xFE, 0x80, 0,    0,    0,    0, 0,   0,
                                                           0x02, 0,    0x5E, 0xFF, 0xFE, 0, 0x02};
  return address.is_v6() && std::equal(kPrefix.begin(), kPrefix.end(), address.bytes().begin());
}

void InterfaceTable::set_virtual(std::set<IpAddress> addresses) {
  virtual_ = std::move(addresses);
  ++version_;
}

void InterfaceTable::set_peers(std::vector<IpAddress> peers) {
  peers_ = std::move(peers);
  ++version_;
}

void InterfaceTable::clear() {
  links_.clear();
  ++version_;
}

void InterfaceTable::apply(const nlmsghdr& message) {
  switch (message.nlmsg_type) {
    case RTM_NEWLINK:
      if (auto link = parse_link(message)) add(*link);
      break;
    case RTM_DELLINK:
      if (auto link = parse_link(message)) remove_link(link->index);
      break;
    case RTM_NEWADDR:
      if (auto address = parse_address(message)) add(*address);
      break;
    case RTM_DELADDR:
      if (auto address = parse_address(message)) remove(*address);
      break;
    case RTM_NEWNETCONF:
      if (auto change = parse_ipv6_forwarding(message))
        set_forwarding(change->interface_index, change->forwards_v6);
      break;
    default:
      break;
  }
}

void InterfaceTable::add(const KernelLink& link) {
  Link& entry = links_[link.index];
  const auto forwards_v6 = link.forwards_v6 ? link.forwards_v6 : entry.link.forwards_v6;
  entry.link = link;
  entry.link.forwards_v6 = forwards_v6;
  ++version_;
}

void InterfaceTable::remove_link(int index) {
  auto link = links_.find(index);
  if (link == links_.end()) return;
  for (const auto& [prefix, entry] : link->second.addresses) removed_.push_back({index, prefix, false});
  links_.erase(link);
  ++version_;
}

void InterfaceTable::add(const KernelAddress& address) {
  Link& entry = links_[address.interface_index];
  auto [at, is_new] = entry.addresses.try_emplace(address.prefix);
  const bool is_news = is_new || at->second.flags != address.flags || at->second.protocol != address.protocol;
  if (!is_news) return;  // its lifetime was renewed
  if (is_new) at->second.order = next_order_++;
  at->second.flags = address.flags;
  at->second.protocol = address.protocol;
  knows_marks_ |= address.protocol != 0;
  ++version_;
}

void InterfaceTable::remove(const KernelAddress& address) {
  auto link = links_.find(address.interface_index);
  if (link == links_.end()) return;
  auto entry = link->second.addresses.find(address.prefix);
  if (entry == link->second.addresses.end()) return;
  const bool was_foreign =
      knows_marks_ && entry->second.protocol != kAddressProtocol && virtual_.contains(address.prefix.address);
  removed_.push_back({address.interface_index, address.prefix, was_foreign});
  link->second.addresses.erase(entry);
  ++version_;
}

void InterfaceTable::set_forwarding(int index, bool forwards_v6) {
  auto link = links_.find(index);
  if (link == links_.end()) return;
  link->second.link.forwards_v6 = forwards_v6;
  ++version_;
}

bool InterfaceTable::has(int interface_index, const IpPrefix& prefix) const {
  auto link = links_.find(interface_index);
  return link != links_.end() && link->second.addresses.contains(prefix);
}

bool InterfaceTable::is_virtual(const IpAddress& address, std::uint8_t protocol) const {
  return protocol == kAddressProtocol || virtual_.contains(address) || is_virtual_router_link_local(address);
}

bool InterfaceTable::is_own(const IpAddress& address) const {
  for (const auto& [index, link] : links_)
    for (const auto& [prefix, entry] : link.addresses)
      if (prefix.address == address && !is_virtual(address, entry.protocol)) return true;
  return false;
}

bool InterfaceTable::is_neighbour(const std::string& interface, const IpAddress& address) const {
  for (const auto& [index, entry] : links_) {
    if (entry.link.name != interface) continue;
    return std::any_of(entry.addresses.begin(), entry.addresses.end(),
                       [&](const auto& own) { return own.first.contains(address); });
  }
  return true;
}

std::optional<IpPrefix> InterfaceTable::source(const Link& link, IpFamily family) const {
  struct Rank {
    bool is_far = true;  // not in a peer's network
    bool is_secondary = true;
    std::uint64_t order = 0;
    auto operator<=>(const Rank&) const = default;
  };
  std::optional<std::pair<Rank, IpPrefix>> best;
  for (const auto& [prefix, entry] : link.addresses) {
    const IpAddress& address = prefix.address;
    if (address.family() != family || is_virtual(address, entry.protocol)) continue;
    const bool meets_peer = std::any_of(peers_.begin(), peers_.end(), [&network = prefix](const IpAddress& peer) {
      return network.contains(peer);
    });
    // RFC 9568 section 5.1.2.1; the kernel refuses to send from one that is not settled yet
    constexpr std::uint32_t kUnusable = IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED;
    if (address.is_v6() && (!address.is_link_local() || (entry.flags & kUnusable))) continue;
    const Rank rank{!meets_peer, (entry.flags & IFA_F_SECONDARY) != 0 && family == IpFamily::ipv4, entry.order};
    if (!best || rank < best->first) best = {rank, prefix};
  }
  if (!best) return std::nullopt;
  return best->second;
}

InterfaceInfo InterfaceTable::info(const std::string& name) const {
  for (const auto& [index, entry] : links_) {
    if (entry.link.name != name) continue;
    InterfaceInfo info;
    info.name = name;
    info.index = index;
    info.is_up = entry.link.is_up;
    info.mac = entry.link.mac;
    if (const auto v4 = source(entry, IpFamily::ipv4)) {
      info.primary_v4 = v4->address;
      info.primary_v4_length = v4->length;
    }
    if (const auto v6 = source(entry, IpFamily::ipv6)) info.link_local_v6 = v6->address;
    info.forwards_v6 = entry.link.forwards_v6.value_or(false);
    return info;
  }
  InterfaceInfo missing;
  missing.name = name;
  return missing;
}

Expected<std::unique_ptr<Monitor>, std::string> Monitor::open() {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!fd) return Unexpected{"cannot open a netlink socket: " + std::string(std::strerror(errno))};
  sockaddr_nl own{};  // an unbound socket counts as the kernel's own and hears nothing
  own.nl_family = AF_NETLINK;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0)
    return Unexpected{"cannot bind a netlink socket: " + std::string(std::strerror(errno))};
  // past the system's limit where permitted; a smaller buffer only means a full list more often
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer) != 0)
    (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer);
  for (int group : {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_NETCONF}) {
    if (::setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
      return Unexpected{"cannot follow the kernel's interface events: " + std::string(std::strerror(errno))};
  }
  auto socket = NetlinkSocket::open();
  if (!socket) return Unexpected{socket.error()};
  std::unique_ptr<Monitor> monitor(new Monitor(std::move(fd), std::move(*socket)));
  if (auto drained = monitor->drain(); !drained) return Unexpected{drained.error()};
  return monitor;
}

// Events that were sent before the list was made may be applied after it: they come in their order, so the last one
// about an object tells how it is.
Expected<void, std::string> Monitor::list_all() {
  InterfaceTable fresh = table_;
  auto restart = [&] { fresh.clear(); };
  auto links = socket_.dump(RTM_GETLINK, restart, [&](const nlmsghdr& message) { fresh.apply(message); });
  if (!links) return links;
  const InterfaceTable with_links = fresh;
  auto addresses = socket_.dump(
      RTM_GETADDR, [&] { fresh = with_links; }, [&](const nlmsghdr& message) { fresh.apply(message); });
  if (!addresses) return addresses;
  table_ = std::move(fresh);
  is_stale_ = false;
  return {};
}

Expected<void, std::string> Monitor::drain() {
  buffer_.resize(kMessagesPerCall * kMessageBuffer);
  std::array<sockaddr_nl, kMessagesPerCall> senders;
  std::array<iovec, kMessagesPerCall> pieces;
  std::array<mmsghdr, kMessagesPerCall> headers;
  for (;;) {
    for (std::size_t i = 0; i < kMessagesPerCall; ++i) {
      pieces[i] = {buffer_.data() + i * kMessageBuffer, kMessageBuffer};
      headers[i] = {};
      headers[i].msg_hdr.msg_name = &senders[i];
      headers[i].msg_hdr.msg_namelen = sizeof senders[i];
      headers[i].msg_hdr.msg_iov = &pieces[i];
      headers[i].msg_hdr.msg_iovlen = 1;
    }
    const int count = ::recvmmsg(fd_.get(), headers.data(), kMessagesPerCall, MSG_DONTWAIT, nullptr);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno == ENOBUFS) {  // events were lost: what is still queued is older than a list made now
        is_stale_ = true;
        ++resyncs_;
        continue;
      }
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
      return Unexpected{"reading the kernel's interface events failed: " + std::string(std::strerror(errno))};
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      if (senders[i].nl_pid != 0) continue;
      if (headers[i].msg_hdr.msg_flags & MSG_TRUNC) is_stale_ = true;
      int rest = static_cast<int>(headers[i].msg_len);
      for (auto* message = static_cast<nlmsghdr*>(pieces[i].iov_base); nlmsg_ok(message, rest);
           message = nlmsg_next(message, &rest))
        table_.apply(*message);
    }
  }
  return is_stale_ ? list_all() : Expected<void, std::string>{};
}

}  // namespace vipair::vrrp
