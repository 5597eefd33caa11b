#pragma once
// A MAC for tests without a cryptographic library: every bit of key and message goes into every byte of the result.
// Not secure, not needed to be.

#include <array>
#include <cstdint>

#include "vrrp/core/authentication.h"

namespace vipair::vrrp {

inline std::array<std::uint8_t, 32> fake_mac(const PairKey& key, ByteView message) {
  std::array<std::uint8_t, 32> mac{};
  for (std::size_t part = 0; part < 4; ++part) {
    std::uint64_t state = 0x9E3779B97F4A7C15u * (part + 1);
    auto mix = [&](std::uint8_t byte) {
      state = (state ^ byte) * 0x100000001B3u;
      state ^= state >> 29;
    };
    for (std::uint8_t byte : key) mix(byte);
    for (std::uint8_t byte : message) mix(byte);
    for (std::size_t i = 0; i < 8; ++i) {
      mix(0);
      mac[part * 8 + i] = static_cast<std::uint8_t>(state >> 56);
    }
  }
  return mac;
}

inline PairKey key_of(std::uint8_t number) {
  PairKey key;
  key.fill(number);
  return key;
}

}  // namespace vipair::vrrp
