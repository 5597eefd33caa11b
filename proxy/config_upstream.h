#pragma once
// upstreams = ( … ): the groups of servers that requests are passed on to.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ip_address.h"
#include "common/base/time.h"
#include "common/runtime/config_file.h"
#include "proxy/config_balancing.h"
#include "proxy/config_health.h"
#include "proxy/config_limits.h"
#include "proxy/config_names.h"
#include "proxy/config_sticky.h"
#include "proxy/config_tls.h"
#include "proxy/policy/proxy_protocol.h"

namespace vipair::proxy {

inline constexpr std::size_t kServersPerUpstreamMax = 1000;
inline constexpr unsigned kWeightMax = 1000;
inline constexpr std::size_t kServerConnectionsMax = 1'000'000;

struct UpstreamServer {
  std::string text;  // as written
  IpEndpoint endpoint;
  unsigned weight = 1;
  bool is_backup = false;           // used when no other server can be
  std::size_t max_connections = 0;  // with a running request, of all workers; 0: no limit
  std::string name{};               // one of Upstream::names, which it was found by; empty: it stands in the file
  friend bool operator==(const UpstreamServer&, const UpstreamServer&) = default;
};

// Servers by name: each address that it has becomes one, with these settings.
struct ServerName {
  std::string text;  // as written
  NameQuery query;
  std::uint16_t port = 0;   // 0: a service, whose records say it
  UpstreamServer settings;  // but for the endpoint
  friend bool operator==(const ServerName&, const ServerName&) = default;
};

enum class UpstreamProtocol : std::uint8_t { http1, h2 };

struct Upstream {
  std::string name;  // unique within its site
  // No duplicates; in the file's order, those found by name behind the others, backups last.
  std::vector<UpstreamServer> servers;
  std::vector<ServerName> names;           // with `servers` at least one
  bool is_resolving = false;               // a name has not been looked up yet
  std::optional<UpstreamTlsSettings> tls;  // how its servers are spoken to; none: in the clear
  Duration connect_timeout{};
  Duration response_head_timeout{};
  Duration avoid_failed = std::chrono::seconds(1);  // a server that could not be reached is passed over for so long
  // keep_alive = { … }, per worker and server. The idle time stays below the 5 s after which Apache and Node close.
  std::size_t idle_connections = 64;  // 0: a connection per request
  Duration idle_timeout = std::chrono::seconds(4);
  // Every connection begins with who its client is, and so serves no other: idle_connections is 0.
  policy::ProxyProtocol send_proxy_protocol = policy::ProxyProtocol::none;
  std::optional<HealthCheck> health;  // none: its servers are not checked
  UpstreamProtocol protocol = UpstreamProtocol::http1;
  Balancing balancing;
  std::optional<Sticky> sticky;
  friend bool operator==(const Upstream&, const Upstream&) = default;
};

// One entry of the list but its name, which the site checks. Timeouts that it does not say are the proxy's.
void read_upstream(ConfigGroup& group, const Timeouts& timeouts, Upstream& upstream);

}  // namespace vipair::proxy
