#include "vrrp/core/reload.h"

#include <algorithm>
#include <map>
#include <set>

namespace vipair::vrrp {

namespace {

using Index = std::map<InstanceKey, const InstanceConfig*>;

Index index_of(const std::vector<InstanceConfig>& configs) {
  Index index;
  for (const InstanceConfig& config : configs) index.emplace(config.key, &config);
  return index;
}

}  // namespace

std::vector<IpPrefix> InstanceConfig::addresses() const {
  std::vector<IpPrefix> all = advertised;
  all.insert(all.end(), excluded.begin(), excluded.end());
  return all;
}

std::vector<IpPrefix> without(const std::vector<IpPrefix>& all, const std::vector<IpPrefix>& others) {
  const std::set<IpPrefix> known(others.begin(),
                                 others.end());  // thousands of addresses are a normal configuration
  std::vector<IpPrefix> rest;
  std::copy_if(all.begin(), all.end(), std::back_inserter(rest),
               [&](const IpPrefix& p) { return !known.count(p); });
  return rest;
}

ConfigDifference difference(const std::vector<InstanceConfig>& before, const std::vector<InstanceConfig>& after) {
  ConfigDifference result;
  const Index old_by_key = index_of(before), new_by_key = index_of(after);
  for (const InstanceConfig& old : before) {
    if (!new_by_key.contains(old.key)) result.removed.push_back(old.key);
  }
  for (const InstanceConfig& config : after) {
    const auto old = old_by_key.find(config.key);
    if (old == old_by_key.end()) {
      result.added.push_back(config);
    } else if (*old->second != config) {
      const auto old_addresses = old->second->addresses();
      const auto new_addresses = config.addresses();
      const InstanceConfig& was = *old->second;
      const bool is_held_otherwise = was.virtual_mac != config.virtual_mac || was.accept != config.accept;
      result.changed.push_back({config, is_held_otherwise ? new_addresses : without(new_addresses, old_addresses),
                                without(old_addresses, new_addresses)});
    }
  }
  return result;
}

}  // namespace vipair::vrrp
