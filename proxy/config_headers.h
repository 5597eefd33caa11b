#pragma once
// request_headers = { … } and response_headers = { … } of the proxy, a site or a route.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/runtime/config_file.h"

namespace vipair::proxy {

inline constexpr std::size_t kHeaderRulesMax = 100;   // per list of one level
inline constexpr std::size_t kHeaderNameMax = 256;    // bytes
inline constexpr std::size_t kHeaderValueMax = 4096;  // bytes, before variables are filled in

struct HeaderRule {
  std::string name;   // a token, as written
  std::string value;  // a field value, may hold ${variables}; checked
  friend bool operator==(const HeaderRule&, const HeaderRule&) = default;
};

// What happens to the fields of a message that is passed on. In this order: every field named in `remove` or `set`
// goes, then `set` and then `add` are appended. A name is in `set` at most once.
struct HeaderRules {
  std::vector<std::string> remove;
  std::vector<HeaderRule> set;
  std::vector<HeaderRule> add;
  bool empty() const { return remove.empty() && set.empty() && add.empty(); }
  friend bool operator==(const HeaderRules&, const HeaderRules&) = default;
};

// The rules of an outer level followed by those of an inner one, as one: what the inner level sets or removes
// replaces what the outer one set or added.
HeaderRules merge(const HeaderRules& outer, const HeaderRules& inner);

enum class Direction { request, response };

HeaderRules read_header_rules(ConfigGroup& parent, std::string_view key, Direction direction);

}  // namespace vipair::proxy
