#include "vrrp/core/advertisement.h"

#include <algorithm>

#include "common/base/assert.h"
#include "common/base/checksum.h"
#include "vrrp/core/parameters.h"

namespace vipair::vrrp {

namespace {

constexpr std::uint8_t kTypeAdvertisement = 1;
constexpr std::uint8_t kNoAuthentication = 0;  // version 2's authentication types
constexpr std::uint8_t kSimpleTextPassword = 1;
constexpr std::chrono::seconds kVersion2IntervalMax{255};  // one byte
constexpr std::uint16_t kIntervalMask = 0x0FFF;            // the upper four bits are reserved
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
    case DropReason::version_2:
      return "VRRP version 2, this virtual router speaks version 3";
    case DropReason::version_3:
      return "VRRP version 3, this virtual router speaks version 2";
    case DropReason::length:
      return "the length does not match the number of addresses";
    case DropReason::checksum:
      return "wrong checksum";
    case DropReason::count:
      return "no address in it";
    case DropReason::interval:
      return "advertisement interval 0";
    case DropReason::auth_type_unknown:
      return "unknown authentication type";
    case DropReason::interval_mismatch:
      return "another advertisement interval than ours, which version 2 does not allow";
    case DropReason::auth_type_mismatch:
      return "a password where none is expected, or none where one is";
    case DropReason::auth_failure:
      return "wrong password";
  }
  return "unknown";
}

const char* counter_name(DropReason reason) {
  switch (reason) {
    case DropReason::too_short:
      return "too_short_errors";
    case DropReason::ttl:
      return "ip_ttl_errors";
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
    case DropReason::version_2:
      return "version_2_packets";
    case DropReason::version_3:
      return "version_3_packets";
    case DropReason::length:
      return "packet_length_errors";
    case DropReason::checksum:
      return "checksum_errors";
    case DropReason::count:
      return "address_count_errors";
    case DropReason::interval:
      return "adv_interval_errors";
    case DropReason::auth_type_unknown:
      return "invalid_auth_type_packets";
    case DropReason::interval_mismatch:
      return "adv_interval_mismatches";
    case DropReason::auth_type_mismatch:
      return "auth_type_mismatches";
    case DropReason::auth_failure:
      return "auth_failures";
  }
  return "unknown_errors";
}

const char* advice(DropReason reason) {
  switch (reason) {
    case DropReason::version_2:
      return "set version = 2 here, or version 3 over there (keepalived: vrrp_version 3)";
    case DropReason::version_3:
      return "set version = 3 here, or version 2 over there (keepalived: vrrp_version 2)";
    case DropReason::auth_type_unknown:
      return "a simple text password is supported, or none (keepalived: auth_type PASS)";
    case DropReason::interval_mismatch:
      return "set the same advertisement_interval on both (keepalived: advert_int)";
    case DropReason::auth_type_mismatch:
      return "set a password on both or on neither (keepalived: authentication)";
    case DropReason::auth_failure:
      return "set the same password on both (keepalived: auth_pass)";
    default:
      return nullptr;
  }
}

AuthenticationData authentication_data(std::string_view password) {
  VIPAIR_ASSERT(password.size() <= kPasswordSizeMax, "a password of version 2 has at most eight bytes");
  AuthenticationData data{};
  std::copy(password.begin(), password.end(), data.begin());
  return data;
}

Expected<std::uint8_t, DropReason> decode_vrid(const ReceivedPacket& packet) {
  if (packet.message.size() < kHeaderSize) return Unexpected{DropReason::too_short};
  if (packet.ttl != kTtl) return Unexpected{DropReason::ttl};
  const int version = packet.message[0] >> 4;
  if (version != 2 && version != 3) return Unexpected{DropReason::version};
  if ((packet.message[0] & 0x0F) != kTypeAdvertisement) return Unexpected{DropReason::type};
  return std::uint8_t{packet.message[1]};
}

