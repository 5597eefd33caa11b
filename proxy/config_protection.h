#pragma once
// Who may come in and how often: allow, deny, basic_auth, rate_limit and connection_limit of the proxy, a site or a
// route. Each level keeps its own; what holds for a request is
//   - deny: of every level; allow and basic_auth: of the innermost level that has one;
//   - rate_limit and connection_limit: of every level.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ip_address.h"
#include "common/base/time.h"
#include "common/runtime/config_file.h"
#include "proxy/config_reader.h"
#include "proxy/policy/basic_auth.h"

namespace vipair::proxy {

inline constexpr std::size_t kNetworksMax = 100'000;  // per list
inline constexpr std::size_t kRateLimitsMax = 10;     // per level
inline constexpr std::size_t kRealmMax = 128;         // bytes

struct RateLimit {
  std::int64_t requests = 1;
  Duration per = std::chrono::seconds(1);
  std::uint32_t burst = 1;     // at once; `requests` when it is not said
  bool is_per_address = true;  // else of all clients together
  friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

// Requests that run at once. 0: any number.
struct ConnectionLimit {
  std::uint32_t per_address = 0;
  std::uint32_t total = 0;
  friend bool operator==(const ConnectionLimit&, const ConnectionLimit&) = default;
};

struct BasicAuth {
  bool is_enabled = true;  // false: an inner level needs no password
  std::string realm;
  FileSetting password_file;
  policy::Users users;
  bool is_forwarded = false;  // the upstream gets the Authorization field too
  friend bool operator==(const BasicAuth&, const BasicAuth&) = default;
};

struct Protection {
  std::optional<std::vector<IpPrefix>> allow;  // nobody else
  std::vector<IpPrefix> deny;
  std::vector<RateLimit> rate_limits;
  ConnectionLimit connection_limit;
  std::optional<BasicAuth> basic_auth;
  friend bool operator==(const Protection&, const Protection&) = default;
};

Protection read_protection(ConfigGroup& group);
// The users of a password file as it is now.
Expected<policy::Users, ConfigError> read_users(const FileSetting& file);
std::vector<IpPrefix> read_networks(ConfigGroup& group, std::string_view key, std::size_t max);

}  // namespace vipair::proxy
