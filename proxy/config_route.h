#pragma once
// One entry of a site's routes: which requests it takes, and what becomes of them.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/runtime/config_file.h"
#include "proxy/config_headers.h"
#include "proxy/config_protection.h"

namespace vipair::proxy {

inline constexpr std::size_t kConditionsMax = 20;        // per list of a route
inline constexpr std::size_t kConditionValueMax = 1024;  // bytes
inline constexpr std::size_t kTemplateMax = 2048;        // bytes of a redirect's target
inline constexpr std::size_t kRespondMax = 64 * 1024;    // bytes of a fixed answer

enum class PathMatch : std::uint8_t { prefix, exact, regex };

// Of a header field or a parameter of the query: any of those with this name.
struct Condition {
  enum class Test : std::uint8_t { present, absent, equals, prefix, regex };
  std::string name;
  Test test = Test::present;
  std::string value;
  friend bool operator==(const Condition&, const Condition&) = default;
};

struct Redirect {
  std::string to;  // a template (proxy/http/header_rules.h), may hold captures
  int status = 302;
  friend bool operator==(const Redirect&, const Redirect&) = default;
};

struct Respond {
  int status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
  friend bool operator==(const Respond&, const Respond&) = default;
};

struct Route {
  std::string path;  // canonical (proxy/http/target.h); with `regex` a pattern (proxy/regex.h)
  PathMatch match = PathMatch::prefix;
  std::vector<std::string> methods;  // empty: all
  std::vector<Condition> headers;    // all must hold
  std::vector<Condition> query;
  std::size_t upstream = 0;  // index into Site::upstreams, unless the route answers itself
  std::optional<Redirect> redirect;
  std::optional<Respond> respond;
  // What stands for the matched prefix, or with `regex` for the whole path (a template), when it is passed on.
  std::optional<std::string> rewrite;
  bool maps_location = true;    // with a replaced prefix: Location and the like are mapped back
  HeaderRules request_headers;  // all levels: proxy, site, route
  HeaderRules response_headers;
  Protection protection;                              // of this level
  std::vector<std::string> upgrades = {"websocket"};  // protocols a request may switch to, besides HTTP
  bool is_conditional() const { return !methods.empty() || !headers.empty() || !query.empty(); }
  bool needs_upstream() const { return !redirect && !respond; }
  friend bool operator==(const Route&, const Route&) = default;
};

// Everything but the upstream and the header rules, which are the site's to resolve. `path` is where it stands.
void read_route(ConfigGroup& group, Route& route, std::optional<ConfigText>& path);

}  // namespace vipair::proxy
