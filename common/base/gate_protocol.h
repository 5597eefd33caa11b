#pragma once
// What the proxy and the agent say to each other over the gate socket (AF_UNIX, SOCK_SEQPACKET; one message each
// way per packet, ASCII, at most kGateMessageMax bytes). The agent listens, the proxy connects and connects again.
//
//   proxy → agent   "ready"                 every kGateHeartbeat while it serves and every worker's loop turns
//                   "ready upstreams=3/4"   the same, when it knows upstreams: 3 of 4 have a server that can be
//                   used "not-ready <reason>"    as often, while starting, stopping or when a worker hangs
//   agent → proxy   "active" | "standby"    on connect and on each change: does this node hold the addresses?
//
// End of file is death, kGateHangTimeout without a message is a hang: neither counts as ready. The proxy waits for
// "standby" before it closes its listeners, so that a planned stop refuses nobody, and says `Connection: close`
// while standby, so that clients move on.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.h"

namespace vipair {

inline constexpr std::size_t kGateMessageMax = 256;
inline constexpr Duration kGateHeartbeat = std::chrono::milliseconds(50);
inline constexpr Duration kGateHangTimeout = std::chrono::milliseconds(250);

// How many groups of servers the proxy has, and how many of them have a server that it would send a request to.
struct UpstreamCount {
  std::uint32_t usable = 0;
  std::uint32_t total = 0;  // 0: there are none, or nobody looks
  friend bool operator==(const UpstreamCount&, const UpstreamCount&) = default;
};

struct ProxyReport {
  bool is_ready = false;
  std::string reason;         // why not; printable ASCII, one line; empty when ready
  UpstreamCount upstreams{};  // said when ready
  friend bool operator==(const ProxyReport&, const ProxyReport&) = default;
};

enum class NodeRole { standby, active };

std::string encode(const ProxyReport& report);
std::string encode(NodeRole role);
std::optional<ProxyReport> decode_proxy_report(std::string_view message);
std::optional<NodeRole> decode_node_role(std::string_view message);

}  // namespace vipair
