#include "vrrp/core/announcement.h"

#include "common/base/assert.h"
#include "common/base/checksum.h"

namespace vipair::vrrp {

namespace {

constexpr std::uint16_t kEtherTypeIpv4 = 0x0800;
constexpr std::uint16_t kEtherTypeArp = 0x0806;
constexpr std::uint16_t kEtherTypeIpv6 = 0x86DD;
constexpr std::size_t kEthernetFrameMin = 60;  // without the frame check sequence
constexpr std::uint8_t kNextHeaderIcmpv6 = 58;
constexpr std::uint8_t kProtocolVrrp = 112;
constexpr std::uint8_t kHopsMax = 255;        // anything less is not from this link
constexpr std::uint8_t kTrafficClass = 0xC0;  // internetwork control
constexpr std::array<std::uint8_t, 16> kAllNodes = {0xFF, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
constexpr MacAddress kAllNodesMac = {{0x33, 0x33, 0, 0, 0, 1}};  // RFC 2464 section 7

void ethernet_header(ByteWriter& writer, const MacAddress& destination, const MacAddress& source,
                     std::uint16_t type) {
  writer.bytes(destination.bytes);
  writer.bytes(source.bytes);
  writer.u16(type);
}

// Of an IP multicast group (RFC 1112 section 6.4, RFC 2464 section 7).
MacAddress multicast_mac(const IpAddress& group) {
  const ByteView bytes = group.bytes();
  const ByteView tail = bytes.last(group.is_v4() ? 3 : 4);
  MacAddress mac = group.is_v4() ? MacAddress{{0x01, 0x00, 0x5E, 0, 0, 0}} : MacAddress{{0x33, 0x33, 0, 0, 0, 0}};
  std::copy(tail.begin(), tail.end(), mac.bytes.end() - static_cast<std::ptrdiff_t>(tail.size()));
  if (group.is_v4()) mac.bytes[3] &= 0x7F;
  return mac;
}

void ipv4_header(ByteWriter& writer, Bytes& frame, const IpAddress& source, const IpAddress& destination,
                 std::size_t payload) {
  constexpr std::size_t kHeaderSize = 20, kChecksumOffset = 10;
  const std::size_t start = frame.size();
  writer.u8(0x45);
  writer.u8(kTrafficClass);
  writer.u16(static_cast<std::uint16_t>(kHeaderSize + payload));
  writer.u16(0);       // identification: never fragmented
  writer.u16(0x4000);  // which this says
  writer.u8(kHopsMax);
  writer.u8(kProtocolVrrp);
  writer.u16(0);  // checksum, below
  writer.bytes(source.bytes());
  writer.bytes(destination.bytes());
  InternetChecksum checksum;
  checksum.add(ByteView(frame).subspan(start, kHeaderSize));
  frame[start + kChecksumOffset] = static_cast<std::uint8_t>(checksum.value() >> 8);
  frame[start + kChecksumOffset + 1] = static_cast<std::uint8_t>(checksum.value());
}

TimePoint next_burst(TimePoint started_at, int sent, TimePoint now) {
  const auto repeat = static_cast<std::size_t>(sent - 1);
  return repeat < kAnnouncementRepeats.size() ? started_at + kAnnouncementRepeats[repeat]
                                              : now + kAnnouncementRefresh;
}

}  // namespace

Bytes gratuitous_arp(const MacAddress& mac, const IpAddress& address) {
  VIPAIR_ASSERT(address.is_v4(), "ARP is for IPv4");
  Bytes frame;
  frame.reserve(kEthernetFrameMin);
  ByteWriter writer(frame);
  ethernet_header(writer, MacAddress::broadcast(), mac, kEtherTypeArp);
  writer.u16(1);  // Ethernet
  writer.u16(kEtherTypeIpv4);
  writer.u8(6);
  writer.u8(4);
  writer.u16(1);  // request
  writer.bytes(mac.bytes);
  writer.bytes(address.bytes());
  writer.bytes(MacAddress{}.bytes);
  writer.bytes(address.bytes());
  frame.resize(kEthernetFrameMin);
  return frame;
}

Bytes unsolicited_neighbour_advertisement(const MacAddress& mac, const IpAddress& address, bool is_router) {
  VIPAIR_ASSERT(address.is_v6(), "neighbour discovery is for IPv6");
  constexpr std::uint8_t kTypeNeighbourAdvertisement = 136;
  constexpr std::uint32_t kRouter = 0x80000000, kOverride = 0x20000000;
  constexpr std::uint8_t kOptionTargetLinkLayerAddress = 2;

  Bytes message;
  ByteWriter body(message);
  body.u8(kTypeNeighbourAdvertisement);
  body.u8(0);
  body.u16(0);  // checksum, below
  body.u32(kOverride | (is_router ? kRouter : 0));
  body.bytes(address.bytes());
  body.u8(kOptionTargetLinkLayerAddress);
  body.u8(1);  // in units of eight bytes
  body.bytes(mac.bytes);

  InternetChecksum checksum;  // RFC 4443 section 2.3
  checksum.add(address.bytes());
  checksum.add(kAllNodes);
  checksum.add_u16(static_cast<std::uint16_t>(message.size()));
  checksum.add_u16(kNextHeaderIcmpv6);
  checksum.add(message);
  message[2] = static_cast<std::uint8_t>(checksum.value() >> 8);
  message[3] = static_cast<std::uint8_t>(checksum.value());

  Bytes frame;
  ByteWriter writer(frame);
  ethernet_header(writer, kAllNodesMac, mac, kEtherTypeIpv6);
  writer.u32(6u << 28);
  writer.u16(static_cast<std::uint16_t>(message.size()));
  writer.u8(kNextHeaderIcmpv6);
  writer.u8(kHopsMax);  // RFC 4861 section 7.1.2
  writer.bytes(address.bytes());
  writer.bytes(kAllNodes);
  writer.bytes(message);
  return frame;
}

Bytes announcement(const MacAddress& mac, const IpAddress& address, bool is_router) {
  return address.is_v4() ? gratuitous_arp(mac, address)
                         : unsolicited_neighbour_advertisement(mac, address, is_router);
}

MacAddress virtual_mac_address(IpFamily family, std::uint8_t vrid) {
  const std::uint8_t block = family == IpFamily::ipv4 ? 1 : 2;
  return {{0x00, 0x00, 0x5E, 0x00, block, vrid}};
}

Bytes advertisement_frame(const MacAddress& source_mac, const IpAddress& source, const IpAddress& group,
                          ByteView message) {
  VIPAIR_ASSERT(source.family() == group.family() && group.is_multicast(), "advertisements go to a group");
  Bytes frame;
  ByteWriter writer(frame);
  ethernet_header(writer, multicast_mac(group), source_mac, group.is_v4() ? kEtherTypeIpv4 : kEtherTypeIpv6);
  if (group.is_v4()) {
    ipv4_header(writer, frame, source, group, message.size());
  } else {
    writer.u32(6u << 28 | std::uint32_t{kTrafficClass} << 20);
    writer.u16(static_cast<std::uint16_t>(message.size()));
    writer.u8(kProtocolVrrp);
    writer.u8(kHopsMax);
    writer.bytes(source.bytes());
    writer.bytes(group.bytes());
  }
  writer.bytes(message);
  if (frame.size() < kEthernetFrameMin) frame.resize(kEthernetFrameMin);
  return frame;
}

AnnouncementSchedule start_announcements(TimePoint now) { return {now, 1, next_burst(now, 1, now)}; }

AnnouncementSchedule after_announcement(const AnnouncementSchedule& schedule, TimePoint now) {
  AnnouncementSchedule next = schedule;
  do {
    ++next.sent;
    next.next_at = next_burst(next.started_at, next.sent, now);
  } while (next.next_at <= now);
  // the refresh goes on for ever, the count need not
  const int sent_max = static_cast<int>(kAnnouncementRepeats.size()) + 1;
  next.sent = std::min(next.sent, sent_max);
  return next;
}

}  // namespace vipair::vrrp
