#include "vrrp/core/solicitation.h"

#include <gtest/gtest.h>

#include "common/base/checksum.h"

namespace vipair::vrrp {
namespace {

const MacAddress kMac{{2, 0, 0, 0, 0, 1}}, kOther{{2, 0, 0, 0, 0, 2}};
IpAddress ip(const char* text) { return *IpAddress::parse(text); }

Echo echo_of(IpFamily family) { return {family, 0x1234, 7, {1, 2, 3, 4, 5, 6, 7, 8, 9}}; }

// As the other side would send it, and as a raw socket gives it.
Bytes reply_to(const Echo& echo) {
  Bytes message = echo_request(echo);
  message[0] = echo.family == IpFamily::ipv4 ? 0 : 129;
  if (echo.family == IpFamily::ipv6) return message;
  message[2] = message[3] = 0;
  InternetChecksum checksum;
  checksum.add(message);
  message[2] = static_cast<std::uint8_t>(checksum.value() >> 8);
  message[3] = static_cast<std::uint8_t>(checksum.value());
  Bytes packet(24);  // an IPv4 header with options
  packet[0] = 0x46;
  packet.insert(packet.end(), message.begin(), message.end());
  return packet;
}

TEST(Solicitation, EchoRequestHasTheLayoutOfItsRfc) {
  const Bytes v4 = echo_request(echo_of(IpFamily::ipv4));
  ASSERT_EQ(v4.size(), 24u);
  EXPECT_EQ(v4[0], 8);
  InternetChecksum checksum;
  checksum.add(v4);
  EXPECT_EQ(checksum.value(), 0);
  const Bytes v6 = echo_request(echo_of(IpFamily::ipv6));
  EXPECT_EQ(Bytes(v6.begin(), v6.begin() + 8), Bytes({128, 0, 0, 0, 0x12, 0x34, 0, 7}));
}

TEST(Solicitation, EchoReplyIsOursOnlyIfEverythingIs) {
  for (const IpFamily family : {IpFamily::ipv4, IpFamily::ipv6}) {
    const Echo echo = echo_of(family);
    const Bytes good = reply_to(echo);
    EXPECT_TRUE(is_echo_reply(echo, good));
    for (std::size_t size = 0; size < good.size(); ++size)
      EXPECT_FALSE(is_echo_reply(echo, ByteView(good).first(size))) << size;
    Bytes longer = good;
    longer.push_back(0);
    EXPECT_FALSE(is_echo_reply(echo, longer));
    Echo other = echo;
    other.identifier ^= 1;
    EXPECT_FALSE(is_echo_reply(other, good));
    other = echo;
    other.sequence ^= 1;
    EXPECT_FALSE(is_echo_reply(other, good));
    other = echo;
    other.token[15] ^= 1;
    EXPECT_FALSE(is_echo_reply(other, good));
    EXPECT_FALSE(is_echo_reply(echo, echo_request(echo)));
  }
}

TEST(Solicitation, EchoReplyWithAWrongChecksumIsNone) {
  Bytes packet = reply_to(echo_of(IpFamily::ipv4));
  packet[26] ^= 1;
  EXPECT_FALSE(is_echo_reply(echo_of(IpFamily::ipv4), packet));
  packet = reply_to(echo_of(IpFamily::ipv4));
  packet[0] = 0x4f;  // a header longer than the packet
  EXPECT_FALSE(is_echo_reply(echo_of(IpFamily::ipv4), ByteView(packet).first(30)));
}

TEST(Solicitation, ArpRequestHasTheLayoutOfRfc826) {
  const Bytes frame = arp_request(MacAddress::broadcast(), kMac, ip("192.0.2.11"), ip("192.0.2.1"));
  const Bytes expected = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0,   0, 0, 0,  1, 8, 6, 0, 1, 8, 0,   6, 4, 0,
                          1,    2,    0,    0,    0,    0,    1, 192, 0, 2, 11, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1};
  EXPECT_EQ(frame, expected);
}

TEST(Solicitation, ArpAnswerIsThatOfTheWantedAddress) {
  Bytes frame = arp_request(kMac, kOther, ip("192.0.2.1"), ip("192.0.2.11"));
  EXPECT_EQ(arp_answer(frame, ip("192.0.2.1")), std::nullopt) << "a request is no answer";
  frame[21] = 2;
  EXPECT_EQ(arp_answer(frame, ip("192.0.2.1")), kOther);
  EXPECT_EQ(arp_answer(frame, ip("192.0.2.2")), std::nullopt);
  for (std::size_t size = 0; size < 32; ++size)
    EXPECT_EQ(arp_answer(ByteView(frame).first(size), ip("192.0.2.1")), std::nullopt) << size;
  frame.resize(60);
  EXPECT_EQ(arp_answer(frame, ip("192.0.2.1")), kOther) << "padded to the least frame of Ethernet";
}

TEST(Solicitation, NeighbourSolicitationHasTheLayoutOfRfc4861) {
  const Bytes message = neighbour_solicitation(kMac, ip("2001:db8::1"));
  const Bytes expected = {135, 0, 0, 0, 0, 0, 0, 0, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0,
                          0,   0, 0, 0, 0, 0, 0, 1, 1,    1, 2,    0,    0, 0, 0, 1};
  EXPECT_EQ(message, expected);
  EXPECT_EQ(solicited_node_group(ip("2001:db8::1:2:abcd")), ip("ff02::1:ff02:abcd"));
}

TEST(Solicitation, NeighbourAdvertisementIsThatOfTheWantedAddress) {
  Bytes message = neighbour_solicitation(kMac, ip("2001:db8::1"));
  EXPECT_FALSE(is_neighbour_advertisement(message, ip("2001:db8::1")));
  message[0] = 136;
  EXPECT_TRUE(is_neighbour_advertisement(message, ip("2001:db8::1")));
  EXPECT_FALSE(is_neighbour_advertisement(message, ip("2001:db8::2")));
  EXPECT_FALSE(is_neighbour_advertisement(ByteView(message).first(23), ip("2001:db8::1")));
}

}  // namespace
}  // namespace vipair::vrrp
