#include "vrrp/kernel/report.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cstdio>
#include <ctime>

#include "common/runtime/metrics.h"

namespace vipair::vrrp {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 5> kStates = {"initialize", "backup", "active", "yielding", "fault"};

json::array strings(const std::vector<std::string>& texts) {
  json::array array;
  for (const std::string& text : texts) array.emplace_back(text);
  return array;
}

json::object counters_object(const std::vector<std::pair<std::string, std::uint64_t>>& counters) {
  json::object object;
  for (const auto& [name, value] : counters) object[name] = value;
  return object;
}

std::int64_t milliseconds_since(TimePoint time, TimePoint now) {
  return std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::milliseconds>(now - time).count());
}

json::object router_object(const RouterStatus& router, const Clocks& clocks) {
  json::object object;
  object["name"] = router.name;
  object["interface"] = router.interface;
  object["vrid"] = router.vrid;
  object["family"] = to_string(router.family);
  object["version"] = router.version;
  object["state"] = router.state;
  object["reason"] = router.reason;
  object["since"] = rfc3339(clocks.at(router.since));
  object["priority"] = router.priority;
  object["effective_priority"] = router.effective_priority;
  object["faults"] = strings(router.faults);
  object["addresses"] = strings(router.addresses);
  if (router.peer) {
    json::object peer;
    peer["address"] = router.peer->address;
    peer["priority"] = router.peer->priority;
    peer["heard_ms_ago"] = milliseconds_since(router.peer->heard, clocks.now);
    object["peer"] = std::move(peer);
  } else {
    object["peer"] = nullptr;
  }
  object["counters"] = counters_object(router.counters);
  return object;
}

json::object path_object(const PathStatus& path, const Clocks& clocks) {
  json::object object;
  object["interface"] = path.interface;
  object["peer"] = path.peer;
  object["further"] = path.is_further;
  object["heard"] = path.is_heard;
  object["hears_us"] = path.hears_us;
  if (path.heard) {
    object["heard_ms_ago"] = milliseconds_since(*path.heard, clocks.now);
  } else {
    object["heard_ms_ago"] = nullptr;
  }
  object["counters"] = counters_object(path.counters);
  return object;
}

const char* level_name(JournalEntry::Level level) {
  switch (level) {
    case JournalEntry::Level::debug:
      return "debug";
    case JournalEntry::Level::info:
      return "info";
    case JournalEntry::Level::warn:
      return "warn";
    case JournalEntry::Level::error:
      break;
  }
  return "error";
}

void add_event(json::object& object, const JournalEntry& entry, const Clocks& clocks) {
  object["at"] = rfc3339(clocks.at(entry.at));
  object["level"] = level_name(entry.level);
  object["router"] = entry.router;
  object["event"] = entry.event;
  object["text"] = entry.text;
  if (entry.change) {
    const RoleChange& change = *entry.change;
    object["name"] = change.router;
    object["family"] = to_string(change.family);
    object["interface"] = change.interface;
    object["vrid"] = change.vrid;
    object["from"] = change.from;
    object["to"] = change.to;
    object["reason"] = change.reason;
    object["phase"] = change.phase;
    object["addresses"] = strings(change.addresses);
    object["peer"] = nullptr;
    if (change.peer)
      object["peer"] = {{"address", change.peer->address},
                        {"priority", change.peer->priority},
                        {"heard", rfc3339(clocks.at(change.peer->heard))}};
  }
}

const char* planned_name(PlannedActive active) {
  switch (active) {
    case PlannedActive::this_node:
      return "this node";
    case PlannedActive::peer:
      return "peer";
    case PlannedActive::unmoved:
      return "as before";
    case PlannedActive::nobody:
      return "nobody";
    case PlannedActive::unknown:
      break;
  }
  return "unknown";
}

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

std::string rfc3339(WallTime time) {
  const auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count();
  std::int64_t fraction = milliseconds % 1000;
  if (fraction < 0) fraction += 1000;
  const std::time_t second = static_cast<std::time_t>((milliseconds - fraction) / 1000);
  std::tm utc{};
  ::gmtime_r(&second, &utc);
  std::array<char, 32> date{};
  std::array<char, 8> rest{};
  (void)std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  (void)std::snprintf(rest.data(), rest.size(), ".%03dZ", static_cast<int>(fraction));
  return std::string(date.data()) + rest.data();
}

