#include "vrrp/kernel/link_listener.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <span>
#include <utility>

#include "common/base/bytes.h"
#include "common/base/checksum.h"

namespace vipair::vrrp {
namespace {

constexpr std::uint8_t kVrrp = 112;
constexpr std::uint8_t kIcmpv6 = 58;
constexpr std::uint8_t kNeighbourSolicitation = 135, kNeighbourAdvertisement = 136;
constexpr std::size_t kIpv6Header = 40;
constexpr int kReceiveBuffer = 1 << 20;   // bytes
constexpr std::size_t kPacketMax = 2048;  // bytes; the beginning is what counts
constexpr int kPacketsMax = 20'000;       // of one take(): a flood does not keep the loop from its timers

// Filters of the packet sockets; offsets from the network header.
constexpr std::array<sock_filter, 4> kVrrpOverIpv4 = {
    {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kVrrp, 0, 1),
     BPF_STMT(BPF_RET | BPF_K, kPacketMax), BPF_STMT(BPF_RET | BPF_K, 0)}};
constexpr std::array<sock_filter, 7> kVrrpOrAdvertisementOverIpv6 = {
    {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kVrrp, 3, 0),
     BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kIcmpv6, 0, 3), BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kIpv6Header),
     BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kNeighbourAdvertisement, 0, 1), BPF_STMT(BPF_RET | BPF_K, kPacketMax),
     BPF_STMT(BPF_RET | BPF_K, 0)}};

// Closed when it cannot be opened; errno says why.
UniqueFd open_socket(std::uint16_t type, int interface_index, std::span<const sock_filter> filter) {
  UniqueFd fd(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));  // receives nothing before bind()
  if (!fd) return fd;
  if (!filter.empty()) {
    sock_fprog program{static_cast<unsigned short>(filter.size()), const_cast<sock_filter*>(filter.data())};
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) return UniqueFd();
  }
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(type);
  address.sll_ifindex = interface_index;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return UniqueFd();
  return fd;
}

MacAddress mac_at(ByteView bytes) {
  MacAddress mac;
  std::copy_n(bytes.begin(), mac.bytes.size(), mac.bytes.begin());
  return mac;
}

