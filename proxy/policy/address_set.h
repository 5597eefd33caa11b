#pragma once
// A set of addresses, given as networks: who is allowed, denied, trusted. Built once, immutable; networks that
// touch are merged, so a lookup is a binary search: 10,000 networks cost 14 comparisons.

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "common/base/ip_address.h"

namespace vipair::policy {

class AddressSet {
 public:
  AddressSet() = default;
  explicit AddressSet(std::span<const IpPrefix> networks);  // host bits are ignored

  bool empty() const { return v4_.empty() && v6_.empty(); }
  bool contains(const IpAddress& address) const;
  std::size_t intervals() const { return v4_.size() + v6_.size(); }

 private:
  using Number = std::pair<std::uint64_t, std::uint64_t>;  // of 128 bits, most significant half first
  struct Interval {
    Number first, last;
  };
  static Number number_of(const IpAddress& address);
  static void merge(std::vector<Interval>& intervals);

  std::vector<Interval> v4_, v6_;  // sorted, apart from each other
};

}  // namespace vipair::policy
