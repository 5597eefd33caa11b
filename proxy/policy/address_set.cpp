#include "proxy/policy/address_set.h"

#include <algorithm>

namespace vipair::policy {

namespace {
using Half = std::uint64_t;
constexpr Half kAll = ~Half{0};

// The bits of one half that lie behind the first `length` bits of the whole.
Half host_bits(int length, int half_begin) {
  const int inside = std::clamp(length - half_begin, 0, 64);
  return inside == 64 ? 0 : kAll >> inside;
}
}  // namespace

AddressSet::Number AddressSet::number_of(const IpAddress& address) {
  if (address.is_v4()) return {0, address.v4_value()};
  Number number;
  const std::span<const std::uint8_t> bytes = address.bytes();
  for (std::size_t i = 0; i < 8; ++i) {
    number.first = number.first << 8 | bytes[i];
    number.second = number.second << 8 | bytes[i + 8];
  }
  return number;
}

AddressSet::AddressSet(std::span<const IpPrefix> networks) {
  for (const IpPrefix& network : networks) {
    const bool is_v4 = network.address.is_v4();
    const int length = is_v4 ? network.length + 96 : network.length;  // an IPv4 address is the last 32 bits
    const Number host{is_v4 ? 0 : host_bits(length, 0), host_bits(length, 64)};
    const Number number = number_of(network.address);
    const Interval interval{{number.first & ~host.first, number.second & ~host.second},
                            {number.first | host.first, number.second | host.second}};
    (is_v4 ? v4_ : v6_).push_back(interval);
  }
  merge(v4_);
  merge(v6_);
}

void AddressSet::merge(std::vector<Interval>& intervals) {
  std::sort(intervals.begin(), intervals.end(),
            [](const Interval& a, const Interval& b) { return a.first < b.first; });
  std::size_t kept = 0;
  for (const Interval& next : intervals) {
    if (kept > 0) {
      Interval& last = intervals[kept - 1];
      Number behind = last.last;  // the first number that does not belong to it
      if (++behind.second == 0) ++behind.first;
      const bool is_end_of_numbers = behind == Number{};
      if (is_end_of_numbers || next.first <= behind) {
        last.last = std::max(last.last, next.last);
        continue;
      }
    }
    intervals[kept++] = next;
  }
  intervals.resize(kept);
}

bool AddressSet::contains(const IpAddress& address) const {
  const std::vector<Interval>& intervals = address.is_v4() ? v4_ : v6_;
  const Number number = number_of(address);
  auto behind =
      std::upper_bound(intervals.begin(), intervals.end(), number,
                       [](const Number& value, const Interval& interval) { return value < interval.first; });
  return behind != intervals.begin() && number <= std::prev(behind)->last;
}

}  // namespace vipair::policy
