#pragma once
// tls = { … }, certificate(s), client_certificate, https and hsts: TLS between clients and the proxy; and an
// upstream's tls = { … }. Nothing is read here but the settings: the files are opened when the proxy builds what it
// serves from, at start, at reload and whenever one of them changes.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/runtime/config_file.h"
#include "proxy/config_reader.h"

namespace vipair::proxy {

inline constexpr std::size_t kCertificatesMax = 8;  // of one site: RSA and ECDSA, and their successors

struct CertificateFiles {
  FileSetting certificate;  // PEM: the server's own first, then those between it and the root
  FileSetting key;          // PEM, not encrypted
  FileSetting ocsp;         // DER, an OCSP response to staple; may be absent
  friend bool operator==(const CertificateFiles&, const CertificateFiles&) = default;
};

enum class TlsProfile : std::uint8_t { intermediate, modern };  // as Mozilla names them: TLS 1.2 and 1.3, 1.3 only

struct TlsSettings {
  TlsProfile profile = TlsProfile::intermediate;
  FileSetting ticket_keys;                                // shared by the nodes; absent: each has its own
  Duration handshake_timeout = std::chrono::seconds(10);  // from accept to the end of the handshake
  std::size_t handshakes = 2000;                          // at once over all workers; the oldest gives way
  Duration expiry_warning = std::chrono::hours(14 * 24);  // how long before a certificate's end
  friend bool operator==(const TlsSettings&, const TlsSettings&) = default;
};

enum class ClientCertificateMode : std::uint8_t { none, optional, required };

struct ClientCertificates {
  ClientCertificateMode mode = ClientCertificateMode::none;
  FileSetting ca;   // PEM: who may have issued them
  FileSetting crl;  // PEM: what was revoked; absent: nothing is looked up
  friend bool operator==(const ClientCertificates&, const ClientCertificates&) = default;
};

enum class HttpsMode : std::uint8_t { off, redirect, both, only };

struct Hsts {
  Duration max_age{};
  bool include_subdomains = false;
  bool preload = false;
  std::string header() const;  // the value of Strict-Transport-Security (RFC 6797 section 6.1)
  friend bool operator==(const Hsts&, const Hsts&) = default;
};

struct SiteTls {
  HttpsMode https = HttpsMode::both;
  std::optional<Hsts> hsts;
  std::vector<CertificateFiles> certificates;  // empty: the proxy's
  ClientCertificates clients;
  friend bool operator==(const SiteTls&, const SiteTls&) = default;
};

// An upstream's: how we speak to its servers.
struct UpstreamTlsSettings {
  bool is_verified = true;
  FileSetting ca;                // PEM; absent: the system's
  std::string server_name;       // SNI, and what the certificate must be for; "": the server as it is written
  FileSetting certificate, key;  // ours, shown when the server asks
  friend bool operator==(const UpstreamTlsSettings&, const UpstreamTlsSettings&) = default;
};

void read_tls(ConfigGroup& root, TlsSettings& settings);
// certificate = { … } or certificates = ( … ), of the proxy or of a site.
std::vector<CertificateFiles> read_certificates(ConfigGroup& group);
void read_site_tls(ConfigGroup& site, SiteTls& settings);
std::optional<UpstreamTlsSettings> read_upstream_tls(ConfigGroup& upstream);

}  // namespace vipair::proxy
