#include "proxy/server/socket_address.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace vipair::proxy {

SocketAddress::SocketAddress(const IpEndpoint& endpoint) {
  const auto bytes = endpoint.address.bytes();
  if (endpoint.address.is_v4()) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(endpoint.port);
    std::memcpy(&address.sin_addr, bytes.data(), bytes.size());
    std::memcpy(&storage, &address, sizeof address);
    length = sizeof address;
  } else {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(endpoint.port);
    std::memcpy(&address.sin6_addr, bytes.data(), bytes.size());
    std::memcpy(&storage, &address, sizeof address);
    length = sizeof address;
  }
}

IpEndpoint SocketAddress::endpoint() const {
  IpEndpoint endpoint;
  if (storage.ss_family == AF_INET) {
    sockaddr_in address;
    std::memcpy(&address, &storage, sizeof address);
    endpoint.address = IpAddress::v4(ntohl(address.sin_addr.s_addr));
    endpoint.port = ntohs(address.sin_port);
  } else if (storage.ss_family == AF_INET6) {
    sockaddr_in6 address;
    std::memcpy(&address, &storage, sizeof address);
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &address.sin6_addr, bytes.size());
    if (IN6_IS_ADDR_V4MAPPED(&address.sin6_addr)) {
      endpoint.address = *IpAddress::from_bytes(std::span(bytes).subspan(12));
    } else {
      endpoint.address = IpAddress::v6(bytes);
    }
    endpoint.port = ntohs(address.sin6_port);
  }
  return endpoint;
}

}  // namespace vipair::proxy