Expected<DecodedAdvertisement, DropReason> decode(const ReceivedPacket& packet, int version) {
  const auto vrid = decode_vrid(packet);
  if (!vrid) return Unexpected{vrid.error()};

  DecodedAdvertisement decoded;
  Advertisement& advertisement = decoded.advertisement;
  advertisement.version = packet.message[0] >> 4;
  advertisement.vrid = *vrid;
  const bool is_version_2 = advertisement.version == 2;
  if (is_version_2 && (version != 2 || packet.source.is_v6())) return Unexpected{DropReason::version_2};
  if (!is_version_2 && version == 2) return Unexpected{DropReason::version_3};

  ByteReader reader(packet.message);
  reader.u16();  // version, type, VRID
  advertisement.priority = reader.u8();
  const std::size_t count = reader.u8();
  const std::uint8_t authentication_type = is_version_2 ? reader.u8() : kNoAuthentication;
  advertisement.max_advertise_interval =
      is_version_2 ? Centiseconds(std::chrono::seconds(reader.u8())) : Centiseconds(reader.u16() & kIntervalMask);
  reader.u16();  // checksum

  const std::size_t size = address_size(packet.source.family());
  const std::size_t trailer_size = is_version_2 ? kPasswordSizeMax : 0;
  if (reader.remaining() != count * size + trailer_size) return Unexpected{DropReason::length};

  auto is_valid = [&](ChecksumKind kind) {
    return checksum_of(packet.message, packet.source, packet.destination, kind) == 0;
  };
  if (!is_version_2 && is_valid(ChecksumKind::pseudo_header)) {
    decoded.checksum = ChecksumKind::pseudo_header;
  } else if (packet.source.is_v4() && is_valid(ChecksumKind::message_only)) {
    decoded.checksum = ChecksumKind::message_only;
  } else {
    return Unexpected{DropReason::checksum};
  }

  if (count == 0) return Unexpected{DropReason::count};
  if (advertisement.max_advertise_interval < kAdvertisementIntervalMin) return Unexpected{DropReason::interval};
  if (authentication_type > kSimpleTextPassword) return Unexpected{DropReason::auth_type_unknown};

  advertisement.addresses.reserve(count);
  for (std::size_t i = 0; i < count; ++i)
    advertisement.addresses.push_back(*IpAddress::from_bytes(reader.view(size)));
  if (authentication_type == kSimpleTextPassword) {
    const ByteView data = reader.view(kPasswordSizeMax);
    std::copy(data.begin(), data.end(), advertisement.password.emplace().begin());
  } else {
    reader.view(trailer_size);  // without authentication its content does not matter
  }
  VIPAIR_ASSERT(reader.ok() && reader.remaining() == 0, "the length was checked against the count");
  return decoded;
}

Bytes encode(const Advertisement& advertisement, const IpAddress& source, const IpAddress& destination,
             ChecksumKind checksum) {
  VIPAIR_ASSERT(!advertisement.addresses.empty() && advertisement.addresses.size() <= kAdvertisedAddressesMax,
                "an advertisement lists 1 to 255 addresses");
  VIPAIR_ASSERT(source.family() == destination.family(), "a packet has one family");
  const Centiseconds interval = advertisement.max_advertise_interval;
  const auto whole_seconds = std::chrono::duration_cast<std::chrono::seconds>(interval);
  const bool is_version_2 = advertisement.version == 2;
  VIPAIR_ASSERT(interval >= kAdvertisementIntervalMin, "an advertisement interval is not zero");
  if (is_version_2) {
    VIPAIR_ASSERT(source.is_v4(), "version 2 is for IPv4");
    VIPAIR_ASSERT(interval == whole_seconds && whole_seconds <= kVersion2IntervalMax,
                  "an advertisement interval of version 2 is a byte of seconds");
    checksum = ChecksumKind::message_only;
  } else {
    VIPAIR_ASSERT(interval <= kAdvertisementIntervalMax, "an advertisement interval has twelve bits");
    if (source.is_v6()) checksum = ChecksumKind::pseudo_header;
  }

  Bytes message;
  message.reserve(kHeaderSize + advertisement.addresses.size() * address_size(source.family()));
  ByteWriter writer(message);
  writer.u8(static_cast<std::uint8_t>(advertisement.version << 4 | kTypeAdvertisement));
  writer.u8(advertisement.vrid);
  writer.u8(advertisement.priority);
  writer.u8(static_cast<std::uint8_t>(advertisement.addresses.size()));
  if (is_version_2) {
    writer.u8(advertisement.password ? kSimpleTextPassword : kNoAuthentication);
    writer.u8(static_cast<std::uint8_t>(whole_seconds.count()));
  } else {
    writer.u16(static_cast<std::uint16_t>(interval.count()));
  }
  writer.u16(0);
  for (const IpAddress& address : advertisement.addresses) {
    VIPAIR_ASSERT(address.family() == source.family(), "an advertisement lists addresses of its own family");
    writer.bytes(address.bytes());
  }
  if (is_version_2) writer.bytes(advertisement.password.value_or(AuthenticationData{}));
  const std::uint16_t value = checksum_of(message, source, destination, checksum);
  message[kChecksumOffset] = static_cast<std::uint8_t>(value >> 8);
  message[kChecksumOffset + 1] = static_cast<std::uint8_t>(value);
  return message;
}

}  // namespace vipair::vrrp
