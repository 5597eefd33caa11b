#pragma once
// health = { … } of an upstream: how its servers are checked, each one by itself.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/runtime/config_file.h"
#include "proxy/policy/health_check.h"
#include "proxy/policy/proxy_protocol.h"

namespace vipair::proxy {

inline constexpr std::size_t kExpectedStatusesMax = 20;  // ranges
inline constexpr std::size_t kExpectedBodyMax = 1024;    // bytes

struct HealthCheck {
  enum class Type : std::uint8_t { http, https, tcp };
  Type type = Type::http;
  std::string method = "GET";
  std::string path = "/";  // with its query
  std::string host;        // the Host field; empty: the server as it is written
  std::uint16_t port = 0;  // 0: the server's own
  policy::ProxyProtocol proxy_header = policy::ProxyProtocol::none;  // what the server wants to hear first
  std::vector<policy::StatusRange> expect_status{policy::StatusRange{}};
  std::string expect_body;  // somewhere in the first 64 KiB; empty: anything
  policy::HealthTiming timing;
  friend bool operator==(const HealthCheck&, const HealthCheck&) = default;
};

// Of an upstream's group; nothing when it has no `health`.
std::optional<HealthCheck> read_health(ConfigGroup& upstream);

}  // namespace vipair::proxy
