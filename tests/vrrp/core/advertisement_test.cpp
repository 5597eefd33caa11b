#include "vrrp/core/advertisement.h"

#include <set>

#include "common/base/checksum.h"

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
      {changed(0, 0x41), DropReason::version},
      {changed(0, 0x01), DropReason::version},
      {changed(0, 0x32), DropReason::type},
      {changed(0, 0x21), DropReason::version_2},
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

// ---- version 2 (RFC 3768) ----

Advertisement version_2(std::string_view password = "") {
  Advertisement advertisement = two_addresses();
  advertisement.version = 2;
  if (!password.empty()) advertisement.password = authentication_data(password);
  return advertisement;
}

Bytes encode_version_2(const Advertisement& advertisement) {
  return encode(advertisement, kSource, kGroup, ChecksumKind::pseudo_header);
}

// With the checksum over the message that version 2 wants.
Bytes with_version_2_checksum(Bytes message) {
  message[6] = message[7] = 0;
  InternetChecksum checksum;
  checksum.add(message);
  message[6] = static_cast<std::uint8_t>(checksum.value() >> 8);
  message[7] = static_cast<std::uint8_t>(checksum.value());
  return message;
}

DropReason refusal_of_version_2(const Bytes& message, int ttl = kTtl) {
  const auto decoded = decode({kSource, kGroup, ttl, message}, 2);
  EXPECT_FALSE(decoded) << "was accepted";
  return decoded ? DropReason{} : decoded.error();
}

TEST(AdvertisementV2, HasTheLayoutOfRfc3768Section5) {
  EXPECT_EQ(encode_version_2(version_2()),
            (Bytes{0x21, 10, 200, 2, 0, 1, 0x92, 0xED, 192, 0, 2, 1, 192, 0, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0}));
}

TEST(AdvertisementV2, PasswordIsFilledUpWithZeros) {
  const Bytes message = encode_version_2(version_2("secret"));
  EXPECT_EQ(message[4], 1) << "simple text password";
  EXPECT_EQ(Bytes(message.end() - 8, message.end()), (Bytes{'s', 'e', 'c', 'r', 'e', 't', 0, 0}));
  EXPECT_EQ(authentication_data("12345678"), (AuthenticationData{'1', '2', '3', '4', '5', '6', '7', '8'}));
}

TEST(AdvertisementV2, EverySizeIntervalAndPasswordSurvivesTheRoundTrip) {
  for (std::size_t count : {1u, 2u, 255u}) {
    for (int seconds : {1, 40, 255}) {
      for (std::string_view password : {"", "x", "12345678"}) {
        Advertisement advertisement = version_2(password);
        advertisement.max_advertise_interval = std::chrono::seconds(seconds);
        advertisement.addresses.assign(count, ip("192.0.2.1"));
        const Bytes message = encode_version_2(advertisement);
        EXPECT_EQ(message.size(), kHeaderSize + 4 * count + 8);
        const auto decoded = decode(from_source(message), 2);
        ASSERT_TRUE(decoded) << count << " addresses, " << seconds << " s: " << to_string(decoded.error());
        EXPECT_EQ(decoded->advertisement, advertisement);
        EXPECT_EQ(decoded->checksum, ChecksumKind::message_only);
      }
    }
  }
}

// RFC 3768 section 5.3.10
TEST(AdvertisementV2, AuthenticationDataDoesNotMatterWithoutAuthentication) {
  Bytes message = encode_version_2(version_2());
  message.back() = 0xFF;
  const auto decoded = decode(from_source(with_version_2_checksum(message)), 2);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->advertisement, version_2());
}

// RFC 3768 section 7.1, each MUST of the message itself with what breaks it and nothing else.
TEST(AdvertisementV2, EveryReceiveCheckRefusesWithItsOwnReason) {
  const Bytes good = encode_version_2(version_2());
  auto changed = [&](std::size_t at, int value) {
    Bytes message = good;
    message[at] = static_cast<std::uint8_t>(value);
    return message;
  };
  Bytes longer = good;
  longer.resize(good.size() + 1);
  const Bytes without_trailer(good.begin(), good.end() - 8);
  const Bytes no_count = with_version_2_checksum({0x21, 10, 200, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  const std::vector<std::pair<Bytes, DropReason>> cases = {
      {Bytes(good.begin(), good.begin() + 7), DropReason::too_short},
      {changed(0, 0x11), DropReason::version},
      {changed(0, 0x22), DropReason::type},
      {encode(two_addresses(), kSource, kGroup, ChecksumKind::message_only), DropReason::version_3},
      {without_trailer, DropReason::length},
      {longer, DropReason::length},
      {changed(3, 4), DropReason::length},
      {changed(2, 201), DropReason::checksum},
      {changed(good.size() - 1, 1), DropReason::checksum},
      {no_count, DropReason::count},
      {with_version_2_checksum(changed(5, 0)), DropReason::interval},
      {with_version_2_checksum(changed(4, 2)), DropReason::auth_type_unknown},
      {with_version_2_checksum(changed(4, 255)), DropReason::auth_type_unknown},
  };
  for (const auto& [message, reason] : cases) {
    EXPECT_EQ(to_string(refusal_of_version_2(message)), std::string_view(to_string(reason)));
  }
  EXPECT_EQ(refusal_of_version_2(good, 254), DropReason::ttl);
}

TEST(AdvertisementV2, ChecksumWithAPseudoHeaderIsWrong) {
  Bytes message = encode_version_2(version_2());
  InternetChecksum checksum;
  message[6] = message[7] = 0;
  for (ByteView part : {kSource.bytes(), kGroup.bytes(), ByteView(message)}) checksum.add(part);
  checksum.add_u16(kIpProtocol);
  checksum.add_u16(static_cast<std::uint16_t>(message.size()));
  message[6] = static_cast<std::uint8_t>(checksum.value() >> 8);
  message[7] = static_cast<std::uint8_t>(checksum.value());
  EXPECT_EQ(refusal_of_version_2(message), DropReason::checksum);
}

TEST(AdvertisementV2, IsForIpv4Only) {
  const Bytes message = encode_version_2(version_2());
  for (int version : {2, 3}) {
    const auto decoded = decode({ip("fe80::c8"), multicast_group(IpFamily::ipv6), kTtl, message}, version);
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error(), DropReason::version_2);
  }
}

TEST(AdvertisementV2, DifferencesOfConfigurationComeWithAnAdvice) {
  for (DropReason reason :
       {DropReason::version_2, DropReason::version_3, DropReason::auth_type_unknown, DropReason::interval_mismatch,
        DropReason::auth_type_mismatch, DropReason::auth_failure}) {
    EXPECT_TRUE(advice(reason)) << to_string(reason);
  }
  EXPECT_FALSE(advice(DropReason::checksum)) << "no configuration cures that";
}

// ---- both versions ----

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
