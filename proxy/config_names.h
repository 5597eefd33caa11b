#pragma once
// Servers that stand in the configuration as names, and resolver = { … }: how names are looked up. What they stand
// for is found out while the proxy runs (server/resolver) and put into the configuration by apply_names().

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ip_address.h"
#include "common/base/time.h"
#include "common/runtime/config_file.h"

namespace vipair::proxy {

inline constexpr std::size_t kNameServersMax = 16;
inline constexpr std::size_t kHostNameMax = 253;  // bytes
inline constexpr std::size_t kLabelMax = 63;      // bytes between two dots

struct ResolverSettings {
  std::vector<IpEndpoint> servers;             // empty: those of the system
  Duration min_ttl = std::chrono::seconds(1);  // an answer is used at least so long
  Duration max_ttl = std::chrono::hours(1);    // and at most so long before it is asked for again
  Duration timeout = std::chrono::seconds(2);  // of the first attempt; each further one waits longer
  int attempts = 3;                            // per name server
  friend bool operator==(const ResolverSettings&, const ResolverSettings&) = default;
};

// What is asked for: the addresses of a host, or the hosts of a service (RFC 2782) and their addresses.
struct NameQuery {
  std::string host;  // lower case, no dot at the end
  bool is_srv = false;
  friend auto operator<=>(const NameQuery&, const NameQuery&) = default;
};

ResolverSettings read_resolver(ConfigGroup& root);

// A host's name and a port, "app.internal:8080". Nothing, and nothing said, when the text is no such thing.
struct HostAndPort {
  std::string host;
  std::uint16_t port = 0;
};
std::optional<HostAndPort> parse_host_and_port(std::string_view text);
// "_http._tcp.app.internal", in lower case and without a dot at the end; reports what it is not.
std::optional<std::string> read_service_name(ConfigGroup& group, const ConfigText& text);

}  // namespace vipair::proxy
