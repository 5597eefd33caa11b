#pragma once
// A 48-bit Ethernet address as a value.

#include <array>
#include <compare>
#include <cstdint>
#include <string>

namespace vipair {

struct MacAddress {
  std::array<std::uint8_t, 6> bytes{};

  static constexpr MacAddress broadcast() { return {{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}}; }
  std::string to_string() const;  // "02:00:5e:10:00:01"
  friend auto operator<=>(const MacAddress&, const MacAddress&) = default;
};

}  // namespace vipair
