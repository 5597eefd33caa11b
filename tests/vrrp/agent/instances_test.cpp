#include "vrrp/agent/instances.h"

namespace vipair::vrrp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

IpPrefix prefix(std::string_view text) { return *IpPrefix::parse(text); }

Config config_of(std::vector<IpPrefix> addresses) {
  Config config;
  VirtualRouterConfig router;
  router.name = "web";
  router.interface = "eth0";
  router.vrid = 51;
  router.addresses = std::move(addresses);
  config.virtual_routers = {router};
  return config;
}

TEST(Instances, OnePerFamilyThatHasAddresses) {
  const auto both = instances_of(config_of({prefix("192.0.2.100/24"), prefix("2001:db8::100/64")}));
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].key, (InstanceKey{"eth0", IpFamily::ipv4, 51}));
  EXPECT_EQ(both[1].key, (InstanceKey{"eth0", IpFamily::ipv6, 51}));
  EXPECT_EQ(instances_of(config_of({prefix("192.0.2.100/24")})).size(), 1u);
}

// RFC 9568 section 5.2.9: the first IPv6 address MUST be the virtual router's link-local one.
TEST(Instances, Ipv6BeginsWithADerivedLinkLocalAddress) {
  const auto instances = instances_of(config_of({prefix("2001:db8::100/64")}));
  EXPECT_THAT(instances.at(0).advertised,
              ElementsAre(prefix("fe80::200:5eff:fe00:233/64"), prefix("2001:db8::100/64")));
}

TEST(Instances, ConfiguredLinkLocalAddressComesFirst) {
  const auto instances =
      instances_of(config_of({prefix("2001:db8::100/64"), prefix("fe80::1/64"), prefix("2001:db8::101/64")}));
  EXPECT_THAT(instances.at(0).advertised,
              ElementsAre(prefix("fe80::1/64"), prefix("2001:db8::100/64"), prefix("2001:db8::101/64")));
}

TEST(Instances, ExcludedAddressesMoveUnadvertised) {
  Config config = config_of({prefix("192.0.2.100/24")});
  config.virtual_routers[0].excluded_addresses = {prefix("198.51.100.1/32"), prefix("2001:db8::1/64")};
  const auto instances = instances_of(config);
  ASSERT_EQ(instances.size(), 1u);
  EXPECT_THAT(instances[0].advertised, ElementsAre(prefix("192.0.2.100/24")));
  EXPECT_THAT(instances[0].excluded, ElementsAre(prefix("198.51.100.1/32")));
  EXPECT_THAT(instances[0].addresses(), ElementsAre(prefix("192.0.2.100/24"), prefix("198.51.100.1/32")));
}

TEST(Instances, WhatDoesNotFitIntoOneMessageMovesUnadvertised) {
  std::vector<IpPrefix> many;
  for (std::uint32_t i = 0; i < 300; ++i) many.push_back({IpAddress::v4(0x0A000000 + i), 8});
  const auto instances = instances_of(config_of(many));
  EXPECT_EQ(instances.at(0).advertised.size(), 255u);
  EXPECT_EQ(instances.at(0).addresses(), many);
}

TEST(Instances, WithoutAPeerEverybodyIsAStranger) {
  const auto instances = instances_of(config_of({prefix("192.0.2.100/24")}));
  EXPECT_FALSE(instances.at(0).is_pair);
  EXPECT_FALSE(instances.at(0).peer);
  EXPECT_FALSE(instances.at(0).is_unicast);
  EXPECT_THAT(warnings_about(config_of({prefix("192.0.2.100/24")})), IsEmpty());
}

TEST(Instances, PeerIsPinnedPerFamily) {
  Config config = config_of({prefix("192.0.2.100/24"), prefix("2001:db8::100/64")});
  config.virtual_routers[0].unicast = true;
  config.peer = PeerConfig{IpAddress::parse("192.0.2.12"), IpAddress::parse("fe80::12")};
  for (const InstanceConfig& instance : instances_of(config)) {
    EXPECT_TRUE(instance.is_pair);
    EXPECT_TRUE(instance.is_unicast);
    EXPECT_EQ(instance.peer->family(), instance.key.family);
  }
  EXPECT_THAT(warnings_about(config), IsEmpty());
}

TEST(Instances, FamilyWithoutAPeerAddressUsesMulticastAndWarns) {
  Config config = config_of({prefix("192.0.2.100/24"), prefix("2001:db8::100/64")});
  config.virtual_routers[0].unicast = true;
  for (const auto& v6 : {std::optional<IpAddress>(), IpAddress::parse("2001:db8::12")}) {  // global: never a source
    config.peer = PeerConfig{IpAddress::parse("192.0.2.12"), v6};
    const auto instances = instances_of(config);
    EXPECT_TRUE(instances.at(1).is_pair);
    EXPECT_FALSE(instances.at(1).peer);
    EXPECT_FALSE(instances.at(1).is_unicast);
    EXPECT_THAT(warnings_about(config), ElementsAre(HasSubstr("web/ipv6: the peer is not pinned")));
  }
}

TEST(Instances, PinnedPeerMayBeSpokenToByMulticast) {
  Config config = config_of({prefix("192.0.2.100/24")});
  config.peer = PeerConfig{IpAddress::parse("192.0.2.12"), std::nullopt};
  EXPECT_TRUE(instances_of(config).at(0).peer);
  EXPECT_FALSE(instances_of(config).at(0).is_unicast);
}

}  // namespace
}  // namespace vipair::vrrp
