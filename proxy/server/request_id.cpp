#include "proxy/server/request_id.h"

#include <sys/random.h>

#include <cerrno>
#include <system_error>

namespace vipair::proxy {

namespace {

// A Weyl sequence through the finaliser of splitmix64: every state gives another value.
std::uint64_t advance(std::uint64_t& state) {
  std::uint64_t value = state += 0x9e3779b97f4a7c15;
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
  value = (value ^ value >> 27) * 0x94d049bb133111eb;
  return value ^ value >> 31;
}

void write_hex(std::uint64_t value, char* out) {
  for (int i = 0; i < 16; ++i) out[i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
}

}  // namespace

RequestIds::RequestIds() {
  std::uint64_t seed[2];
  if (getrandom(seed, sizeof seed, 0) != static_cast<ssize_t>(sizeof seed)) {
    throw std::system_error(errno, std::generic_category(), "getrandom");
  }
  high_ = seed[0];
  low_ = seed[1];
}

std::string_view RequestIds::next(RequestId& id) {
  write_hex(advance(high_), id.data());
  write_hex(advance(low_), id.data() + 16);
  return {id.data(), id.size()};
}

}  // namespace vipair::proxy
