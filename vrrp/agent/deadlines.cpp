#include "vrrp/agent/deadlines.h"

#include <algorithm>

namespace vipair::vrrp {

std::size_t Deadlines::add(VirtualRouter& router) {
  const auto free = std::find(routers_.begin(), routers_.end(), nullptr);
  const auto place = static_cast<std::size_t>(free - routers_.begin());
  if (free == routers_.end()) {
    routers_.push_back(nullptr);
    times_.push_back(kNever);
  }
  routers_[place] = &router;
  return place;
}

void Deadlines::remove(std::size_t place) {
  routers_[place] = nullptr;
  times_[place] = kNever;
}

std::optional<TimePoint> Deadlines::earliest() const {
  TimePoint earliest = kNever;
  for (const TimePoint time : times_) earliest = std::min(earliest, time);
  return earliest == kNever ? std::nullopt : std::optional(earliest);
}

std::vector<VirtualRouter*> Deadlines::due(TimePoint now, std::size_t first) const {
  std::vector<VirtualRouter*> due;
  auto look = [&](std::size_t place, std::size_t end) {
    for (; place < end; ++place)
      if (times_[place] <= now) due.push_back(routers_[place]);
  };
  first = std::min(first, times_.size());
  look(first, times_.size());
  look(0, first);
  return due;
}

}  // namespace vipair::vrrp
