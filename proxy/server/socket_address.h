#pragma once
// IpEndpoint to and from the kernel's socket addresses.

#include <netinet/in.h>
#include <sys/socket.h>

#include "common/base/ip_address.h"

namespace vipair::proxy {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);

  SocketAddress() = default;
  explicit SocketAddress(const IpEndpoint& endpoint);
  IpEndpoint endpoint() const;  // an IPv4-mapped IPv6 address comes out as IPv4; 0.0.0.0:0 for other families
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

}  // namespace vipair::proxy
