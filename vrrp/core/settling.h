#pragma once
// A loss that two nodes measure by themselves and at different moments: servers that both of them check. What one
// has seen the other may see a second later, so a change that speaks for a move counts only when it has lasted, and
// one that speaks against it counts at once. Time is passed in.

#include <optional>

#include "common/base/time.h"

namespace vipair::vrrp {

class SettlingLoss {
 public:
  int value() const { return value_; }  // what counts
  // is_active: this node has the role; a greater loss would give it away, on the other node a smaller one would
  // take it. Returns whether value() changed.
  bool update(TimePoint now, int measured, bool is_active, Duration delay);
  // When update() is to be called again with what is measured then.
  std::optional<TimePoint> settles_at(Duration delay) const;

 private:
  int value_ = 0;
  std::optional<TimePoint> differs_since_;  // in favour of a move
};

}  // namespace vipair::vrrp
