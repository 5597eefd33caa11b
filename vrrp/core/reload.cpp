#include "vrrp/core/reload.h"

#include <algorithm>
#include <set>

namespace vipair::vrrp {

namespace {

const InstanceConfig* find(const std::vector<InstanceConfig>& configs, const InstanceKey& key) {
  auto found = std::find_if(configs.begin(), configs.end(), [&](const InstanceConfig& c) { return c.key == key; });
  return found == configs.end() ? nullptr : &*found;
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
  for (const InstanceConfig& old : before) {
    if (!find(after, old.key)) result.removed.push_back(old.key);
  }
  for (const InstanceConfig& config : after) {
    const InstanceConfig* old = find(before, config.key);
    if (!old) {
      result.added.push_back(config);
    } else if (*old != config) {
      const auto old_addresses = old->addresses();
      const auto new_addresses = config.addresses();
      const bool is_held_otherwise = old->virtual_mac != config.virtual_mac || old->accept != config.accept;
      result.changed.push_back({config, is_held_otherwise ? new_addresses : without(new_addresses, old_addresses),
                                without(old_addresses, new_addresses)});
    }
  }
  return result;
}

}  // namespace vipair::vrrp
