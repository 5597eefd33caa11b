#pragma once
// How requests are spread over the servers of an upstream, and what happens when one of them fails or is full:
// balance, hash_on, slow_start, passive_health, retries, queue.

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/time.h"
#include "common/runtime/config_file.h"
#include "proxy/policy/balancer.h"
#include "proxy/policy/breaker.h"
#include "proxy/policy/retry.h"

namespace vipair::proxy {

// What consistent hashing goes by. A request without that header or cookie goes by its client's address.
struct HashOn {
  enum class Source : std::uint8_t { address, path, header, cookie };
  Source source = Source::address;
  std::string name;  // of the header or the cookie
  friend bool operator==(const HashOn&, const HashOn&) = default;
};

// Requests that find every server at its max_connections wait here, each worker's in the order of their arrival.
struct Queue {
  std::size_t length = 100;  // per worker; more: 503
  Duration timeout = std::chrono::seconds(5);
  friend bool operator==(const Queue&, const Queue&) = default;
};

struct Balancing {
  policy::Algorithm algorithm = policy::Algorithm::round_robin;
  HashOn hash_on;
  unsigned hash_load_max = 0;  // percent of the mean load above which a server is passed over; 0: never
  Duration slow_start{};       // a server that comes back gets its share little by little; 0: at once
  policy::BreakerSettings breaker{5};
  std::bitset<600> failure_statuses;  // responses that count as failures of the server
  policy::RetrySettings retries;
  Queue queue;
  friend bool operator==(const Balancing&, const Balancing&) = default;
};

// The settings of an upstream's group that are named above.
void read_balancing(ConfigGroup& upstream, Balancing& balancing);

}  // namespace vipair::proxy
