#include "vrrp/core/solicitation.h"

#include <algorithm>

#include "common/base/assert.h"
#include "common/base/checksum.h"

namespace vipair::vrrp {
namespace {

constexpr std::uint16_t kEtherTypeIpv4 = 0x0800;
constexpr std::uint16_t kEtherTypeArp = 0x0806;
constexpr std::uint16_t kHardwareEthernet = 1;
constexpr std::uint16_t kArpRequest = 1, kArpReply = 2;
constexpr std::uint8_t kNeighbourSolicitation = 135, kNeighbourAdvertisement = 136;
constexpr std::uint8_t kOptionSourceLinkLayerAddress = 1;
constexpr std::size_t kIpv4HeaderMin = 20;

struct EchoTypes {
  std::uint8_t request, reply;
};
EchoTypes types_of(IpFamily family) { return family == IpFamily::ipv4 ? EchoTypes{8, 0} : EchoTypes{128, 129}; }

bool equal(ByteView one, ByteView other) { return std::ranges::equal(one, other); }

}  // namespace

Bytes echo_request(const Echo& echo) {
  Bytes message;
  ByteWriter writer(message);
  writer.u8(types_of(echo.family).request);
  writer.u8(0);
  writer.u16(0);
  writer.u16(echo.identifier);
  writer.u16(echo.sequence);
  writer.bytes(echo.token);
  if (echo.family == IpFamily::ipv4) {
    InternetChecksum checksum;
    checksum.add(message);
    message[2] = static_cast<std::uint8_t>(checksum.value() >> 8);
    message[3] = static_cast<std::uint8_t>(checksum.value());
  }
  return message;
}

bool is_echo_reply(const Echo& echo, ByteView packet) {
  if (echo.family == IpFamily::ipv4) {
    if (packet.size() < kIpv4HeaderMin) return false;
    const std::size_t header = (packet[0] & 0x0fu) * 4;
    if (header < kIpv4HeaderMin || header > packet.size()) return false;
    packet = packet.subspan(header);
    InternetChecksum checksum;
    checksum.add(packet);
    if (checksum.value() != 0) return false;
  }
  ByteReader reader(packet);
  const bool is_reply = reader.u8() == types_of(echo.family).reply && reader.u8() == 0;
  (void)reader.u16();  // the checksum
  const bool is_ours = reader.u16() == echo.identifier && reader.u16() == echo.sequence;
  const ByteView token = reader.view(echo.token.size());
  return reader.ok() && is_reply && is_ours && reader.remaining() == 0 && equal(token, echo.token);
}

Bytes arp_request(const MacAddress& to, const MacAddress& own_mac, const IpAddress& own_address,
                  const IpAddress& wanted) {
  VIPAIR_ASSERT(own_address.is_v4() && wanted.is_v4(), "ARP is for IPv4");
  Bytes frame;
  ByteWriter writer(frame);
  writer.bytes(to.bytes);
  writer.bytes(own_mac.bytes);
  writer.u16(kEtherTypeArp);
  writer.u16(kHardwareEthernet);
  writer.u16(kEtherTypeIpv4);
  writer.u8(6);
  writer.u8(4);
  writer.u16(kArpRequest);
  writer.bytes(own_mac.bytes);
  writer.bytes(own_address.bytes());
  writer.bytes(MacAddress{}.bytes);
  writer.bytes(wanted.bytes());
  return frame;
}

std::optional<MacAddress> arp_answer(ByteView frame, const IpAddress& wanted) {
  ByteReader reader(frame);
  (void)reader.view(2 * sizeof(MacAddress::bytes));
  const bool is_arp = reader.u16() == kEtherTypeArp && reader.u16() == kHardwareEthernet &&
                      reader.u16() == kEtherTypeIpv4 && reader.u8() == 6 && reader.u8() == 4;
  const bool is_reply = reader.u16() == kArpReply;
  const ByteView mac = reader.view(sizeof(MacAddress::bytes));
  const ByteView address = reader.view(4);
  if (!reader.ok() || !is_arp || !is_reply || !equal(address, wanted.bytes())) return std::nullopt;
  MacAddress answer;
  std::ranges::copy(mac, answer.bytes.begin());
  return answer;
}

Bytes neighbour_solicitation(const MacAddress& own_mac, const IpAddress& wanted) {
  VIPAIR_ASSERT(wanted.is_v6(), "neighbour discovery is for IPv6");
  Bytes message;
  ByteWriter writer(message);
  writer.u8(kNeighbourSolicitation);
  writer.u8(0);
  writer.u16(0);  // the kernel's
  writer.u32(0);
  writer.bytes(wanted.bytes());
  writer.u8(kOptionSourceLinkLayerAddress);
  writer.u8(1);  // in units of eight bytes
  writer.bytes(own_mac.bytes);
  return message;
}

IpAddress solicited_node_group(const IpAddress& wanted) {
  VIPAIR_ASSERT(wanted.is_v6(), "neighbour discovery is for IPv6");
  std::array<std::uint8_t, 16> group = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0};
  std::ranges::copy(wanted.bytes().last(3), group.end() - 3);
  return IpAddress::v6(group);
}

bool is_neighbour_advertisement(ByteView message, const IpAddress& wanted) {
  ByteReader reader(message);
  const bool is_advertisement = reader.u8() == kNeighbourAdvertisement && reader.u8() == 0;
  (void)reader.u16();  // checksum, which the kernel has checked
  (void)reader.u32();
  const ByteView target = reader.view(16);
  return reader.ok() && is_advertisement && equal(target, wanted.bytes());
}

}  // namespace vipair::vrrp
