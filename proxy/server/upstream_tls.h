#pragma once
// TLS to the servers of an upstream: whom we trust, who we are. Immutable, shared by all workers; a new one for
// every configuration and whenever one of its files changes.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/expected.h"
#include "common/base/time.h"
#include "proxy/config.h"
#include "proxy/server/openssl.h"
#include "proxy/server/stream.h"

namespace vipair::proxy {

// The session of the last handshake with one server, to be resumed by the next. Of one worker.
struct UpstreamTlsSession {
  SslSessionPtr last;
};

class UpstreamTls {
 public:
  using OnFailure = std::function<void(const std::string& why)>;

  static Expected<std::shared_ptr<const UpstreamTls>, ConfigError> load(const UpstreamTlsSettings& settings,
                                                                        WallTime now);
  // Over a connection that is being made. `server` as it is written, with its port: what the certificate must be
  // for unless server_name says otherwise. The stream becomes writable once the handshake is over; why it failed is
  // told to on_failure.
  std::unique_ptr<Stream> connect(std::unique_ptr<Stream> carrier, std::string_view server,
                                  std::shared_ptr<UpstreamTlsSession> session, OnFailure on_failure,
                                  bool http2 = false,               // asked for by ALPN
                                  std::string preface = {}) const;  // in front of the handshake

 private:
  UpstreamTls() = default;
  static int on_session(SSL* ssl, SSL_SESSION* session);

  SslContextPtr context_;
  std::string server_name_;
  bool is_verified_ = true;
};

// Of every upstream of every site, in the order of the configuration; nullptr where there is none.
Expected<std::vector<std::shared_ptr<const UpstreamTls>>, ConfigErrors> load_upstream_tls(const Config& config,
                                                                                          WallTime now);

}  // namespace vipair::proxy
