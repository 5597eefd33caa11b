#include "proxy/policy/affinity.h"

#include <gtest/gtest.h>

namespace vipair::policy {
namespace {

TEST(Affinity, KnowsWhatItWasToldAndNothingElse) {
  const Affinity affinity({{"bb", 0}, {"aa", 1}, {"cc", 1}});
  EXPECT_EQ(affinity.server_of("aa"), 1u);
  EXPECT_EQ(affinity.server_of("bb"), 0u);
  EXPECT_EQ(affinity.server_of("cc"), 1u) << "a token of another key for the same server";
  for (const char* unknown : {"", "a", "aaa", "ab", "dd", "AA"})
    EXPECT_EQ(affinity.server_of(unknown), std::nullopt);
  EXPECT_EQ(Affinity().server_of(""), std::nullopt);
}

}  // namespace
}  // namespace vipair::policy
