#include "proxy/config_headers.h"

#include <algorithm>

#include "proxy/config_reader.h"
#include "proxy/http/chars.h"
#include "proxy/http/header_rules.h"
#include "proxy/http/host.h"

namespace vipair::proxy {
namespace {

bool check_field_name(ConfigGroup& group, const ConfigText& name, Direction direction, std::string_view verb) {
  if (!http::is_token(name.value) || name.value.size() > kHeaderNameMax) {
    group.error(name, in_quotes(name.value) +
                          " is not a field name, expected letters, digits and hyphens, at most " +
                          std::to_string(kHeaderNameMax) + " bytes");
    return false;
  }
  if (!http::HeaderRules::may_be_changed(name.value)) {
    group.error(name, name.value + " cannot be changed: the proxy itself writes it for each connection");
    return false;
  }
  if (direction == Direction::request && http::equal_ignoring_case(name.value, "Host") && verb != "set") {
    group.error(name, "a request has exactly one Host: it can be set, not added or removed");
    return false;
  }
  return true;
}

bool check_field_value(ConfigGroup& group, const ConfigText& value) {
  const std::string& text = value.value;
  if (text.size() > kHeaderValueMax) {
    group.error(value, std::to_string(text.size()) + " bytes, expected at most " + std::to_string(kHeaderValueMax));
    return false;
  }
  if (!text.empty() && (http::is_blank(text.front()) || http::is_blank(text.back()))) {
    group.error(value, "a field's value cannot begin or end with white space");
    return false;
  }
  if (auto compiled = http::Template::compile(text); !compiled) {
    group.error(value, to_string(compiled.error()));
    return false;
  }
  return true;
}

// A Host that is empty or none would be refused by every server.
bool check_host_value(ConfigGroup& group, const ConfigText& value) {
  if (http::Authority::parse(value.value) || value.value == "${upstream_address}") return true;
  group.error(value, in_quotes(value.value) + " is not a host, expected a name, an address or ${upstream_address}");
  return false;
}

std::vector<HeaderRule> read_rules(ConfigGroup& group, std::string_view verb, Direction direction) {
  std::vector<HeaderRule> rules;
  auto pairs = group.text_pairs(verb);
  if (!check_count(group, verb, pairs.size(), kHeaderRulesMax)) return rules;
  for (const auto& pair : pairs) {
    const auto& name = pair.first;  // clang 14 captures no structured bindings
    const auto& value = pair.second;
    bool name_is_valid = check_field_name(group, name, direction, verb);
    bool is_host = direction == Direction::request && http::equal_ignoring_case(name.value, "Host");
    bool value_is_valid = is_host ? check_host_value(group, value) : check_field_value(group, value);
    if (!name_is_valid || !value_is_valid) continue;
    bool is_repeated = std::any_of(rules.begin(), rules.end(), [&](const HeaderRule& rule) {
      return http::equal_ignoring_case(rule.name, name.value);
    });
    if (verb == "set" && is_repeated) {
      group.error(name, name.value + " is set twice: `add` appends a second one");
      continue;
    }
    rules.push_back({name.value, value.value});
  }
  return rules;
}

}  // namespace

HeaderRules read_header_rules(ConfigGroup& parent, std::string_view key, Direction direction) {
  HeaderRules rules;
  auto group = parent.group(key);
  if (!group) return rules;
  auto removed = group->texts("remove");
  if (check_count(*group, "remove", removed.size(), kHeaderRulesMax)) {
    for (const ConfigText& name : removed) {
      if (check_field_name(*group, name, direction, "remove")) rules.remove.push_back(name.value);
    }
  }
  rules.set = read_rules(*group, "set", direction);
  rules.add = read_rules(*group, "add", direction);
  group->finish();
  return rules;
}

HeaderRules merge(const HeaderRules& outer, const HeaderRules& inner) {
  auto is_replaced = [&](const HeaderRule& rule) {
    auto same_as_text = [&](const std::string& name) { return http::equal_ignoring_case(name, rule.name); };
    auto same_as_rule = [&](const HeaderRule& other) { return http::equal_ignoring_case(other.name, rule.name); };
    return std::any_of(inner.remove.begin(), inner.remove.end(), same_as_text) ||
           std::any_of(inner.set.begin(), inner.set.end(), same_as_rule);
  };
  HeaderRules merged = outer;
  std::erase_if(merged.set, is_replaced);
  std::erase_if(merged.add, is_replaced);
  merged.remove.insert(merged.remove.end(), inner.remove.begin(), inner.remove.end());
  merged.set.insert(merged.set.end(), inner.set.begin(), inner.set.end());
  merged.add.insert(merged.add.end(), inner.add.begin(), inner.add.end());
  return merged;
}

}  // namespace vipair::proxy
