#include "proxy/server/status.h"

#include <boost/json.hpp>
#include <ctime>

#include "proxy/server/health_status.h"
#include "proxy/server/tls_status.h"

namespace vipair::proxy {

namespace json = boost::json;

namespace {

std::string iso_time(WallTime time) {
  const auto since_epoch = time.time_since_epoch();
  const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(since_epoch).count();
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count() % 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[40];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  const std::string fraction = std::to_string(1000 + millis);
  return std::string(text, size) + "." + fraction.substr(1) + "Z";
}

json::array errors_of(const ConfigErrors& errors) {
  json::array list;
  for (const ConfigError& error : errors) {
    list.push_back(json::object{{"file", error.file},
                                {"line", error.line},
                                {"setting", error.setting},
                                {"message", error.message},
                                {"text", error.to_string()}});
  }
  return list;
}

}  // namespace

std::string reload_json(const ConfigErrors& errors) {
  const json::object body{{"reloaded", errors.empty()}, {"errors", errors_of(errors)}};
  return json::serialize(body) + "\n";
}

std::string status_json(const ServerView& view) {
  const Snapshot& snapshot = *view.snapshot;
  json::object status;
  status["node"] = snapshot.config.node;
  status["version"] = VIPAIR_VERSION;
  status["state"] = view.phase;
  status["uptime_seconds"] = std::chrono::duration_cast<std::chrono::seconds>(view.uptime).count();
  status["gate"] =
      json::object{{"connected", view.gate_connected},
                   {"role", !view.role ? json::value(nullptr)
                                       : json::value(*view.role == NodeRole::active ? "active" : "standby")}};

  json::object config{
      {"generation", snapshot.generation}, {"reloads", view.reloads}, {"reloads_refused", view.reloads_refused}};
  if (view.last_reload) {
    config["last_reload"] = json::object{{"time", iso_time(*view.last_reload)},
                                         {"ok", view.last_reload_errors->empty()},
                                         {"errors", errors_of(*view.last_reload_errors)}};
  }
  status["config"] = std::move(config);

  json::array workers;
  for (const ServerView::Worker& worker : view.workers) {
    workers.push_back(json::object{
        {"heartbeat_age_ms", std::chrono::duration_cast<std::chrono::milliseconds>(worker.heartbeat_age).count()},
        {"turns", worker.turns},
        {"connections", worker.counters->connections.get()},
        {"requests", worker.counters->requests.get()}});
  }
  status["workers"] = std::move(workers);
  status["connections"] = sum(
      view, [](auto& c) -> auto& { return c.connections; });

  json::object requests{{"total", sum(
                                      view, [](auto& c) -> auto& { return c.requests; })},
                        {"retries", sum(
                                        view, [](auto& c) -> auto& { return c.retries; })}};
  for (std::size_t i = 0; i < std::size(kResponseClasses); ++i) {
    requests[kResponseClasses[i]] = sum(
        view, [i](auto& c) -> auto& { return c.responses[i]; });
  }
  status["requests"] = std::move(requests);
  json::array tcp;
  for (const Snapshot::Tcp& service : snapshot.tcp) {
    json::array addresses;
    for (const IpEndpoint& address : service.config->addresses) addresses.emplace_back(address.to_string());
    tcp.push_back(json::object{{"name", service.config->name}, {"addresses", std::move(addresses)}});
  }
  status["tcp"] = std::move(tcp);
  status["tunnels"] =
      json::object{{"tcp_connections", sum(
                                           view, [](auto& c) -> auto& { return c.tunnels.connections; })},
                   {"running", sum(
                                   view, [](auto& c) -> auto& { return c.tunnels.running; })},
                   {"upgrades", sum(
                                    view, [](auto& c) -> auto& { return c.tunnels.upgrades; })}};

  json::object refused;
  for (std::size_t i = 0; i < policy::kRefusals; ++i) {
    refused[policy::to_string(static_cast<policy::Refusal>(i))] = sum(
        view, [i](auto& c) -> auto& { return c.refusals[i]; });
  }
  status["refused"] = std::move(refused);

  json::array listeners;
  for (const IpEndpoint& endpoint : view.listeners) {
    listeners.push_back(json::object{{"address", endpoint.to_string()}});
  }
  status["listeners"] = std::move(listeners);
  status["tls"] = tls_json(view);

  json::array sites;
  for (const Snapshot::Site& site : snapshot.sites) {
    json::array hosts;
    for (const std::string& host : site.config->hosts) hosts.emplace_back(host);
    sites.push_back(
        json::object{{"name", site.config->name}, {"hosts", std::move(hosts)}, {"routes", site.routes.size()}});
  }
  status["sites"] = std::move(sites);

  json::array upstreams;
  for (const Snapshot::Upstream& upstream : snapshot.upstreams) {
    json::array servers;
    for (const auto& server : upstream.servers) {
      servers.push_back(json::object{{"address", server->text},
                                     {"up", is_up(*server, view.now)},
                                     {"state", state_of(*server, view.now)},
                                     {"active", sum(server->slots, &Server::Slot::active)},
                                     {"idle", sum(server->slots, &Server::Slot::idle)},
                                     {"requests", sum(server->slots, &Server::Slot::requests)},
                                     {"failures", sum(server->slots, &Server::Slot::failures)},
                                     {"check", check_json(view, *server)}});
    }
    upstreams.push_back(json::object{{"site", upstream.site},
                                     {"name", upstream.config->name},
                                     {"waiting", sum(upstream.numbers->slots, &UpstreamNumbers::Slot::waiting)},
                                     {"servers", std::move(servers)}});
  }
  status["upstreams"] = std::move(upstreams);
  if (!view.names.empty()) status["names"] = names_json(view);
  return json::serialize(status) + "\n";
}

}  // namespace vipair::proxy
