#include "vrrp/kernel/hmac.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#include <cerrno>
#include <system_error>

#include "common/base/assert.h"

namespace vipair::vrrp {

std::array<std::uint8_t, 32> hmac_sha256(const PairKey& key, ByteView message) {
  std::array<std::uint8_t, 32> mac;
  unsigned size = 0;
  const auto* done = ::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()), message.data(),
                            message.size(), mac.data(), &size);
  VIPAIR_ASSERT(done != nullptr && size == mac.size(), "OpenSSL knows HMAC-SHA256");
  return mac;
}

std::uint64_t random_epoch() {
  std::uint64_t epoch = 0;
  ssize_t got = 0;
  do got = ::getrandom(&epoch, sizeof epoch, 0);
  while (got < 0 && errno == EINTR);
  if (got != static_cast<ssize_t>(sizeof epoch))
    throw std::system_error(errno, std::generic_category(), "getrandom");
  return epoch;
}

}  // namespace vipair::vrrp
