#include "vrrp/core/advertisement.h"

#include "common/base/assert.h"
#include "common/base/checksum.h"
#include "vrrp/core/parameters.h"

namespace vipair::vrrp {

namespace {

constexpr std::uint8_t kVersion = 3;
constexpr std::uint8_t kTypeAdvertisement = 1;
constexpr std::uint16_t kIntervalMask = 0x0FFF;  // the upper four bits are reserved
constexpr std::size_t kChecksumOffset = 6;

std::size_t address_size(IpFamily family) { return family == IpFamily::ipv4 ? 4 : 16; }

// RFC 8200 section 8.1; for IPv4 the same sum as RFC 793's layout gives.
void add_pseudo_header(InternetChecksum& checksum, const IpAddress& source, const IpAddress& destination,
                       std::size_t message_size) {
  checksum.add(source.bytes());
  checksum.add(destination.bytes());
  checksum.add_u16(kIpProtocol);
  checksum.add_u16(static_cast<std::uint16_t>(message_size));
}

// Of a message whose checksum field is filled: 0 when it is right.
std::uint16_t checksum_of(ByteView message, const IpAddress& source, const IpAddress& destination,
                          ChecksumKind kind) {
  InternetChecksum checksum;
  if (kind == ChecksumKind::pseudo_header) add_pseudo_header(checksum, source, destination, message.size());
  checksum.add(message);
  return checksum.value();
}

}  // namespace

IpAddress multicast_group(IpFamily family) {
  if (family == IpFamily::ipv4) return IpAddress::v4(0xE0000012);
  return IpAddress::v6({0xFF, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12});
}

const char* to_string(DropReason reason) {
  switch (reason) {
    case DropReason::too_short:
      return "shorter than a VRRP header";
    case DropReason::ttl:
      return "TTL is not 255: it was forwarded by a router";
    case DropReason::version_2:
      return "VRRP version 2, this virtual router speaks version 3";
    case DropReason::version:
      return "unknown VRRP version";
    case DropReason::type:
      return "not an advertisement";
    case DropReason::unknown_router:
      return "no such virtual router on this interface";
    case DropReason::own_advertisement:
      return "our own advertisement came back";
    case DropReason::not_the_peer:
      return "the sender is not the configured peer";
    case DropReason::source_not_link_local:
      return "the source is not a link-local address";
    case DropReason::authentication:
      return "it is not signed with a key of this node";
    case DropReason::replay:
      return "it was heard before: somebody repeats what the peer said";
    case DropReason::length:
      return "the length does not match the number of addresses";
    case DropReason::checksum:
      return "wrong checksum";
    case DropReason::count:
      return "no address in it";
    case DropReason::interval:
      return "advertisement interval 0";
  }
  return "unknown";
}

const char* counter_name(DropReason reason) {
  switch (reason) {
    case DropReason::too_short:
      return "too_short_errors";
    case DropReason::ttl:
      return "ip_ttl_errors";
    case DropReason::version_2:
      return "version_2_packets";
    case DropReason::version:
      return "version_errors";
    case DropReason::type:
      return "invalid_type_packets";
    case DropReason::unknown_router:
      return "vrid_errors";
    case DropReason::own_advertisement:
      return "own_advertisements";
    case DropReason::not_the_peer:
      return "not_the_peer_errors";
    case DropReason::source_not_link_local:
      return "source_errors";
    case DropReason::authentication:
      return "authentication_errors";
    case DropReason::replay:
      return "replays";
    case DropReason::length:
      return "packet_length_errors";
    case DropReason::checksum:
      return "checksum_errors";
    case DropReason::count:
      return "address_count_errors";
    case DropReason::interval:
      return "adv_interval_errors";
  }
  return "unknown_errors";
}

Expected<std::uint8_t, DropReason> decode_vrid(const ReceivedPacket& packet) {
  if (packet.message.size() < kHeaderSize) return Unexpected{DropReason::too_short};
  if (packet.ttl != kTtl) return Unexpected{DropReason::ttl};
  const int version = packet.message[0] >> 4;
  if (version == 2) return Unexpected{DropReason::version_2};
  if (version != kVersion) return Unexpected{DropReason::version};
  if ((packet.message[0] & 0x0F) != kTypeAdvertisement) return Unexpected{DropReason::type};
  return std::uint8_t{packet.message[1]};
}

Expected<DecodedAdvertisement, DropReason> decode(const ReceivedPacket& packet) {
  const auto vrid = decode_vrid(packet);
  if (!vrid) return Unexpected{vrid.error()};

  DecodedAdvertisement decoded;
  Advertisement& advertisement = decoded.advertisement;
  ByteReader reader(packet.message);
  reader.u16();  // version, type, VRID
  advertisement.vrid = *vrid;
  advertisement.priority = reader.u8();
  const std::size_t count = reader.u8();
  advertisement.max_advertise_interval = Centiseconds(reader.u16() & kIntervalMask);
  reader.u16();  // checksum

  const std::size_t size = address_size(packet.source.family());
  if (reader.remaining() != count * size) return Unexpected{DropReason::length};

  auto is_valid = [&](ChecksumKind kind) {
    return checksum_of(packet.message, packet.source, packet.destination, kind) == 0;
  };
  if (is_valid(ChecksumKind::pseudo_header)) {
    decoded.checksum = ChecksumKind::pseudo_header;
  } else if (packet.source.is_v4() && is_valid(ChecksumKind::message_only)) {
    decoded.checksum = ChecksumKind::message_only;
  } else {
    return Unexpected{DropReason::checksum};
  }

  if (count == 0) return Unexpected{DropReason::count};
  if (advertisement.max_advertise_interval < kAdvertisementIntervalMin) return Unexpected{DropReason::interval};

  advertisement.addresses.reserve(count);
  for (std::size_t i = 0; i < count; ++i)
    advertisement.addresses.push_back(*IpAddress::from_bytes(reader.view(size)));
  VIPAIR_ASSERT(reader.ok() && reader.remaining() == 0, "the length was checked against the count");
  return decoded;
}

Bytes encode(const Advertisement& advertisement, const IpAddress& source, const IpAddress& destination,
             ChecksumKind checksum) {
  VIPAIR_ASSERT(!advertisement.addresses.empty() && advertisement.addresses.size() <= kAdvertisedAddressesMax,
                "an advertisement lists 1 to 255 addresses");
  VIPAIR_ASSERT(advertisement.max_advertise_interval >= kAdvertisementIntervalMin &&
                    advertisement.max_advertise_interval <= kAdvertisementIntervalMax,
                "an advertisement interval has twelve bits and is not zero");
  VIPAIR_ASSERT(source.family() == destination.family(), "a packet has one family");
  if (source.is_v6()) checksum = ChecksumKind::pseudo_header;

  Bytes message;
  message.reserve(kHeaderSize + advertisement.addresses.size() * address_size(source.family()));
  ByteWriter writer(message);
  writer.u8(kVersion << 4 | kTypeAdvertisement);
  writer.u8(advertisement.vrid);
  writer.u8(advertisement.priority);
  writer.u8(static_cast<std::uint8_t>(advertisement.addresses.size()));
  writer.u16(static_cast<std::uint16_t>(advertisement.max_advertise_interval.count()));
  writer.u16(0);
  for (const IpAddress& address : advertisement.addresses) {
    VIPAIR_ASSERT(address.family() == source.family(), "an advertisement lists addresses of its own family");
    writer.bytes(address.bytes());
  }
  const std::uint16_t value = checksum_of(message, source, destination, checksum);
  message[kChecksumOffset] = static_cast<std::uint8_t>(value >> 8);
  message[kChecksumOffset + 1] = static_cast<std::uint8_t>(value);
  return message;
}

}  // namespace vipair::vrrp
