#pragma once
// The date of a message: IMF-fixdate, the one form that is written (RFC 9110 section 5.6.7). Changes once per
// second; whoever writes many keeps it for that long.

#include <array>
#include <string_view>

#include "common/base/time.h"

namespace vipair::http {

class ImfDate {
 public:
  static constexpr std::size_t kLength = 29;  // "Sun, 06 Nov 1994 08:49:37 GMT"
  explicit ImfDate(WallTime time);            // years 0 to 9999
  std::string_view text() const { return {text_.data(), text_.size()}; }

 private:
  std::array<char, kLength> text_;
};

}  // namespace vipair::http
