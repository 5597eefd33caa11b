#include "proxy/server/tls_context.h"

#include <openssl/err.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <set>

#include "common/base/assert.h"
#include "proxy/http/host.h"
#include "proxy/server/tls_stream.h"

namespace vipair::proxy {

namespace {

// Mozilla's "intermediate" without finite-field Diffie-Hellman, ECDSA first. What TLS 1.3 has is "modern".
constexpr const char* kCiphersTls12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* kCiphersTls13 = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* kGroups = "X25519:P-256:P-384";
constexpr const char* kGroupsWithHybrid = "X25519MLKEM768:X25519:P-256:P-384";  // where OpenSSL has it
constexpr int kVerifyDepthMax = 10;

int hello_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

class Sha256 {
 public:
  Sha256() { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
  Sha256& add(std::string_view bytes) {
    const std::uint64_t size = bytes.size();
    EVP_DigestUpdate(context_.get(), &size, sizeof size);
    EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
    return *this;
  }
  std::array<std::uint8_t, 32> get() {
    std::array<std::uint8_t, 32> digest{};
    EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr);
    return digest;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, OpensslFree<EVP_MD_CTX_free>> context_{EVP_MD_CTX_new()};
};

std::string_view bytes_of(const ClientRules& rules) {
  return {reinterpret_cast<const char*>(rules.data()), rules.size()};
}

// The host_name of the server_name extension (RFC 6066 section 3); nullopt: there is something else.
std::optional<std::string_view> server_name_of(SSL* ssl) {
  const unsigned char* bytes = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &bytes, &size) != 1) return std::string_view();
  // list length, type 0, name length, name: one name, no other types
  if (size < 5 || std::size_t{bytes[0]} * 256 + bytes[1] != size - 2 || bytes[2] != TLSEXT_NAMETYPE_host_name ||
      std::size_t{bytes[3]} * 256 + bytes[4] != size - 5) {
    return std::nullopt;
  }
  return std::string_view(reinterpret_cast<const char*>(bytes) + 5, size - 5);
}

std::string name_text(const X509_NAME* name) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return std::string(text, static_cast<std::size_t>(std::max(size, 0l)));
}

std::string hexadecimal(const unsigned char* bytes, std::size_t size) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text += {kDigits[bytes[i] >> 4], kDigits[bytes[i] & 15]};
  return text;
}

ClientCertificate describe(X509* certificate) {
  ClientCertificate client;
  client.subject = name_text(X509_get_subject_name(certificate));
  client.issuer = name_text(X509_get_issuer_name(certificate));
  const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate);
  client.serial = hexadecimal(ASN1_STRING_get0_data(serial), static_cast<std::size_t>(ASN1_STRING_length(serial)));
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest, &size) == 1) client.fingerprint = hexadecimal(digest, size);
  unsigned char* der = nullptr;
  const int der_size = i2d_X509(certificate, &der);
  if (der_size > 0) {
    std::string base64(static_cast<std::size_t>((der_size + 2) / 3 * 4 + 1), '\0');
    const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(base64.data()), der, der_size);
    base64.resize(static_cast<std::size_t>(length));
    client.field = ":" + base64 + ":";
    OPENSSL_free(der);
  }
  return client;
}

}  // namespace

// ---- building --------------------------------------------------------------------------------

class TlsContexts::Builder {
 public:
  Builder(const Config& config, TicketKeys& tickets, WallTime now, const TlsContexts* previous)
      : config_(config), tickets_(tickets), now_(now), previous_(previous), made_(new TlsContexts()) {}

  Expected<std::shared_ptr<const TlsContexts>, ConfigErrors> build() {
    made_->profile_ = config_.tls.profile;
    if (previous_ != nullptr && previous_->profile_ != made_->profile_) previous_ = nullptr;
    made_->base_ = new_context();
    SSL_CTX_set_client_hello_cb(made_->base_.get(), &TlsContexts::on_client_hello, made_.get());
    const auto own = load_all(config_.certificates);
    made_->default_site_ = make_site("", own, ClientCertificates{});
    for (const proxy::Site& site : config_.sites) {
      const std::size_t number = made_->router_.add_site();
      for (const std::string& host : site.hosts) (void)made_->router_.add_host(number, host);
      const auto certificates = site.tls.certificates.empty() ? own : load_all(site.tls.certificates);
      const bool is_served = site.tls.https != HttpsMode::off;
      made_->sites_.push_back(is_served ? make_site(site.name, certificates, site.tls.clients) : Site{});
      if (is_served) warn_of_names(site, certificates);
    }
    if (!errors_.empty()) return Unexpected{std::move(errors_)};
    return std::shared_ptr<const TlsContexts>(std::move(made_));
  }

