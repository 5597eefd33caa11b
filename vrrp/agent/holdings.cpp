#include "vrrp/agent/holdings.h"

#include <algorithm>
#include <iterator>

#include "common/base/assert.h"

namespace vipair::vrrp {

void Holdings::want(std::vector<IpPrefix> addresses) {
  std::vector<IpPrefix> before = named();
  wanted_ = std::move(addresses);
  wanted_set_ = {wanted_.begin(), wanted_.end()};
  release_mode_ = ReleaseMode::immediate;
  missing_.clear();
  surplus_.clear();
  std::copy_if(wanted_.begin(), wanted_.end(), std::back_inserter(missing_),
               [&](const IpPrefix& prefix) { return !held_.contains(prefix); });
  std::copy_if(before.begin(), before.end(), std::back_inserter(surplus_),
               [&](const IpPrefix& prefix) { return held_.contains(prefix) && !is_wanted(prefix); });
  for (auto* queue : {&unannounced_, &to_repeat_})
    std::erase_if(*queue, [&](const IpPrefix& prefix) { return !is_wanted(prefix); });
}

void Holdings::let_go(ReleaseMode mode) {
  want({});
  release_mode_ = mode;
}

void Holdings::claim_again() {
  for (const IpPrefix& prefix : wanted_) held_.erase(prefix);
  missing_.assign(wanted_.begin(), wanted_.end());
}

bool Holdings::lose(const IpAddress& address) {
  const auto found = held_.lower_bound({address, 0});
  if (found == held_.end() || found->address != address) return false;
  held_.erase(found);
  return true;
}

bool Holdings::inherit(const IpPrefix& address) {
  if (!is_wanted(address)) return false;
  if (!held_.insert(address).second) return true;
  std::erase(missing_, address);
  unannounced_.push_back(address);
  return true;
}

void Holdings::claimed(std::size_t count) {
  VIPAIR_ASSERT(count <= missing_.size(), "what was claimed was missing");
  const auto end = missing_.begin() + static_cast<std::ptrdiff_t>(count);
  held_.insert(missing_.begin(), end);
  unannounced_.insert(unannounced_.end(), missing_.begin(), end);
  missing_.erase(missing_.begin(), end);
}

void Holdings::released(std::size_t count) {
  VIPAIR_ASSERT(count <= surplus_.size(), "what was released was held");
  const auto end = surplus_.begin() + static_cast<std::ptrdiff_t>(count);
  for (auto it = surplus_.begin(); it != end; ++it) held_.erase(*it);
  surplus_.erase(surplus_.begin(), end);
}

void Holdings::announce_all() {
  const std::set<IpPrefix> first(unannounced_.begin(), unannounced_.end());
  to_repeat_.clear();
  std::copy_if(wanted_.begin(), wanted_.end(), std::back_inserter(to_repeat_),
               [&](const IpPrefix& prefix) { return held_.contains(prefix) && !first.contains(prefix); });
}

std::vector<IpAddress> Holdings::take_announcements(std::size_t max) {
  std::vector<IpAddress> taken;
  auto take = [&](std::deque<IpPrefix>& from) {
    for (; !from.empty() && taken.size() < max; from.pop_front())
      if (held_.contains(from.front())) taken.push_back(from.front().address);
  };
  take(unannounced_);
  if (may_repeat()) take(to_repeat_);
  return taken;
}

std::vector<IpPrefix> Holdings::named() const {
  std::vector<IpPrefix> all = wanted_;
  all.insert(all.end(), surplus_.begin(), surplus_.end());
  return all;
}

std::vector<IpPrefix> Holdings::first(const std::deque<IpPrefix>& list, std::size_t max) {
  const auto count = static_cast<std::ptrdiff_t>(std::min(max, list.size()));
  return {list.begin(), list.begin() + count};
}

}  // namespace vipair::vrrp
