#include "vrrp/core/advertisement.h"

#include <set>

namespace vipair::vrrp {
namespace {

IpAddress ip(std::string_view text) { return *IpAddress::parse(text); }

const IpAddress kSource = ip("192.0.2.251");
const IpAddress kGroup = multicast_group(IpFamily::ipv4);

Advertisement two_addresses() { return {10, 200, Centiseconds(100), {ip("192.0.2.1"), ip("192.0.2.2")}}; }
Advertisement two_v6_addresses() { return {10, 100, Centiseconds(100), {ip("fe80::1"), ip("2001:db8::1")}}; }

ReceivedPacket from_source(const Bytes& message) { return {kSource, kGroup, kTtl, message}; }

std::uint16_t checksum_field(const Bytes& message) {
  return static_cast<std::uint16_t>(message[6] << 8 | message[7]);
}

// The message with a valid checksum, whatever else is wrong with it.
Bytes with_checksum(Bytes message) {
  for (std::uint32_t value = 0; value <= 0xFFFF; ++value) {
    message[6] = static_cast<std::uint8_t>(value >> 8);
    message[7] = static_cast<std::uint8_t>(value);
    const auto decoded = decode(from_source(message));
    if (decoded || decoded.error() != DropReason::checksum) return message;
  }
  ADD_FAILURE() << "no checksum is valid";
  return message;
}

DropReason refusal(const ReceivedPacket& packet) {
  const auto decoded = decode(packet);
  EXPECT_FALSE(decoded) << "was accepted";
  return decoded ? DropReason{} : decoded.error();
}

TEST(Advertisement, HasTheLayoutOfRfc9568Section5) {
  const Bytes message = encode(two_addresses(), kSource, kGroup, ChecksumKind::pseudo_header);
  EXPECT_EQ(message, (Bytes{0x31, 10, 200, 2, 0x00, 0x64, 0xDE, 0xFB, 192, 0, 2, 1, 192, 0, 2, 2}));
}

TEST(Advertisement, ChecksumsAreThoseOfTheDeployedImplementations) {
  EXPECT_EQ(checksum_field(encode(two_addresses(), kSource, kGroup, ChecksumKind::message_only)), 0x828A);
  EXPECT_EQ(checksum_field(encode(two_addresses(), kSource, kGroup, ChecksumKind::pseudo_header)), 0xDEFB);
  const IpAddress group = multicast_group(IpFamily::ipv6);
  EXPECT_EQ(checksum_field(encode(two_v6_addresses(), ip("fe80::c8"), group, ChecksumKind::pseudo_header)), 0x3F5D);
}

TEST(Advertisement, Ipv6AlwaysCarriesThePseudoHeader) {
  const IpAddress group = multicast_group(IpFamily::ipv6);
  const Bytes message = encode(two_v6_addresses(), ip("fe80::c8"), group, ChecksumKind::message_only);
  EXPECT_EQ(checksum_field(message), 0x3F5D);
  const auto decoded = decode({ip("fe80::c8"), group, kTtl, message});
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->advertisement, two_v6_addresses());
}

TEST(Advertisement, EitherChecksumFormIsAcceptedAndTold) {
  for (ChecksumKind kind : {ChecksumKind::pseudo_header, ChecksumKind::message_only}) {
    const Bytes message = encode(two_addresses(), kSource, kGroup, kind);
    const auto decoded = decode(from_source(message));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->checksum, kind);
    EXPECT_EQ(decoded->advertisement, two_addresses());
  }
}

TEST(Advertisement, ThePseudoHeaderHoldsTheAddressesOfThePacket) {
  const Bytes message = encode(two_addresses(), kSource, kGroup, ChecksumKind::pseudo_header);
  EXPECT_EQ(refusal({ip("192.0.2.250"), kGroup, kTtl, message}), DropReason::checksum);
  EXPECT_EQ(refusal({kSource, ip("192.0.2.12"), kTtl, message}), DropReason::checksum);
}

TEST(Advertisement, ReservedBitsAreZeroOnSendAndIgnoredOnReceive) {
  Bytes message = encode(two_addresses(), kSource, kGroup, ChecksumKind::pseudo_header);
  EXPECT_EQ(message[4] >> 4, 0);
  message[4] |= 0xF0;
  message = with_checksum(message);
  const auto decoded = decode(from_source(message));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->advertisement.max_advertise_interval, Centiseconds(100));
}

TEST(Advertisement, EverySizeAndIntervalSurvivesTheRoundTrip) {
  for (std::size_t count : {1u, 2u, 254u, 255u}) {
    for (int interval : {1, 10, 255, 256, 4095}) {
      Advertisement advertisement{255, 255, Centiseconds(interval), {}};
      for (std::size_t i = 0; i < count; ++i) {
        advertisement.addresses.push_back(IpAddress::v4(0xC0000200 + static_cast<std::uint32_t>(i)));
      }
      const Bytes message = encode(advertisement, kSource, kGroup, ChecksumKind::pseudo_header);
      EXPECT_EQ(message.size(), kHeaderSize + 4 * count);
      const auto decoded = decode(from_source(message));
      ASSERT_TRUE(decoded) << count << " addresses, " << interval << " cs: " << to_string(decoded.error());
      EXPECT_EQ(decoded->advertisement, advertisement);
    }
  }
}

