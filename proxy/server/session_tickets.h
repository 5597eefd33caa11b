#pragma once
// Session tickets (RFC 5077, RFC 8446 section 4.6.1) that both nodes of a pair can open. The keys are derived from
// a shared secret and the number of the period (HKDF), so the nodes agree without a word, and a client resumes on
// the other node after a failover. The key of the current period seals; those of the two before it and, since
// clocks differ, of the next one open as well.
//
// One object for the life of the process. use() and advance() belong to the main thread; tickets are sealed and
// opened in any thread and never wait.

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/expected.h"
#include "common/base/time.h"
#include "proxy/server/openssl.h"

namespace vipair::proxy {

class TicketKeys {
 public:
  static constexpr std::size_t kSecretBytes = 32;
  static constexpr std::size_t kSecretsMax = 8;
  static constexpr std::chrono::hours kPeriod{12};
  static constexpr std::chrono::hours kLifetime = 2 * kPeriod;  // of a ticket, as clients are told
  using Secret = std::array<std::uint8_t, kSecretBytes>;

  // One secret per line, 64 hexadecimal digits; the first one seals, all of them open. The error says what is
  // wrong, and never what is in there.
  static Expected<std::vector<Secret>, std::string> parse(std::string_view text);

  explicit TicketKeys(WallTime now);  // with a secret of its own
  ~TicketKeys();
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

  void use(std::vector<Secret> secrets, WallTime now);  // none: a secret of its own
  void advance(WallTime now);                           // now and then: once a minute is plenty

  void install(SSL_CTX* context);  // which must not outlive this object

 private:
  static constexpr std::int64_t kOlder = 2, kNewer = 1;  // periods whose tickets are opened
  struct Key {
    std::array<std::uint8_t, 16> name;
    std::array<std::uint8_t, 32> cipher, mac;
  };
  struct Generation {
    std::int64_t period = 0;
    std::vector<Key> keys;  // the first one seals
    ~Generation();
  };
  static int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                       int seals);
  void publish(std::int64_t period);

  std::vector<Secret> secrets_;
  bool is_own_ = true;  // nobody else knows the secret
  std::atomic<const Generation*> current_{nullptr};
  std::vector<std::unique_ptr<Generation>> generations_;  // the last one is current; older ones may be in use still
};

}  // namespace vipair::proxy
