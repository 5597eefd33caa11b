#pragma once
// Consistent hashing: each server owns points on a ring of 64-bit numbers, as many as its weight says, and a key
// belongs to the server of the next point. The ring goes by names, not by places in a list, and servers that cannot
// take a key are passed over when it is looked up: a server that comes or goes moves its own share of the keys and
// no other. Immutable once built.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace vipair::policy {

class HashRing {
 public:
  struct Member {
    std::string_view name;
    unsigned weight = 1;
  };
  static constexpr std::size_t kPointsPerMember = 160;  // on average; shares differ by some percent
  static constexpr std::size_t kStepsMax = 128;         // then nearly all are down, and any that is not will do

  HashRing() = default;
  explicit HashRing(std::span<const Member> members);

  // The index of the first member from the key's place on that `accepts(index)`; none when nobody does.
  template <class Accepts>
  std::optional<std::size_t> find(std::uint64_t key, Accepts accepts) const {
    if (points_.empty()) return {};
    auto at = std::lower_bound(points_.begin(), points_.end(), key,
                               [](const Point& point, std::uint64_t place) { return point.place < place; });
    for (std::size_t step = 0; step < std::min(kStepsMax, points_.size()); ++step, ++at) {
      if (at == points_.end()) at = points_.begin();
      if (accepts(at->member)) return at->member;
    }
    for (std::size_t i = 0; i < members_; ++i) {
      const std::size_t index = (key + i) % members_;
      if (accepts(index)) return index;
    }
    return {};
  }

 private:
  struct Point {
    std::uint64_t place;
    std::size_t member;
  };
  std::vector<Point> points_;  // sorted
  std::size_t members_ = 0;
};

}  // namespace vipair::policy
