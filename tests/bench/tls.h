#pragma once
// TLS for the clients of the benchmarks: OpenSSL on non-blocking sockets. Whose certificate it is is not asked.

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "net.h"

namespace bench {

class TlsClient {
 public:
  // resumes: a connection continues the session of an earlier one, each ticket is used once.
  explicit TlsClient(bool resumes) : context_(SSL_CTX_new(TLS_client_method())) {
    if (context_ == nullptr) give_up();
    SSL_CTX_set_verify(context_, SSL_VERIFY_NONE, nullptr);
    SSL_CTX_set_mode(
        context_, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(context_, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_read_ahead(context_, 1);
    if (!resumes) return;
    SSL_CTX_set_app_data(context_, this);
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context_, [](SSL* ssl, SSL_SESSION* session) {
      auto* self = static_cast<TlsClient*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
      self->sessions_.push_back(session);
      return 1;  // ours now
    });
  }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;
  ~TlsClient() {
    for (SSL_SESSION* session : sessions_) SSL_SESSION_free(session);
    SSL_CTX_free(context_);
  }

  SSL* begin(int fd, const char* server_name) {
    SSL* ssl = SSL_new(context_);
    if (ssl == nullptr || SSL_set_fd(ssl, fd) != 1 || SSL_set_tlsext_host_name(ssl, server_name) != 1) give_up();
    if (!sessions_.empty()) {
      SSL_set_session(ssl, sessions_.back());
      SSL_SESSION_free(sessions_.back());
      sessions_.pop_back();
    }
    SSL_set_connect_state(ssl);
    return ssl;
  }

 private:
  [[noreturn]] static void give_up() {
    ERR_print_errors_fp(stderr);
    std::exit(1);
  }
  SSL_CTX* context_;
  std::vector<SSL_SESSION*> sessions_;
};

// What the last call on `ssl`, which returned `result`, says as recv() and send() would.
inline ssize_t as_socket(SSL* ssl, int result) {
  if (result > 0) return result;
  switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      errno = EAGAIN;
      return -1;
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    default:
      ERR_clear_error();
      errno = EPROTO;
      return -1;
  }
}

// As on a socket; ssl may be nullptr: then it is one.
inline ssize_t receive(int fd, SSL* ssl, void* bytes, std::size_t size) {
  if (ssl == nullptr) return recv(fd, bytes, size, 0);
  return as_socket(ssl, SSL_read(ssl, bytes, static_cast<int>(size)));
}

inline ssize_t transmit(int fd, SSL* ssl, const void* bytes, std::size_t size) {
  if (ssl == nullptr) return send(fd, bytes, size, MSG_NOSIGNAL);
  return as_socket(ssl, SSL_write(ssl, bytes, static_cast<int>(size)));
}

// Without it OpenSSL would not resume the session of a connection that ended by a close alone.
inline void end(SSL* ssl) {
  if (ssl != nullptr) SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(ssl);
}

inline bool has_more(SSL* ssl) { return ssl != nullptr && SSL_has_pending(ssl) == 1; }

}  // namespace bench
