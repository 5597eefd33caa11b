#include "proxy/policy/hash_ring.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proxy/policy/hash.h"

namespace vipair::policy {
namespace {

constexpr std::size_t kKeys = 20000;

std::vector<std::string> names(std::size_t count) {
  std::vector<std::string> result;
  for (std::size_t i = 1; i <= count; ++i) result.push_back("10.0.0." + std::to_string(i) + ":80");
  return result;
}

HashRing ring_of(const std::vector<std::string>& servers, const std::vector<unsigned>& weights = {}) {
  std::vector<HashRing::Member> members;
  for (std::size_t i = 0; i < servers.size(); ++i)
    members.push_back({servers[i], weights.empty() ? 1 : weights[i]});
  return HashRing(members);
}

std::size_t owner(const HashRing& ring, std::size_t key, std::optional<std::size_t> lost = {}) {
  return *ring.find(hash_of("client-" + std::to_string(key)), [&](std::size_t index) { return index != lost; });
}

TEST(HashRing, SharesByWeight) {
  const HashRing ring = ring_of(names(4), {1, 1, 1, 3});
  std::vector<std::size_t> keys(4);
  for (std::size_t key = 0; key < kKeys; ++key) ++keys[owner(ring, key)];
  for (std::size_t i = 0; i < 4; ++i) {
    const double share = static_cast<double>(keys[i]) / kKeys, expected = (i == 3 ? 3.0 : 1.0) / 6;
    EXPECT_NEAR(share / expected, 1, 0.25) << i;
  }
}

TEST(HashRing, ALostServerMovesItsOwnShareAndNoOther) {
  const HashRing ring = ring_of(names(5));
  std::vector<std::size_t> inherited(5);
  for (std::size_t key = 0; key < kKeys; ++key) {
    const std::size_t before = owner(ring, key), after = owner(ring, key, 2);
    if (before == 2) {
      ++inherited[after];
    } else {
      EXPECT_EQ(before, after);
    }
  }
  for (std::size_t i : {0U, 1U, 3U, 4U})
    EXPECT_GT(inherited[i], kKeys / 5 / 4 / 3) << "all others share what it had";
}

TEST(HashRing, IsTheSameWithoutTheLostServerAndInAnyOrder) {
  const std::vector<std::string> all = names(5);
  const HashRing ring = ring_of(all), fewer = ring_of({all[4], all[0], all[3], all[1]});
  const std::size_t known_as[] = {4, 0, 3, 1};
  for (std::size_t key = 0; key < 2000; ++key) EXPECT_EQ(owner(ring, key, 2), known_as[owner(fewer, key)]);
}

TEST(HashRing, FindsTheOneThatIsLeftOfMany) {
  const HashRing ring = ring_of(names(250));
  for (std::size_t key = 0; key < 100; ++key) {
    EXPECT_EQ(ring.find(mix(key + 1), [](std::size_t index) { return index == 77; }), 77u);
  }
  EXPECT_EQ(ring.find(1, [](std::size_t) { return false; }), std::nullopt);
  EXPECT_EQ(HashRing().find(1, [](std::size_t) { return true; }), std::nullopt);
}

TEST(HashRing, GoesRoundAtItsEnd) {
  const HashRing ring = ring_of(names(3));
  auto accepts = [](std::size_t) { return true; };
  EXPECT_EQ(ring.find(~std::uint64_t{0}, accepts), ring.find(0, accepts));
}

}  // namespace
}  // namespace vipair::policy
