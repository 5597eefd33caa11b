#pragma once
// What is known of a client's connection before its first request.

#include <array>
#include <charconv>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/ip_address.h"
#include "proxy/policy/rate_limit.h"
#include "proxy/server/tls_info.h"

namespace vipair::proxy {

// A port in decimal: six bytes where a std::string would take 32 of every connection.
class PortText {
 public:
  explicit PortText(std::uint16_t port)
      : size_(
            static_cast<std::uint8_t>(std::to_chars(digits_.begin(), digits_.end(), port).ptr - digits_.begin())) {}
  operator std::string_view() const { return {digits_.data(), size_}; }

 private:
  std::array<char, 5> digits_;
  std::uint8_t size_;
};

struct ClientInfo {
  ClientInfo(const IpEndpoint& client, const IpEndpoint& listener)
      : address(client),
        address_text(client.address.to_string()),
        port_text(client.port),
        listening(listener),
        listening_port_text(listener.port) {}

  // A PROXY header said who the client is and where it went.
  void came_through_proxy(const IpEndpoint& client, const IpEndpoint& destination) {
    address = client;
    address_text = client.address.to_string();
    port_text = PortText(client.port);
    local = destination;
  }

  IpEndpoint address;  // the client's
  std::string address_text;
  PortText port_text;
  IpEndpoint listening;  // the listener's, as configured
  PortText listening_port_text;
  IpEndpoint local;  // where the client went; known where an upstream is told (Snapshot::tells_addresses)
  bool is_tls = false;
  std::uint8_t http_version = 1;  // 2: what the session reads is one stream of an HTTP/2 connection
  std::shared_ptr<policy::ConcurrencyTable::Hold> counted;  // among the connections of its address
  std::shared_ptr<const TlsInfo> tls;                       // with is_tls
};

}  // namespace vipair::proxy
