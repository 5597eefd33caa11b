#include "proxy/config_route.h"

#include <algorithm>
#include <utility>

#include "proxy/config_reader.h"
#include "proxy/http/chars.h"
#include "proxy/http/header_rules.h"
#include "proxy/http/host.h"
#include "proxy/http/message.h"
#include "proxy/http/target.h"
#include "proxy/policy/router.h"
#include "proxy/regex.h"

namespace vipair::proxy {
namespace {

// Requests are matched by the canonical form of their path: a route in another form would never be taken.
std::optional<std::string> wrong_with_path(const std::string& path) {
  if (path.empty() || path.front() != '/') return in_quotes(path) + " does not start with \"/\"";
  if (path.find_first_of("?#") != std::string::npos)
    return in_quotes(path) + " has a query or a fragment: routes match the path alone, see `query`";
  bool is_target = std::all_of(path.begin(), path.end(), http::is_target_char);
  http::RequestHead head;
  head.path_and_query = {0, static_cast<std::uint32_t>(path.size())};
  http::Buffer scratch;
  auto target = http::canonical_target(head, path.data(), scratch);
  if (!is_target || !target)
    return in_quotes(path) + " is not a path of a URL, expected for example \"/caf%C3%A9\"";
  if (target->path != path)
    return in_quotes(path) + " is never asked for, expected its canonical form " + in_quotes(target->path);
  return std::nullopt;
}

// The number of groups that the pattern has; 0 and an error when it is none.
std::size_t check_pattern(ConfigGroup& group, const ConfigText& pattern) {
  auto regex = Regex::compile(pattern.value);
  if (regex) return regex->groups();
  group.error(pattern, in_quotes(pattern.value) + " is not a regular expression: " + regex.error());
  return 0;
}

// A template whose captures exist.
bool check_template(ConfigGroup& group, const ConfigText& text, std::size_t groups) {
  if (text.value.size() > kTemplateMax) {
    group.error(text,
                std::to_string(text.value.size()) + " bytes, expected at most " + std::to_string(kTemplateMax));
    return false;
  }
  auto compiled = http::Template::compile(text.value, http::Template::Captures::allowed);
  if (!compiled) {
    group.error(text, to_string(compiled.error()));
    return false;
  }
  if (compiled->highest_capture() > groups) {
    group.error(text, "${" + std::to_string(compiled->highest_capture()) + "} is no group of the path" +
                          (groups == 0 ? ", which has none: expected match = \"regex\" and a path with ( )"
                                       : ", which has " + std::to_string(groups)));
    return false;
  }
  return true;
}

// A target whose host no request can choose, but as the host that it asked for: nobody is led to a stranger.
bool leads_where_it_says(std::string_view to) {
  if (to.substr(0, 1) == "/") return to.substr(0, 2) != "//";
  constexpr std::string_view kPath = "${path}", kHost = "${host}", kScheme = "${scheme}";
  auto skip = [&to](std::string_view text) {
    if (to.substr(0, text.size()) != text) return false;
    to.remove_prefix(text.size());
    return true;
  };
  if (to.substr(0, kPath.size()) == kPath) return true;
  if (!skip("https://") && !skip("http://") && !(skip(kScheme) && skip("://"))) return false;
  const std::size_t end = std::min({to.find('/'), to.find('?'), to.find(kPath), to.size()});
  std::string authority(to.substr(0, end));
  if (authority.substr(0, kHost.size()) == kHost) authority.replace(0, kHost.size(), "host");
  return http::Authority::parse(authority).has_value();
}

std::optional<Redirect> read_redirect(ConfigGroup& route, std::size_t groups) {
  auto group = route.group("redirect");
  if (!group) return {};
  Redirect redirect;
  if (auto to = group->require("to") ? group->text("to") : std::nullopt) {
    redirect.to = to->value;
    if (check_template(*group, *to, groups) && !leads_where_it_says(to->value)) {
      group->error(*to,
                   in_quotes(to->value) +
                       " does not say where it leads, expected \"https://name/…\" with a fixed name or ${host}, "
                       "or a path that begins with \"/\" or ${path}");
    }
  }
  if (auto status = group->integer("status", 301, 308)) {
    redirect.status = static_cast<int>(*status);
    if (*status > 303 && *status < 307)
      group->error("status", std::to_string(*status) + " is no redirect, expected 301, 302, 303, 307 or 308");
  }
  group->finish();
  return redirect;
}

std::optional<Respond> read_respond(ConfigGroup& route) {
  auto group = route.group("respond");
  if (!group) return {};
  Respond respond;
  assign(respond.status, group->integer("status", 200, 599));
  if (auto body = group->text("body")) {
    respond.body = body->value;
    if (respond.body.size() > kRespondMax)
      group->error(*body,
                   std::to_string(respond.body.size()) + " bytes, expected at most " + std::to_string(kRespondMax));
  }
  if (auto type = group->text("content_type")) {
    respond.content_type = type->value;
    const bool is_value =
        !type->value.empty() && !std::any_of(type->value.begin(), type->value.end(), http::is_control);
    if (!is_value)
      group->error(*type, in_quotes(type->value) + " is not a content type, expected for example \"text/html\"");
  }
  group->finish();
  return respond;
}

std::vector<Condition> read_conditions(ConfigGroup& route, std::string_view key) {
  std::vector<Condition> conditions;
  auto groups = route.groups(key);
  if (!check_count(route, key, groups.size(), kConditionsMax)) return conditions;
  for (ConfigGroup& group : groups) {
    Condition condition;
    if (auto name = group.require("name") ? group.text("name") : std::nullopt) {
      condition.name = name->value;
      if (!http::is_token(name->value)) group.error(*name, in_quotes(name->value) + " is not a name");
    }
    int tests = 0;
    auto take = [&](std::string_view name, Condition::Test test) {
      auto value = group.text(name);
      if (!value) return;
      ++tests;
      condition.test = test;
      condition.value = value->value;
      if (value->value.size() > kConditionValueMax)
        group.error(*value, "expected at most " + std::to_string(kConditionValueMax) + " bytes");
      if (test == Condition::Test::regex) check_pattern(group, *value);
    };
    take("equals", Condition::Test::equals);
    take("prefix", Condition::Test::prefix);
    take("regex", Condition::Test::regex);
    if (auto is_present = group.boolean("present")) {
      ++tests;
      condition.test = *is_present ? Condition::Test::present : Condition::Test::absent;
    }
    if (tests > 1) group.error("name", "has several tests, expected one of equals, prefix, regex and present");
    group.finish();
    conditions.push_back(std::move(condition));
  }
  return conditions;
}

std::vector<std::string> read_methods(ConfigGroup& group) {
  std::vector<std::string> methods;
  auto texts = group.texts("methods");
  if (group.has("methods") && texts.empty()) group.error("methods", "is empty: this route would take no request");
  if (!check_count(group, "methods", texts.size(), kConditionsMax)) return methods;
  for (const ConfigText& text : texts) {
    if (!http::is_token(text.value)) {
      group.error(text, in_quotes(text.value) + " is not a method, expected for example \"GET\"");
    } else if (policy::is_refused(http::method_from(text.value))) {
      group.error(text, text.value + " is never passed on");
    }
    methods.push_back(text.value);
  }
  return methods;
}

void read_rewrite(ConfigGroup& group, Route& route, std::size_t groups) {
  auto prefix = group.text("rewrite_prefix");
  auto whole = group.text("rewrite");
  if (prefix) {
    route.rewrite = prefix->value;
    if (route.match != PathMatch::prefix) {
      group.error(*prefix,
                  "only a prefix can be replaced so, expected match = \"prefix\", or `rewrite` for the whole path");
    } else if (auto wrong = wrong_with_path(prefix->value)) {
      group.error(*prefix, *wrong);
    }
  }
  if (const auto maps = group.boolean("map_location")) {
    route.maps_location = *maps;
    if (!prefix) group.error("map_location", "has nothing to map here, expected `rewrite_prefix` beside it");
  }
  if (whole) {
    route.rewrite = whole->value;
    if (route.match == PathMatch::prefix) {
      group.error(*whole, "the rest behind the prefix would be lost, expected `rewrite_prefix`");
    } else if (check_template(group, *whole, groups) && whole->value.substr(0, 1) != "/") {
      group.error(*whole, in_quotes(whole->value) + " does not start with \"/\"");
    }
  }
  if (route.rewrite && !route.needs_upstream())
    group.error(prefix ? *prefix : *whole, "nothing is passed on here: the route answers itself");
}

}  // namespace

void read_route(ConfigGroup& group, Route& route, std::optional<ConfigText>& path) {
  path = group.require("path") ? group.text("path") : std::nullopt;
  if (auto match = group.choice("match", {"prefix", "exact", "regex"}))
    route.match = static_cast<PathMatch>(*match);
  std::size_t groups = 0;
  if (path) {
    route.path = path->value;
    if (route.match == PathMatch::regex) {
      groups = check_pattern(group, *path);
    } else if (auto wrong = wrong_with_path(path->value)) {
      group.error(*path, *wrong);
    }
  }
  route.methods = read_methods(group);
  route.headers = read_conditions(group, "headers");
  route.query = read_conditions(group, "query");
  route.redirect = read_redirect(group, groups);
  route.respond = read_respond(group);
  read_rewrite(group, route, groups);
  route.protection = read_protection(group);
}

}  // namespace vipair::proxy
