#pragma once
// TLS as a client over a non-blocking socket, by OpenSSL: versions 1.2 and 1.3.

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

#include "common/base/expected.h"

namespace vipair::vrrp {

// Whom to trust. Reads files once, when it is made.
class TlsContext {
 public:
  // ca_file: PEM; empty: the system's authorities.
  static Expected<TlsContext, std::string> make(bool verify, const std::string& ca_file);

 private:
  friend class TlsStream;
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  std::unique_ptr<SSL_CTX, Free> context_;
  bool verify_ = true;
};

enum class TlsWant { nothing, readable, writable };

class TlsStream {
 public:
  // The stream uses `fd`, which its owner closes after it. The certificate must be good for `host`, a name or an
  // address; a name is also told to the server (SNI).
  static Expected<TlsStream, std::string> make(const TlsContext& context, int fd, const std::string& host);

  // Each call goes as far as it can; what it wants is what to wait for before the same call is made again.
  Expected<TlsWant, std::string> handshake();
  Expected<TlsWant, std::string> write(std::string_view all);
  // Appends at most `room` bytes; nothing wanted and nothing appended: the end.
  Expected<TlsWant, std::string> read(std::string& buffer, std::size_t room);

 private:
  Expected<TlsWant, std::string> outcome(int result, const char* what) const;
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  std::unique_ptr<SSL, Free> ssl_;
};

}  // namespace vipair::vrrp
