#pragma once
// What is passed on without being understood: the protocols that a request may switch to, and tcp = ( … ), the
// listeners of layer 4.

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ip_address.h"
#include "common/base/time.h"
#include "common/runtime/config_file.h"
#include "proxy/config_limits.h"
#include "proxy/config_upstream.h"

namespace vipair::proxy {

inline constexpr std::size_t kUpgradesMax = 16;       // of one site or route
inline constexpr std::size_t kTcpServicesMax = 1000;  // over all files
inline constexpr std::size_t kTcpAddressesMax = 64;   // of one service
inline constexpr std::size_t kSniRulesMax = 10000;    // of one service, hosts too

// upgrades = [ "websocket" ] of a site or route; `protocols` stay as they are when it says nothing.
void read_upgrades(ConfigGroup& group, std::vector<std::string>& protocols);

// proxy_protocol of a listener, which can come from trusted proxies only.
bool read_proxy_protocol(ConfigGroup& listener, const std::vector<IpPrefix>& trusted_proxies);

// One entry of tcp: connections to its addresses are joined with connections to a server.
struct TcpService {
  struct Sni {
    std::vector<std::string> hosts;  // as those of a site; never twice in a service
    std::size_t upstream = 0;
    friend bool operator==(const Sni&, const Sni&) = default;
  };
  std::string name;                     // unique
  std::vector<IpEndpoint> addresses;    // `address`: at least one
  std::vector<Upstream> upstreams;      // at least one
  std::vector<Sni> sni;                 // by the name a TLS client asks for; empty: nothing is looked at
  std::optional<std::size_t> upstream;  // of all others; none: they are refused
  bool proxy_protocol = false;          // clients come through a trusted proxy that tells who they are
  Duration idle_timeout{};              // nobody says a word
  friend bool operator==(const TcpService&, const TcpService&) = default;
};

// What a service inherits, and what must be unique over all of them.
struct TcpContext {
  const Timeouts& timeouts;
  const std::vector<IpPrefix>& trusted_proxies;
  std::map<IpEndpoint, ConfigText>& addresses;  // of all listeners, and where each stands
  std::map<std::string, ConfigText> names;
};

// `tcp` of proxy.conf itself or of an included file, appended to `services`. False when the file has none.
bool read_tcp(ConfigGroup& file, TcpContext& context, std::vector<TcpService>& services);

}  // namespace vipair::proxy
