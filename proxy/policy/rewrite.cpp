#include "proxy/policy/rewrite.h"

#include "common/base/assert.h"

namespace vipair::policy {

void replace_prefix(http::Buffer& out, std::string_view path, std::string_view prefix,
                    std::string_view replacement) {
  VIPAIR_ASSERT(path.substr(0, prefix.size()) == prefix, "the route was found by it");
  std::string_view rest = path.substr(prefix.size());
  const bool ends_in_slash = !replacement.empty() && replacement.back() == '/';
  if (ends_in_slash && rest.substr(0, 1) == "/") rest.remove_prefix(1);
  out.append(replacement);
  if (!rest.empty() && !ends_in_slash && rest.front() != '/') out.append('/');
  out.append(rest);
}

void append_query(http::Buffer& target, std::string_view query) {
  if (query.empty()) return;
  if (target.view().find('?') != std::string_view::npos) {
    if (query.size() == 1) return;
    target.append('&');
    query.remove_prefix(1);
  }
  target.append(query);
}

}  // namespace vipair::policy
