#include "vrrp/core/reload.h"

namespace vipair::vrrp {
namespace {

IpPrefix prefix(std::string_view text) { return *IpPrefix::parse(text); }

InstanceConfig instance(std::uint8_t vrid, std::vector<IpPrefix> advertised) {
  InstanceConfig config;
  config.key = {"eth0", IpFamily::ipv4, vrid};
  config.name = "web";
  config.advertised = std::move(advertised);
  return config;
}

const IpPrefix kOne = prefix("192.0.2.1/24"), kTwo = prefix("192.0.2.2/24"), kThree = prefix("192.0.2.3/24");

TEST(Reload, SameConfigurationChangesNothing) {
  const std::vector<InstanceConfig> all = {instance(1, {kOne}), instance(2, {kTwo})};
  EXPECT_TRUE(difference(all, all).empty());
  EXPECT_TRUE(difference({all[0], all[1]}, {all[1], all[0]}).empty());
}

TEST(Reload, UnchangedInstancesAppearNowhere) {
  const auto result =
      difference({instance(1, {kOne}), instance(2, {kTwo})}, {instance(1, {kOne}), instance(3, {kTwo})});
  EXPECT_EQ(result.removed, (std::vector<InstanceKey>{{"eth0", IpFamily::ipv4, 2}}));
  EXPECT_EQ(result.added, (std::vector<InstanceConfig>{instance(3, {kTwo})}));
  EXPECT_TRUE(result.changed.empty());
}

TEST(Reload, AnyChangedSettingIsAChangeWithoutAddresses) {
  const InstanceConfig before = instance(1, {kOne});
  std::vector<InstanceConfig> variants(9, before);
  variants[0].priority = 7;
  variants[1].advertisement_interval = Centiseconds(100);
  variants[2].preempt = true;
  variants[3].preempt_delay = std::chrono::seconds(1);
  variants[4].join_hold = std::chrono::seconds(1);
  variants[5].track_proxy = false;
  variants[6].checksum = ChecksumForm::rfc9568;
  variants[7].name = "other";
  variants[8].peer = IpAddress::v4(1);
  for (const InstanceConfig& after : variants) {
    EXPECT_EQ(difference({before}, {after}).changed, (std::vector<InstanceChange>{{after, {}, {}}}));
  }
}

TEST(Reload, OnlyTheAddressesThatDifferAreNamed) {
  const InstanceConfig after = instance(1, {kTwo, kThree});
  EXPECT_EQ(difference({instance(1, {kOne, kTwo})}, {after}).changed,
            (std::vector<InstanceChange>{{after, {kThree}, {kOne}}}));
}

TEST(Reload, AddressThatIsNoLongerAdvertisedStays) {
  InstanceConfig after = instance(1, {kOne});
  after.excluded = {kTwo};
  EXPECT_EQ(difference({instance(1, {kOne, kTwo})}, {after}).changed,
            (std::vector<InstanceChange>{{after, {}, {}}}));
}

TEST(Reload, ChangedIdentityIsAnotherInstance) {
  InstanceConfig moved = instance(1, {kOne});
  moved.key.interface = "eth1";
  const auto result = difference({instance(1, {kOne})}, {moved});
  EXPECT_EQ(result.removed.size(), 1u);
  EXPECT_EQ(result.added.size(), 1u);
  EXPECT_TRUE(result.changed.empty());
}

TEST(Reload, AddressesThatAreHeldInAnotherWayAreClaimedAnew) {
  InstanceConfig before;
  before.key = {"eth0", IpFamily::ipv4, 51};
  before.advertised = {*IpPrefix::parse("192.0.2.100/24"), *IpPrefix::parse("192.0.2.101/24")};
  InstanceConfig after = before;
  after.advertised.pop_back();
  for (bool InstanceConfig::*setting : {&InstanceConfig::virtual_mac, &InstanceConfig::accept}) {
    InstanceConfig changed = after;
    changed.*setting = !(changed.*setting);
    const ConfigDifference found = difference({before}, {changed});
    ASSERT_EQ(found.changed.size(), 1u);
    EXPECT_EQ(found.changed[0].added, changed.advertised);
    EXPECT_EQ(found.changed[0].removed.size(), 1u);
  }
}

}  // namespace
}  // namespace vipair::vrrp
