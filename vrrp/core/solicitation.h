#pragma once
// The packets that ask whether somebody is there, as bytes: echo (RFC 792, RFC 4443 section 4), ARP requests
// (RFC 826) and neighbour solicitations (RFC 4861 section 4.3). Functions of their arguments.

#include <array>
#include <cstdint>
#include <optional>

#include "common/base/bytes.h"
#include "common/base/ip_address.h"
#include "common/base/mac_address.h"

namespace vipair::vrrp {

using EchoToken = std::array<std::uint8_t, 16>;  // random: nobody answers who did not hear

struct Echo {
  IpFamily family = IpFamily::ipv4;
  std::uint16_t identifier = 0;
  std::uint16_t sequence = 0;
  EchoToken token{};
};
// The ICMP message; with its checksum for IPv4, for IPv6 the kernel makes it.
Bytes echo_request(const Echo& echo);
// `packet` as a raw socket gives it: with the IP header for IPv4, without for IPv6.
bool is_echo_reply(const Echo& echo, ByteView packet);

// A whole Ethernet frame; to everybody when `to` is the broadcast address.
Bytes arp_request(const MacAddress& to, const MacAddress& own_mac, const IpAddress& own_address,
                  const IpAddress& wanted);
// The MAC address that answers for `wanted` in an ARP reply: an Ethernet frame.
std::optional<MacAddress> arp_answer(ByteView frame, const IpAddress& wanted);

// The ICMPv6 message without checksum, and where it goes.
Bytes neighbour_solicitation(const MacAddress& own_mac, const IpAddress& wanted);
IpAddress solicited_node_group(const IpAddress& wanted);  // ff02::1:ffXX:XXXX
bool is_neighbour_advertisement(ByteView message, const IpAddress& wanted);

}  // namespace vipair::vrrp
