#pragma once
// Which server of an upstream takes the next request: round robin over those that are up. A server that just could
// not be reached is passed over for a while; if all were, that mark proves nothing and the one whose mark ends
// first is tried. One balancer per worker and upstream: the counter is not shared.

#include <cstddef>
#include <optional>

#include "common/base/time.h"

namespace vipair::policy {

struct ServerState {
  bool is_up = true;        // by its health check; true when there is none
  TimePoint avoid_until{};  // it could not be reached: passed over until then
};

class RoundRobin {
 public:
  // The index of one of `count` servers, none when all are down. state_of(index) is asked until one will do, mostly
  // once. `excluded` has failed this very request and is taken only if there is no other.
  template <class StateOf>
  std::optional<std::size_t> pick(std::size_t count, StateOf state_of, TimePoint now,
                                  std::optional<std::size_t> excluded = {}) {
    std::optional<std::size_t> least_avoided;
    TimePoint least_until{};
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t index = (next_ + i) % count;
      if (index == excluded) continue;
      const ServerState server = state_of(index);
      if (!server.is_up) continue;
      if (server.avoid_until <= now) return take(index, count);
      if (!least_avoided || server.avoid_until < least_until) {
        least_avoided = index;
        least_until = server.avoid_until;
      }
    }
    if (least_avoided) return take(*least_avoided, count);
    if (excluded && *excluded < count && state_of(*excluded).is_up) return take(*excluded, count);
    return {};
  }

 private:
  std::size_t take(std::size_t index, std::size_t count) {
    next_ = (index + 1) % count;
    return index;
  }

  std::size_t next_ = 0;
};

}  // namespace vipair::policy
