#include "proxy/names.h"

#include <algorithm>
#include <tuple>

namespace vipair::proxy {

namespace {

constexpr Duration kRetryMax = std::chrono::seconds(30);

bool can_be_a_server(const IpAddress& address) {
  return !address.is_unspecified() && !address.is_multicast() &&
         !(address.is_v6() && address.is_link_local());  // which means another host on every interface
}

// Weights of a service go up to 65535; those of servers do not, and 0 is "nearly none".
unsigned scaled(std::uint16_t weight, std::uint16_t heaviest) {
  constexpr unsigned kMax = 100;
  const unsigned whole = heaviest <= kMax ? weight : weight * kMax / heaviest;
  return std::max(1u, whole);
}

std::vector<UpstreamServer> servers_of(const ServerName& name, const std::vector<NameTarget>& targets) {
  std::uint16_t first_priority = UINT16_MAX, heaviest = 0;
  for (const NameTarget& target : targets) {
    first_priority = std::min(first_priority, target.priority);
    heaviest = std::max(heaviest, target.weight);
  }
  std::vector<UpstreamServer> servers;
  for (const NameTarget& target : targets) {
    UpstreamServer server = name.settings;
    server.name = name.text;
    server.endpoint = {target.address, target.port != 0 ? target.port : name.port};
    server.text = name.query.is_srv ? server.endpoint.to_string() : name.text;
    if (name.query.is_srv) {
      server.weight = scaled(target.weight, heaviest);
      server.is_backup |= target.priority > first_priority;
    }
    servers.push_back(std::move(server));
  }
  return servers;
}

bool apply(Upstream& upstream, const NameAnswers& answers) {
  std::vector<UpstreamServer> servers;
  std::set<IpEndpoint> seen;
  for (const UpstreamServer& server : upstream.servers) {
    if (!server.name.empty()) continue;
    seen.insert(server.endpoint);
    servers.push_back(server);
  }
  bool is_resolving = false;
  for (const ServerName& name : upstream.names) {
    const auto found = answers.find(name.query);
    is_resolving |= found == answers.end();
    if (found == answers.end()) continue;
    for (UpstreamServer& server : servers_of(name, found->second)) {
      if (servers.size() < kServersPerUpstreamMax && seen.insert(server.endpoint).second)
        servers.push_back(std::move(server));
    }
  }
  std::stable_partition(servers.begin(), servers.end(),
                        [](const UpstreamServer& server) { return !server.is_backup; });
  const bool is_different = servers != upstream.servers || is_resolving != upstream.is_resolving;
  upstream.servers = std::move(servers);
  upstream.is_resolving = is_resolving;
  return is_different;
}

// Of sites and of tcp services.
template <class AnyConfig, class Visit>
void for_each_upstream(AnyConfig& config, Visit visit) {
  for (auto& site : config.sites) {
    for (auto& upstream : site.upstreams) visit(upstream);
  }
  for (auto& service : config.tcp) {
    for (auto& upstream : service.upstreams) visit(upstream);
  }
}

}  // namespace

std::set<NameQuery> names_of(const Config& config) {
  std::set<NameQuery> names;
  for_each_upstream(config, [&](const Upstream& upstream) {
    for (const ServerName& name : upstream.names) names.insert(name.query);
  });
  return names;
}

bool apply_names(Config& config, const NameAnswers& answers) {
  bool is_different = false;
  for_each_upstream(config, [&](Upstream& upstream) {
    if (!upstream.names.empty()) is_different |= apply(upstream, answers);
  });
  return is_different;
}

std::vector<NameTarget> usable_targets(std::vector<NameTarget> targets) {
  std::erase_if(targets, [](const NameTarget& target) { return !can_be_a_server(target.address); });
  std::sort(targets.begin(), targets.end(), [](const NameTarget& a, const NameTarget& b) {
    return std::tie(a.priority, a.address, a.port, a.weight) < std::tie(b.priority, b.address, b.port, b.weight);
  });
  targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
  if (targets.size() > kTargetsPerNameMax) targets.resize(kTargetsPerNameMax);
  return targets;
}

Duration until_next_lookup(const ResolverSettings& settings, std::optional<Duration> ttl, int failures) {
  if (ttl) return std::clamp(*ttl, settings.min_ttl, settings.max_ttl);
  const Duration doubled = settings.min_ttl * (1 << std::clamp(failures - 1, 0, 10));
  return std::min(doubled, std::max(settings.min_ttl, kRetryMax));
}

}  // namespace vipair::proxy
