#include "vrrp/core/settling.h"

namespace vipair::vrrp {

bool SettlingLoss::update(TimePoint now, int measured, bool is_active, Duration delay) {
  const bool speaks_for_a_move = is_active ? measured > value_ : measured < value_;
  if (speaks_for_a_move) {
    if (!differs_since_) differs_since_ = now;
    if (now < *differs_since_ + delay) return false;
  }
  differs_since_.reset();
  const bool is_new = measured != value_;
  value_ = measured;
  return is_new;
}

std::optional<TimePoint> SettlingLoss::settles_at(Duration delay) const {
  if (!differs_since_) return std::nullopt;
  return *differs_since_ + delay;
}

}  // namespace vipair::vrrp
