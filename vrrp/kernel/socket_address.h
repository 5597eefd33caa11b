#pragma once
// An IP address as the kernel's socket calls take it.

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>

#include "common/base/ip_address.h"

namespace vipair::vrrp {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  // interface_index: the zone of a link-local or multicast IPv6 address; 0: none
  SocketAddress(const IpAddress& address, std::uint16_t port, int interface_index = 0) {
    if (address.is_v4()) {
      auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
      v4.sin_family = AF_INET;
      v4.sin_port = htons(port);
      v4.sin_addr.s_addr = htonl(address.v4_value());
      size = sizeof v4;
    } else {
      auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(port);
      std::ranges::copy(address.bytes(), v6.sin6_addr.s6_addr);
      if (address.is_link_local() || address.is_multicast())
        v6.sin6_scope_id = static_cast<std::uint32_t>(interface_index);
      size = sizeof v6;
    }
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

}  // namespace vipair::vrrp
