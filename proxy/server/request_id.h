#pragma once
// Identifiers for requests: 128 bits that nobody else has, for logs and X-Request-ID. Unique, not secret.

#include <array>
#include <cstdint>
#include <string_view>

namespace vipair::proxy {

using RequestId = std::array<char, 32>;  // hexadecimal digits

class RequestIds {
 public:
  RequestIds();  // seeded by the kernel; throws std::system_error when it gives nothing
  explicit RequestIds(std::uint64_t seed) : high_(seed), low_(~seed) {}
  std::string_view next(RequestId& id);

 private:
  std::uint64_t high_, low_;
};

}  // namespace vipair::proxy
