#include "proxy/server/server_orders.h"

#include <boost/json.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "common/runtime/log.h"

namespace vipair::proxy {

namespace json = boost::json;

namespace {

struct Named {
  const Snapshot::Upstream* upstream;
  Server* server;
};

std::optional<std::string> percent_decoded(std::string_view text) {
  auto value_of = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
  };
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? value_of(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? value_of(text[i + 2]) : -1;
    if (high < 0 || low < 0) return {};
    result += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return result;
}

struct Order {
  std::string server;
  bool is_forced = false;
};

std::optional<Order> parse_query(std::string_view query) {
  Order order;
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(part.size() + 1, query.size()));
    const auto equals = part.find('=');
    const auto value = equals == std::string_view::npos ? std::nullopt : percent_decoded(part.substr(equals + 1));
    const std::string_view key = part.substr(0, equals);
    if (!value) return {};
    if (key == "server") {
      order.server = *value;
    } else if (key == "force" && *value == "1") {
      order.is_forced = true;
    } else {
      return {};
    }
  }
  return order;
}

std::vector<Named> named(const Snapshot& snapshot, std::string_view name) {
  std::vector<Named> found;
  for (const Snapshot::Upstream& upstream : snapshot.upstreams) {
    for (const auto& server : upstream.servers) {
      const std::string in_upstream = upstream.config->name + "/" + server->text;
      if (name.empty() || name == server->text || name == in_upstream || name == upstream.site + "/" + in_upstream)
        found.push_back({&upstream, server.get()});
    }
  }
  return found;
}

ControlResponse refusal(int status, const std::string& error) {
  return {status, "application/json", json::serialize(json::object{{"error", error}}) + "\n"};
}

ControlResponse list(const std::vector<Named>& servers, TimePoint now) {
  json::array array;
  for (const auto& [upstream, server] : servers) {
    std::uint64_t active = 0;
    for (const Server::Slot& slot : server->slots) active += slot.active.get();
    array.push_back(json::object{{"site", upstream->site},
                                 {"upstream", upstream->config->name},
                                 {"server", server->text},
                                 {"state", state_of(*server, now)},
                                 {"active", active}});
  }
  return {200, "application/json", json::serialize(json::object{{"servers", std::move(array)}}) + "\n"};
}

}  // namespace

const char* state_of(const Server& server, TimePoint now) {
  if (server.is_draining.load(std::memory_order_relaxed)) return "draining";
  if (!server.is_up.load(std::memory_order_relaxed)) return "down";
  if (server.breaker.open_until() > now) return "ejected";
  for (const Server::Slot& slot : server.slots) {
    if (slot.avoid_until.load(std::memory_order_relaxed) <= now.time_since_epoch().count()) return "up";
  }
  return "ejected";
}

ControlResponse handle_server_order(const Snapshot& snapshot, const ControlRequest& request, TimePoint now) {
  const bool is_list = request.path == "/servers", is_drain = request.path == "/servers/drain";
  if (!is_list && !is_drain && request.path != "/servers/ready") return refusal(404, "not found");
  if (request.method != (is_list ? "GET" : "POST")) return refusal(405, "method not allowed");
  const auto order = parse_query(request.query);
  if (!order || (!is_list && order->server.empty()))
    return refusal(400, "expected ?server=UPSTREAM/SERVER, and nothing else but &force=1 for a drain");
  const std::vector<Named> servers = named(snapshot, order->server);
  if (servers.empty()) return refusal(404, "no server is called " + order->server + ": see vipairctl server list");
  for (const auto& [upstream, server] : servers) {
    if (is_list) continue;
    if (is_drain) {
      const auto& sticky = upstream->config->sticky;
      server->drain(sticky && !order->is_forced ? now + sticky->drain : now);
    } else {
      server->end_drain(now);
    }
    log::info("upstream " + server->upstream + ": " + server->text +
              (is_drain ? " is drained" : " is ready again") + " by an operator");
  }
  return list(servers, now);
}

}  // namespace vipair::proxy
