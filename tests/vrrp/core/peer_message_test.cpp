#include "vrrp/core/peer_message.h"

#include "common/base/checksum.h"
#include "vrrp/core/authentication.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;

Bytes with_checksum(Bytes bytes) {
  bytes[6] = bytes[7] = 0;
  InternetChecksum checksum;
  checksum.add(bytes);
  bytes[6] = static_cast<std::uint8_t>(checksum.value() >> 8);
  bytes[7] = static_cast<std::uint8_t>(checksum.value());
  return bytes;
}

Hello hello_of(std::size_t entries) {
  Hello hello;
  hello.hears_you = true;
  hello.clock = WallTime(1234567890123456789ns);
  hello.prefix_length = 24;
  for (std::size_t i = 0; i < entries; ++i) {
    const auto number = static_cast<std::uint8_t>(i + 1);
    hello.entries.push_back({{name_hash("router"), i % 2 ? IpFamily::ipv6 : IpFamily::ipv4, number},
                             static_cast<PeerState>(i % 5),
                             number,
                             static_cast<std::uint8_t>(i % 7),
                             i % 3 == 0});
  }
  return hello;
}

const std::vector<PeerMessage>& samples() {
  static const std::vector<PeerMessage> all = {
      Hello{},
      hello_of(1),
      hello_of(5),
      hello_of(kHelloEntriesMax),
      PathAdvert{{1, IpFamily::ipv4, 51}, 200, Centiseconds(10), true, *IpAddress::parse("192.0.2.11")},
      PathAdvert{{2, IpFamily::ipv6, 255}, 0, Centiseconds(25500), false, *IpAddress::parse("fe80::11")},
      Probe{0x0123456789ABCDEF},
      ProbeReply{42, true, false, WallTime(-5ns), 64},
      ProbeReply{43, false, true, WallTime(5ns), 0},
  };
  return all;
}

TEST(PeerMessage, EverySampleSurvivesTheRoundTrip) {
  for (const PeerMessage& message : samples()) {
    const auto decoded = decode_peer_message(encode(message));
    ASSERT_TRUE(decoded) << message.index();
    EXPECT_EQ(*decoded, message) << message.index();
  }
}

TEST(PeerMessage, IsVersion3OfAnUnassignedTypeAndFitsAnEthernetFrame) {
  constexpr std::size_t kIpv6Header = 40, kMtu = 1500;
  for (const PeerMessage& message : samples()) {
    const Bytes bytes = encode(message);
    EXPECT_EQ(bytes[0], 0x3F);
    EXPECT_TRUE(is_peer_message(bytes));
    EXPECT_LE(bytes.size() + kTrailerSize + kIpv6Header, kMtu);
    EXPECT_EQ(bytes.size() % 2, 0u) << "the checksum adds 16 bit words";
  }
  EXPECT_FALSE(is_peer_message({}));
}

TEST(PeerMessage, EveryOtherLengthIsRefused) {
  for (const PeerMessage& message : samples()) {
    const Bytes bytes = encode(message);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
      if (size >= 8) cut = with_checksum(std::move(cut));
      const auto decoded = decode_peer_message(cut);
      ASSERT_FALSE(decoded) << message.index() << ", " << size << " bytes";
      EXPECT_EQ(decoded.error(), size < 8 ? DropReason::too_short : DropReason::length);
    }
    Bytes longer = bytes;
    longer.insert(longer.end(), 2, 0);
    EXPECT_EQ(decode_peer_message(with_checksum(longer)).error(), DropReason::length);
  }
}

TEST(PeerMessage, EveryAlteredBitIsRefusedByTheChecksum) {
  const Bytes bytes = encode(hello_of(3));
  for (std::size_t i = 8; i < bytes.size(); ++i) {
    Bytes altered = bytes;
    altered[i] ^= 0x10;
    EXPECT_EQ(decode_peer_message(altered).error(), DropReason::checksum);
  }
}

TEST(PeerMessage, WhatItCannotBeHasItsOwnReason) {
  struct Row {
    const char* what;
    std::size_t sample, at;
    std::uint8_t value;
    DropReason reason;
  };
  const std::vector<Row> rows = {
      {"an advertisement", 0, 0, 0x31, DropReason::type},
      {"kind 0", 0, 1, 0, DropReason::type},
      {"kind 5", 0, 1, 5, DropReason::type},
      {"another layout", 0, 2, 2, DropReason::version},
      {"more entries than there are", 1, 5, 2, DropReason::length},
      {"fewer entries than there are", 2, 5, 4, DropReason::length},
      {"too many entries", 1, 4, 1, DropReason::length},
      {"an unknown state", 1, 21, 7, DropReason::type},
      {"family 5", 4, 9, 5, DropReason::type},
      {"the other family", 4, 9, 6, DropReason::length},
      {"interval 0", 4, 13, 0, DropReason::interval},
  };
  for (const Row& row : rows) {
    Bytes bytes = encode(samples()[row.sample]);
    bytes.at(row.at) = row.value;
    const auto decoded = decode_peer_message(with_checksum(bytes));
    ASSERT_FALSE(decoded) << row.what;
    EXPECT_EQ(decoded.error(), row.reason) << row.what;
  }
}

TEST(PeerMessage, ReservedBitsAreIgnored) {
  Bytes bytes = encode(samples()[4]);
  bytes[3] |= 0xF0;
  bytes[11] = bytes[14] = bytes[15] = 0xFF;
  const auto decoded = decode_peer_message(with_checksum(bytes));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(*decoded, samples()[4]);
}

TEST(PeerMessage, StatesHaveTheNamesOfTheStatus) {
  EXPECT_STREQ(to_string(PeerState::active), "active");
  EXPECT_STREQ(to_string(PeerState::fault), "fault");
}

}  // namespace
}  // namespace vipair::vrrp
