#include "proxy/config_upstream.h"

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

// Strings, or groups for servers that say more than their address.
void read_servers(ConfigGroup& group, Upstream& upstream) {
  if (!group.require("servers")) return;
  std::map<IpEndpoint, ConfigText> seen;
  std::map<std::pair<NameQuery, std::uint16_t>, ConfigText> names_seen;
  auto add_name = [&](ConfigGroup& where, const ConfigText& text, NameQuery query, std::uint16_t port) {
    if (auto [other, is_new] = names_seen.emplace(std::pair(query, port), text); !is_new) {
      where.error(text, in_quotes(text.value) + " is a server already, at " + place(other->second));
      return;
    }
    upstream.names.push_back({text.value, std::move(query), port, {}});
  };
  auto add = [&](ConfigGroup& where, const ConfigText& text) {
    if (auto named = parse_host_and_port(text.value))
      return add_name(where, text, {std::move(named->host), false}, named->port);
    auto endpoint = read_server(where, text);
    if (!endpoint) return;
    if (auto [other, is_new] = seen.emplace(*endpoint, text); !is_new) {
      where.error(text, in_quotes(text.value) + " is a server already, at " + place(other->second));
      return;
    }
    upstream.servers.push_back({text.value, *endpoint});
  };
  if (group.is_text_list("servers")) {
    auto texts = group.texts("servers");
    if (texts.empty()) group.error("servers", "is empty, expected at least one \"10.0.0.11:8080\"");
    if (!check_count(group, "servers", texts.size(), kServersPerUpstreamMax)) return;
    for (const ConfigText& text : texts) add(group, text);
    return;
  }
  auto servers = group.groups("servers");
  if (!check_count(group, "servers", servers.size(), kServersPerUpstreamMax)) return;
  for (ConfigGroup& server : servers) {
    if (server.has("srv")) {
      if (server.has("address")) server.error("srv", "and address exclude each other: expected one of them");
      if (auto text = server.text("srv"))
        if (auto name = read_service_name(server, *text)) add_name(server, *text, {*name, true}, 0);
    } else if (auto text = server.require("address") ? server.text("address") : std::nullopt) {
      add(server, *text);
    }
    refuse_unsupported(server, {"weight", "backup", "max_connections"});
    server.finish();
  }
}

}  // namespace

void read_upstream(ConfigGroup& group, const Timeouts& timeouts, Upstream& upstream) {
  read_servers(group, upstream);
  if (auto balance = group.choice("balance", {"round_robin", "least_connections", "random", "hash"});
      balance && *balance != 0)
    group.error("balance", std::string(kUnsupported) + ", expected \"round_robin\"");
  if (auto protocol = group.choice("protocol", {"http1", "h2"})) {
    upstream.protocol = static_cast<UpstreamProtocol>(*protocol);
  }
  refuse_unsupported(group, {"sticky"});
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
    if (*version != 0 && upstream.tls) {
      group.error("send_proxy_protocol", "in front of TLS is " + std::string(kUnsupported));
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
