#pragma once
// TLS for tests: certificates of a made-up authority, and the far end of a TLS connection over a Wire.

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>

#include "proxy/server/openssl.h"
#include "tests/support/memory_stream.h"

namespace vipair::proxy::testing {

// A folder of its own, gone afterwards.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string path = (std::filesystem::temp_directory_path() / "vipair-test-XXXXXX").string();
    path_ = mkdtemp(path.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, const std::string& content) const {
    std::ofstream(*this / name, std::ios::binary) << content;
    return *this / name;
  }

 private:
  std::string path_;
};

struct Issued {
  X509Ptr certificate;
  PkeyPtr key;

  std::string pem() const {
    return text([&](BIO* bio) { PEM_write_bio_X509(bio, certificate.get()); });
  }
  std::string key_pem(const char* password = nullptr) const {
    return text([&](BIO* bio) {
      PEM_write_bio_PKCS8PrivateKey(bio, key.get(), password ? EVP_aes_256_cbc() : nullptr, password,
                                    password ? static_cast<int>(std::string(password).size()) : 0, nullptr,
                                    nullptr);
    });
  }
  template <class Write>
  static std::string text(Write write) {
    const BioPtr bio(BIO_new(BIO_s_mem()));
    write(bio.get());
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &bytes);
    return std::string(bytes, static_cast<std::size_t>(size));
  }
};

struct Wish {
  std::string names = "DNS:a.test";  // as in subjectAltName; empty: none
  std::string common_name = "test";
  bool is_rsa = false;
  long from_seconds = -7200, until_seconds = 30 * 86400;  // from now on
};

inline Issued issue(const Wish& wish, const Issued* issuer) {
  static long serial = 1000;
  Issued made{X509Ptr(X509_new()), PkeyPtr(wish.is_rsa ? EVP_RSA_gen(2048u) : EVP_EC_gen("P-256"))};
  X509* certificate = made.certificate.get();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), wish.from_seconds);
  X509_gmtime_adj(X509_getm_notAfter(certificate), wish.until_seconds);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(wish.common_name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer->certificate.get()) : name);
  X509_set_pubkey(certificate, made.key.get());
  auto extend = [&](int nid, const char* value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  };
  if (issuer == nullptr) {
    extend(NID_basic_constraints, "critical,CA:TRUE");
    extend(NID_key_usage, "critical,keyCertSign,cRLSign,digitalSignature");
  } else if (!wish.names.empty()) {
    extend(NID_subject_alt_name, wish.names.c_str());
  }
  X509_sign(certificate, issuer ? issuer->key.get() : made.key.get(), EVP_sha256());
  return made;
}

class Authority {
 public:
  Issued issue(const Wish& wish) const { return testing::issue(wish, &root_); }
  Issued issue(const std::string& names) const {
    Wish wish;
    wish.names = names;
    return issue(wish);
  }
  const Issued& root() const { return root_; }
  std::string crl_of(const Issued& revoked) const {
    X509_CRL* crl = X509_CRL_new();
    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(root_.certificate.get()));
    ASN1_TIME* time = ASN1_TIME_set(nullptr, std::time(nullptr) - 3600);
    X509_CRL_set1_lastUpdate(crl, time);
    X509_REVOKED* entry = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked.certificate.get()));
    X509_REVOKED_set_revocationDate(entry, time);
    X509_CRL_add0_revoked(crl, entry);
    ASN1_TIME_set(time, std::time(nullptr) + 86400);
    X509_CRL_set1_nextUpdate(crl, time);
    ASN1_TIME_free(time);
    X509_CRL_sort(crl);
    X509_CRL_sign(crl, root_.key.get(), EVP_sha256());
    std::string pem = Issued::text([&](BIO* bio) { PEM_write_bio_X509_CRL(bio, crl); });
    X509_CRL_free(crl);
    return pem;
  }
  // An OCSP response, DER, about `about`, valid for so long.
  std::string ocsp_of(const Issued& about, int status = V_OCSP_CERTSTATUS_GOOD, long seconds = 86400) const {
    OCSP_BASICRESP* basic = OCSP_BASICRESP_new();
    OCSP_CERTID* id = OCSP_cert_to_id(EVP_sha1(), about.certificate.get(), root_.certificate.get());
    ASN1_TIME* from = X509_gmtime_adj(nullptr, -7200);
    ASN1_TIME* until = X509_gmtime_adj(nullptr, seconds);
    OCSP_basic_add1_status(basic, id, status, OCSP_REVOKED_STATUS_NOSTATUS,
                           status == V_OCSP_CERTSTATUS_REVOKED ? from : nullptr, from, until);
    OCSP_basic_sign(basic, root_.certificate.get(), root_.key.get(), EVP_sha256(), nullptr, 0);
    OCSP_RESPONSE* response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    unsigned char* der = nullptr;
    const int size = i2d_OCSP_RESPONSE(response, &der);
    std::string bytes(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    return bytes;
  }

 private:
  Issued root_ = testing::issue({"", "test authority"}, nullptr);
};