 private:
  using Certificates = std::vector<std::shared_ptr<const Certificate>>;

  SslContextPtr new_context() {
    SslContextPtr context(SSL_CTX_new(TLS_server_method()));
    SSL_CTX* ssl = context.get();
    bool is_ready = ssl != nullptr;
    if (is_ready) TlsStream::prepare(ssl);
    const int version = made_->profile_ == TlsProfile::modern ? TLS1_3_VERSION : TLS1_2_VERSION;
    is_ready =
        is_ready && SSL_CTX_set_min_proto_version(ssl, version) == 1 &&
        SSL_CTX_set_cipher_list(ssl, kCiphersTls12) == 1 && SSL_CTX_set_ciphersuites(ssl, kCiphersTls13) == 1 &&
        (SSL_CTX_set1_groups_list(ssl, kGroupsWithHybrid) == 1 || SSL_CTX_set1_groups_list(ssl, kGroups) == 1);
    if (!is_ready) throw std::runtime_error("OpenSSL: " + openssl_error());
    ERR_clear_error();
    SSL_CTX_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ssl, SSL_MODE_NO_AUTO_CHAIN);  // what the file holds is what is sent
    SSL_CTX_set_alpn_select_cb(ssl, &TlsContexts::on_alpn, nullptr);
    tickets_.install(ssl);
    return context;
  }

  Certificates load_all(const std::vector<CertificateFiles>& all) {
    Certificates certificates;
    for (const CertificateFiles& files : all) {
      if (auto certificate = load(files)) certificates.push_back(std::move(certificate));
    }
    return certificates;
  }

  // What is unchanged is not looked at again: it has been served with until now.
  std::shared_ptr<const Certificate> load(const CertificateFiles& files) {
    const std::vector<std::string> paths{files.certificate.path, files.key.path, files.ocsp.path};
    if (auto found = made_->loaded_.find(paths); found != made_->loaded_.end()) return found->second.certificate;
    LoadedCertificate loaded;
    for (const std::string& path : paths) loaded.stamps.push_back(FileStamp::of(path));
    if (previous_ != nullptr) {
      auto found = previous_->loaded_.find(paths);
      if (found != previous_->loaded_.end() && found->second.stamps == loaded.stamps) {
        loaded.certificate = found->second.certificate;
      }
    }
    if (loaded.certificate == nullptr) {
      auto certificate = load_certificate(files, now_);
      if (!certificate) {
        errors_.push_back(std::move(certificate).error());
      } else {
        loaded.certificate = std::move(certificate).value();
      }
    }
    if (loaded.certificate != nullptr) made_->certificates_.push_back(loaded.certificate);
    return made_->loaded_.emplace(paths, std::move(loaded)).first->second.certificate;
  }

  void warn_of_names(const proxy::Site& site, const Certificates& certificates) {
    if (certificates.empty()) return;
    for (const std::string& host : site.hosts) {
      const bool is_covered = std::any_of(certificates.begin(), certificates.end(),
                                          [&](const auto& certificate) { return certificate->covers(host); });
      if (is_covered) continue;
      made_->name_warnings_.push_back("no certificate of the site " + site.name + " is for its host " + host +
                                      ": browsers will refuse it");
      return;  // one line for a site is enough
    }
  }

  Site make_site(const std::string& name, const Certificates& certificates, const ClientCertificates& clients) {
    Site site;
    if (certificates.empty()) return site;
    auto rules = load_clients(clients);
    if (rules == nullptr) return site;
    site.client_rules = rules->rules;
    site.session_context = Sha256().add(name).add(bytes_of(rules->rules)).get();
    ContextKey key{{}, rules->rules};
    for (const auto& certificate : certificates) key.first.push_back(certificate.get());
    std::shared_ptr<const Context>& context = made_->contexts_[key];
    if (context == nullptr && previous_ != nullptr) {
      auto found = previous_->contexts_.find(key);
      if (found != previous_->contexts_.end()) context = found->second;
    }
    if (context == nullptr) context = make_context(certificates, rules);
    site.context = context;
    return site;
  }

  std::shared_ptr<const Context> make_context(const Certificates& certificates,
                                              const std::shared_ptr<const Clients>& clients) {
    auto made = std::make_shared<Context>();
    made->ssl = new_context();
    made->certificates = certificates;
    made->clients = clients;
    SSL_CTX* ssl = made->ssl.get();
    std::set<int> types;
    for (const auto& certificate : certificates) {
      if (!types.insert(EVP_PKEY_get_base_id(certificate->key.get())).second) {
        errors_.push_back(certificate->place.error(certificate->place.path +
                                                   ": there is another certificate with the same type of key, "
                                                   "expected at most one RSA and one ECDSA"));
      } else if (SSL_CTX_use_cert_and_key(ssl, certificate->leaf.get(), certificate->key.get(),
                                          certificate->chain.get(), 1) != 1) {
        errors_.push_back(certificate->place.error(certificate->place.path + ": " + openssl_error()));
      }
    }
    SSL_CTX_set_tlsext_status_cb(ssl, &TlsContexts::on_status_request);
    SSL_CTX_set_tlsext_status_arg(ssl, made.get());
    if (clients->mode != ClientCertificateMode::none) {
      SSL_CTX_set1_cert_store(ssl, clients->store.get());
      for (const X509Ptr& authority : clients->authorities) SSL_CTX_add_client_CA(ssl, authority.get());
    }
    return made;
  }

  std::shared_ptr<const Clients> load_clients(const ClientCertificates& settings) {
    const std::vector<std::string> key{std::to_string(static_cast<int>(settings.mode)), settings.ca.path,
                                       settings.crl.path};
    if (auto found = clients_.find(key); found != clients_.end()) return found->second;
    auto made = std::make_shared<Clients>();
    made->mode = settings.mode;
    bool is_usable = true;
    if (settings.mode != ClientCertificateMode::none) {
      made->store.reset(X509_STORE_new());
      auto loaded = load_store(made->store.get(), settings.ca, settings.crl);
      auto authorities = loaded
                             ? load_authorities(settings.ca)
                             : Expected<std::vector<X509Ptr>, ConfigError>(Unexpected{std::move(loaded).error()});
      is_usable = authorities.has_value();
      if (is_usable) {
        made->authorities = std::move(authorities).value();
        const auto ca = read_whole_file(settings.ca.path, kPemFileMax);
        const auto crl = settings.crl ? read_whole_file(settings.crl.path, kPemFileMax) : std::string();
        made->rules = Sha256().add(key[0]).add(ca ? *ca : "").add(crl ? *crl : "").get();
      } else {
        errors_.push_back(std::move(authorities).error());
      }
    }
    return clients_[key] = is_usable ? std::move(made) : nullptr;
  }

  const Config& config_;
  TicketKeys& tickets_;
  const WallTime now_;
  const TlsContexts* previous_;
  std::shared_ptr<TlsContexts> made_;
  std::map<std::vector<std::string>, std::shared_ptr<const Clients>> clients_;
  ConfigErrors errors_;
};

