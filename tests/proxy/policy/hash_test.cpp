#include "proxy/policy/hash.h"

#include <gtest/gtest.h>

namespace vipair::policy {
namespace {

TEST(Hash, IsTheSameEverywhereAndForEver) {
  static_assert(hash_of("") == mix(0xcbf29ce484222325ULL));
  EXPECT_NE(hash_of("a"), hash_of("b"));
  EXPECT_NE(hash_of("ab"), hash_of("ba"));
}

TEST(Hash, OneBitChangesHalfOfThem) {
  int changed = 0;
  for (std::uint64_t i = 1; i <= 1000; ++i) changed += __builtin_popcountll(mix(i) ^ mix(i ^ 1));
  EXPECT_NEAR(changed, 32000, 2000);
}

}  // namespace
}  // namespace vipair::policy
