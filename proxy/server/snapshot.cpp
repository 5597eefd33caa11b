#include "proxy/server/snapshot.h"

#include <algorithm>
#include <map>
#include <random>

#include "common/base/assert.h"
#include "proxy/server/pipe_pool.h"

namespace vipair::proxy {

namespace {

using http::Template;

constexpr std::string_view kHsts = "Strict-Transport-Security";

Template compiled(const std::string& value, Template::Captures captures = Template::Captures::refused) {
  auto result = Template::compile(value, captures);
  VIPAIR_ASSERT(result.has_value(), "values of header rules are checked when the configuration is loaded");
  return std::move(result).value();
}

// `hsts`: Strict-Transport-Security, unless a rule says it itself (RFC 6797 section 7.2: never in the clear).
http::HeaderRules compiled(const HeaderRules& rules, const std::string& hsts = "") {
  http::HeaderRules result;
  for (const std::string& name : rules.remove) result.remove(name);
  for (const HeaderRule& rule : rules.set) result.set(rule.name, compiled(rule.value));
  for (const HeaderRule& rule : rules.add) result.add(rule.name, compiled(rule.value));
  if (!hsts.empty() && !result.removes(kHsts)) result.set_over_https(kHsts, compiled(hsts));
  return result;
}

Snapshot::Route compiled(const proxy::Route& route, const std::string& hsts, const std::string& name) {
  Snapshot::Route result;
  result.config = &route;
  result.request_headers = compiled(route.request_headers);
  result.response_headers = compiled(route.response_headers, hsts);
  if (route.match == PathMatch::regex) {
    auto pattern = Regex::compile(route.path);
    VIPAIR_ASSERT(pattern.has_value(), "patterns are checked when the configuration is loaded");
    result.pattern = std::move(pattern).value();
  }
  if (route.is_conditional()) result.conditions = std::make_unique<const Conditions>(route);
  if (route.redirect) result.redirect = compiled(route.redirect->to, Template::Captures::allowed);
  if (route.rewrite && route.match != PathMatch::prefix) {
    result.rewrite = compiled(*route.rewrite, Template::Captures::allowed);
  }
  if (route.rewrite && route.match == PathMatch::prefix && route.maps_location && *route.rewrite != route.path) {
    result.mapping = {route.path, *route.rewrite};
  }
  result.guard = Guard::make(route.protection, name);
  return result;
}

std::size_t add_path(policy::Router& router, std::size_t site, const proxy::Route& route) {
  switch (route.match) {
    case PathMatch::exact:
      return router.add_exact(site, route.path);
    case PathMatch::regex:
      return router.add_pattern(site);
    case PathMatch::prefix:
      break;
  }
  return router.add_prefix(site, route.path);
}

std::shared_ptr<LimitTables> make_limit_tables() {
  std::random_device random;
  return std::make_shared<LimitTables>(std::uint64_t{random()} << 32 | random());
}

// Site and upstream together name an upstream, and an endpoint a server in it.
using ServerKey = std::tuple<std::string, std::string, IpEndpoint>;

// What lives longer than a snapshot.
struct Known {
  std::map<ServerKey, std::shared_ptr<Server>> servers;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<UpstreamNumbers>> numbers;
};

Known known_of(const Snapshot& snapshot) {
  Known known;
  for (const Snapshot::Upstream& upstream : snapshot.upstreams) {
    known.numbers.emplace(std::pair(upstream.site, upstream.config->name), upstream.numbers);
    for (const auto& server : upstream.servers) {
      known.servers.emplace(ServerKey{upstream.site, upstream.config->name, server->endpoint}, server);
    }
  }
  return known;
}

policy::HashRing ring_of(const proxy::Upstream& upstream, const std::vector<std::shared_ptr<Server>>& servers) {
  std::vector<policy::HashRing::Member> primaries;
  for (std::size_t i = 0; i < servers.size() && !upstream.servers[i].is_backup; ++i) {
    primaries.push_back({servers[i]->text, upstream.servers[i].weight});
  }
  return policy::HashRing(primaries);
}

// Of a site, and of an upstream of it; the site's own has no upstream's name.
using TrafficKey = std::pair<std::string, std::string>;
using TrafficMap = std::map<TrafficKey, std::shared_ptr<Traffic>>;

TrafficMap traffic_of(const Snapshot& snapshot) {
  TrafficMap traffic;
  for (const Snapshot::Site& site : snapshot.sites)
    traffic.emplace(TrafficKey{site.config->name, ""}, site.traffic);
  for (const Snapshot::Upstream& upstream : snapshot.upstreams) {
    traffic.emplace(TrafficKey{upstream.site, upstream.config->name}, upstream.traffic);
  }
  return traffic;
}

std::shared_ptr<Traffic> same_or_new(const TrafficMap& known, const TrafficKey& key, std::size_t workers) {
  const auto found = known.find(key);
  return found != known.end() ? found->second : std::make_shared<Traffic>(workers);
}

// The usual one when it is among them.
std::uint16_t https_port_of(const Config& config) {
  std::uint16_t port = 0;
  for (const Listener& listener : config.listeners) {
    if (listener.tls && (port == 0 || listener.address.port == 443)) port = listener.address.port;
  }
  return port == 0 ? 443 : port;
}

}  // namespace

std::optional<std::size_t> Snapshot::Tcp::match(std::string_view server_name) const {
  const auto rule = names.find_site(server_name);
  return rule ? std::optional(sni_upstreams[*rule]) : upstream;
}

std::vector<IpEndpoint> listening_addresses(const Config& config) {
  std::vector<IpEndpoint> addresses;
  for (const Listener& listener : config.listeners) addresses.push_back(listener.address);
  for (const TcpService& service : config.tcp) {
    addresses.insert(addresses.end(), service.addresses.begin(), service.addresses.end());
  }
  return addresses;
}

const Listener* Snapshot::listener(const IpEndpoint& address) const {
  const auto found = std::find_if(config.listeners.begin(), config.listeners.end(),
                                  [&](const Listener& listener) { return listener.address == address; });
  return found != config.listeners.end() ? &*found : nullptr;
}

bool Snapshot::wants_proxy_header(const IpEndpoint& listener_address) const {
  if (const Listener* found = listener(listener_address)) return found->proxy_protocol;
  const auto found = tcp_listeners.find(listener_address);
  return found != tcp_listeners.end() && tcp[found->second].config->proxy_protocol;
}

std::size_t connection_limit(const Config& config, std::size_t workers, std::uint64_t descriptors) {
  constexpr std::uint64_t kOfTheProcess = 64;  // log files, control sockets and their clients, configuration files
  const std::uint64_t ours =
      kOfTheProcess + workers * (2 + listening_addresses(config).size() + 2 * PipePool::kPipesMax);
  const std::uint64_t clients = descriptors > ours ? (descriptors - ours) / 2 : 0;
  return static_cast<std::size_t>(std::clamp<std::uint64_t>(clients, 1, config.limits.connections));
}

std::shared_ptr<const Snapshot> make_snapshot(Config config, std::size_t workers, const Snapshot* previous,
                                              SnapshotFiles files) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->config = std::move(config);
  const Config& from = snapshot->config;
  snapshot->generation = previous == nullptr ? 1 : previous->generation + 1;
  snapshot->request_limits = {from.limits.request_head, from.limits.request_target, from.limits.request_fields};
  snapshot->response_limits.head_bytes_max = from.limits.response_head;
  snapshot->connections_per_worker = std::max<std::size_t>(1, from.limits.connections / workers);
  snapshot->handshakes_per_worker = std::max<std::size_t>(1, from.tls.handshakes / workers);
  snapshot->files = std::move(files);
  snapshot->https_port = https_port_of(from);

