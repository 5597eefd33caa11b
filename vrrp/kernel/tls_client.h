#pragma once
// TLS as a client over a non-blocking socket, by OpenSSL: versions 1.2 and 1.3.

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

#include "common/base/expected.h"

namespace vipair::vrrp {

// Whom to trust. The system's bundle of authorities takes tens of milliseconds to read, so that is done a few
// certificates at a time.
class TlsContext {
 public:
  static constexpr int kSlice = 4;  // certificates

  // ca_file: PEM; empty: the system's authorities.
  static Expected<TlsContext, std::string> make(bool verify, const std::string& ca_file);
  // Reads some more; true: all are there. To be called until then, before the first stream.
  Expected<bool, std::string> read_some();

 private:
  friend class TlsStream;
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(BIO* file) const { BIO_free(file); }
  };
  std::unique_ptr<SSL_CTX, Free> context_;
  bool verify_ = true;
  bool is_systems_ = false;  // bundle: it may be missing or empty
  std::string ca_file_;
  std::unique_ptr<BIO, Free> rest_;  // of the file, while there is some to read
  int read_ = 0;                     // certificates
  std::string error_;                // of reading, for every further call
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
