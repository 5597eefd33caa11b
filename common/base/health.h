#pragma once
// Rise and fall in one integer: the verdict on something that is checked again and again. Starting from down it
// takes `rise` successes in a row to come up, from up `fall` failures in a row to go down.

#include "common/base/assert.h"

namespace vipair {

class Health {
 public:
  // level runs from 0 to rise + fall - 1 and is up from `rise` on.
  Health(int rise, int fall, bool up) : rise_(rise), fall_(fall), level_(up ? rise + fall - 1 : 0) {
    VIPAIR_ASSERT(rise >= 1 && fall >= 1, "rise and fall count at least one result");
  }

  bool up() const { return level_ >= rise_; }

  // Between the two: results that contradict the verdict have begun to come.
  bool is_changing() const { return level_ != 0 && level_ != rise_ + fall_ - 1; }

  // Returns true when the verdict changed.
  bool report(bool success) {
    const bool was_up = up();
    if (success) {
      level_ = was_up || level_ + 1 == rise_ ? rise_ + fall_ - 1 : level_ + 1;
    } else {
      level_ = !was_up || level_ == rise_ ? 0 : level_ - 1;
    }
    return up() != was_up;
  }

 private:
  int rise_, fall_, level_;
};

}  // namespace vipair
