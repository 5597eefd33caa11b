#include "vrrp/kernel/hmac.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sys/random.h>

#include <cerrno>
#include <memory>
#include <system_error>

#include "common/base/assert.h"

namespace vipair::vrrp {

namespace {

struct Free {
  void operator()(EVP_MAC* mac) const { ::EVP_MAC_free(mac); }
  void operator()(EVP_MAC_CTX* context) const { ::EVP_MAC_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MAC_CTX, Free>;

Context new_context() {
  const std::unique_ptr<EVP_MAC, Free> mac(::EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr));
  VIPAIR_ASSERT(mac, "OpenSSL knows HMAC");
  Context context(::EVP_MAC_CTX_new(mac.get()));
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                   OSSL_PARAM_construct_end()};
  VIPAIR_ASSERT(context && ::EVP_MAC_CTX_set_params(context.get(), parameters) == 1, "OpenSSL knows SHA256");
  return context;
}

}  // namespace

// To look up the algorithm costs more than to use it: it is done once per thread.
std::array<std::uint8_t, 32> hmac_sha256(const PairKey& key, ByteView message) {
  static thread_local const Context kContext = new_context();
  std::array<std::uint8_t, 32> mac;
  std::size_t size = 0;
  const bool is_done = ::EVP_MAC_init(kContext.get(), key.data(), key.size(), nullptr) == 1 &&
                       ::EVP_MAC_update(kContext.get(), message.data(), message.size()) == 1 &&
                       ::EVP_MAC_final(kContext.get(), mac.data(), &size, mac.size()) == 1;
  VIPAIR_ASSERT(is_done && size == mac.size(), "HMAC-SHA256 of any message has 32 bytes");
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
