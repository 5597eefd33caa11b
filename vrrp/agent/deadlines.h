#pragma once
// When each virtual router wants to be called next. One array without order: looking at all of a thousand times
// takes less than keeping them sorted while every advertisement moves one of them.

#include <cstddef>
#include <optional>
#include <vector>

#include "common/base/time.h"

namespace vipair::vrrp {

class VirtualRouter;

class Deadlines {
 public:
  static constexpr TimePoint kNever = TimePoint::max();

  // The place of one router until it is removed; its deadline is kNever.
  std::size_t add(VirtualRouter& router);
  void remove(std::size_t place);
  void set(std::size_t place, std::optional<TimePoint> deadline) { times_[place] = deadline.value_or(kNever); }

  std::optional<TimePoint> earliest() const;
  // Those whose time has come, from the place `first` on and around.
  std::vector<VirtualRouter*> due(TimePoint now, std::size_t first = 0) const;
  std::size_t size() const { return times_.size(); }

 private:
  std::vector<TimePoint> times_;
  std::vector<VirtualRouter*> routers_;  // nullptr: the place is free
};

}  // namespace vipair::vrrp
