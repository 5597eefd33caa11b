#pragma once
// What the proxy knows about one exchange beyond the messages themselves: for the fields it adds and for the
// variables of header rules. Views only: whoever calls keeps what they point to alive for the call.

#include <cstdint>
#include <span>
#include <string_view>

namespace vipair::http {

struct ExchangeFacts {
  std::string_view client_address{};    // "203.0.113.7", "2001:db8::7"; behind trusted proxies the real client's
  std::string_view client_port{};       // "49152"; empty when client_address is not the peer's
  std::string_view peer_address{};      // who sent the message, when that is not client_address
  std::string_view scheme{};            // "http" or "https", of the client's connection
  std::string_view host{};              // normal form without port, RequestHead::host.host()
  std::string_view authority{};         // as sent, with a port if one was named
  std::string_view method{};            // as sent
  std::string_view path{};              // canonical (proxy/http/target.h)
  std::string_view query{};             // with its '?', or empty
  std::string_view node{};              // this node's name, a token; also how it signs Via
  std::string_view request_id{};        // request_id_for() chooses it
  std::string_view upstream{};          // the group's name
  std::string_view upstream_address{};  // the server's "10.0.0.7:80"
  std::string_view target{};            // what is sent in place of path and query, when they were rewritten
  std::string_view server_port{};       // of the listener
  std::string_view http_version{};      // of the client, "1.1"
  std::string_view user{};              // whose password was right
  std::string_view tls_version{};       // "TLSv1.3"; these are empty without TLS
  std::string_view tls_cipher{};
  std::string_view sni{};
  std::string_view tls_client_subject{};  // of the certificate that the client has shown and we have verified
  std::string_view tls_client_issuer{};
  std::string_view tls_client_serial{};
  std::string_view tls_client_fingerprint{};
  std::span<const std::string_view> captures{};  // of the route's regular expression; [0] is the whole match
  std::string_view client_certificate{};         // Client-Cert's value (RFC 9440), of a verified certificate
  std::string_view upgrade{};  // the protocol asked for besides HTTP (requested_upgrade()), or empty
  bool client_speaks_http2 = false;
  bool client_is_trusted = false;  // its X-Forwarded-*, Forwarded, X-Real-IP and X-Request-ID are believed
};

}  // namespace vipair::http