void read_all(const UniqueFd& fd, const std::function<void(ByteView, const MacAddress&)>& take) {
  std::array<std::uint8_t, kPacketMax> buffer;
  for (int count = 0; count < kPacketsMax; ++count) {
    sockaddr_ll from{};
    socklen_t size = sizeof from;
    const ssize_t got =
        ::recvfrom(fd.get(), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return;
    if (from.sll_pkttype == PACKET_OUTGOING || from.sll_halen != 6) continue;
    take(ByteView(buffer.data(), static_cast<std::size_t>(got)), mac_at(ByteView(from.sll_addr, 6)));
  }
}

Bytes arp_request(const MacAddress& mac, const IpAddress& address) {
  Bytes packet;
  ByteWriter writer(packet);
  writer.u16(1);  // Ethernet
  writer.u16(ETH_P_IP);
  writer.u8(6);
  writer.u8(4);
  writer.u16(1);  // request
  writer.bytes(mac.bytes);
  writer.u32(0);
  writer.bytes(MacAddress{}.bytes);
  writer.bytes(address.bytes());
  return packet;
}

// ff02::1:ffXX:XXXX, RFC 4291 section 2.7.1.
std::array<std::uint8_t, 16> solicited_node(const IpAddress& address) {
  std::array<std::uint8_t, 16> group = {0xFF, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF};
  std::copy_n(address.bytes().begin() + 13, 3, group.begin() + 13);
  return group;
}

Bytes neighbour_solicitation(const MacAddress& mac, const IpAddress& source, const IpAddress& address) {
  const auto destination = solicited_node(address);
  Bytes message;
  ByteWriter body(message);
  body.u8(kNeighbourSolicitation);
  body.u8(0);
  body.u16(0);  // checksum, below
  body.u32(0);
  body.bytes(address.bytes());
  body.u8(1);  // our link-layer address
  body.u8(1);  // in units of eight bytes
  body.bytes(mac.bytes);
  InternetChecksum checksum;
  checksum.add(source.bytes());
  checksum.add(destination);
  checksum.add_u16(static_cast<std::uint16_t>(message.size()));
  checksum.add_u16(kIcmpv6);
  checksum.add(message);
  message[2] = static_cast<std::uint8_t>(checksum.value() >> 8);
  message[3] = static_cast<std::uint8_t>(checksum.value());

  Bytes packet;
  ByteWriter writer(packet);
  writer.u32(6u << 28);
  writer.u16(static_cast<std::uint16_t>(message.size()));
  writer.u8(kIcmpv6);
  writer.u8(255);
  writer.bytes(source.bytes());
  writer.bytes(destination);
  writer.bytes(message);
  return packet;
}

template <class T>
void insert(std::set<T>& set, T value) {
  if (set.size() < LinkListener::kHeardMax) set.insert(std::move(value));
}

void add_advertiser(LinkListener::Heard& heard, const IpAddress& source, const IpAddress& destination,
                    ByteView message) {
  if (message.size() < 2) return;
  insert(heard.advertisers, {source, message[1], message[0] >> 4, destination.is_multicast()});
}

void on_arp(LinkListener::Heard& heard, ByteView packet) {
  constexpr std::size_t kSize = 28, kSenderMac = 8, kSenderAddress = 14;
  if (packet.size() < kSize || packet[6] != 0 || packet[7] != 2) return;  // replies only
  const auto address = IpAddress::from_bytes(packet.subspan(kSenderAddress, 4));
  insert(heard.answers, {*address, mac_at(packet.subspan(kSenderMac, 6))});
}

void on_ipv4(LinkListener::Heard& heard, ByteView packet) {
  if (packet.size() < 20) return;
  const std::size_t header = (packet[0] & 0x0Fu) * 4u;
  if (header < 20 || header > packet.size()) return;
  add_advertiser(heard, *IpAddress::from_bytes(packet.subspan(12, 4)),
                 *IpAddress::from_bytes(packet.subspan(16, 4)), packet.subspan(header));
}

void on_ipv6(LinkListener::Heard& heard, ByteView packet, const MacAddress& from) {
  if (packet.size() < kIpv6Header + 2) return;
  const ByteView message = packet.subspan(kIpv6Header);
  if (packet[6] == kVrrp) {
    add_advertiser(heard, *IpAddress::from_bytes(packet.subspan(8, 16)),
                   *IpAddress::from_bytes(packet.subspan(24, 16)), message);
  } else if (packet[6] == kIcmpv6 && message[0] == kNeighbourAdvertisement && message.size() >= 24) {
    insert(heard.answers, {*IpAddress::from_bytes(message.subspan(8, 16)), from});
  }
}

}  // namespace

Expected<LinkListener, std::string> LinkListener::open(const InterfaceInfo& interface) {
  UniqueFd arp = open_socket(ETH_P_ARP, interface.index, {});
  UniqueFd v4 = open_socket(ETH_P_IP, interface.index, kVrrpOverIpv4);
  UniqueFd v6 = open_socket(ETH_P_IPV6, interface.index, kVrrpOrAdvertisementOverIpv6);
  if (!arp || !v4 || !v6)
    return Unexpected{"cannot listen on " + interface.name + ": packet socket: " + std::strerror(errno)};
  return LinkListener(interface, std::move(arp), std::move(v4), std::move(v6));
}

bool LinkListener::ask(const IpAddress& address) {
  if (address.is_v4()) return send(arp_, ETH_P_ARP, MacAddress::broadcast(), arp_request(interface_.mac, address));
  if (!interface_.link_local_v6) return false;
  const auto group = solicited_node(address);
  const MacAddress destination{{0x33, 0x33, group[12], group[13], group[14], group[15]}};  // RFC 2464 section 7
  return send(v6_, ETH_P_IPV6, destination,
              neighbour_solicitation(interface_.mac, *interface_.link_local_v6, address));
}

bool LinkListener::send(const UniqueFd& fd, std::uint16_t type, const MacAddress& destination,
                        const Bytes& packet) const {
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(type);
  to.sll_ifindex = interface_.index;
  to.sll_halen = 6;
  std::copy(destination.bytes.begin(), destination.bytes.end(), to.sll_addr);
  return ::sendto(fd.get(), packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) >=
         0;
}

LinkListener::Heard LinkListener::take() {
  Heard heard;
  read_all(arp_, [&](ByteView packet, const MacAddress&) { on_arp(heard, packet); });
  read_all(v4_, [&](ByteView packet, const MacAddress&) { on_ipv4(heard, packet); });
  read_all(v6_, [&](ByteView packet, const MacAddress& from) { on_ipv6(heard, packet, from); });
  return heard;
}

}  // namespace vipair::vrrp
