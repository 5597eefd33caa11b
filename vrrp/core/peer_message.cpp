#include "vrrp/core/peer_message.h"

#include <utility>

#include "common/base/assert.h"
#include "common/base/checksum.h"
#include "common/base/overloaded.h"

namespace vipair::vrrp {

namespace {

enum Kind : std::uint8_t { kHello = 1, kAdvert = 2, kProbe = 3, kProbeReply = 4 };

constexpr std::size_t kChecksumOffset = 6;
constexpr std::size_t kHelloHead = 12, kHelloEntry = 8, kAdvertHead = 12, kProbeBody = 8, kProbeReplyBody = 20;

constexpr Centiseconds kIntervalMax{0xFFFF};  // version 2 has up to 255 seconds

// flags
constexpr std::uint8_t kHearsYou = 1;      // hello, probe_reply
constexpr std::uint8_t kReachable = 1;     // advert
constexpr std::uint8_t kWasMulticast = 2;  // probe_reply
// bits of a hello's entry
constexpr std::uint8_t kStateMask = 0x07;
constexpr std::uint8_t kEligible = 0x40;
constexpr std::uint8_t kIpv6 = 0x80;

std::uint16_t checksum_of(ByteView bytes) {
  InternetChecksum checksum;
  checksum.add(bytes);
  return checksum.value();
}

std::uint64_t wire_clock(WallTime clock) { return static_cast<std::uint64_t>(clock.time_since_epoch().count()); }
WallTime read_clock(ByteReader& reader) { return WallTime(Duration(static_cast<Duration::rep>(reader.u64()))); }

struct Header {
  Kind kind = kHello;
  std::uint8_t flags = 0;
  std::size_t count = 0;
};

Header header_of(const PeerMessage& message) {
  return std::visit(
      overloaded{
          [](const Hello& hello) {
            return Header{kHello, hello.hears_you ? kHearsYou : std::uint8_t{0}, hello.entries.size()};
          },
          [](const PathAdvert& advert) {
            return Header{kAdvert, advert.is_reachable ? kReachable : std::uint8_t{0}, 0};
          },
          [](const Probe&) {
            return Header{kProbe, 0, 0};
          },
          [](const ProbeReply& reply) {
            const int flags = (reply.hears_you ? kHearsYou : 0) | (reply.was_multicast ? kWasMulticast : 0);
            return Header{kProbeReply, static_cast<std::uint8_t>(flags), 0};
          },
      },
      message);
}

void write_body(ByteWriter& writer, const Hello& hello) {
  VIPAIR_ASSERT(hello.entries.size() <= kHelloEntriesMax, "a hello holds at most kHelloEntriesMax entries");
  writer.u64(wire_clock(hello.clock));
  writer.u32(std::uint32_t{hello.prefix_length} << 24);
  for (const HelloEntry& entry : hello.entries) {
    const int bits = static_cast<int>(entry.state) | (entry.is_eligible ? kEligible : 0) |
                     (entry.subject.family == IpFamily::ipv6 ? kIpv6 : 0);
    writer.u8(entry.subject.vrid);
    writer.u8(static_cast<std::uint8_t>(bits));
    writer.u8(entry.effective_priority);
    writer.u8(entry.penalty);
    writer.u32(entry.subject.name);
  }
}

void write_body(ByteWriter& writer, const PathAdvert& advert) {
  VIPAIR_ASSERT(advert.max_advertise_interval > Centiseconds(0) && advert.max_advertise_interval <= kIntervalMax,
                "an advertisement interval has sixteen bits here and is not zero");
  VIPAIR_ASSERT(advert.source.family() == advert.subject.family, "the source is of the instance's family");
  writer.u8(advert.subject.vrid);
  writer.u8(advert.subject.family == IpFamily::ipv4 ? 4 : 6);
  writer.u8(advert.priority);
  writer.u8(0);
  writer.u16(static_cast<std::uint16_t>(advert.max_advertise_interval.count()));
  writer.u16(0);
  writer.u32(advert.subject.name);
  writer.bytes(advert.source.bytes());
}

void write_body(ByteWriter& writer, const Probe& probe) { writer.u64(probe.nonce); }

void write_body(ByteWriter& writer, const ProbeReply& reply) {
  writer.u64(reply.nonce);
  writer.u64(wire_clock(reply.clock));
  writer.u32(std::uint32_t{reply.prefix_length} << 24);
}

using Decoded = Expected<PeerMessage, DropReason>;

Decoded read_hello(const Header& header, ByteReader reader) {
  if (header.count > kHelloEntriesMax || reader.remaining() != kHelloHead + header.count * kHelloEntry)
    return Unexpected{DropReason::length};
  Hello hello;
  hello.hears_you = header.flags & kHearsYou;
  hello.clock = read_clock(reader);
  hello.prefix_length = static_cast<std::uint8_t>(reader.u32() >> 24);
  hello.entries.reserve(header.count);
  for (std::size_t i = 0; i < header.count; ++i) {
    HelloEntry entry;
    entry.subject.vrid = reader.u8();
    const std::uint8_t bits = reader.u8();
    if ((bits & kStateMask) > static_cast<int>(PeerState::fault)) return Unexpected{DropReason::type};
    entry.state = static_cast<PeerState>(bits & kStateMask);
    entry.is_eligible = bits & kEligible;
    entry.subject.family = bits & kIpv6 ? IpFamily::ipv6 : IpFamily::ipv4;
    entry.effective_priority = reader.u8();
    entry.penalty = reader.u8();
    entry.subject.name = reader.u32();
    hello.entries.push_back(entry);
  }
  return PeerMessage(std::move(hello));
}

Decoded read_advert(const Header& header, ByteReader reader) {
  if (reader.remaining() < kAdvertHead) return Unexpected{DropReason::length};
  PathAdvert advert;
  advert.is_reachable = header.flags & kReachable;
  advert.subject.vrid = reader.u8();
  const int family = reader.u8();
  if (family != 4 && family != 6) return Unexpected{DropReason::type};
  advert.subject.family = family == 4 ? IpFamily::ipv4 : IpFamily::ipv6;
  advert.priority = reader.u8();
  reader.u8();
  advert.max_advertise_interval = Centiseconds(reader.u16());
  reader.u16();
  advert.subject.name = reader.u32();
  if (reader.remaining() != (family == 4 ? 4u : 16u)) return Unexpected{DropReason::length};
  advert.source = *IpAddress::from_bytes(reader.view(reader.remaining()));
  if (advert.max_advertise_interval == Centiseconds(0)) return Unexpected{DropReason::interval};
  return PeerMessage(advert);
}

Decoded read_probe(ByteReader reader) {
  if (reader.remaining() != kProbeBody) return Unexpected{DropReason::length};
  return PeerMessage(Probe{reader.u64()});
}

Decoded read_probe_reply(const Header& header, ByteReader reader) {
  if (reader.remaining() != kProbeReplyBody) return Unexpected{DropReason::length};
  ProbeReply reply;
  reply.nonce = reader.u64();
  reply.was_multicast = header.flags & kWasMulticast;
  reply.hears_you = header.flags & kHearsYou;
  reply.clock = read_clock(reader);
  reply.prefix_length = static_cast<std::uint8_t>(reader.u32() >> 24);
  return PeerMessage(reply);
}

}  // namespace

const char* to_string(PeerState state) {
  switch (state) {
    case PeerState::initialize:
      return "initialize";
    case PeerState::backup:
      return "backup";
    case PeerState::active:
      return "active";
    case PeerState::yielding:
      return "yielding";
    case PeerState::fault:
      break;
  }
  return "fault";
}

Bytes encode(const PeerMessage& message) {
  const Header header = header_of(message);
  Bytes bytes;
  ByteWriter writer(bytes);
  writer.u8(kPeerMessageType);
  writer.u8(header.kind);
  writer.u8(kPeerMessageLayout);
  writer.u8(header.flags);
  writer.u16(static_cast<std::uint16_t>(header.count));
  writer.u16(0);
  std::visit([&](const auto& body) { write_body(writer, body); }, message);
  const std::uint16_t checksum = checksum_of(bytes);
  bytes[kChecksumOffset] = static_cast<std::uint8_t>(checksum >> 8);
  bytes[kChecksumOffset + 1] = static_cast<std::uint8_t>(checksum);
  return bytes;
}

Expected<PeerMessage, DropReason> decode_peer_message(ByteView bytes) {
  if (bytes.size() < kHeaderSize) return Unexpected{DropReason::too_short};
  ByteReader reader(bytes);
  if (reader.u8() != kPeerMessageType) return Unexpected{DropReason::type};
  const std::uint8_t kind = reader.u8();
  if (reader.u8() != kPeerMessageLayout) return Unexpected{DropReason::version};
  Header header;
  header.flags = reader.u8();
  header.count = reader.u16();
  if (checksum_of(bytes) != 0) return Unexpected{DropReason::checksum};
  reader.u16();
  switch (kind) {
    case kHello:
      return read_hello(header, reader);
    case kAdvert:
      return read_advert(header, reader);
    case kProbe:
      return read_probe(reader);
    case kProbeReply:
      return read_probe_reply(header, reader);
    default:
      return Unexpected{DropReason::type};
  }
}

}  // namespace vipair::vrrp
