#pragma once
// Which server of an upstream takes the next request: round robin over those that are up. A server that just could
// not be reached is passed over for a while; if all were, that mark proves nothing and the one whose mark ends
// first is tried. One balancer per worker and upstream: the counter is not shared.

#include <cstddef>
#include <optional>
#include <span>

#include "common/base/time.h"

namespace vipair::policy {

struct ServerState {
  bool is_up = true;        // by its health check; true when there is none
  TimePoint avoid_until{};  // it could not be reached: passed over until then
};

class RoundRobin {
 public:
  // The index of a server, none when all are down. `excluded` has failed this very request and is taken only if
  // there is no other.
  std::optional<std::size_t> pick(std::span<const ServerState> servers, TimePoint now,
                                  std::optional<std::size_t> excluded = {});

 private:
  std::size_t next_ = 0;
};

}  // namespace vipair::policy