Expected<std::shared_ptr<const TlsContexts>, ConfigErrors> TlsContexts::load(const Config& config,
                                                                             TicketKeys& tickets, WallTime now,
                                                                             const TlsContexts* previous) {
  const bool is_wanted = std::any_of(config.listeners.begin(), config.listeners.end(),
                                     [](const Listener& listener) { return listener.tls; });
  if (!is_wanted) return std::shared_ptr<const TlsContexts>();
  return Builder(config, tickets, now, previous).build();
}

TlsContexts::~TlsContexts() = default;

std::vector<std::string> TlsContexts::date_warnings(WallTime now, Duration ahead) const {
  std::vector<std::string> warnings;
  for (const auto& certificate : certificates_) {
    if (certificate->not_after < now + ahead) {
      warnings.push_back(certificate->place.path + ": the certificate of " + certificate->subject +
                         (certificate->not_after <= now ? " expired on " : " expires on ") +
                         date_text(certificate->not_after) + ": renew it");
    }
    if (!certificate->ocsp_path.empty() && certificate->ocsp_until <= now) {
      warnings.push_back(certificate->ocsp_path + ": the OCSP response is out of date since " +
                         date_text(certificate->ocsp_until) + " and not stapled: fetch a new one");
    }
  }
  return warnings;
}

