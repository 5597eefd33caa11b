#include "proxy/server/health_status.h"

#include <boost/json.hpp>
#include <chrono>

namespace vipair::proxy {

namespace json = boost::json;

namespace {

const CheckReport* check_of(const ServerView& view, const Server& server) {
  const auto found = view.checks.find(&server);
  return found == view.checks.end() ? nullptr : &found->second;
}

std::int64_t seconds_of(Duration duration) {
  return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

std::string_view type_of(const NameReport& name) { return name.query.is_srv ? "SRV" : "address"; }

void add_of_checks(MetricsWriter& out, const ServerView& view, std::string_view name, std::string_view help,
                   std::uint64_t CheckReport::*number) {
  if (view.checks.empty()) return;
  out.family(name, "counter", help);
  for (const Snapshot::Upstream& upstream : view.snapshot->upstreams) {
    for (const auto& server : upstream.servers) {
      const CheckReport* check = check_of(view, *server);
      if (check == nullptr) continue;
      out.sample({{"site", upstream.site}, {"upstream", upstream.config->name}, {"server", server->text}},
                 check->*number);
    }
  }
}

void add_of_names(MetricsWriter& out, const ServerView& view, std::string_view name, std::string_view help,
                  std::uint64_t NameReport::*number) {
  if (view.names.empty()) return;
  out.family(name, "counter", help);
  for (const NameReport& each : view.names)
    out.sample({{"name", each.query.host}, {"type", type_of(each)}}, each.*number);
}

void add_gauge(MetricsWriter& out, std::string_view name, std::string_view help, std::uint64_t value) {
  out.family(name, "gauge", help);
  out.sample({}, value);
}

}  // namespace

json::value check_json(const ServerView& view, const Server& server) {
  const CheckReport* check = check_of(view, server);
  if (check == nullptr) return nullptr;
  return json::object{{"up", check->is_up},
                      {"reason", check->reason},
                      {"since_seconds", seconds_of(view.now - check->since)},
                      {"took_ms", std::chrono::duration_cast<std::chrono::milliseconds>(check->took).count()},
                      {"checks", check->checks},
                      {"failures", check->failures}};
}

json::value names_json(const ServerView& view) {
  json::array names;
  for (const NameReport& name : view.names) {
    json::array addresses;
    for (const std::string& target : name.targets) addresses.emplace_back(target);
    json::value age;  // of the last good answer
    if (name.answered_at) age = seconds_of(view.now - *name.answered_at);
    names.push_back(json::object{{"name", name.query.host},
                                 {"type", type_of(name)},
                                 {"addresses", std::move(addresses)},
                                 {"age_seconds", std::move(age)},
                                 {"ttl_seconds", seconds_of(name.ttl)},
                                 {"error", name.error},
                                 {"lookups", name.lookups},
                                 {"failures", name.failures}});
  }
  return names;
}

void add_health_metrics(MetricsWriter& out, const ServerView& view) {
  add_of_checks(out, view, "vipair_proxy_server_checks_total", "Active checks of the server.",
                &CheckReport::checks);
  add_of_checks(out, view, "vipair_proxy_server_check_failures_total", "Active checks of the server that were bad.",
                &CheckReport::failures);
  add_of_names(out, view, "vipair_proxy_name_lookups_total", "Lookups of the name.", &NameReport::lookups);
  add_of_names(out, view, "vipair_proxy_name_failures_total",
               "Lookups without a usable answer; the last good one is kept.", &NameReport::failures);
  add_gauge(out, "vipair_proxy_upstreams", "Groups of servers.", view.usable_upstreams.total);
  add_gauge(out, "vipair_proxy_upstreams_usable", "Those with a server that is up.", view.usable_upstreams.usable);
}

}  // namespace vipair::proxy
