#pragma once
// A certificate with its key and its chain, as read from files and checked: what a server shows. Also the other
// files of TLS: a CA's certificates, a list of revoked ones, a stapled OCSP response. Every error names the file
// and says what to do; nothing of a key is ever part of one.

#include <memory>
#include <string>
#include <vector>

#include "common/base/expected.h"
#include "common/base/time.h"
#include "proxy/config_tls.h"
#include "proxy/server/openssl.h"

namespace vipair::proxy {

inline constexpr std::size_t kPemFileMax = 16 * 1024 * 1024;  // bytes of a certificate, key or list
inline constexpr std::size_t kChainMax = 10;                  // certificates in one file
inline constexpr std::size_t kOcspFileMax = 64 * 1024;        // bytes

// The whole file. The error says what the kernel said.
Expected<std::string, std::string> read_whole_file(const std::string& path, std::size_t bytes_max);

struct Certificate {
  FileSetting place;  // of its file
  X509Ptr leaf;
  X509ChainPtr chain;  // without the leaf
  PkeyPtr key;
  std::string subject;  // for people: "CN=example.com"
  std::string names;    // the first of its names, for people
  WallTime not_after{};
  std::string ocsp_path;                       // as configured; may be empty
  std::string ocsp;                            // DER, checked to be about this certificate; may be empty
  WallTime ocsp_until{};                       // then it is no longer stapled
  bool covers(const std::string& host) const;  // a host pattern of a site, "*.example.com" too
};

// Refused: unreadable, not PEM, encrypted, a key of another certificate, out of date, an OCSP response about
// another one.
Expected<std::shared_ptr<const Certificate>, ConfigError> load_certificate(const CertificateFiles& files,
                                                                           WallTime now);

// All certificates of a PEM file, at least one.
Expected<std::vector<X509Ptr>, ConfigError> load_authorities(const FileSetting& file);
// Adds the authorities and, when there is one, the list of revoked certificates.
Expected<void, ConfigError> load_store(X509_STORE* store, const FileSetting& authorities, const FileSetting& crl);

WallTime time_of(const ASN1_TIME* time);
std::string date_text(WallTime time);  // "2026-11-20"

}  // namespace vipair::proxy