// ---- handshakes ------------------------------------------------------------------------------

SslPtr TlsContexts::accept(Hello& hello) const {
  SslPtr ssl(SSL_new(base_.get()));
  if (ssl == nullptr) throw std::bad_alloc();
  SSL_set_ex_data(ssl.get(), hello_index(), &hello);
  SSL_set_accept_state(ssl.get());
  return ssl;
}

const TlsContexts::Site* TlsContexts::find(std::string_view server_name) const {
  const std::optional<std::size_t> number = router_.find_site(server_name);
  const Site& site = number ? sites_[*number] : default_site_;
  return site.context != nullptr ? &site : nullptr;
}

int TlsContexts::on_client_hello(SSL* ssl, int* alert, void* contexts) {
  const auto& self = *static_cast<const TlsContexts*>(contexts);
  auto& hello = *static_cast<Hello*>(SSL_get_ex_data(ssl, hello_index()));
  const std::optional<std::string_view> name = server_name_of(ssl);
  http::Authority host;
  if (name && !name->empty() && (!host.assign(*name) || host.port() != 0)) host.clear();
  if (!name || (!name->empty() && host.empty())) {
    *alert = SSL_AD_ILLEGAL_PARAMETER;
    return SSL_CLIENT_HELLO_ERROR;
  }
  const Site* site = self.find(host.host());
  if (site == nullptr) {
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_CLIENT_HELLO_ERROR;
  }
  hello.server_name = host.host();
  hello.client_rules = site->client_rules;
  SSL_set_SSL_CTX(ssl, site->context->ssl.get());
  SSL_set_session_id_context(ssl, site->session_context.data(), std::uint32_t{kSessionContextBytes});
  switch (site->context->clients->mode) {
    case ClientCertificateMode::none:
      SSL_set_verify(ssl, SSL_VERIFY_NONE, nullptr);
      break;
    case ClientCertificateMode::optional:
      SSL_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
      break;
    case ClientCertificateMode::required:
      SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
      break;
  }
  SSL_set_verify_depth(ssl, kVerifyDepthMax);
  return SSL_CLIENT_HELLO_SUCCESS;
}

// RFC 7301. A client that speaks other protocols only is sent away: it means another server.
int TlsContexts::on_alpn(SSL* ssl, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                         unsigned offered_size, void*) {
  const auto& hello = *static_cast<const Hello*>(SSL_get_ex_data(ssl, hello_index()));
  auto choose = [&](std::string_view wanted) {
    for (unsigned at = 0; at < offered_size; at += 1u + offered[at]) {
      const std::string_view each(reinterpret_cast<const char*>(offered) + at + 1, offered[at]);
      if (each != wanted) continue;
      *chosen = offered + at + 1;
      *size = offered[at];
      return true;
    }
    return false;
  };
  const bool is_chosen = (hello.may_use_http2 && choose("h2")) || choose("http/1.1") || choose("http/1.0");
  return is_chosen ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

int TlsContexts::on_status_request(SSL* ssl, void* context) {
  const auto& self = *static_cast<const Context*>(context);
  const X509* shown = SSL_get_certificate(ssl);
  const WallTime now{std::chrono::seconds(std::time(nullptr))};
  for (const auto& certificate : self.certificates) {
    if (certificate->leaf.get() != shown) continue;
    if (certificate->ocsp.empty() || certificate->ocsp_until <= now) break;
    const std::size_t size = certificate->ocsp.size();
    void* copy = OPENSSL_memdup(certificate->ocsp.data(), size);
    if (copy == nullptr) break;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(size));  // owns it now
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

TlsInfo TlsContexts::info(SSL* ssl, const Hello& hello) {
  TlsInfo info;
  info.version = SSL_get_version(ssl);
  info.cipher = SSL_get_cipher_name(ssl);
  info.server_name = hello.server_name;
  info.is_resumed = SSL_session_reused(ssl) == 1;
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl, &protocol, &size);
  info.is_http2 = std::string_view(reinterpret_cast<const char*>(protocol), size) == "h2";
  info.client_rules = hello.client_rules;
  if (X509* certificate = SSL_get0_peer_certificate(ssl);
      certificate != nullptr && SSL_get_verify_result(ssl) == X509_V_OK) {
    info.client = std::make_unique<const ClientCertificate>(describe(certificate));
  }
  return info;
}

}  // namespace vipair::proxy
