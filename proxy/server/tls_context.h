#pragma once
// The TLS side of a configuration: which certificate for which name, and who may connect. Immutable, built whole
// from the files that it names or not at all; certificates and contexts whose files did not change are taken over
// from the previous one. The name is looked up as hosts are (policy::Router), so 10,000 certificates cost no more
// per handshake than one.
//
// The site is chosen in the ClientHello callback, before OpenSSL looks at a ticket: a session belongs to its site
// and to its rules for client certificates and is not resumed elsewhere, and both nodes name it alike.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/expected.h"
#include "common/base/time.h"
#include "common/runtime/file_watcher.h"
#include "proxy/config.h"
#include "proxy/policy/router.h"
#include "proxy/server/certificate.h"
#include "proxy/server/openssl.h"
#include "proxy/server/session_tickets.h"
#include "proxy/server/tls_info.h"

namespace vipair::proxy {

class TlsContexts {
 public:
  // Of one handshake; outlives it.
  struct Hello {
    bool may_use_http2 = false;  // the listener offers it
    std::string server_name;     // in normal form; empty: none
    ClientRules client_rules{};
  };

  // nullptr inside: no listener speaks TLS. `tickets` outlives the contexts.
  static Expected<std::shared_ptr<const TlsContexts>, ConfigErrors> load(const Config& config, TicketKeys& tickets,
                                                                         WallTime now, const TlsContexts* previous);
  ~TlsContexts();

  SslPtr accept(Hello& hello) const;  // the server's side of a new connection
  static TlsInfo info(SSL* ssl, const Hello& hello);

  // The rules for clients of a site, by its index in the configuration.
  const ClientRules& client_rules(std::size_t site) const { return sites_[site].client_rules; }
  const std::vector<std::shared_ptr<const Certificate>>& certificates() const { return certificates_; }
  // For the operator, a line each: what ends soon or has ended; which site has a certificate for others.
  std::vector<std::string> date_warnings(WallTime now, Duration ahead) const;
  const std::vector<std::string>& name_warnings() const { return name_warnings_; }

  static constexpr unsigned kSessionContextBytes = 32;  // SSL_MAX_SID_CTX_LENGTH

 private:
  struct Clients {
    ClientCertificateMode mode = ClientCertificateMode::none;
    ClientRules rules{};
    X509StorePtr store;
    std::vector<X509Ptr> authorities;
  };
  struct Context {
    SslContextPtr ssl;
    std::vector<std::shared_ptr<const Certificate>> certificates;
    std::shared_ptr<const Clients> clients;
  };
  struct Site {
    std::shared_ptr<const Context> context;  // nullptr: there is no certificate for it
    ClientRules client_rules{};
    std::array<std::uint8_t, kSessionContextBytes> session_context{};
  };
  struct LoadedCertificate {
    std::vector<FileStamp> stamps;
    std::shared_ptr<const Certificate> certificate;
  };
  using ContextKey = std::pair<std::vector<const Certificate*>, ClientRules>;

  class Builder;
  TlsContexts() = default;
  const Site* find(std::string_view server_name) const;
  static int on_client_hello(SSL* ssl, int* alert, void* self);
  static int on_alpn(SSL* ssl, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                     unsigned offered_size, void*);
  static int on_status_request(SSL* ssl, void* context);

  TlsProfile profile_{};
  SslContextPtr base_;  // every connection begins with it, without a certificate
  policy::Router router_;
  std::vector<Site> sites_;                                       // as in the configuration
  Site default_site_;                                             // for names that are no site's
  std::map<std::vector<std::string>, LoadedCertificate> loaded_;  // by the paths of its files
  std::map<ContextKey, std::shared_ptr<const Context>> contexts_;
  std::vector<std::shared_ptr<const Certificate>> certificates_;
  std::vector<std::string> name_warnings_;
};

}  // namespace vipair::proxy
