#pragma once
// The configuration in the form that serves requests: routes compiled, servers with their numbers. Immutable;
// shared by all workers, built whole by the main thread or not at all. A server that was in the previous snapshot,
// in an upstream of the same name, is the same object: its numbers and its connections go on.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "proxy/config.h"
#include "proxy/http/head_parser.h"
#include "proxy/http/header_rules.h"
#include "proxy/http/path_mapping.h"
#include "proxy/policy/address_set.h"
#include "proxy/policy/balancer.h"
#include "proxy/policy/hash_ring.h"
#include "proxy/policy/retry.h"
#include "proxy/policy/router.h"
#include "proxy/regex.h"
#include "proxy/server/conditions.h"
#include "proxy/server/guard.h"
#include "proxy/server/sticky_cookies.h"
#include "proxy/server/tls_context.h"
#include "proxy/server/traffic.h"
#include "proxy/server/upstream_pool.h"
#include "proxy/server/waiting_line.h"

namespace vipair::proxy {

// What a snapshot is made of besides its configuration: all that is read from the files that it names. Loaded
// first, since that may fail.
struct SnapshotFiles {
  FileStamps stamps;                       // of all of them
  std::shared_ptr<const TlsContexts> tls;  // nullptr: no listener speaks it
  std::vector<TicketKeys::Secret> ticket_secrets;
  std::vector<std::shared_ptr<const UpstreamTls>> upstream_tls;  // of all upstreams of all sites; may be empty
};

struct Snapshot {
  struct Upstream {
    const proxy::Upstream* config = nullptr;
    std::string site;
    std::shared_ptr<const UpstreamTls> tls;        // nullptr: in the clear
    std::vector<std::shared_ptr<Server>> servers;  // as in the configuration: backups last
    std::shared_ptr<UpstreamNumbers> numbers;
    std::shared_ptr<Traffic> traffic;  // of its responses; the duration is that to their heads
    policy::HashRing ring;             // of the primaries, with balance = "hash"
    std::optional<StickyCookies> sticky;
    bool has_preferences = false;  // hash or sticky
  };
  struct Route {
    const proxy::Route* config = nullptr;
    std::size_t upstream = 0;  // into upstreams, unless the route answers itself
    http::HeaderRules request_headers, response_headers;
    std::optional<Regex> pattern;                  // with PathMatch::regex
    std::unique_ptr<const Conditions> conditions;  // nullptr: none
    std::optional<http::Template> redirect;
    std::optional<http::Template> rewrite;     // of the whole path
    std::optional<http::PathMapping> mapping;  // of a prefix that is replaced: the way back
    std::unique_ptr<const Guard> guard;
    Guards guards{};  // of all levels
    bool is_plain() const { return !pattern && conditions == nullptr; }
  };
  struct Site {
    const proxy::Site* config = nullptr;
    std::vector<Route> routes;
    http::HeaderRules response_headers;        // for what no route answers
    ClientRules client_rules{};                // of its TLS connections
    const Compression* compression = nullptr;  // nullptr: off
    std::shared_ptr<Traffic> traffic;
    std::unique_ptr<const Guard> guard;
    Guards guards{};  // for what no route answers
  };

  struct Tcp {
    const TcpService* config = nullptr;
    policy::Router names;                    // a site per sni rule
    std::vector<std::size_t> sni_upstreams;  // into upstreams, by site of `names`
    std::optional<std::size_t> upstream;     // into upstreams, of all other connections
    // The upstream for the name a client asks for, or none.
    std::optional<std::size_t> match(std::string_view server_name) const;
  };

  Config config;
  std::uint64_t generation = 1;
  http::HeadLimits request_limits, response_limits;
  std::size_t connections_per_worker = 0;
  std::size_t handshakes_per_worker = 0;
  std::uint16_t https_port = 443;  // where redirects to https lead
  SnapshotFiles files;
  policy::Router router;
  http::HeaderRules response_headers;  // for what no site answers
  std::unique_ptr<const Guard> guard;
  Guards guards{};                            // for what no site answers
  std::shared_ptr<LimitTables> limit_tables;  // nullptr until the first limit is configured
  std::vector<Site> sites;
  std::vector<Upstream> upstreams;  // of all sites and tcp services
  std::vector<Tcp> tcp;
  std::map<IpEndpoint, std::size_t> tcp_listeners;  // by address as configured, into tcp

  policy::AddressSet trusted_proxies;
  bool tells_addresses = false;  // an upstream is sent PROXY headers

  const Listener* listener(const IpEndpoint& address) const;  // nullptr: of another kind, or of an earlier snapshot
  bool wants_proxy_header(const IpEndpoint& listener_address) const;
  bool trusts(const IpAddress& client) const { return trusted_proxies.contains(client); }
};

std::vector<IpEndpoint> listening_addresses(const Config& config);  // of all kinds of listeners

// `previous` may be null. The configuration was validated when it was loaded, so this cannot fail.
std::shared_ptr<const Snapshot> make_snapshot(Config config, std::size_t workers, const Snapshot* previous,
                                              SnapshotFiles files = {});

// How many clients at once a process with so many descriptors can serve: each may need one more for its upstream.
// More clients than that would only keep each other from being served. At most limits.connections, at least one.
std::size_t connection_limit(const Config& config, std::size_t workers, std::uint64_t descriptors);

// One upstream as one worker uses it.
struct LocalUpstream {
  const Snapshot::Upstream* shared = nullptr;
  const proxy::Upstream* config = nullptr;
  policy::Balancer balancer;
  policy::RetryBudget budget;
  std::vector<std::shared_ptr<UpstreamPool>> servers;
  std::shared_ptr<WaitingLine> line;
  bool has_limits = false;    // a server has max_connections
  bool counts_seats = false;  // somebody decides by Server::in_use
};

// One snapshot as one worker uses it: with its own balancers and pools. Kept while a request uses it.
struct LocalSnapshot {
  std::shared_ptr<const Snapshot> snapshot;
  std::vector<LocalUpstream> upstreams;  // as Snapshot::upstreams
  std::size_t users = 0;                 // running requests
};

}  // namespace vipair::proxy
