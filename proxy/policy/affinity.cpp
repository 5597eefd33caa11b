#include "proxy/policy/affinity.h"

#include <algorithm>

namespace vipair::policy {

Affinity::Affinity(std::vector<Entry> entries) : entries_(std::move(entries)) {
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.token < b.token; });
}

std::optional<std::size_t> Affinity::server_of(std::string_view token) const {
  const auto found = std::lower_bound(entries_.begin(), entries_.end(), token,
                                      [](const Entry& entry, std::string_view key) { return entry.token < key; });
  if (found == entries_.end() || found->token != token) return {};
  return found->server;
}

}  // namespace vipair::policy
