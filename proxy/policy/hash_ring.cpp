#include "proxy/policy/hash_ring.h"

#include "proxy/policy/hash.h"

namespace vipair::policy {

HashRing::HashRing(std::span<const Member> members) : members_(members.size()) {
  std::uint64_t total = 0;
  for (const Member& member : members) total += member.weight;
  if (total == 0) return;
  points_.reserve(members.size() * (kPointsPerMember + 1));
  for (std::size_t i = 0; i < members.size(); ++i) {
    const std::uint64_t seed = hash_of(members[i].name);
    const std::uint64_t count =
        std::max<std::uint64_t>(1, (kPointsPerMember * members.size() * members[i].weight + total / 2) / total);
    for (std::uint64_t n = 1; n <= count; ++n) points_.push_back({mix(seed + n * 0x9e3779b97f4a7c15ULL), i});
  }
  std::sort(points_.begin(), points_.end(), [](const Point& a, const Point& b) { return a.place < b.place; });
}

}  // namespace vipair::policy
