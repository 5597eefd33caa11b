#pragma once
// A TLS server for tests, with a certificate that it makes for itself.

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <fstream>
#include <memory>
#include <string>

#include "tests/support/probing.h"

namespace vipair::vrrp::test {

class TlsServer {
 public:
  // names: as in a certificate's subjectAltName: "DNS:app.test,IP:127.0.0.1". Answers each request with `answer`.
  TlsServer(const std::string& names, std::string answer, long valid_seconds = 3600)
      : key_(EVP_EC_gen("P-256"), EVP_PKEY_free),
        certificate_(X509_new(), X509_free),
        context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free) {
    X509* certificate = certificate_.get();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -7200);
    X509_gmtime_adj(X509_getm_notAfter(certificate), valid_seconds);
    X509_NAME* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_set_pubkey(certificate, key_.get());
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    X509_sign(certificate, key_.get(), EVP_sha256());
    SSL_CTX_use_certificate(context_.get(), certificate);
    SSL_CTX_use_PrivateKey(context_.get(), key_.get());
    server_ = std::make_unique<Server>([this, answer = std::move(answer)](int client) {
      const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context_.get()), SSL_free);
      SSL_set_fd(ssl.get(), client);
      if (SSL_accept(ssl.get()) != 1) return;
      const char* told = SSL_get_servername(ssl.get(), TLSEXT_NAMETYPE_host_name);
      server_name_ = told ? told : "";
      std::string request;
      char byte = 0;
      while (!request.ends_with("\r\n\r\n") && SSL_read(ssl.get(), &byte, 1) == 1) request += byte;
      if (!answer.empty()) SSL_write(ssl.get(), answer.data(), static_cast<int>(answer.size()));
      SSL_shutdown(ssl.get());
    });
  }
  std::uint16_t port() const { return server_->port(); }
  const std::string& server_name() const { return server_name_; }  // as the last client told it
  void write_certificate(const std::string& path) const {
    FILE* file = std::fopen(path.c_str(), "w");
    PEM_write_X509(file, certificate_.get());
    std::fclose(file);
  }

 private:
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
  std::unique_ptr<X509, decltype(&X509_free)> certificate_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::string server_name_;
  std::unique_ptr<Server> server_;
};

}  // namespace vipair::vrrp::test
