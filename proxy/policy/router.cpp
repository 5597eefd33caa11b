#include "proxy/policy/router.h"

#include <algorithm>

#include "common/base/assert.h"

namespace vipair::policy {

std::size_t Router::add_site() {
  sites_.emplace_back();
  return sites_.size() - 1;
}

bool Router::add_host(std::size_t site, std::string_view pattern) {
  VIPAIR_ASSERT(site < sites_.size() && !pattern.empty(), "a pattern for a site that was added");
  if (pattern == "*") {
    if (default_site_) return false;
    default_site_ = site;
    return true;
  }
  if (pattern.substr(0, 2) != "*.") return hosts_.emplace(pattern, site).second;
  std::string_view suffix = pattern.substr(1);
  longest_wildcard_ = std::max(longest_wildcard_, suffix.size());
  return wildcards_.emplace(suffix, site).second;
}

std::optional<std::size_t> Router::add_prefix(std::size_t site, std::string_view path) {
  VIPAIR_ASSERT(site < sites_.size() && path.substr(0, 1) == "/", "an absolute path for a site that was added");
  Site& target = sites_[site];
  if (!target.prefixes.emplace(path, target.routes).second) return {};
  target.longest_prefix = std::max(target.longest_prefix, path.size());
  return target.routes++;
}

std::optional<std::size_t> Router::add_exact(std::size_t site, std::string_view path) {
  VIPAIR_ASSERT(site < sites_.size() && path.substr(0, 1) == "/", "an absolute path for a site that was added");
  Site& target = sites_[site];
  if (!target.exact.emplace(path, target.routes).second) return {};
  return target.routes++;
}

Router::Match Router::match(std::string_view host, std::string_view path) const {
  Match match;
  match.site = find_site(host);
  if (match.site) match.route = find_route(sites_[*match.site], path == "*" ? "/" : path);
  return match;
}

std::optional<std::size_t> Router::find_site(std::string_view host) const {
  if (!host.empty()) {
    if (auto found = hosts_.find(host); found != hosts_.end()) return found->second;
    if (!wildcards_.empty()) {
      // from the longest suffix that any wildcard has, label by label
      std::size_t begin = host.size() > longest_wildcard_ ? host.size() - longest_wildcard_ : 1;
      for (auto dot = host.find('.', begin); dot != std::string_view::npos; dot = host.find('.', dot + 1)) {
        if (auto found = wildcards_.find(host.substr(dot)); found != wildcards_.end()) return found->second;
      }
    }
  }
  return default_site_;
}

std::optional<std::size_t> Router::find_route(const Site& site, std::string_view path) {
  if (!site.exact.empty()) {
    if (auto found = site.exact.find(path); found != site.exact.end()) return found->second;
  }
  if (site.longest_prefix == 0 || path.empty()) return {};
  // A prefix ends where a segment of the path ends ("/app") or just behind its slash ("/app/").
  std::size_t size = std::min(path.size(), site.longest_prefix);
  for (; size > 0; --size) {
    bool is_border = size == path.size() || path[size] == '/' || path[size - 1] == '/';
    if (!is_border) continue;
    if (auto found = site.prefixes.find(path.substr(0, size)); found != site.prefixes.end()) return found->second;
  }
  return {};
}

}  // namespace vipair::policy
