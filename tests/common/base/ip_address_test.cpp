#include "common/base/ip_address.h"

#include <set>
#include <unordered_set>

#include "gtest/gtest.h"

namespace vipair {
namespace {

IpAddress ip(std::string_view text) {
  auto address = IpAddress::parse(text);
  EXPECT_TRUE(address) << text;
  return address.value_or(IpAddress());
}

TEST(IpAddress, WritesTheFormOfRfc5952) {
  const struct {
    const char* text;
    const char* canonical;
  } cases[] = {
      {"0.0.0.0", "0.0.0.0"},
      {"192.0.2.1", "192.0.2.1"},
      {"255.255.255.255", "255.255.255.255"},
      {"::", "::"},
      {"::1", "::1"},
      {"1::", "1::"},
      {"0:0:0:0:0:0:0:0", "::"},
      {"2001:db8::1", "2001:db8::1"},
      {"2001:DB8::00AB", "2001:db8::ab"},                // section 4.1 and 4.3
      {"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},         // section 4.2.1: as short as possible
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},  // section 4.2.2: not for one group
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},           // section 4.2.3: the longest run
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},     // section 4.2.3: the first of equals
      {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
      {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
      {"0:0:1::", "0:0:1::"},
      {"::ffff:192.0.2.1", "::ffff:c000:201"},
      {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
      {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
      {"fe80::1", "fe80::1"},
      {"ff02::12", "ff02::12"},
  };
  for (const auto& each : cases) {
    auto address = IpAddress::parse(each.text);
    ASSERT_TRUE(address) << each.text;
    EXPECT_EQ(address->to_string(), each.canonical) << each.text;
    EXPECT_EQ(IpAddress::parse(each.canonical), address) << each.text;
  }
}

TEST(IpAddress, RefusesWhatIsNotOne) {
  using namespace std::string_view_literals;
  const std::string_view cases[] = {
      "",
      " ",
      "1",
      "1.2.3",
      "1.2.3.4.5",
      "1.2.3.",
      ".1.2.3",
      "1..2.3",
      "256.0.0.1",
      "1.2.3.256",
      "01.2.3.4",
      "1.2.3.04",
      "1.2.3.4 ",
      " 1.2.3.4",
      "1.2.3.-4",
      "+1.2.3.4",
      "0x1.2.3.4",
      "1.2.3.4\n",
      "1.2.3.4\0"sv,
      "1.2.3.a",
      "1,2,3,4",
      "4294967296",
      "1.2.3.0000",
      ":",
      ":::",
      "::1::",
      "1::2::3",
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9",
      "1:2:3:4:5:6:7:8::",
      "::1:2:3:4:5:6:7:8",
      ":1",
      "1:",
      "12345::",
      "g::",
      "::1%eth0",
      "[::1]",
      "::1/64",
      "::-1",
      "::+1",
      "::0x1",
      "::1.2.3",
      "::1.2.3.4.5",
      "::1.2.3.4:5",
      "1.2.3.4::",
      "1:2:3:4:5:6:7:1.2.3.4",
      "::1\0"sv,
      "2001:db8: :1",
      "١.٢.٣.٤",
      "1:2:3:4:5:6:7:",
      ":1:2:3:4:5:6:7",
  };
  for (std::string_view text : cases) EXPECT_FALSE(IpAddress::parse(text)) << '"' << text << '"';
  EXPECT_FALSE(IpAddress::parse(std::string(1 << 20, ':')));
  EXPECT_FALSE(IpAddress::parse(std::string(1 << 20, '1')));
}

TEST(IpAddress, SortsInNetworkOrderWithIpv4First) {
  const std::vector<IpAddress> sorted = {
      ip("0.0.0.1"), ip("9.255.255.255"), ip("10.0.0.1"),      ip("192.0.2.9"), ip("192.0.2.10"), ip("255.0.0.0"),
      ip("::"),      ip("2001:db8::ff"),  ip("2001:db8::100"), ip("fe80::1")};
  for (std::size_t i = 0; i + 1 < sorted.size(); ++i) EXPECT_LT(sorted[i], sorted[i + 1]) << sorted[i].to_string();
}

TEST(IpAddress, KnowsItsKind) {
  EXPECT_TRUE(ip("0.0.0.0").is_unspecified());
  EXPECT_TRUE(ip("::").is_unspecified());
  EXPECT_FALSE(ip("::1").is_unspecified());
  EXPECT_TRUE(ip("127.9.9.9").is_loopback());
  EXPECT_TRUE(ip("::1").is_loopback());
  EXPECT_FALSE(ip("::2").is_loopback());
  EXPECT_FALSE(ip("1::1").is_loopback());
  EXPECT_FALSE(ip("128.0.0.1").is_loopback());
  EXPECT_TRUE(ip("224.0.0.18").is_multicast());
  EXPECT_TRUE(ip("239.255.255.255").is_multicast());
  EXPECT_TRUE(ip("ff02::12").is_multicast());
  EXPECT_FALSE(ip("240.0.0.1").is_multicast());
  EXPECT_FALSE(ip("223.255.255.255").is_multicast());
  EXPECT_FALSE(ip("fe80::1").is_multicast());
  EXPECT_TRUE(ip("169.254.0.1").is_link_local());
  EXPECT_TRUE(ip("fe80::1").is_link_local());
  EXPECT_TRUE(ip("febf::1").is_link_local());
  EXPECT_FALSE(ip("fec0::1").is_link_local());
  EXPECT_FALSE(ip("169.253.0.1").is_link_local());
}

TEST(IpAddress, IsMadeOfNumbersAndBytes) {
  EXPECT_EQ(IpAddress::v4(0xC0000201), ip("192.0.2.1"));
  EXPECT_EQ(ip("192.0.2.1").v4_value(), 0xC0000201u);
  EXPECT_EQ(IpAddress::from_bytes(ip("2001:db8::1").bytes()), ip("2001:db8::1"));
  EXPECT_EQ(IpAddress::from_bytes(ip("192.0.2.1").bytes()), ip("192.0.2.1"));
  EXPECT_EQ(ip("192.0.2.1").bytes().size(), 4u);
  EXPECT_EQ(ip("::1").bytes().size(), 16u);
  const std::uint8_t bytes[17] = {};
  for (std::size_t size : {0u, 1u, 3u, 5u, 15u, 17u})
    EXPECT_FALSE(IpAddress::from_bytes(std::span(bytes).first(size))) << size;
  EXPECT_DEATH((void)ip("::1").v4_value(), "broken invariant: v4_value");
}

TEST(IpAddress, HashesByValue) {
  std::unordered_set<IpAddress> set = {ip("192.0.2.1"), ip("192.0.2.1"), ip("2001:db8::1"), ip("::")};
  EXPECT_EQ(set.size(), 3u);
  EXPECT_TRUE(set.count(ip("2001:DB8::1")));
}

TEST(IpPrefix, ParsesAndKeepsTheHostBits) {
  const struct {
    const char* text;
    const char* canonical;
  } cases[] = {{"192.0.2.100/24", "192.0.2.100/24"},
               {"192.0.2.1", "192.0.2.1/32"},
               {"0.0.0.0/0", "0.0.0.0/0"},
               {"2001:DB8::100/64", "2001:db8::100/64"},
               {"::1", "::1/128"},
               {"::/0", "::/0"}};
  for (const auto& each : cases) {
    auto prefix = IpPrefix::parse(each.text);
    ASSERT_TRUE(prefix) << each.text;
    EXPECT_EQ(prefix->to_string(), each.canonical);
  }
  for (const char* text :
       {"", "/", "/24", "192.0.2.1/", "192.0.2.1/33", "192.0.2.1/-1", "192.0.2.1/024", "192.0.2.1/2 ",
        "192.0.2.1/24/24", "::1/129", "::1/0x40", "192.0.2.1/255.255.255.0", "192.0.2.1/4294967320"})
    EXPECT_FALSE(IpPrefix::parse(text)) << text;
}

TEST(IpPrefix, ContainsItsNetworkOnly) {
  const struct {
    const char* prefix;
    const char* address;
    bool contains;
  } cases[] = {
      {"192.0.2.100/24", "192.0.2.1", true},
      {"192.0.2.100/24", "192.0.3.1", false},
      {"192.0.2.100/25", "192.0.2.127", true},
      {"192.0.2.100/25", "192.0.2.128", false},
      {"192.0.2.1/32", "192.0.2.1", true},
      {"192.0.2.1/32", "192.0.2.0", false},
      {"0.0.0.0/0", "255.1.2.3", true},
      {"0.0.0.0/0", "::1", false},
      {"2001:db8::/33", "2001:db8:7fff::", true},
      {"2001:db8::/33", "2001:db8:8000::", false},
      {"::/0", "ff02::1", true},
      {"::/0", "0.0.0.0", false},
      {"::1/128", "::1", true},
      {"::1/128", "::", false},
  };
  for (const auto& each : cases)
    EXPECT_EQ(IpPrefix::parse(each.prefix)->contains(ip(each.address)), each.contains)
        << each.prefix << " " << each.address;
}

TEST(IpEndpoint, ParsesBothFamilies) {
  for (const char* text : {"192.0.2.1:80", "0.0.0.0:0", "[2001:db8::1]:65535", "[::]:443"}) {
    auto endpoint = IpEndpoint::parse(text);
    ASSERT_TRUE(endpoint) << text;
    EXPECT_EQ(endpoint->to_string(), text);
  }
  for (const char* text : {"",
                           ":",
                           ":80",
                           "192.0.2.1",
                           "192.0.2.1:",
                           "192.0.2.1:65536",
                           "192.0.2.1:080",
                           "192.0.2.1:-1",
                           "192.0.2.1:80 ",
                           "[192.0.2.1]:80",
                           "2001:db8::1:80:",
                           "::1:80:x",
                           "[::1]",
                           "[::1]:",
                           "[::1:80",
                           "::1]:80",
                           "[]:80",
                           "[[::1]]:80",
                           "localhost:80",
                           "192.0.2.1:http"})
    EXPECT_FALSE(IpEndpoint::parse(text)) << text;
  // without brackets it is a guess where the port begins
  EXPECT_FALSE(IpEndpoint::parse("2001:db8::1:80"));
}

TEST(IpFamily, HasAName) {
  EXPECT_STREQ(to_string(IpFamily::ipv4), "ipv4");
  EXPECT_STREQ(to_string(IpFamily::ipv6), "ipv6");
}

}  // namespace
}  // namespace vipair
