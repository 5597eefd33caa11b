#include "proxy/policy/router.h"

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

std::size_t Router::add_path(Site& site, Index& index, std::string_view path) {
  VIPAIR_ASSERT(path.substr(0, 1) == "/", "an absolute path");
  const std::size_t route = site.next.size();
  site.next.push_back(kNone);
  const auto [first, is_new] = index.emplace(path, route);
  if (!is_new) {
    std::size_t last = first->second;
    while (site.next[last] != kNone) last = site.next[last];
    site.next[last] = route;
  }
  return route;
}

std::size_t Router::add_prefix(std::size_t site, std::string_view path) {
  VIPAIR_ASSERT(site < sites_.size(), "a site that was added");
  sites_[site].longest_prefix = std::max(sites_[site].longest_prefix, path.size());
  return add_path(sites_[site], sites_[site].prefixes, path);
}

std::size_t Router::add_exact(std::size_t site, std::string_view path) {
  VIPAIR_ASSERT(site < sites_.size(), "a site that was added");
  return add_path(sites_[site], sites_[site].exact, path);
}

std::size_t Router::add_pattern(std::size_t site) {
  VIPAIR_ASSERT(site < sites_.size(), "a site that was added");
  Site& target = sites_[site];
  target.patterns.push_back(target.next.size());
  target.next.push_back(kNone);
  return target.patterns.back();
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

}  // namespace vipair::policy
