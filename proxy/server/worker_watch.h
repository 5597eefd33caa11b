#pragma once
// Whether the workers still turn. One thread looks, every so often; the times may be read by any.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "common/base/time.h"

namespace vipair::proxy {

class WorkerWatch {
 public:
  explicit WorkerWatch(std::size_t workers) : watched_(workers) {}

  // turns(i): of worker i, so far. A look that comes later than `late` after the one before says nothing about the
  // workers: whatever held us up may have held them up as well.
  void look(TimePoint now, Duration late, const std::function<std::uint64_t(std::size_t)>& turns);

  TimePoint looked_at() const { return looked_at_; }
  std::optional<std::size_t> hanging(Duration limit) const;  // one that has not turned for longer than that
  TimePoint moved_at(std::size_t worker) const { return TimePoint(Duration(watched_[worker].moved_at.load())); }

 private:
  struct Watched {
    std::uint64_t turns = 0;
    std::atomic<std::int64_t> moved_at{0};  // nanoseconds
  };
  std::vector<Watched> watched_;
  TimePoint looked_at_{};
};

}  // namespace vipair::proxy
