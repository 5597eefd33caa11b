#pragma once
// What is known of a client's connection before its first request.

#include <cstdint>
#include <memory>
#include <string>

#include "common/base/ip_address.h"
#include "proxy/policy/rate_limit.h"
#include "proxy/server/tls_info.h"

namespace vipair::proxy {

struct ClientInfo {
  ClientInfo(const IpEndpoint& client, const IpEndpoint& listener)
      : address(client),
        address_text(client.address.to_string()),
        port_text(std::to_string(client.port)),
        listening(listener),
        listening_port_text(std::to_string(listener.port)) {}

  // A PROXY header said who the client is and where it went.
  void came_through_proxy(const IpEndpoint& client, const IpEndpoint& destination) {
    address = client;
    address_text = client.address.to_string();
    port_text = std::to_string(client.port);
    local = destination;
  }

  IpEndpoint address;  // the client's
  std::string address_text, port_text;
  IpEndpoint listening;  // the listener's, as configured
  IpEndpoint local;      // where the client went; known where an upstream is told (Snapshot::tells_addresses)
  std::string listening_port_text;
  bool is_tls = false;
  std::shared_ptr<policy::ConcurrencyTable::Hold> counted;  // among the connections of its address
  std::shared_ptr<const TlsInfo> tls;                       // with is_tls
  std::uint8_t http_version = 1;  // 2: what the session reads is one stream of an HTTP/2 connection
};

}  // namespace vipair::proxy