std::string status_json(const Status& status, const Clocks& clocks) {
  json::object object;
  object["node"] = status.node;
  if (status.started) object["started"] = rfc3339(clocks.at(*status.started));
  object["drained"] = status.drained;
  json::array routers;
  for (const RouterStatus& router : status.routers) routers.push_back(router_object(router, clocks));
  object["routers"] = std::move(routers);
  json::array checks;
  for (const CheckStatus& check : status.checks) {
    json::object entry;
    entry["name"] = check.name;
    entry["type"] = check.type;
    entry["up"] = check.up;
    entry["reason"] = check.reason;
    checks.push_back(std::move(entry));
  }
  object["checks"] = std::move(checks);
  json::array paths;
  for (const PathStatus& path : status.paths) paths.push_back(path_object(path, clocks));
  object["paths"] = std::move(paths);
  object["warnings"] = strings(status.warnings);
  object["counters"] = counters_object(status.counters);
  return json::serialize(object);
}

std::string plan_json(const std::vector<PlanRow>& plan) {
  json::array rows;
  for (const PlanRow& row : plan) {
    std::string failing = row.is_node_down ? "the whole node" : row.failing.empty() ? "nothing" : "";
    for (const std::string& check : row.failing) failing += (failing.empty() ? "" : ", ") + check;
    json::object object;
    object["group"] = row.group;
    object["failing"] = failing;
    object["here"] = planned_name(row.here);
    object["there"] = planned_name(row.there);
    object["everywhere"] = planned_name(row.everywhere);
    rows.push_back(std::move(object));
  }
  json::object object;
  object["rows"] = std::move(rows);
  return json::serialize(object);
}

std::string errors_json(const ConfigErrors& errors) {
  json::array list;
  for (const ConfigError& error : errors) list.emplace_back(error.to_string());
  json::object object;
  object["reloaded"] = false;
  object["errors"] = std::move(list);
  return json::serialize(object);
}

std::string event_json(const JournalEntry& entry, std::uint64_t cursor, const Clocks& clocks) {
  json::object object;
  object["cursor"] = cursor;
  add_event(object, entry, clocks);
  return json::serialize(object);
}

std::string notice_json(const JournalEntry& entry, std::uint64_t coalesced, const Clocks& clocks) {
  json::object object;
  add_event(object, entry, clocks);
  object["coalesced"] = coalesced;
  return json::serialize(object);
}

void EventRing::add(const JournalEntry& entry, const Clocks& clocks) {
  if (events_.size() == kEventsMax) events_.pop_front();
  events_.push_back(event_json(entry, ++last_cursor_, clocks));
}

std::size_t EventRing::first_after(std::uint64_t after) const {
  const std::uint64_t newer = after > last_cursor_ ? last_cursor_ : last_cursor_ - after;
  return events_.size() - std::min<std::uint64_t>(newer, events_.size());
}

std::string EventRing::json(std::uint64_t after) const {
  std::string array;
  for (std::size_t i = first_after(after); i < events_.size(); ++i)
    array += (array.empty() ? "" : ",") + events_[i];
  return "[" + array + "]";
}

std::string EventRing::lines(std::uint64_t after) const {
  std::string lines;
  for (std::size_t i = first_after(after); i < events_.size(); ++i) lines += events_[i] + "\n";
  return lines;
}

std::string log_line(const JournalEntry& entry) {
  std::string line = entry.text;
  if (!entry.router.empty()) line += " router=" + entry.router;
  return line + " event=" + entry.event;
}

void LoopLag::add(Duration lag) {
  last_ = std::max(lag, Duration::zero());
  max_ = std::max(max_, last_);
  if (last_ > kLate) ++late_turns_;
}

