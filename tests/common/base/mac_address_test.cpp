#include "common/base/mac_address.h"

#include "gtest/gtest.h"

namespace vipair {
namespace {

TEST(MacAddress, IsWrittenInLowerCaseHexadecimal) {
  EXPECT_EQ((MacAddress{{0x00, 0x00, 0x5E, 0x00, 0x01, 0xAB}}.to_string()), "00:00:5e:00:01:ab");
  EXPECT_EQ(MacAddress::broadcast().to_string(), "ff:ff:ff:ff:ff:ff");
  EXPECT_EQ(MacAddress{}.to_string(), "00:00:00:00:00:00");
}

TEST(MacAddress, SortsByBytes) {
  EXPECT_LT((MacAddress{{0, 1, 2, 3, 4, 5}}), (MacAddress{{0, 1, 2, 3, 4, 6}}));
  EXPECT_EQ((MacAddress{{0, 1, 2, 3, 4, 5}}), (MacAddress{{0, 1, 2, 3, 4, 5}}));
}

}  // namespace
}  // namespace vipair
