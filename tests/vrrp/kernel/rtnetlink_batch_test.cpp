#include "vrrp/kernel/rtnetlink_batch.h"

#include <gtest/gtest.h>
#include <linux/ip.h>

#include <cerrno>

#include "tests/support/network.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using test::in_new_network;
using test::output_of;
using test::run;

constexpr int kLo = 1;
constexpr int kMissing = 4711;

std::string addresses() { return output_of("ip -o addr show dev lo"); }
bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(RtnetlinkBatch, AddsAndRemovesAddressesOfBothFamilies) {
  in_new_network([] {
    const UniqueFd socket = open_rtnetlink();
    RtnetlinkBatch batch(socket.get());
    for (const char* text : {"192.0.2.100", "2001:db8::100"}) {
      const IpAddress address = *IpAddress::parse(text);
      batch.add_host_address(kLo, address, 20s);
      EXPECT_EQ(batch.flush(), 0);
      EXPECT_TRUE(has(addresses(), std::string(text) + "/")) << addresses();
      batch.add_host_address(kLo, address, 20s);
      EXPECT_EQ(batch.flush(), 0) << "one that is there already is no error";
      batch.remove_address(kLo, IpPrefix{address, address.bits_max()});
      EXPECT_EQ(batch.flush(), 0);
      EXPECT_FALSE(has(addresses(), text)) << addresses();
      batch.remove_address(kLo, IpPrefix{address, address.bits_max()});
      EXPECT_EQ(batch.flush(), 0) << "one that is gone already is no error";
    }
  });
}

TEST(RtnetlinkBatch, AddsAddressesThatNobodyPicksAsASource) {
  in_new_network([] {
    const UniqueFd socket = open_rtnetlink();
    RtnetlinkBatch batch(socket.get());
    batch.add_host_address(kLo, *IpAddress::parse("192.0.2.100"), 20s);
    batch.add_host_address(kLo, *IpAddress::parse("2001:db8::100"), 20s);
    EXPECT_EQ(batch.flush(), 0);
    EXPECT_TRUE(has(addresses(), "192.0.2.100/32 scope host")) << addresses();
    EXPECT_TRUE(has(addresses(), "2001:db8::100/128 scope global nodad deprecated")) << addresses();
    EXPECT_FALSE(has(addresses(), "tentative")) << addresses();
    EXPECT_TRUE(has(addresses(), "valid_lft 20sec") || has(addresses(), "valid_lft 19sec")) << addresses();
  });
}

TEST(RtnetlinkBatch, RemovesAnIpv4AddressWhateverItsPrefixLength) {
  in_new_network([] {
    run("ip addr add 192.0.2.100/24 dev lo");
    const UniqueFd socket = open_rtnetlink();
    RtnetlinkBatch batch(socket.get());
    batch.remove_address(kLo, *IpPrefix::parse("192.0.2.100/32"));
    EXPECT_EQ(batch.flush(), 0);
    EXPECT_FALSE(has(addresses(), "192.0.2.100"));
  });
}

TEST(RtnetlinkBatch, ChangesIpv4SettingsOfAnInterface) {
  in_new_network([] {
    const UniqueFd socket = open_rtnetlink();
    RtnetlinkBatch batch(socket.get());
    batch.set_ipv4_setting(kLo, IPV4_DEVCONF_ARP_IGNORE, 1);
    batch.set_ipv4_setting(kLo, IPV4_DEVCONF_ARP_ANNOUNCE, 2);
    EXPECT_EQ(batch.flush(), 0);
    EXPECT_EQ(output_of("cat /proc/sys/net/ipv4/conf/lo/arp_ignore /proc/sys/net/ipv4/conf/lo/arp_announce"),
              "1\n2\n");
  });
}

TEST(RtnetlinkBatch, CarriesThousandsOfChanges) {
  in_new_network([] {
    const UniqueFd socket = open_rtnetlink();
    RtnetlinkBatch batch(socket.get());
    auto address = [](std::uint32_t i) { return IpAddress::v4(0x0A000001 + i); };
    for (std::uint32_t i = 0; i < 4000; ++i) batch.add_host_address(kLo, address(i), 20s);
    EXPECT_EQ(batch.flush(), 0);
    EXPECT_EQ(output_of("ip -o -4 addr show dev lo | wc -l"), "4001\n");
    for (std::uint32_t i = 0; i < 4000; ++i) batch.remove_address(kLo, IpPrefix{address(i), 32});
    EXPECT_EQ(batch.flush(), 0);
    EXPECT_EQ(output_of("ip -o -4 addr show dev lo | wc -l"), "1\n");
  });
}

TEST(RtnetlinkBatch, ReportsTheFirstRefusalOnce) {
  in_new_network([] {
    const UniqueFd socket = open_rtnetlink();
    RtnetlinkBatch batch(socket.get());
    batch.add_host_address(kMissing, *IpAddress::parse("192.0.2.100"), 20s);
    batch.add_host_address(kLo, *IpAddress::parse("192.0.2.101"), 20s);
    EXPECT_EQ(batch.flush(), ENODEV);
    EXPECT_EQ(batch.flush(), 0);
    EXPECT_TRUE(has(addresses(), "192.0.2.101")) << "what follows a refusal is done";
    batch.remove_address(kMissing, *IpPrefix::parse("192.0.2.100/32"));
    EXPECT_EQ(batch.flush(), 0) << "an interface that is gone took its addresses along";
  });
}

TEST(RtnetlinkBatch, ReportsThatItIsNotPermitted) {
  in_new_network([] {
    const UniqueFd socket = open_rtnetlink();
    ASSERT_EQ(::setuid(65534), 0);
    RtnetlinkBatch batch(socket.get());
    for (std::uint32_t i = 0; i < 4000; ++i) batch.add_host_address(kLo, IpAddress::v4(0x0A000001 + i), 20s);
    EXPECT_EQ(batch.flush(), EPERM);
  });
}

}  // namespace
}  // namespace vipair::vrrp