std::string metrics_text(const Status& status, const LoopLag& lag, const std::vector<EdgeCounter>& edge,
                         const Clocks& clocks) {
  MetricsWriter out;
  struct Labels {
    std::string vrid;
    MetricsWriter::Labels list;
  };
  std::deque<Labels> labels;  // the views inside must stay where they are
  for (const RouterStatus& router : status.routers) {
    Labels& of_router = labels.emplace_back();
    of_router.vrid = std::to_string(router.vrid);
    of_router.list = {{"router", router.name},
                      {"interface", router.interface},
                      {"vrid", of_router.vrid},
                      {"family", to_string(router.family)}};
  }
  auto gauge = [&](std::string_view name, std::string_view help, auto value_of) {
    out.family(name, "gauge", help);
    for (std::size_t i = 0; i < status.routers.size(); ++i) out.sample(labels[i].list, value_of(status.routers[i]));
  };

  out.family("vipair_vrrp_info", "gauge", "The agent's node and version; always 1.");
  out.sample({{"node", status.node}, {"version", VIPAIR_VERSION}}, 1);

  if (status.started) {
    const auto since_epoch = clocks.at(*status.started).time_since_epoch();
    out.family("vipair_vrrp_start_time_seconds", "gauge", "Since when the counters count, in seconds since 1970.");
    out.sample({}, std::chrono::duration<double>(since_epoch).count());
  }

  out.family("vipair_vrrp_state", "gauge", "1 for the state a virtual router is in, 0 for the others.");
  for (std::size_t i = 0; i < status.routers.size(); ++i) {
    for (std::string_view state : kStates) {
      auto with_state = labels[i].list;
      with_state.emplace_back("state", state);
      out.sample(with_state, status.routers[i].state == state ? 1 : 0);
    }
  }
  gauge("vipair_vrrp_state_seconds", "Time since the last change of state.",
        [&](const RouterStatus& router) { return seconds(clocks.now - router.since); });
  gauge("vipair_vrrp_priority", "Configured priority.", [](const RouterStatus& router) { return router.priority; });
  gauge("vipair_vrrp_effective_priority", "Priority in effect.",
        [](const RouterStatus& router) { return router.effective_priority; });
  gauge("vipair_vrrp_faults", "Number of things that keep the virtual router from taking part.",
        [](const RouterStatus& router) { return static_cast<double>(router.faults.size()); });
  gauge("vipair_vrrp_addresses", "Number of addresses of the virtual router.",
        [](const RouterStatus& router) { return static_cast<double>(router.addresses.size()); });
  out.family("vipair_vrrp_peer_heard_seconds", "gauge", "Time since the last accepted advertisement.");
  for (std::size_t i = 0; i < status.routers.size(); ++i)
    if (const auto& peer = status.routers[i].peer) out.sample(labels[i].list, seconds(clocks.now - peer->heard));

  std::vector<std::string_view>
      names;  // families in order of first appearance, every router's sample inside its own
  for (const RouterStatus& router : status.routers)
    for (const auto& [name, value] : router.counters)
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  for (std::string_view name : names) {
    out.family("vipair_vrrp_" + std::string(name) + "_total", "counter",
               "Counter " + std::string(name) + " of a virtual router.");
    for (std::size_t i = 0; i < status.routers.size(); ++i)
      for (const auto& [counter, value] : status.routers[i].counters)
        if (counter == name) out.sample(labels[i].list, value);
  }
  for (const auto& [name, value] : status.counters) {
    out.family("vipair_vrrp_agent_" + name + "_total", "counter", "Counter " + name + " of the agent as a whole.");
    out.sample({}, value);
  }
  for (const EdgeCounter& counter : edge) {
    out.family("vipair_vrrp_" + std::string(counter.name) + "_total", "counter", counter.help);
    out.sample({}, counter.value);
  }

  auto path_gauge = [&](std::string_view name, std::string_view help, auto value_of) {
    out.family(name, "gauge", help);
    for (const PathStatus& path : status.paths)
      out.sample({{"interface", path.interface}, {"peer", path.peer}}, value_of(path) ? 1 : 0);
  };
  path_gauge("vipair_vrrp_path_heard", "1 while the peer is heard over the path.",
             [](const PathStatus& path) { return path.is_heard; });
  path_gauge("vipair_vrrp_path_heard_by_peer", "1 while the peer says that it hears this node over the path.",
             [](const PathStatus& path) { return path.hears_us; });
  for (std::size_t i = 0; !status.paths.empty() && i < status.paths.front().counters.size(); ++i) {
    const std::string& name = status.paths.front().counters[i].first;
    out.family("vipair_vrrp_path_" + name + "_total", "counter", "Counter " + name + " of a path to the peer.");
    for (const PathStatus& path : status.paths)
      if (i < path.counters.size())
        out.sample({{"interface", path.interface}, {"peer", path.peer}}, path.counters[i].second);
  }

  out.family("vipair_vrrp_check_up", "gauge", "1 when the check is up.");
  for (const CheckStatus& check : status.checks)
    out.sample({{"check", check.name}, {"type", check.type}}, check.up ? 1 : 0);
  out.family("vipair_vrrp_drained", "gauge", "1 while an operator keeps this node empty.");
  out.sample({}, status.drained ? 1 : 0);
  out.family("vipair_vrrp_warnings", "gauge", "Number of warnings in the status.");
  out.sample({}, static_cast<double>(status.warnings.size()));
  out.family("vipair_vrrp_loop_lag_seconds", "gauge", "How late the loop handled its last timer.");
  out.sample({}, seconds(lag.last()));
  out.family("vipair_vrrp_loop_lag_max_seconds", "gauge", "How late the loop ever handled a timer.");
  out.sample({}, seconds(lag.max()));
  out.family("vipair_vrrp_loop_late_turns_total", "counter", "Timers that were handled more than 10 ms late.");
  out.sample({}, lag.late_turns());
  return out.text();
}

}  // namespace vipair::vrrp
