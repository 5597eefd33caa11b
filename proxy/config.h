#pragma once
// The proxy's configuration as plain values: proxy.conf and every site file it includes, validated whole. Nothing
// is left to look up: defaults are filled in, header rules of outer levels are merged into the inner ones, names
// are resolved to indices. Building the running Snapshot from it can fail only where the kernel says no (a port in
// use).
//
// load_config() reads files and the host's name and nothing else; it reports every mistake of all files at once.
// Checking and loading are this one code path.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/expected.h"
#include "common/base/ip_address.h"
#include "common/runtime/config_file.h"
#include "proxy/config_headers.h"
#include "proxy/config_limits.h"
#include "proxy/config_log.h"
#include "proxy/config_protection.h"
#include "proxy/config_site.h"
#include "proxy/config_tls.h"
#include "proxy/config_tunnels.h"
#include "proxy/http/forwarded.h"

namespace vipair::proxy {

inline constexpr int kWorkersMax = 256;
inline constexpr std::size_t kListenersMax = 256;
inline constexpr std::size_t kSiteFilesMax = 65536;
inline constexpr std::size_t kSitesMax = 100000;  // over all files
inline constexpr std::size_t kTrustedProxiesMax = 1000;

struct Listener {
  IpEndpoint address;
  bool tls = false;
  bool http2 = false;           // with TLS: offered; without: taken from clients that know
  bool proxy_protocol = false;  // clients come through a trusted proxy that tells who they are
  friend bool operator==(const Listener&, const Listener&) = default;
};

struct Config {
  std::string node;                 // this node's name, ${node}
  int workers = 0;                  // 0: one per core
  std::vector<Listener> listeners;  // no duplicates; at least one when there are sites
  Limits limits;
  Timeouts timeouts;
  AccessLog access_log;
  ResolverSettings resolver;
  std::optional<IpEndpoint> admin;  // status and metrics over TCP
  std::string control_socket = "/run/vipair/proxyd.sock";
  std::string gate_socket = "/run/vipair/gate.sock";
  std::vector<IpPrefix> trusted_proxies;  // from these, X-Forwarded-* and Forwarded are believed and extended
  http::ClientAddressField client_address_field =
      http::ClientAddressField::x_forwarded_for;  // which one is believed
  Protection protection;                          // of the proxy level
  std::vector<ErrorPage> error_pages;             // for all sites
  HeaderRules response_headers;                   // of the proxy level alone, for what no site answers
  Compression compression;                        // of sites that do not say their own
  TlsSettings tls;
  std::vector<CertificateFiles> certificates;  // of sites without their own, and for names that are no site's
  std::vector<Site> sites;                     // in the order of the files
  std::vector<TcpService> tcp;                 // in the order of the files
  friend bool operator==(const Config&, const Config&) = default;
};

// Every file that a setting names and that is read along with the configuration: when one changes, it is read anew.
std::vector<std::string> files_of(const Config& config);

// `path` is proxy.conf; relative paths inside a file are relative to that file.
Expected<Config, ConfigErrors> load_config(const std::string& path);

// The same from text that stands for the file `name`. Includes and node_file are still read from disk.
Expected<Config, ConfigErrors> parse_config(const std::string& text, const std::string& name);

}  // namespace vipair::proxy
