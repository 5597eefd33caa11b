#pragma once
// limits = { … } and timeouts = { … }: what a client may cost, and how long anybody is waited for.

#include <cstddef>
#include <cstdint>
#include <limits>

#include "common/base/time.h"
#include "common/runtime/config_file.h"

namespace vipair::proxy {

inline constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

// limits = { … }: what one client may cost.
struct Limits {
  std::size_t request_head = 64 * 1024;     // bytes; more: 431
  std::size_t request_target = 16 * 1024;   // bytes, at most request_head; more: 414
  std::size_t request_fields = 100;         // more: 431
  std::uint64_t request_body = kUnlimited;  // bytes; more: 413. A site may say its own
  std::size_t response_head = 64 * 1024;    // bytes, of an upstream; more: 502
  std::uint64_t body_rate_min = 240;        // bytes per second, of a request body over body_idle; 0: any
  std::size_t connections = 100000;         // clients at once over all workers; each worker takes an equal share
  std::uint64_t response_rate_min =
      240;  // bytes per second that a client takes of a response over write_idle; 0: any
  std::size_t connections_per_address = 0;  // of these; 0: any number. Trusted proxies are not counted
  std::size_t http2_streams = 100;          // requests at once on one HTTP/2 connection
  friend bool operator==(const Limits&, const Limits&) = default;
};

// timeouts = { … }: how long we wait for somebody else.
struct Timeouts {
  Duration request_head = std::chrono::seconds(10);  // from its first byte (a new connection: from accept); 408
  Duration keep_alive = std::chrono::seconds(60);    // an idle client connection
  Duration body_idle = std::chrono::seconds(30);     // no byte of a body arrives, from either side
  Duration write_idle = std::chrono::seconds(30);    // no byte is taken, by either side
  Duration connect = std::chrono::seconds(5);        // an upstream may say its own; 504
  Duration response_head =
      std::chrono::seconds(60);                      // after the request was sent; an upstream may say its own; 504
  Duration tunnel_idle = std::chrono::hours(1);      // nobody says a word after 101 (Switching Protocols)
  Duration tunnel_drain = std::chrono::seconds(10);  // a stop: for tunnels, which never end by themselves
  Duration handover = std::chrono::seconds(2);       // a stop: for the peer to take the address over
  Duration stop = std::chrono::seconds(30);          // a stop: for running requests to end
  Duration worker_hang = std::chrono::milliseconds(200);  // a worker's loop does not turn: the node is not ready
  Duration request = Duration::max();  // the whole of it, from its first byte to the response's last; no
                                       // limit unless it is said, since a total ends large uploads
  friend bool operator==(const Timeouts&, const Timeouts&) = default;
};

void read_limits(ConfigGroup& root, Limits& limits);
void read_body_limit(ConfigGroup& limits, std::uint64_t& bytes_max);  // request_body of a proxy's or site's limits
void read_timeouts(ConfigGroup& root, Timeouts& timeouts);

}  // namespace vipair::proxy
