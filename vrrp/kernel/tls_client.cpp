#include "vrrp/kernel/tls_client.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "common/base/ip_address.h"

namespace vipair::vrrp {
namespace {

std::string openssl_error() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return reason ? reason : "unknown error";
}

}  // namespace

Expected<TlsContext, std::string> TlsContext::make(bool verify, const std::string& ca_file) {
  TlsContext made;
  made.verify_ = verify;
  made.context_.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* context = made.context_.get();
  if (!context || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) return Unexpected{openssl_error()};
  SSL_CTX_set_verify(context, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (!verify) return made;
  made.is_systems_ = ca_file.empty();
  made.ca_file_ = made.is_systems_ ? X509_get_default_cert_file() : ca_file;
  made.rest_.reset(BIO_new_file(made.ca_file_.c_str(), "r"));
  if (made.is_systems_) {
    // a folder of single files, looked at when one of them is wanted; with it the bundle need not be
    (void)SSL_CTX_set_default_verify_dir(context);
    ERR_clear_error();
  } else if (!made.rest_) {
    return Unexpected{ca_file + ": " + openssl_error()};
  }
  return made;
}

Expected<bool, std::string> TlsContext::read_some() {
  for (int i = 0; i < kSlice && rest_; ++i) {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(
        PEM_read_bio_X509_AUX(rest_.get(), nullptr, nullptr, nullptr), X509_free);
    if (certificate) {
      ++read_;
      (void)X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), certificate.get());
      continue;
    }
    const bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    const std::string why = openssl_error();
    rest_.reset();
    if (!is_end) error_ = ca_file_ + ": certificate " + std::to_string(read_ + 1) + ": " + why;
    if (is_end && read_ == 0 && !is_systems_) error_ = ca_file_ + ": there is no certificate in it";
  }
  ERR_clear_error();
  if (!error_.empty()) return Unexpected{error_};
  return rest_ == nullptr;
}

Expected<TlsStream, std::string> TlsStream::make(const TlsContext& context, int fd, const std::string& host) {
  TlsStream stream;
  stream.ssl_.reset(SSL_new(context.context_.get()));
  SSL* ssl = stream.ssl_.get();
  bool is_ready = ssl && SSL_set_fd(ssl, fd) == 1;
  const bool is_name = !IpAddress::parse(host);
  if (is_ready && is_name) is_ready = SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
  if (is_ready && context.verify_) {
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    is_ready = is_name ? SSL_set1_host(ssl, host.c_str()) == 1
                       : X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
  }
  if (!is_ready) return Unexpected{openssl_error()};
  return stream;
}

Expected<TlsWant, std::string> TlsStream::outcome(int result, const char* what) const {
  const int system_error = errno;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_NONE:
    case SSL_ERROR_ZERO_RETURN:
      return TlsWant::nothing;
    case SSL_ERROR_WANT_READ:
      return TlsWant::readable;
    case SSL_ERROR_WANT_WRITE:
      return TlsWant::writable;
    case SSL_ERROR_SYSCALL:
      if (system_error != 0) return Unexpected{std::string(what) + ": " + std::strerror(system_error)};
      return Unexpected{std::string(what) + ": the connection ended"};
    default:
      break;
  }
  const long verified = SSL_get_verify_result(ssl_.get());
  if (SSL_get_verify_mode(ssl_.get()) != SSL_VERIFY_NONE && verified != X509_V_OK) {
    ERR_clear_error();
    return Unexpected{std::string("certificate: ") + X509_verify_cert_error_string(verified)};
  }
  return Unexpected{std::string(what) + ": " + openssl_error()};
}

Expected<TlsWant, std::string> TlsStream::handshake() {
  ERR_clear_error();
  errno = 0;
  return outcome(SSL_connect(ssl_.get()), "TLS handshake");
}

Expected<TlsWant, std::string> TlsStream::write(std::string_view all) {
  ERR_clear_error();
  errno = 0;
  return outcome(SSL_write(ssl_.get(), all.data(), static_cast<int>(all.size())), "TLS");
}

Expected<TlsWant, std::string> TlsStream::read(std::string& buffer, std::size_t room) {
  std::array<char, 4096> piece;
  ERR_clear_error();
  errno = 0;
  const int size = SSL_read(ssl_.get(), piece.data(), static_cast<int>(std::min(piece.size(), room)));
  if (size > 0) buffer.append(piece.data(), static_cast<std::size_t>(size));
  return outcome(size, "TLS");
}

}  // namespace vipair::vrrp
