#include "vrrp/kernel/control.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <map>
#include <utility>

#include "common/runtime/metrics.h"

namespace vipair::vrrp {
namespace {

namespace json = boost::json;

// What a follower that was too slow reads last.
constexpr const char* kFarewell =
    R"({"event":"cut","text":"the reader was too slow: ask again with after=the last cursor"})"
    "\n";

ControlResponse refused(int status, const std::string& why) {
  json::object object;
  object["error"] = why;
  return {status, "application/json", json::serialize(object)};
}

// A response to what is done at once or later; the caller gets `done` to tell how it went.
ControlResponse when_done(std::string_view what, const std::function<void(Operations::Done)>& begin) {
  ControlResponse response;
  response.later = std::make_shared<ControlLater>(kMoveAnswerMax);
  begin([later = response.later, what = std::string(what)](const Expected<void, std::string>& result) {
    json::object object;
    object[what] = true;
    later->answer(result ? ControlResponse{200, "application/json", json::serialize(object)}
                         : refused(409, result.error()));
  });
  return response;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned byte = 0;
    if (text.size() - i < 3) return std::nullopt;
    const char* const end = text.data() + i + 3;
    if (std::from_chars(text.data() + i + 1, end, byte, 16).ptr != end) return std::nullopt;
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

}  // namespace

// "a=1&b=%20": each key at most once.
class Control::Query {
 public:
  // `known`: the keys that make sense, separated by blanks.
  static Expected<Query, std::string> parse(std::string_view text, std::string_view known) {
    Query query;
    const std::vector<std::string_view> keys = split(known, ' ');
    for (std::string_view part : split(text, '&')) {
      const std::size_t equals = part.find('=');
      const std::string key(part.substr(0, equals));
      if (equals == std::string_view::npos || std::find(keys.begin(), keys.end(), key) == keys.end())
        return Unexpected{"unexpected \"" + std::string(part) + "\" in the query; " +
                          (keys.empty() ? "it takes none" : "it takes " + std::string(known))};
      auto value = percent_decoded(part.substr(equals + 1));
      if (!value || value->empty() || !query.values_.emplace(key, std::move(*value)).second)
        return Unexpected{key + " has no value, a wrong one or two"};
    }
    return query;
  }

  std::optional<std::string> text(const std::string& key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? std::nullopt : std::optional(found->second);
  }
  // nullopt: not a number.
  std::optional<std::uint64_t> number(const std::string& key) const {
    const std::string value = text(key).value_or("0");
    std::uint64_t number = 0;
    const char* const end = value.data() + value.size();
    const auto [at, error] = std::from_chars(value.data(), end, number);
    return error == std::errc{} && at == end ? std::optional(number) : std::nullopt;
  }
  bool flag(const std::string& key) const { return text(key).value_or("0") != "0"; }

 private:
  std::map<std::string, std::string> values_;
};

struct Control::Route {
  std::string_view path;
  std::string_view method;
  std::string_view keys;  // of the query
  ControlResponse (Control::*answer)(const Query&);
};

ControlResponse Control::answer(const ControlRequest& request) {
  static constexpr Route kRoutes[] = {{"/status", "GET", "", &Control::status},
                                      {"/metrics", "GET", "", &Control::metrics},
                                      {"/events", "GET", "after follow", &Control::events},
                                      {"/plan", "GET", "", &Control::plan},
                                      {"/reload", "POST", "", &Control::reload},
                                      {"/handover", "POST", "router", &Control::handover},
                                      {"/drain", "POST", "force", &Control::drain},
                                      {"/undrain", "POST", "", &Control::undrain},
                                      {"/doctor", "POST", "", &Control::doctor}};
  const auto route = std::find_if(std::begin(kRoutes), std::end(kRoutes),
                                  [&](const Route& known) { return known.path == request.path; });
  if (route == std::end(kRoutes)) {
    std::string paths;
    for (const Route& known : kRoutes) paths.append(paths.empty() ? "" : ", ").append(known.path);
    return refused(404, "no such path; there are " + paths);
  }
  if (request.method != route->method)
    return refused(405, std::string(route->path) + " takes " + std::string(route->method));
  const auto query = Query::parse(request.query, route->keys);
  if (!query) return refused(400, query.error());
  return (this->*route->answer)(*query);
}

void Control::add(const JournalEntry& entry, const Clocks& clocks) {
  events_.add(entry, clocks);
  followers_.erase(std::remove_if(followers_.begin(), followers_.end(),
                                  [](const auto& follower) { return follower->has_ended(); }),
                   followers_.end());
  for (const auto& follower : followers_) follower->write(events_.last_line());
}

void Control::end_streams() {
  for (const auto& follower : followers_) follower->end();
  followers_.clear();
}

ControlResponse Control::status(const Query&) { return {200, "application/json", operations_.status()}; }

ControlResponse Control::metrics(const Query&) {
  return {200, std::string(MetricsWriter::kContentType), operations_.metrics()};
}

ControlResponse Control::plan(const Query&) { return {200, "application/json", operations_.plan()}; }

ControlResponse Control::events(const Query& query) {
  const auto after = query.number("after");
  if (!after) return refused(400, "after is the cursor of an event");
  if (!query.flag("follow")) return {200, "application/json", events_.json(*after)};
  ControlResponse response{200, "application/x-ndjson", events_.lines(*after)};
  response.stream = std::make_shared<ControlStream>(kFarewell);
  followers_.push_back(response.stream);
  return response;
}

ControlResponse Control::reload(const Query&) {
  const ConfigErrors errors = operations_.reload();
  if (!errors.empty()) return {422, "application/json", errors_json(errors)};
  return {200, "application/json", R"({"reloaded":true})"};
}

ControlResponse Control::handover(const Query& query) {
  return when_done("handed_over",
                   [&](Operations::Done done) { operations_.handover(query.text("router"), std::move(done)); });
}

ControlResponse Control::drain(const Query& query) {
  return when_done("drained",
                   [&](Operations::Done done) { operations_.drain(query.flag("force"), std::move(done)); });
}

ControlResponse Control::undrain(const Query&) {
  return when_done("undrained", [&](Operations::Done done) { operations_.undrain(std::move(done)); });
}

ControlResponse Control::doctor(const Query&) {
  ControlResponse response;
  response.later = std::make_shared<ControlLater>(kDoctorAnswerMax);
  operations_.doctor([later = response.later](std::string findings) {
    later->answer({200, "application/json", std::move(findings)});
  });
  return response;
}

}  // namespace vipair::vrrp