  Known known;
  if (previous != nullptr) known = known_of(*previous);
  const TrafficMap traffic = previous != nullptr ? traffic_of(*previous) : TrafficMap();

  snapshot->trusted_proxies = policy::AddressSet(from.trusted_proxies);

  auto add_upstream = [&](const std::string& owner, const proxy::Upstream& upstream) {
    Snapshot::Upstream& added = snapshot->upstreams.emplace_back();
    added.config = &upstream;
    added.site = owner;
    const std::size_t index = snapshot->upstreams.size() - 1;
    if (index < snapshot->files.upstream_tls.size()) added.tls = snapshot->files.upstream_tls[index];
    added.traffic = same_or_new(traffic, {owner, upstream.name}, workers);
    snapshot->tells_addresses |= upstream.send_proxy_protocol != policy::ProxyProtocol::none;
    for (const UpstreamServer& server : upstream.servers) {
      auto found = known.servers.find({owner, upstream.name, server.endpoint});
      added.servers.push_back(found != known.servers.end()
                                  ? found->second
                                  : std::make_shared<Server>(upstream.name, server.endpoint, workers));
    }
    auto numbers = known.numbers.find({owner, upstream.name});
    added.numbers = numbers != known.numbers.end() ? numbers->second : std::make_shared<UpstreamNumbers>(workers);
    if (upstream.balancing.algorithm == policy::Algorithm::hash) added.ring = ring_of(upstream, added.servers);
    if (upstream.sticky) {
      std::vector<std::string> texts;
      for (const auto& server : added.servers) texts.push_back(server->text);
      added.sticky.emplace(*upstream.sticky, owner, upstream.name, texts);
    }
    added.has_preferences = added.sticky || upstream.balancing.algorithm == policy::Algorithm::hash;
  };

