#include "proxy/server/worker_watch.h"

#include <utility>

namespace vipair::proxy {

void WorkerWatch::look(TimePoint now, Duration late, const std::function<std::uint64_t(std::size_t)>& turns) {
  const bool is_late = now - std::exchange(looked_at_, now) > late;
  for (std::size_t i = 0; i < watched_.size(); ++i) {
    const std::uint64_t so_far = turns(i);
    if (so_far != watched_[i].turns || is_late) watched_[i].moved_at = now.time_since_epoch().count();
    watched_[i].turns = so_far;
  }
}

std::optional<std::size_t> WorkerWatch::hanging(Duration limit) const {
  for (std::size_t i = 0; i < watched_.size(); ++i) {
    if (looked_at_ - moved_at(i) > limit) return i;
  }
  return {};
}

}  // namespace vipair::proxy
