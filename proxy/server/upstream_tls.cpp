#include "proxy/server/upstream_tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <stdexcept>

#include "common/base/ip_address.h"
#include "proxy/server/certificate.h"
#include "proxy/server/tls_stream.h"

namespace vipair::proxy {

namespace {

constexpr unsigned char kHttp11[] = "\x08http/1.1";
constexpr int kVerifyDepthMax = 10;

int session_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

// "app.internal:443", "[2001:db8::7]:443" → the host alone.
std::string host_of(std::string_view server) {
  if (server.substr(0, 1) == "[") return std::string(server.substr(1, server.find(']') - 1));
  return std::string(server.substr(0, server.rfind(':')));
}

// What the stream needs for as long as it lives.
struct Attachment {
  std::shared_ptr<UpstreamTlsSession> session;
  UpstreamTls::OnFailure on_failure;
};

}  // namespace

Expected<std::shared_ptr<const UpstreamTls>, ConfigError> UpstreamTls::load(const UpstreamTlsSettings& settings,
                                                                            WallTime now) {
  std::shared_ptr<UpstreamTls> made(new UpstreamTls());
  made->context_.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* ssl = made->context_.get();
  if (ssl == nullptr || SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_alpn_protos(ssl, kHttp11, sizeof kHttp11 - 1) != 0) {
    throw std::runtime_error("OpenSSL: " + openssl_error());
  }
  TlsStream::prepare(ssl);
  SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(ssl, &UpstreamTls::on_session);
  made->server_name_ = settings.server_name;
  made->is_verified_ = settings.is_verified;
  SSL_CTX_set_verify(ssl, settings.is_verified ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_verify_depth(ssl, kVerifyDepthMax);
  if (settings.ca) {
    if (auto loaded = load_store(SSL_CTX_get_cert_store(ssl), settings.ca, {}); !loaded) {
      return Unexpected{std::move(loaded).error()};
    }
  } else if (settings.is_verified) {
    SSL_CTX_set_default_verify_paths(ssl);
    ERR_clear_error();
  }
  if (settings.certificate) {
    auto own = load_certificate({settings.certificate, settings.key, {}}, now);
    if (!own) return Unexpected{std::move(own).error()};
    if (SSL_CTX_use_cert_and_key(ssl, (*own)->leaf.get(), (*own)->key.get(), (*own)->chain.get(), 1) != 1) {
      return Unexpected{settings.certificate.error(settings.certificate.path + ": " + openssl_error())};
    }
  }
  return std::shared_ptr<const UpstreamTls>(std::move(made));
}

std::unique_ptr<Stream> UpstreamTls::connect(std::unique_ptr<Stream> carrier, std::string_view server,
                                             std::shared_ptr<UpstreamTlsSession> session, OnFailure on_failure,
                                             bool http2, std::string preface) const {
  SslPtr ssl(SSL_new(context_.get()));
  if (ssl == nullptr) throw std::bad_alloc();
  SSL_set_connect_state(ssl.get());
  const std::string name = server_name_.empty() ? host_of(server) : server_name_;
  const bool is_address = IpAddress::parse(name).has_value();
  if (!is_address) SSL_set_tlsext_host_name(ssl.get(), name.c_str());
  if (is_verified_) {
    SSL_set_hostflags(ssl.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const bool is_set = is_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), name.c_str()) == 1
                                   : SSL_set1_host(ssl.get(), name.c_str()) == 1;
    if (!is_set) throw std::bad_alloc();
  }
  constexpr std::string_view kHttp2 = "\x02h2";
  if (http2 && SSL_set_alpn_protos(ssl.get(), reinterpret_cast<const unsigned char*>(kHttp2.data()),
                                   static_cast<unsigned>(kHttp2.size())) != 0) {
    throw std::bad_alloc();
  }
  if (session->last != nullptr) SSL_set_session(ssl.get(), session->last.get());
  auto attachment = std::make_shared<Attachment>(Attachment{std::move(session), std::move(on_failure)});
  SSL_set_ex_data(ssl.get(), session_index(), attachment->session.get());
  auto report = [attachment](const std::string& why) {
    attachment->session->last.reset();  // whatever it was, the next handshake is a whole one
    attachment->on_failure(why);
  };
  return std::make_unique<TlsStream>(std::move(carrier), std::move(ssl), std::move(report), std::move(preface));
}

int UpstreamTls::on_session(SSL* ssl, SSL_SESSION* session) {
  static_cast<UpstreamTlsSession*>(SSL_get_ex_data(ssl, session_index()))->last.reset(session);
  return 1;  // the session is ours
}

Expected<std::vector<std::shared_ptr<const UpstreamTls>>, ConfigErrors> load_upstream_tls(const Config& config,
                                                                                          WallTime now) {
  std::vector<std::shared_ptr<const UpstreamTls>> all;
  std::vector<std::pair<const UpstreamTlsSettings*, std::shared_ptr<const UpstreamTls>>> known;  // few differ
  ConfigErrors errors;
  for (const Site& site : config.sites) {
    for (const Upstream& upstream : site.upstreams) {
      auto& added = all.emplace_back();
      if (!upstream.tls) continue;
      for (const auto& [settings, tls] : known) {
        if (*settings == *upstream.tls) added = tls;
      }
      if (added != nullptr) continue;
      auto loaded = UpstreamTls::load(*upstream.tls, now);
      if (!loaded) {
        errors.push_back(std::move(loaded).error());
        continue;
      }
      added = std::move(loaded).value();
      known.emplace_back(&*upstream.tls, added);
    }
  }
  if (!errors.empty()) return Unexpected{std::move(errors)};
  return all;
}

}  // namespace vipair::proxy
