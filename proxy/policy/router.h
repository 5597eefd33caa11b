#pragma once
// Which site and which route a request belongs to. Built once from the configuration, immutable, then read by all.
//
// Host: an exact name wins, then the longest wildcard ("*.example.com" stands for any name below example.com, not
// for itself), then the default site ("*"). Path: an exact route wins, then the first pattern in the file's order
// that matches, then the longest prefix. Prefixes end at segment borders: "/app" takes "/app" and "/app/x" but not
// "/apple"; "/app/" takes only what is below. Routes with the same path, told apart by their conditions, are asked
// in the file's order; where none of them will have the request, the next best path is.
//
// All lookups are hash lookups: 10,000 hosts cost what one costs, and a path costs one lookup for each of its
// segments that is not longer than the longest route. Patterns are tried one by one.

#include <algorithm>
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
  // Sites and routes are numbered in the order they are added, routes within their site.
  std::size_t add_site();
  // Lower case: "a.b", "*.a.b", "*". False: it is taken already; nothing is changed.
  [[nodiscard]] bool add_host(std::size_t site, std::string_view pattern);
  std::size_t add_prefix(std::size_t site, std::string_view path);
  std::size_t add_exact(std::size_t site, std::string_view path);
  std::size_t add_pattern(std::size_t site);  // whoever is asked knows it

  // `host` in normal form without port (http::Authority), empty for an HTTP/1.0 request without one. None: nobody
  // serves it.
  std::optional<std::size_t> find_site(std::string_view host) const;

  // `path` canonical (http::canonical_target) or "*", which the shortest prefix "/" answers. takes(route) is asked
  // of each route whose path fits, best first, until one says yes: whether its pattern matches, its conditions
  // hold. None: the site has nothing here.
  template <class Takes>
  std::optional<std::size_t> find_route(std::size_t site_index, std::string_view path, Takes takes) const {
    const Site& site = sites_[site_index];
    if (path == "*") path = "/";
    if (!site.exact.empty()) {
      if (auto found = site.exact.find(path); found != site.exact.end()) {
        if (auto route = first_of(site, found->second, takes)) return route;
      }
    }
    for (std::size_t route : site.patterns) {
      if (takes(route)) return route;
    }
    if (site.longest_prefix == 0 || path.empty()) return {};
    // A prefix ends where a segment of the path ends ("/app") or just behind its slash ("/app/").
    std::size_t size = std::min(path.size(), site.longest_prefix);
    for (; size > 0; --size) {
      const bool is_border = size == path.size() || path[size] == '/' || path[size - 1] == '/';
      if (!is_border) continue;
      if (auto found = site.prefixes.find(path.substr(0, size)); found != site.prefixes.end()) {
        if (auto route = first_of(site, found->second, takes)) return route;
      }
    }
    return {};
  }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  using Index = std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>>;

  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  struct Site {
    Index exact;  // the first route of this path
    Index prefixes;
    std::vector<std::size_t> patterns;
    std::vector<std::size_t> next;  // by route: the next one of the same path
    std::size_t longest_prefix = 0;
  };

  static std::size_t add_path(Site& site, Index& index, std::string_view path);
  template <class Takes>
  static std::optional<std::size_t> first_of(const Site& site, std::size_t route, Takes& takes) {
    for (; route != kNone; route = site.next[route]) {
      if (takes(route)) return route;
    }
    return {};
  }

  std::vector<Site> sites_;
  Index hosts_;
  Index wildcards_;  // by what follows the asterisk: ".example.com"
  std::size_t longest_wildcard_ = 0;
  std::optional<std::size_t> default_site_;
};

}  // namespace vipair::policy
