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
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/expected.h"
#include "common/base/ip_address.h"
#include "common/base/time.h"
#include "common/runtime/config_file.h"

namespace vipair::proxy {

inline constexpr int kWorkersMax = 256;
inline constexpr std::size_t kListenersMax = 256;
inline constexpr std::size_t kSiteFilesMax = 65536;
inline constexpr std::size_t kSitesMax = 100000;  // over all files
inline constexpr std::size_t kHostsPerSiteMax = 10000;
inline constexpr std::size_t kUpstreamsPerSiteMax = 1000;
inline constexpr std::size_t kServersPerUpstreamMax = 1000;
inline constexpr std::size_t kRoutesPerSiteMax = 10000;
inline constexpr std::size_t kHeaderRulesMax = 100;   // per list of one level
inline constexpr std::size_t kHeaderNameMax = 256;    // bytes
inline constexpr std::size_t kHeaderValueMax = 4096;  // bytes, before variables are filled in
inline constexpr std::size_t kTrustedProxiesMax = 1000;
inline constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

struct Listener {
  IpEndpoint address;
  friend bool operator==(const Listener&, const Listener&) = default;
};

// limits = { … }: what one client may cost.
struct Limits {
  std::size_t request_head = 64 * 1024;     // bytes; more: 431
  std::size_t request_target = 16 * 1024;   // bytes, at most request_head; more: 414
  std::size_t request_fields = 100;         // more: 431
  std::uint64_t request_body = kUnlimited;  // bytes; more: 413. A site may say its own
  std::size_t response_head = 64 * 1024;    // bytes, of an upstream; more: 502
  std::uint64_t body_rate_min = 240;        // bytes per second, of a request body over body_idle; 0: any
  std::size_t connections = 100000;         // clients at once over all workers; each worker takes an equal share
  friend bool operator==(const Limits&, const Limits&) = default;
};

// timeouts = { … }: how long we wait for somebody else.
struct Timeouts {
  Duration request_head = std::chrono::seconds(10);  // from its first byte (a new connection: from accept); 408
  Duration keep_alive = std::chrono::seconds(60);    // an idle client connection
  Duration body_idle = std::chrono::seconds(30);     // no byte of a body arrives, from either side
  Duration write_idle = std::chrono::seconds(30);    // no byte is taken, by either side
  Duration connect = std::chrono::seconds(5);        // an upstream may say its own; 504
  Duration response_head =
      std::chrono::seconds(60);                 // after the request was sent; an upstream may say its own; 504
  Duration handover = std::chrono::seconds(2);  // a stop: for the peer to take the address over
  Duration stop = std::chrono::seconds(30);     // a stop: for running requests to end
  Duration worker_hang = std::chrono::milliseconds(200);  // a worker's loop does not turn: the node is not ready
  friend bool operator==(const Timeouts&, const Timeouts&) = default;
};

enum class AccessLogFormat : std::uint8_t { off, combined, json };

struct AccessLog {
  AccessLogFormat format = AccessLogFormat::off;
  std::string path;  // absolute, unless format is off
  friend bool operator==(const AccessLog&, const AccessLog&) = default;
};

struct HeaderRule {
  std::string name;   // a token, as written
  std::string value;  // a field value, may hold ${variables}; checked
  friend bool operator==(const HeaderRule&, const HeaderRule&) = default;
};

// What happens to the fields of a message that is passed on. In this order: every field named in `remove` or `set`
// goes, then `set` and then `add` are appended. A name is in `set` at most once.
struct HeaderRules {
  std::vector<std::string> remove;
  std::vector<HeaderRule> set;
  std::vector<HeaderRule> add;
  bool empty() const { return remove.empty() && set.empty() && add.empty(); }
  friend bool operator==(const HeaderRules&, const HeaderRules&) = default;
};

// The rules of an outer level followed by those of an inner one, as one: what the inner level sets or removes
// replaces what the outer one set or added.
HeaderRules merge(const HeaderRules& outer, const HeaderRules& inner);

struct Upstream {
  std::string name;                 // unique within its site
  std::vector<IpEndpoint> servers;  // at least one, no duplicates, in the file's order
  Duration connect_timeout{};
  Duration response_head_timeout{};
  Duration avoid_failed = std::chrono::seconds(1);  // a server that could not be reached is passed over for so long
  // keep_alive = { … }, per worker and server. The idle time stays below the 5 s after which Apache and Node close.
  std::size_t idle_connections = 64;  // 0: a connection per request
  Duration idle_timeout = std::chrono::seconds(4);
  friend bool operator==(const Upstream&, const Upstream&) = default;
};

enum class PathMatch : std::uint8_t { prefix, exact };

struct Route {
  std::string path;  // canonical (proxy/http/target.h)
  PathMatch match = PathMatch::prefix;
  std::size_t upstream = 0;     // index into Site::upstreams
  HeaderRules request_headers;  // all levels: proxy, site, route
  HeaderRules response_headers;
  friend bool operator==(const Route&, const Route&) = default;
};

struct Site {
  std::string name;  // the first of its hosts
  std::vector<std::string>
      hosts;  // lower case; "a.example", "*.example" or "*" (the default site); never in two sites
  std::vector<Upstream> upstreams;
  std::vector<Route> routes;                    // in the file's order; (match, path) is unique
  std::uint64_t request_body_max = kUnlimited;  // bytes
  HeaderRules response_headers;                 // proxy and site, for what no route answers
  std::string file;                             // where it stands, for status and log
  int line = 0;
  friend bool operator==(const Site&, const Site&) = default;
};

struct Config {
  std::string node;                 // this node's name, ${node}
  int workers = 0;                  // 0: one per core
  std::vector<Listener> listeners;  // at least one, no duplicates
  Limits limits;
  Timeouts timeouts;
  AccessLog access_log;
  std::optional<IpEndpoint> admin;  // status and metrics over TCP
  std::string control_socket = "/run/vipair/proxyd.sock";
  std::string gate_socket = "/run/vipair/gate.sock";
  std::vector<IpPrefix> trusted_proxies;  // from these, X-Forwarded-* and Forwarded are believed and extended
  HeaderRules response_headers;           // of the proxy level alone, for what no site answers
  std::vector<Site> sites;                // in the order of the files
  friend bool operator==(const Config&, const Config&) = default;
};

// `path` is proxy.conf; relative paths inside a file are relative to that file.
Expected<Config, ConfigErrors> load_config(const std::string& path);

// The same from text that stands for the file `name`. Includes and node_file are still read from disk.
Expected<Config, ConfigErrors> parse_config(const std::string& text, const std::string& name);

}  // namespace vipair::proxy
