#include "proxy/policy/address_set.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace vipair::policy {
namespace {

AddressSet set_of(const std::vector<std::string>& texts) {
  std::vector<IpPrefix> networks;
  for (const std::string& text : texts) networks.push_back(*IpPrefix::parse(text));
  return AddressSet(networks);
}
bool has(const AddressSet& set, const char* text) { return set.contains(*IpAddress::parse(text)); }

TEST(AddressSet, HoldsItsNetworksAndNothingElse) {
  const AddressSet set = set_of({"192.0.2.7/24", "198.51.100.1", "2001:db8:1::/48", "2001:db8:ffff::1"});
  EXPECT_TRUE(has(set, "192.0.2.0"));
  EXPECT_TRUE(has(set, "192.0.2.255"));
  EXPECT_FALSE(has(set, "192.0.1.255"));
  EXPECT_FALSE(has(set, "192.0.3.0"));
  EXPECT_TRUE(has(set, "198.51.100.1"));
  EXPECT_FALSE(has(set, "198.51.100.2"));
  EXPECT_TRUE(has(set, "2001:db8:1:ffff:ffff:ffff:ffff:ffff"));
  EXPECT_FALSE(has(set, "2001:db8:2::"));
  EXPECT_TRUE(has(set, "2001:db8:ffff::1"));
  EXPECT_FALSE(has(set, "2001:db8:ffff::2"));
}

TEST(AddressSet, KeepsTheFamiliesApart) {
  EXPECT_FALSE(has(set_of({"0.0.0.0/0"}), "::1"));
  EXPECT_FALSE(has(set_of({"::/0"}), "127.0.0.1"));
  EXPECT_TRUE(has(set_of({"0.0.0.0/0"}), "255.255.255.255"));
  EXPECT_TRUE(has(set_of({"::/0"}), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
}

TEST(AddressSet, MergesWhatTouches) {
  EXPECT_EQ(set_of({"10.0.0.0/25", "10.0.0.128/25", "10.0.1.0/24", "10.0.0.5"}).intervals(), 1u);
  EXPECT_EQ(set_of({"::/1", "8000::/1", "2001:db8::1"}).intervals(), 1u);
  EXPECT_EQ(set_of({"10.0.0.0/25", "10.0.1.0/25"}).intervals(), 2u);
  EXPECT_TRUE(set_of({}).empty());
}

TEST(AddressSet, AgreesWithALookAtEachNetwork) {
  std::mt19937 random(7);
  auto number = [&](int max) { return static_cast<int>(random() % static_cast<unsigned>(max)); };
  auto address = [&] {
    std::array<std::uint8_t, 16> bytes{0x20, 0x01};
    for (std::size_t i = 6; i < 10; ++i) bytes[i] = static_cast<std::uint8_t>(number(4));
    return number(2) == 0 ? IpAddress::v6(bytes) : IpAddress::v4(static_cast<std::uint32_t>(number(4096)));
  };
  for (int round = 0; round < 50; ++round) {
    std::vector<IpPrefix> networks;
    for (int i = 0; i < 20; ++i) {
      const IpAddress base = address();
      networks.push_back({base, base.is_v4() ? 20 + number(13) : 48 + number(40)});
    }
    const AddressSet set(networks);
    for (int i = 0; i < 200; ++i) {
      const IpAddress asked = address();
      bool expected = false;
      for (const IpPrefix& network : networks) expected |= network.contains(asked);
      EXPECT_EQ(set.contains(asked), expected) << asked.to_string();
    }
  }
}

}  // namespace
}  // namespace vipair::policy