// RFC 9568 section 7.1, each MUST of it with what breaks it and nothing else.
TEST(Advertisement, EveryReceiveCheckRefusesWithItsOwnReason) {
  const Bytes good = encode(two_addresses(), kSource, kGroup, ChecksumKind::pseudo_header);
  auto changed = [&](std::size_t at, int value) {
    Bytes message = good;
    message[at] = static_cast<std::uint8_t>(value);
    return message;
  };
  Bytes longer = good;
  longer.resize(good.size() + 8);
  const Bytes shorter(good.begin(), good.end() - 1);
  Bytes no_interval = good;
  no_interval[4] = no_interval[5] = 0;
  const Bytes no_count = with_checksum({0x31, 10, 200, 0, 0, 100, 0, 0});

  const std::vector<std::pair<Bytes, DropReason>> cases = {
      {{}, DropReason::too_short},
      {Bytes(good.begin(), good.begin() + 7), DropReason::too_short},
      {changed(0, 0x21), DropReason::version_2},
      {changed(0, 0x41), DropReason::version},
      {changed(0, 0x01), DropReason::version},
      {changed(0, 0x32), DropReason::type},
      {changed(3, 1), DropReason::length},
      {changed(3, 3), DropReason::length},
      {longer, DropReason::length},
      {shorter, DropReason::length},
      {changed(2, 201), DropReason::checksum},
      {changed(7, good[7] ^ 1), DropReason::checksum},
      {no_count, DropReason::count},
      {with_checksum(no_interval), DropReason::interval},
  };
  for (const auto& [message, reason] : cases) {
    EXPECT_EQ(to_string(refusal(from_source(message))), std::string_view(to_string(reason)));
  }
  EXPECT_EQ(refusal({kSource, kGroup, 254, good}), DropReason::ttl);
  EXPECT_EQ(refusal({kSource, kGroup, 0, good}), DropReason::ttl);
}

TEST(Advertisement, TheFirstFailingCheckNamesTheReason) {
  // everything is wrong with it; each step repairs the check that comes first
  Bytes message = {0x42, 10, 200, 5, 0, 0, 0, 0};
  EXPECT_EQ(refusal({kSource, kGroup, 1, ByteView(message).first(4)}), DropReason::too_short);
  EXPECT_EQ(refusal({kSource, kGroup, 1, message}), DropReason::ttl);
  EXPECT_EQ(refusal(from_source(message)), DropReason::version);
  message[0] = 0x32;
  EXPECT_EQ(refusal(from_source(message)), DropReason::type);
  message[0] = 0x31;
  EXPECT_EQ(refusal(from_source(message)), DropReason::length);
  message[3] = 0;
  EXPECT_EQ(refusal(from_source(message)), DropReason::checksum);
  message = with_checksum(message);
  EXPECT_EQ(refusal(from_source(message)), DropReason::count);
}

TEST(Advertisement, AddressesOfTheOtherFamilyDoNotFit) {
  const IpAddress group = multicast_group(IpFamily::ipv6);
  const Bytes message = encode(two_addresses(), kSource, kGroup, ChecksumKind::message_only);
  EXPECT_EQ(refusal({ip("fe80::c8"), group, kTtl, message}), DropReason::length);
}

TEST(Advertisement, VridIsReadBeforeTheRouterIsKnown) {
  const Bytes good = encode(two_addresses(), kSource, kGroup, ChecksumKind::pseudo_header);
  const auto vrid = decode_vrid(from_source(good));
  ASSERT_TRUE(vrid);
  EXPECT_EQ(*vrid, 10);
  EXPECT_FALSE(decode_vrid({kSource, kGroup, 254, good}));
}

TEST(Advertisement, EveryDropReasonHasItsOwnCounterAndWords) {
  std::set<std::string> names, words;
  for (std::size_t i = 0; i < kDropReasons; ++i) {
    names.insert(counter_name(static_cast<DropReason>(i)));
    words.insert(to_string(static_cast<DropReason>(i)));
  }
  EXPECT_EQ(names.size(), kDropReasons);
  EXPECT_EQ(words.size(), kDropReasons);
}

TEST(Advertisement, MulticastGroupsAreThoseOfTheRfc) {
  EXPECT_EQ(multicast_group(IpFamily::ipv4).to_string(), "224.0.0.18");
  EXPECT_EQ(multicast_group(IpFamily::ipv6).to_string(), "ff02::12");
}

}  // namespace
}  // namespace vipair::vrrp
