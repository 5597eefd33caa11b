#include "vrrp/core/announcement.h"

#include "common/base/checksum.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;

const MacAddress kMac = {{0x02, 0x11, 0x22, 0x33, 0x44, 0x55}};
const IpAddress kV4 = *IpAddress::parse("192.0.2.100");
const IpAddress kV6 = *IpAddress::parse("2001:db8::100");

Bytes part(const Bytes& frame, std::size_t from, std::size_t size) {
  return Bytes(frame.begin() + static_cast<std::ptrdiff_t>(from),
               frame.begin() + static_cast<std::ptrdiff_t>(from + size));
}

TEST(Announcement, GratuitousArpIsARequestForTheSendersOwnAddress) {
  EXPECT_EQ(part(gratuitous_arp(kMac, kV4), 0, 42),
            (Bytes{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02, 0x11, 0x22, 0x33, 0x44,
                   0x55, 0x08, 0x06, 0x00, 0x01, 0x08, 0x00, 6,    4,    0x00, 0x01,  //
                   0x02, 0x11, 0x22, 0x33, 0x44, 0x55, 192,  0,    2,    100,         // sender
                   0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 192,  0,    2,    100}));      // target
}

TEST(Announcement, ArpFrameHasTheLeastSizeOfEthernet) { EXPECT_EQ(gratuitous_arp(kMac, kV4).size(), 60u); }

TEST(Announcement, NeighbourAdvertisementGoesToAllNodesWithTheOverrideFlag) {
  const Bytes frame = unsolicited_neighbour_advertisement(kMac, kV6, false);
  ASSERT_EQ(frame.size(), 14u + 40 + 32);
  EXPECT_EQ(part(frame, 0, 14), (Bytes{0x33, 0x33, 0, 0, 0, 1, 0x02, 0x11, 0x22, 0x33, 0x44, 0x55, 0x86, 0xDD}));
  EXPECT_EQ(part(frame, 14, 8), (Bytes{0x60, 0, 0, 0, 0, 32, 58, 255}));
  EXPECT_EQ(IpAddress::from_bytes(part(frame, 22, 16)), kV6);
  EXPECT_EQ(IpAddress::from_bytes(part(frame, 38, 16))->to_string(), "ff02::1");
  EXPECT_EQ(part(frame, 54, 2), (Bytes{136, 0}));
  EXPECT_EQ(part(frame, 58, 4), (Bytes{0x20, 0, 0, 0}));  // not solicited, override
  EXPECT_EQ(IpAddress::from_bytes(part(frame, 62, 16)), kV6);
  EXPECT_EQ(part(frame, 78, 8), (Bytes{2, 1, 0x02, 0x11, 0x22, 0x33, 0x44, 0x55}));
}

TEST(Announcement, RouterFlagSaysWhatTheKernelSays) {
  EXPECT_EQ(unsolicited_neighbour_advertisement(kMac, kV6, true)[58], 0xA0);
}

TEST(Announcement, Icmpv6ChecksumIsValid) {
  for (bool is_router : {false, true}) {
    const Bytes frame = unsolicited_neighbour_advertisement(kMac, kV6, is_router);
    InternetChecksum checksum;
    checksum.add(part(frame, 22, 32));
    checksum.add_u16(32);
    checksum.add_u16(58);
    checksum.add(part(frame, 54, 32));
    EXPECT_EQ(checksum.value(), 0);
  }
}

TEST(Announcement, FrameFollowsTheFamilyOfTheAddress) {
  EXPECT_EQ(announcement(kMac, kV4, true), gratuitous_arp(kMac, kV4));
  EXPECT_EQ(announcement(kMac, kV6, true), unsolicited_neighbour_advertisement(kMac, kV6, true));
}

TEST(Announcement, VirtualMacAddressIsThatOfRfc9568Section7_3) {
  EXPECT_EQ(virtual_mac_address(IpFamily::ipv4, 51).to_string(), "00:00:5e:00:01:33");
  EXPECT_EQ(virtual_mac_address(IpFamily::ipv6, 255).to_string(), "00:00:5e:00:02:ff");
}

TEST(Announcement, Ipv4AdvertisementFrameIsAWholePacketFromTheVirtualMac) {
  const Bytes message = {0x31, 51, 200, 1, 0, 10, 0xAB, 0xCD, 192, 0, 2, 100};
  const Bytes frame = advertisement_frame(virtual_mac_address(IpFamily::ipv4, 51), *IpAddress::parse("192.0.2.11"),
                                          *IpAddress::parse("224.0.0.18"), message);
  EXPECT_EQ(part(frame, 0, 14), (Bytes{0x01, 0, 0x5E, 0, 0, 0x12, 0, 0, 0x5E, 0, 1, 51, 0x08, 0x00}));
  EXPECT_EQ(part(frame, 14, 10), (Bytes{0x45, 0xC0, 0, 32, 0, 0, 0x40, 0, 255, 112}));
  EXPECT_EQ(part(frame, 26, 8), (Bytes{192, 0, 2, 11, 224, 0, 0, 18}));
  EXPECT_EQ(part(frame, 34, message.size()), message);
  EXPECT_EQ(frame.size(), 60u) << "the least of Ethernet";
  InternetChecksum checksum;
  checksum.add(part(frame, 14, 20));
  EXPECT_EQ(checksum.value(), 0);
}

TEST(Announcement, Ipv6AdvertisementFrameIsAWholePacketFromTheVirtualMac) {
  const Bytes message(40, 7);
  const IpAddress source = *IpAddress::parse("fe80::b"), group = *IpAddress::parse("ff02::12");
  const Bytes frame = advertisement_frame(virtual_mac_address(IpFamily::ipv6, 51), source, group, message);
  EXPECT_EQ(part(frame, 0, 14), (Bytes{0x33, 0x33, 0, 0, 0, 0x12, 0, 0, 0x5E, 0, 2, 51, 0x86, 0xDD}));
  EXPECT_EQ(part(frame, 14, 8), (Bytes{0x6C, 0, 0, 0, 0, 40, 112, 255}));
  EXPECT_EQ(IpAddress::from_bytes(part(frame, 22, 16)), source);
  EXPECT_EQ(IpAddress::from_bytes(part(frame, 38, 16)), group);
  EXPECT_EQ(part(frame, 54, message.size()), message);
}

TEST(Announcement, ScheduleRepeatsQuicklyThenRefreshes) {
  const TimePoint start(1000s);
  std::vector<Duration> bursts = {0ns};
  AnnouncementSchedule schedule = start_announcements(start);
  for (int i = 0; i < 6; ++i) {
    bursts.push_back(schedule.next_at - start);
    schedule = after_announcement(schedule, schedule.next_at);
  }
  EXPECT_THAT(bursts, testing::ElementsAre(0ms, 50ms, 250ms, 1s, 5s, 65s, 125s));
}

TEST(Announcement, MissedBurstsAreNotMadeUpFor) {
  const TimePoint start(1000s);
  const AnnouncementSchedule late = after_announcement(start_announcements(start), start + 300ms);
  EXPECT_EQ(late.next_at, start + 1s);
  const AnnouncementSchedule later = after_announcement(start_announcements(start), start + 3h);
  EXPECT_EQ(later.next_at, start + 3h + kAnnouncementRefresh);
}

TEST(Announcement, NextBurstIsAlwaysAhead) {
  const TimePoint start(1000s);
  for (Duration late = 0ns; late < 10s; late += 7ms) {
    const TimePoint now = start + 50ms + late;
    EXPECT_GT(after_announcement(start_announcements(start), now).next_at, now);
  }
}

}  // namespace
}  // namespace vipair::vrrp
