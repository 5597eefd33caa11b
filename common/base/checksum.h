#pragma once
// The Internet checksum (RFC 1071), incrementally, for messages with and without a pseudo-header.

#include <cstdint>

#include "common/base/bytes.h"

namespace vipair {

class InternetChecksum {
 public:
  // Every piece but the last must have an even length.
  void add(ByteView bytes);
  void add_u16(std::uint16_t word) { sum_ += word; }
  std::uint16_t value() const;  // host order; 0 when the checksum field of a valid message was included

 private:
  std::uint64_t sum_ = 0;
};

}  // namespace vipair
