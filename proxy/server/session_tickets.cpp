#include "proxy/server/session_tickets.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <stdexcept>

namespace vipair::proxy {

namespace {

constexpr std::size_t kGenerationsKept = 3;  // nobody works for a period with one that was replaced

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool parse_line(std::string_view line, TicketKeys::Secret& secret) {
  if (line.size() != 2 * secret.size()) return false;
  for (std::size_t i = 0; i < secret.size(); ++i) {
    const int high = hex_value(line[2 * i]), low = hex_value(line[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    secret[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}

// RFC 5869 with SHA-256. The period's number in the info, big-endian.
void derive(const TicketKeys::Secret& secret, std::int64_t period, std::span<std::uint8_t> out) {
  std::array<char, 32> info{};
  constexpr std::string_view kPurpose = "vipair session ticket ";
  std::memcpy(info.data(), kPurpose.data(), kPurpose.size());
  for (std::size_t i = 0; i < 8; ++i) {
    info[kPurpose.size() + i] = static_cast<char>(static_cast<std::uint64_t>(period) >> (56 - 8 * i) & 0xff);
  }
  EVP_KDF* kdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
  EVP_KDF_CTX* context = EVP_KDF_CTX_new(kdf);
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, const_cast<std::uint8_t*>(secret.data()),
                                        secret.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data(), kPurpose.size() + 8),
      OSSL_PARAM_construct_end()};
  const bool is_derived = EVP_KDF_derive(context, out.data(), out.size(), parameters) == 1;
  EVP_KDF_CTX_free(context);
  EVP_KDF_free(kdf);
  if (!is_derived) throw std::runtime_error("HKDF: " + openssl_error());
}

}  // namespace

TicketKeys::Generation::~Generation() {
  for (Key& key : keys) OPENSSL_cleanse(&key, sizeof key);
}

Expected<std::vector<TicketKeys::Secret>, std::string> TicketKeys::parse(std::string_view text) {
  std::vector<Secret> secrets;
  int number = 0;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    ++number;
    if (line.empty()) continue;
    Secret secret;
    if (!parse_line(line, secret)) {
      return Unexpected{"line " + std::to_string(number) +
                        " is not a key: expected 64 hexadecimal digits and nothing else, as vipairctl keygen makes "
                        "them"};
    }
    secrets.push_back(secret);
  }
  if (secrets.empty()) {
    return Unexpected{std::string("there is no key in it: expected one per line, 64 hexadecimal digits each")};
  }
  if (secrets.size() > kSecretsMax) {
    return Unexpected{std::to_string(secrets.size()) + " keys, expected at most " + std::to_string(kSecretsMax)};
  }
  return secrets;
}

TicketKeys::TicketKeys(WallTime now) { use({}, now); }

TicketKeys::~TicketKeys() {
  for (Secret& secret : secrets_) OPENSSL_cleanse(secret.data(), secret.size());
}

void TicketKeys::use(std::vector<Secret> secrets, WallTime now) {
  if (secrets.empty()) {
    if (is_own_ && !secrets_.empty()) return;  // the one there is stays, and with it the clients' tickets
    secrets.resize(1);
    if (RAND_bytes(secrets[0].data(), static_cast<int>(secrets[0].size())) != 1) {
      throw std::runtime_error("random bytes: " + openssl_error());
    }
    is_own_ = true;
  } else {
    if (secrets == secrets_) return;
    is_own_ = false;
  }
  secrets_ = std::move(secrets);
  publish(now.time_since_epoch() / kPeriod);
}

void TicketKeys::advance(WallTime now) {
  const std::int64_t period = now.time_since_epoch() / kPeriod;
  if (period != generations_.back()->period) publish(period);
}

void TicketKeys::publish(std::int64_t period) {
  auto made = std::make_unique<Generation>();
  made->period = period;
  auto add = [&](const Secret& secret, std::int64_t of_period) {
    Key& key = made->keys.emplace_back();
    std::array<std::uint8_t, sizeof(Key)> bytes;
    derive(secret, of_period, bytes);
    std::memcpy(key.name.data(), bytes.data(), key.name.size());
    std::memcpy(key.cipher.data(), bytes.data() + 16, key.cipher.size());
    std::memcpy(key.mac.data(), bytes.data() + 48, key.mac.size());
    OPENSSL_cleanse(bytes.data(), bytes.size());
  };
  made->keys.reserve(secrets_.size() * (kOlder + 1 + kNewer));
  for (const Secret& secret : secrets_) {
    add(secret, period);
    for (std::int64_t i = 1; i <= kOlder; ++i) add(secret, period - i);
    for (std::int64_t i = 1; i <= kNewer; ++i) add(secret, period + i);
  }
  current_.store(made.get(), std::memory_order_release);
  generations_.push_back(std::move(made));
  if (generations_.size() > kGenerationsKept) generations_.erase(generations_.begin());
}

void TicketKeys::install(SSL_CTX* context) {
  SSL_CTX_set_app_data(context, this);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, &TicketKeys::on_ticket);
  SSL_CTX_set_num_tickets(context, 1);  // a second one would cost a send
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_timeout(context, std::chrono::duration_cast<std::chrono::seconds>(kLifetime).count());
}

int TicketKeys::on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                          EVP_MAC_CTX* mac, int seals) {
  constexpr int kFailed = -1, kUnknown = 0, kOpened = 1, kOpenedAndRenew = 2;
  const auto* self = static_cast<const TicketKeys*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  const Generation& generation = *self->current_.load(std::memory_order_acquire);
  const Key* key = &generation.keys.front();
  if (seals != 0) {
    std::memcpy(name, key->name.data(), key->name.size());
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return kFailed;
  } else {
    const auto found = std::find_if(generation.keys.begin(), generation.keys.end(), [&](const Key& each) {
      return std::memcmp(each.name.data(), name, each.name.size()) == 0;
    });
    if (found == generation.keys.end()) return kUnknown;
    key = &*found;
  }
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<std::uint8_t*>(key->mac.data()),
                                        key->mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
  const bool is_ready = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key->cipher.data(), iv, seals) == 1 &&
                        EVP_MAC_CTX_set_params(mac, parameters) == 1;
  if (!is_ready) return kFailed;
  // Clients of TLS 1.3 use a ticket once (RFC 8446 appendix C.4): without a new one every other handshake would be
  // a full one.
  const bool renews = key != &generation.keys.front() || SSL_version(ssl) >= TLS1_3_VERSION;
  return seals == 0 && renews ? kOpenedAndRenew : kOpened;
}

}  // namespace vipair::proxy
