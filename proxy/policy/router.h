#pragma once
// Which site and which route a request belongs to. Built once from the configuration, immutable, then read by all.
//
// Host: an exact name wins, then the longest wildcard ("*.example.com" stands for any name below example.com, not
// for itself), then the default site ("*"). Path: an exact route wins, then the longest prefix. Prefixes end at
// segment borders: "/app" takes "/app" and "/app/x" but not "/apple"; "/app/" takes only what is below.
//
// All lookups are hash lookups: 10,000 hosts cost what one costs, and a path costs one lookup for each of its
// segments that is not longer than the longest route.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proxy/http/message.h"

namespace vipair::policy {

// CONNECT would make tunnels and TRACE would show what we added for the upstream: a 405 both.
inline bool is_refused(http::Method method) {
  return method == http::Method::connect || method == http::Method::trace;
}

class Router {
 public:
  struct Match {
    std::optional<std::size_t> site;   // none: nobody serves this host
    std::optional<std::size_t> route;  // none: the site has nothing at this path
  };

  // Sites and routes are numbered in the order they are added, routes within their site. False: the host (or the
  // path in this site) is taken already; nothing is changed.
  std::size_t add_site();
  [[nodiscard]] bool add_host(std::size_t site, std::string_view pattern);  // lower case: "a.b", "*.a.b", "*"
  [[nodiscard]] std::optional<std::size_t> add_prefix(std::size_t site, std::string_view path);
  [[nodiscard]] std::optional<std::size_t> add_exact(std::size_t site, std::string_view path);

  // `host` in normal form without port (http::Authority), empty for an HTTP/1.0 request without one; `path`
  // canonical (http::canonical_target) or "*", which the shortest prefix "/" answers.
  Match match(std::string_view host, std::string_view path) const;
  std::optional<std::size_t> find_site(std::string_view host) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  using Index = std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>>;

  struct Site {
    Index exact;
    Index prefixes;
    std::size_t longest_prefix = 0;
    std::size_t routes = 0;
  };

  static std::optional<std::size_t> find_route(const Site& site, std::string_view path);

  std::vector<Site> sites_;
  Index hosts_;
  Index wildcards_;  // by what follows the asterisk: ".example.com"
  std::size_t longest_wildcard_ = 0;
  std::optional<std::size_t> default_site_;
};

}  // namespace vipair::policy
