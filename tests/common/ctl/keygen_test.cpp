#include "common/ctl/keygen.h"

#include <gtest/gtest.h>

#include <set>

namespace vipair::ctl {
namespace {

TEST(Keygen, MakesSixtyFourHexadecimalDigitsThatNobodyHadBefore) {
  std::set<std::string> keys;
  for (int i = 0; i < 100; ++i) {
    const std::string key = make_key();
    EXPECT_EQ(key.size(), 64u);
    EXPECT_EQ(key.find_first_not_of("0123456789abcdef"), std::string::npos) << key;
    keys.insert(key);
  }
  EXPECT_EQ(keys.size(), 100u);
}

}  // namespace
}  // namespace vipair::ctl