// The far end of a Wire. Bytes move in pump(), both ways, as far as there are any.
class TlsPeer {
 public:
  explicit TlsPeer(std::shared_ptr<Wire> wire, const SSL_METHOD* method = TLS_client_method())
      : wire_(std::move(wire)), context_(SSL_CTX_new(method)) {
    SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_set_app_data(context_.get(), this);
    SSL_CTX_sess_set_new_cb(context_.get(), [](SSL* ssl, SSL_SESSION* session) {
      static_cast<TlsPeer*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)))->session_.reset(session);
      return 1;
    });
  }
  ~TlsPeer() {
    if (ssl_ != nullptr) SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  }
  SSL_CTX* context() { return context_.get(); }
  SSL* ssl() {  // the context is complete
    if (ssl_ == nullptr) {
      ssl_.reset(SSL_new(context_.get()));
      SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
      BIO_set_mem_eof_return(SSL_get_rbio(ssl_.get()), -1);
      SSL_is_server(ssl_.get()) ? SSL_set_accept_state(ssl_.get()) : SSL_set_connect_state(ssl_.get());
    }
    return ssl_.get();
  }
  void name(const char* server_name) { SSL_set_tlsext_host_name(ssl(), server_name); }
  void offer(const std::string& protocols) {  // as on the wire: "\x02h2\x08http/1.1"
    SSL_set_alpn_protos(ssl(), reinterpret_cast<const unsigned char*>(protocols.data()),
                        static_cast<unsigned>(protocols.size()));
  }
  void show(const Issued& own) {
    SSL_use_certificate(ssl(), own.certificate.get());
    SSL_use_PrivateKey(ssl(), own.key.get());
  }
  void resume(SSL_SESSION* session) { SSL_set_session(ssl(), session); }

  bool handshake() {
    pump();
    return SSL_is_init_finished(ssl()) == 1;
  }
  void send(std::string_view bytes) {
    std::size_t sent = 0;
    SSL_write_ex(ssl(), bytes.data(), bytes.size(), &sent);
    pump();
  }
  void close() {
    SSL_shutdown(ssl());
    pump();
  }
  std::string take() {
    pump();
    return std::exchange(received_, {});
  }
  bool has_ended() const { return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }
  SSL_SESSION* session() { return session_.get(); }
  std::string protocol() {
    const unsigned char* bytes = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl(), &bytes, &size);
    return std::string(reinterpret_cast<const char*>(bytes), size);
  }
  std::string subject() {  // of what the server showed
    char text[256] = "";
    if (X509* shown = SSL_get0_peer_certificate(ssl())) {
      X509_NAME_get_text_by_NID(X509_get_subject_name(shown), NID_commonName, text, sizeof text);
    }
    return text;
  }
  int shown_type() { return EVP_PKEY_get_base_id(X509_get0_pubkey(SSL_get0_peer_certificate(ssl()))); }

  void pump() {
    const std::string bytes = wire_->take();
    BIO_write(SSL_get_rbio(ssl()), bytes.data(), static_cast<int>(bytes.size()));
    if (!SSL_is_init_finished(ssl())) (void)SSL_do_handshake(ssl());
    char buffer[16384];
    std::size_t got = 0;
    while (SSL_is_init_finished(ssl()) && SSL_read_ex(ssl(), buffer, sizeof buffer, &got) == 1) {
      received_.append(buffer, got);
    }
    ERR_clear_error();
    char* out = nullptr;
    const long size = BIO_get_mem_data(SSL_get_wbio(ssl()), &out);
    if (size > 0) {
      const std::string sent(out, static_cast<std::size_t>(size));
      (void)BIO_reset(SSL_get_wbio(ssl()));
      wire_->send(sent);
    }
  }

 private:
  std::shared_ptr<Wire> wire_;
  SslContextPtr context_;
  SslSessionPtr session_;
  SslPtr ssl_;
  std::string received_;
};

}  // namespace vipair::proxy::testing
