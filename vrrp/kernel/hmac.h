#pragma once
// HMAC-SHA256 by OpenSSL, as vrrp/core/authentication.h wants it handed in. Less than a microsecond for a message
// of usual size.

#include <array>
#include <cstdint>

#include "common/base/bytes.h"
#include "vrrp/core/authentication.h"

namespace vipair::vrrp {

std::array<std::uint8_t, 32> hmac_sha256(const PairKey& key, ByteView message);

// 64 bits of the system's random source: the epoch of this process. Throws when there is none.
std::uint64_t random_epoch();

}  // namespace vipair::vrrp
