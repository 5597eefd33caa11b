#include "proxy/policy/balancer.h"

namespace vipair::policy {

std::optional<std::size_t> RoundRobin::pick(std::span<const ServerState> servers, TimePoint now,
                                            std::optional<std::size_t> excluded) {
  std::optional<std::size_t> least_avoided;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    std::size_t index = (next_ + i) % servers.size();
    const ServerState& server = servers[index];
    if (!server.is_up || index == excluded) continue;
    if (server.avoid_until <= now) {
      next_ = (index + 1) % servers.size();
      return index;
    }
    if (!least_avoided || server.avoid_until < servers[*least_avoided].avoid_until) least_avoided = index;
  }
  if (!least_avoided && excluded && *excluded < servers.size() && servers[*excluded].is_up)
    least_avoided = excluded;
  if (least_avoided) next_ = (*least_avoided + 1) % servers.size();
  return least_avoided;
}

}  // namespace vipair::policy
