#pragma once
// upstreams = ( … ): the groups of servers that requests are passed on to.

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ip_address.h"
#include "common/base/time.h"
#include "common/runtime/config_file.h"
#include "proxy/config_limits.h"
#include "proxy/config_tls.h"
#include "proxy/policy/proxy_protocol.h"

namespace vipair::proxy {

inline constexpr std::size_t kServersPerUpstreamMax = 1000;

struct UpstreamServer {
  std::string text;  // as written
  IpEndpoint endpoint;
  unsigned weight = 1;
  bool is_backup = false;           // used only when no other server is
  std::size_t max_connections = 0;  // 0: no limit
  friend bool operator==(const UpstreamServer&, const UpstreamServer&) = default;
};

struct Upstream {
  std::string name;                        // unique within its site
  std::vector<UpstreamServer> servers;     // at least one, no duplicates, in the file's order
  std::optional<UpstreamTlsSettings> tls;  // how its servers are spoken to; none: in the clear
  Duration connect_timeout{};
  Duration response_head_timeout{};
  Duration avoid_failed = std::chrono::seconds(1);  // a server that could not be reached is passed over for so long
  // keep_alive = { … }, per worker and server. The idle time stays below the 5 s after which Apache and Node close.
  std::size_t idle_connections = 64;  // 0: a connection per request
  Duration idle_timeout = std::chrono::seconds(4);
  // Every connection begins with who its client is, and so serves no other: idle_connections is 0.
  policy::ProxyProtocol send_proxy_protocol = policy::ProxyProtocol::none;
  friend bool operator==(const Upstream&, const Upstream&) = default;
};

// One entry of the list but its name, which the site checks. Timeouts that it does not say are the proxy's.
void read_upstream(ConfigGroup& group, const Timeouts& timeouts, Upstream& upstream);

}  // namespace vipair::proxy
