#include "proxy/config_upstream.h"

#include <algorithm>
#include <map>
#include <optional>

#include "proxy/config_reader.h"

namespace vipair::proxy {

using namespace std::chrono_literals;

namespace {

std::optional<IpEndpoint> read_server(ConfigGroup& group, const ConfigText& text) {
  auto endpoint = IpEndpoint::parse(text.value);
  if (!endpoint) {
    group.error(text, in_quotes(text.value) +
                          " is neither an address with a port nor a name with one, expected for example "
                          "\"10.0.0.11:8080\" or \"app.internal:8080\"");
    return std::nullopt;
  } else if (endpoint->address.is_unspecified()) {
    group.error(text, in_quotes(text.value) + " is not the address of a server");
    return std::nullopt;
  }
  return read_endpoint(group, text, "10.0.0.11:8080");
}

// Whether one of them, also of those that stand there as names, is like that.
template <class Is>
bool any_server(const Upstream& upstream, Is is) {
  return std::any_of(upstream.servers.begin(), upstream.servers.end(), is) ||
         std::any_of(upstream.names.begin(), upstream.names.end(),
                     [&](const ServerName& name) { return is(name.settings); });
}

// Strings, or groups for servers that say more than their address.
void read_servers(ConfigGroup& group, Upstream& upstream) {
  if (!group.require("servers")) return;
  std::map<IpEndpoint, ConfigText> seen;
  std::map<std::pair<NameQuery, std::uint16_t>, ConfigText> names_seen;
  auto add_name = [&](ConfigGroup& where, const ConfigText& text, NameQuery query, std::uint16_t port,
                      UpstreamServer settings) {
    if (auto [other, is_new] = names_seen.emplace(std::pair(query, port), text); !is_new) {
      where.error(text, in_quotes(text.value) + " is a server already, at " + place(other->second));
      return;
    }
    upstream.names.push_back({text.value, std::move(query), port, std::move(settings)});
  };
  auto add = [&](ConfigGroup& where, const ConfigText& text, UpstreamServer server) {
    if (auto named = parse_host_and_port(text.value))
      return add_name(where, text, {std::move(named->host), false}, named->port, std::move(server));
    auto endpoint = read_server(where, text);
    if (!endpoint) return;
    if (auto [other, is_new] = seen.emplace(*endpoint, text); !is_new) {
      where.error(text, in_quotes(text.value) + " is a server already, at " + place(other->second));
      return;
    }
    server.text = text.value;
    server.endpoint = *endpoint;
    upstream.servers.push_back(std::move(server));
  };
  if (group.is_text_list("servers")) {
    auto texts = group.texts("servers");
    if (texts.empty()) group.error("servers", "is empty, expected at least one \"10.0.0.11:8080\"");
    if (!check_count(group, "servers", texts.size(), kServersPerUpstreamMax)) return;
    for (const ConfigText& text : texts) add(group, text, {});
    return;
  }
  auto servers = group.groups("servers");
  if (!check_count(group, "servers", servers.size(), kServersPerUpstreamMax)) return;
  for (ConfigGroup& server : servers) {
    UpstreamServer settings;
    assign(settings.weight, server.integer("weight", 1, kWeightMax));
    assign(settings.is_backup, server.boolean("backup"));
    assign(settings.max_connections, server.integer("max_connections", 0, kServerConnectionsMax));
    if (server.has("srv")) {
      if (server.has("address")) server.error("srv", "and address exclude each other: expected one of them");
      if (server.has("weight")) server.error("weight", "has no use with srv: the records of the service say it");
      if (auto text = server.text("srv"))
        if (auto name = read_service_name(server, *text))
          add_name(server, *text, {*name, true}, 0, std::move(settings));
    } else if (auto text = server.require("address") ? server.text("address") : std::nullopt) {
      add(server, *text, std::move(settings));
    }
    server.finish();
  }
  std::vector<UpstreamServer>& all = upstream.servers;
  std::stable_partition(all.begin(), all.end(), [](const UpstreamServer& server) { return !server.is_backup; });
  if (any_server(upstream, [](const UpstreamServer&) { return true; }) &&
      !any_server(upstream, [](const UpstreamServer& server) { return !server.is_backup; }))
    group.error("servers", "are all backups, expected at least one that is not");
}

}  // namespace

void read_upstream(ConfigGroup& group, const Timeouts& timeouts, Upstream& upstream) {
  read_servers(group, upstream);
  read_balancing(group, upstream.balancing);
  const bool has_limit =
      any_server(upstream, [](const UpstreamServer& server) { return server.max_connections != 0; });
  if (group.has("queue") && !has_limit) {
    group.error("queue", "would never be used: no server has max_connections");
  }
  upstream.sticky = read_sticky(group);
  if (auto protocol = group.choice("protocol", {"http1", "h2"})) {
    upstream.protocol = static_cast<UpstreamProtocol>(*protocol);
  }
  upstream.tls = read_upstream_tls(group);
  upstream.health = read_health(group);
  upstream.connect_timeout = timeouts.connect;
  upstream.response_head_timeout = timeouts.response_head;
  if (auto own = group.group("timeouts")) {
    assign(upstream.connect_timeout, own->duration("connect", 10ms, 1h));
    assign(upstream.response_head_timeout, own->duration("response_head", 10ms, 24h));
    own->finish();
  }
  if (auto version = group.choice("send_proxy_protocol", {"off", "v1", "v2"})) {
    upstream.send_proxy_protocol = static_cast<policy::ProxyProtocol>(*version);
    if (*version != 0) upstream.idle_connections = 0;
    if (upstream.health && upstream.health->port == 0) upstream.health->proxy_header = upstream.send_proxy_protocol;
    if (*version != 0 && upstream.protocol == UpstreamProtocol::h2) {
      group.error("send_proxy_protocol",
                  "contradicts protocol = \"h2\": a connection with a header is one client's, and requests of many "
                  "clients share one");
    }
    if (*version != 0 && group.has("keep_alive")) {
      group.error("keep_alive",
                  "has no use with send_proxy_protocol: a connection with a header is one client's alone");
    }
  }
  if (auto keep_alive = group.group("keep_alive")) {
    assign(upstream.idle_connections, keep_alive->integer("idle_connections", 0, 100'000));
    assign(upstream.idle_timeout, keep_alive->duration("idle_timeout", 10ms, 24h));
    keep_alive->finish();
  }
  assign(upstream.avoid_failed, group.duration("avoid_failed", 0s, 1h));
}

}  // namespace vipair::proxy
