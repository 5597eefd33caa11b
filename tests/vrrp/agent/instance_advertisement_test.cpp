#include "vrrp/agent/instance_advertisement.h"

#include <gtest/gtest.h>

#include "vrrp/core/announcement.h"

namespace vipair::vrrp {
namespace {

const IpAddress kSource = *IpAddress::parse("192.0.2.11"), kPeer = *IpAddress::parse("192.0.2.12");

InstanceConfig config() {
  InstanceConfig config;
  config.key = {"eth0", IpFamily::ipv4, 51};
  config.advertised = {*IpPrefix::parse("192.0.2.100/24"), *IpPrefix::parse("192.0.2.101/24")};
  config.excluded = {*IpPrefix::parse("192.0.2.102/24")};
  return config;
}

DecodedAdvertisement decoded(const OutgoingAdvertisement& sent, int version = 3) {
  const auto heard = decode({sent.source, sent.destination, 255, sent.message}, version);
  EXPECT_TRUE(heard);
  return heard ? *heard : DecodedAdvertisement{};
}

TEST(InstanceAdvertisement, SaysWhatIsConfigured) {
  const OutgoingAdvertisement sent = make_advertisement(config(), 200, 2, kSource, std::nullopt);
  EXPECT_EQ(sent.interface_index, 2);
  EXPECT_EQ(sent.source, kSource);
  EXPECT_EQ(sent.destination, multicast_group(IpFamily::ipv4));
  EXPECT_EQ(sent.source_mac, std::nullopt);
  const Advertisement advertisement = decoded(sent).advertisement;
  EXPECT_EQ(advertisement.vrid, 51);
  EXPECT_EQ(advertisement.priority, 200);
  EXPECT_EQ(advertisement.max_advertise_interval, Centiseconds(10));
  EXPECT_TRUE(lists_the_same(advertisement.addresses, config().advertised)) << "without the excluded one";
}

TEST(InstanceAdvertisement, GoesToThePeerInUnicastAndFromTheVirtualMacInMulticast) {
  InstanceConfig changed = config();
  changed.virtual_mac = true;
  EXPECT_EQ(make_advertisement(changed, 200, 2, kSource, std::nullopt).source_mac,
            virtual_mac_address(IpFamily::ipv4, 51));
  changed.peer = kPeer;
  changed.is_unicast = true;
  const OutgoingAdvertisement sent = make_advertisement(changed, 200, 2, kSource, std::nullopt);
  EXPECT_EQ(sent.destination, kPeer);
  EXPECT_EQ(sent.source_mac, std::nullopt);
}

TEST(InstanceAdvertisement, ChecksumFollowsTheNeighbourWhereItMay) {
  const struct {
    ChecksumForm configured;
    std::optional<ChecksumKind> heard;
    ChecksumKind sent;
  } cases[] = {
      {ChecksumForm::automatic, std::nullopt, ChecksumKind::pseudo_header},
      {ChecksumForm::automatic, ChecksumKind::message_only, ChecksumKind::message_only},
      {ChecksumForm::rfc5798, ChecksumKind::message_only, ChecksumKind::pseudo_header},
      {ChecksumForm::rfc9568, ChecksumKind::pseudo_header, ChecksumKind::message_only},
  };
  for (const auto& each : cases) {
    InstanceConfig changed = config();
    changed.checksum = each.configured;
    EXPECT_EQ(decoded(make_advertisement(changed, 200, 2, kSource, each.heard)).checksum, each.sent);
  }
}

TEST(InstanceAdvertisement, VersionTwoWantsIntervalAndPasswordToBeTheSame) {
  InstanceConfig own = config();
  own.version = 2;
  own.advertisement_interval = Centiseconds(100);
  own.password = "secret";
  Advertisement heard = decoded(make_advertisement(own, 100, 2, kPeer, std::nullopt), 2).advertisement;
  EXPECT_EQ(disagreement(own, heard), std::nullopt);
  heard.password = authentication_data("other");
  EXPECT_EQ(disagreement(own, heard), DropReason::auth_failure);
  heard.password.reset();
  EXPECT_EQ(disagreement(own, heard), DropReason::auth_type_mismatch);
  heard.max_advertise_interval = Centiseconds(200);
  EXPECT_EQ(disagreement(own, heard), DropReason::interval_mismatch);
  heard.version = 3;
  EXPECT_EQ(disagreement(own, heard), std::nullopt);
}

TEST(InstanceAdvertisement, TheOrderOfAddressesDoesNotMatter) {
  const IpAddress first = *IpAddress::parse("192.0.2.100"), second = *IpAddress::parse("192.0.2.101");
  EXPECT_TRUE(lists_the_same({second, first}, config().advertised));
  EXPECT_FALSE(lists_the_same({first}, config().advertised));
  EXPECT_FALSE(lists_the_same({first, kPeer}, config().advertised));
}

}  // namespace
}  // namespace vipair::vrrp
