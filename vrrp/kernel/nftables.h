#pragma once
// The nf_tables side of the relay (connection_relay.h) and of the guard (accept_guard.h): rules as netlink
// messages, without nft(8). Encoding is pure; a transaction is all or nothing and done when transact() returns.
//
// What a relay's table looks like to nft(8), here for IPv4:
//
//   table ip vipair-relay-eth0-1 {
//     flags owner
//     set addresses { type ipv4_addr; elements = { 192.0.2.100 } }
//     set opened_here { type ipv4_addr . inet_service . ipv4_addr . inet_service; size 262144; flags dynamic }
//     chain vipair { type filter hook prerouting priority raw
//       iif eth0 ip daddr @addresses tcp flags & (syn | ack) == syn add @opened_here { saddr . sport . daddr .
//       dport } accept iif eth0 ip daddr @addresses tcp saddr . sport . daddr . dport != @opened_here
//         ip ttl set 2 dup to 192.0.2.11 device eth0 drop
//     }
//   }
//
// and a guard's, here for IPv6 (for IPv4 without the exceptions):
//
//   table ip6 vipair-guard-eth0-51 {
//     flags owner
//     set addresses { type ipv6_addr; elements = { 2001:db8::100 } }
//     chain vipair { type filter hook input priority filter
//       icmpv6 type nd-neighbor-solicit accept
//       icmpv6 type nd-neighbor-advert accept
//       ip6 daddr @addresses drop
//     }
//   }
//
// and a lease's (answer_lease.h), here for IPv4:
//
//   table arp vipair-lease {
//     set addresses { type ipv4_addr; elements = { 192.0.2.100 } }
//     set lease { type mark; flags timeout; elements = { 1 timeout 300ms } }
//     chain vipair { type filter hook input priority filter
//       arp operation request arp daddr ip @addresses 1 != @lease drop
//     }
//   }
//
// Priority raw: before connection tracking, which would take these segments for new connections. The TTL makes a
// loop impossible: a node that does not hold the address any more and forwards cannot send the segment on.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/expected.h"
#include "common/base/ip_address.h"
#include "common/base/time.h"
#include "common/runtime/unique_fd.h"
#include "vrrp/kernel/lingering_addresses.h"

namespace vipair::vrrp {

struct RelayRules {
  IpFamily family = IpFamily::ipv4;
  std::string table;
  int input_index = 0;                 // where the segments come in
  int interface_index = 0;             // where they are sent on
  std::vector<IpAddress> addresses;    // of that family
  IpAddress old_active;                // of that family, on the interface's network
  std::span<const TcpConnection> own;  // of that family: taken for opened here
  std::uint32_t connections_max = 0;
};

Bytes encode_relay_table(const RelayRules& rules);
Bytes encode_table_removal(IpFamily family, std::string_view table);
// Makes the table and removes it in one transaction: nothing ever comes into force.
Bytes encode_relay_trial(const RelayRules& rules);

// Drops what is sent to the addresses, but for neighbour discovery; ARP is none of its business.
Bytes encode_guard_table(IpFamily family, std::string_view table, std::span<const IpAddress> addresses);
Bytes encode_guard_change(IpFamily family, std::string_view table, std::span<const IpAddress> added,
                          std::span<const IpAddress> removed);

// Drops what asks who has one of the addresses when the lease has expired. The tables are called vipair-lease, one
// in the family arp and one in ip6, and stay until they are removed; a former one is replaced.
Bytes encode_lease_table(IpFamily family, std::span<const IpAddress> addresses, Duration duration);
Bytes encode_lease_change(IpFamily family, std::span<const IpAddress> added, std::span<const IpAddress> removed);
Bytes encode_lease_removal(IpFamily family);  // also when there is none
// Linux 6.12 gives an element that is there a new expiration. Before, it keeps the one it has: it is removed and
// added, which leaves garbage behind each time, and one that has expired cannot be removed.
enum class LeaseRenewal { in_place, replacing, adding };
Bytes encode_lease_renewal(IpFamily family, Duration duration, LeaseRenewal how);
bool renews_elements(std::string_view release);  // "6.12.3-amd64": whether that kernel does it in place
bool has_lease_table(int socket, IpFamily family);
// False when there is nothing to renew. The kernel takes back a transaction that fails with all others waiting, and
// takes long: ask first.
bool renew_lease(int socket, IpFamily family, Duration duration);

// A NETLINK_NETFILTER socket, which owns the tables made through it; invalid with errno set when there is none.
UniqueFd open_nftables();

// The kernel's answer; the error text says what is missing.
Expected<void, std::string> transact(int socket, ByteView transaction);

}  // namespace vipair::vrrp
