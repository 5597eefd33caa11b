#pragma once
// A hash that is the same on every node and in every version: FNV-1a over the bytes, with the finalizer of
// MurmurHash3 so that keys that differ in one bit end up far apart. Not for tables that an attacker may fill.

#include <cstdint>
#include <string_view>

namespace vipair::policy {

constexpr std::uint64_t mix(std::uint64_t value) {
  value ^= value >> 33;
  value *= 0xff51afd7ed558ccdULL;
  value ^= value >> 33;
  value *= 0xc4ceb9fe1a85ec53ULL;
  return value ^ (value >> 33);
}

constexpr std::uint64_t hash_of(std::string_view bytes) {
  std::uint64_t value = 0xcbf29ce484222325ULL;
  for (char c : bytes) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return mix(value);
}

}  // namespace vipair::policy
