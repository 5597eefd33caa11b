#include "vrrp/kernel/hmac.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>
#include <vector>

#include "common/base/assert.h"

namespace vipair::vrrp {

namespace {

struct Free {
  void operator()(EVP_MAC* mac) const { ::EVP_MAC_free(mac); }
  void operator()(EVP_MAC_CTX* context) const { ::EVP_MAC_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MAC_CTX, Free>;

constexpr std::size_t kContextsMax = 4;  // keys in use: two while they rotate
struct KeyedContext {
  PairKey key;
  Context context;
};

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

// To look up the algorithm and to take in a key cost more than to use them: both are done once per thread and key.
std::array<std::uint8_t, 32> hmac_sha256(const PairKey& key, ByteView message) {
  static thread_local std::vector<KeyedContext> contexts;
  auto keyed = std::find_if(contexts.begin(), contexts.end(), [&](const auto& known) { return known.key == key; });
  const bool is_new = keyed == contexts.end();
  if (is_new && contexts.size() == kContextsMax) contexts.erase(contexts.begin());
  if (is_new) keyed = contexts.insert(contexts.end(), {key, new_context()});
  EVP_MAC_CTX* context = keyed->context.get();
  std::array<std::uint8_t, 32> mac;
  std::size_t size = 0;
  const bool is_done =  // without a key it begins again with the one it has
      ::EVP_MAC_init(context, is_new ? key.data() : nullptr, is_new ? key.size() : 0, nullptr) == 1 &&
      ::EVP_MAC_update(context, message.data(), message.size()) == 1 &&
      ::EVP_MAC_final(context, mac.data(), &size, mac.size()) == 1;
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