  snapshot->response_headers = compiled(from.response_headers);
  snapshot->guard = Guard::make(from.protection, "");
  snapshot->guards = {snapshot->guard.get(), nullptr, nullptr};
  bool has_limits =
      from.limits.connections_per_address > 0 || (snapshot->guard != nullptr && snapshot->guard->has_limits());
  snapshot->sites.reserve(from.sites.size());
  for (const proxy::Site& site : from.sites) {
    const std::size_t number = snapshot->router.add_site();
    bool is_unique = true;
    for (const std::string& host : site.hosts) is_unique &= snapshot->router.add_host(number, host);

    const std::size_t first_upstream = snapshot->upstreams.size();
    for (const proxy::Upstream& upstream : site.upstreams) add_upstream(site.name, upstream);

    Snapshot::Site& added = snapshot->sites.emplace_back();
    added.config = &site;
    const std::string hsts = site.tls.hsts ? site.tls.hsts->header() : "";
    added.response_headers = compiled(site.response_headers, hsts);
    if (snapshot->files.tls != nullptr) added.client_rules = snapshot->files.tls->client_rules(number);
    if (site.compression.is_on) added.compression = &site.compression;
    added.traffic = same_or_new(traffic, {site.name, ""}, workers);
    added.guard = Guard::make(site.protection, site.name);
    added.guards = {snapshot->guard.get(), added.guard.get(), nullptr};
    has_limits |= added.guard != nullptr && added.guard->has_limits();
    added.routes.reserve(site.routes.size());
    for (const proxy::Route& route : site.routes) {
      const std::size_t index = add_path(snapshot->router, number, route);
      VIPAIR_ASSERT(index == added.routes.size(), "routes are numbered as they come");
      added.routes.push_back(compiled(route, hsts, site.name + " " + std::to_string(index)));
      Snapshot::Route& last = added.routes.back();
      last.upstream = first_upstream + route.upstream;
      last.guards = {snapshot->guard.get(), added.guard.get(), last.guard.get()};
      has_limits |= last.guard != nullptr && last.guard->has_limits();
    }
    VIPAIR_ASSERT(is_unique, "hosts are checked for doubles when the configuration is loaded");
  }
  for (const TcpService& service : from.tcp) {
    const std::size_t first_upstream = snapshot->upstreams.size();
    const std::string owner = "tcp/" + service.name;  // no host has a slash
    for (const proxy::Upstream& upstream : service.upstreams) add_upstream(owner, upstream);
    for (const IpEndpoint& address : service.addresses) {
      snapshot->tcp_listeners.emplace(address, snapshot->tcp.size());
    }
    Snapshot::Tcp& added = snapshot->tcp.emplace_back();
    added.config = &service;
    if (service.upstream) added.upstream = first_upstream + *service.upstream;
    for (const TcpService::Sni& sni : service.sni) {
      const std::size_t rule = added.names.add_site();
      for (const std::string& host : sni.hosts) {
        const bool is_unique = added.names.add_host(rule, host);
        VIPAIR_ASSERT(is_unique, "names are checked for doubles when the configuration is loaded");
      }
      added.sni_upstreams.push_back(first_upstream + sni.upstream);
    }
  }
  if (previous != nullptr) snapshot->limit_tables = previous->limit_tables;
  if (has_limits && snapshot->limit_tables == nullptr) snapshot->limit_tables = make_limit_tables();
  return snapshot;
}

}  // namespace vipair::proxy
