#pragma once
// What is known of a client's TLS connection once its handshake is over.

#include <array>
#include <cstdint>
#include <memory>
#include <string>

namespace vipair::proxy {

// Who may connect, as one number: a hash of the mode, the authorities and what they revoked. Zero: nobody is asked
// for a certificate. Sites with equal rules may share a connection, others may not (421).
using ClientRules = std::array<std::uint8_t, 32>;

struct ClientCertificate {
  std::string subject, issuer;  // RFC 2253
  std::string serial;           // hexadecimal
  std::string fingerprint;      // SHA-256 of the certificate, hexadecimal
  std::string field;            // the value of Client-Cert (RFC 9440 section 2.2): ":base64 of DER:"
};

struct TlsInfo {
  const char* version = "";  // "TLSv1.3"
  const char* cipher = "";   // "TLS_AES_128_GCM_SHA256"
  std::string server_name;   // SNI in normal form; empty: none was sent
  bool is_resumed = false;
  bool is_http2 = false;  // by ALPN
  ClientRules client_rules{};
  std::unique_ptr<const ClientCertificate> client;  // verified; nullptr when none was shown
};

}  // namespace vipair::proxy
