#pragma once
// The advertisement on the wire: version 3 (RFC 9568 section 5.2) for IPv4 and IPv6, version 2 (RFC 3768
// section 5.1) for IPv4. A pure codec. Input is hostile: every receive check of section 7.1 (with errata 8299 and
// 8301) that fails is a DropReason of its own, and nothing is repaired. Reserved bits are zero on send and ignored
// on receive.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/expected.h"
#include "common/base/ip_address.h"
#include "common/base/time.h"

namespace vipair::vrrp {

inline constexpr std::uint8_t kIpProtocol = 112;
inline constexpr int kTtl = 255;  // on send; anything else received was forwarded and is not from this link
inline constexpr std::size_t kAdvertisedAddressesMax = 255;  // the count is one byte
inline constexpr std::size_t kAdvertisedIpv6Max = 87;  // more, signed, do not fit into the 1500 bytes of a packet
inline constexpr std::size_t kHeaderSize = 8;
inline constexpr std::size_t kPasswordSizeMax = 8;  // bytes, of version 2

// How many addresses one advertisement carries.
constexpr std::size_t advertised_max(IpFamily family) {
  return family == IpFamily::ipv4 ? kAdvertisedAddressesMax : kAdvertisedIpv6Max;
}

// 224.0.0.18 or ff02::12 (section 5.1)
IpAddress multicast_group(IpFamily family);

// Which form of the VRRPv3 over IPv4 checksum is sent (both are accepted): with the IPv4 pseudo-header as RFC 5798
// is deployed, the message only as RFC 9568 says, or whichever form was last heard from the peer.
enum class ChecksumForm { rfc5798, rfc9568, automatic };
// What a message actually carries. Over IPv6 it is always the pseudo-header.
enum class ChecksumKind { pseudo_header, message_only };

// Version 2's simple text password as it is sent: filled up with zeros (RFC 2338 section 5.3.10, which RFC 3768
// dropped and its implementations kept).
using AuthenticationData = std::array<std::uint8_t, kPasswordSizeMax>;
AuthenticationData authentication_data(std::string_view password);  // at most 8 bytes

struct Advertisement {
  std::uint8_t vrid = 0;
  std::uint8_t priority = 0;
  Centiseconds max_advertise_interval{};  // 1-4095; version 2: 1-255 whole seconds
  std::vector<IpAddress> addresses;       // 1-255, of the family of the packet
  int version = 3;
  std::optional<AuthenticationData> password = std::nullopt;  // version 2; nullopt: no authentication
  friend bool operator==(const Advertisement&, const Advertisement&) = default;
};

// Why a packet was refused, in the order of the checks. The checks that need to know our configuration (router,
// own, peer, link-local source, and what version 2 wants to be configured alike) are the agent's.
enum class DropReason {
  too_short,              // no whole header
  ttl,                    // TTL or hop limit is not 255
  version,                // neither 2 nor 3
  type,                   // not an ADVERTISEMENT
  unknown_router,         // no virtual router of this VRID and family on the interface
  own_advertisement,      // our own, looped back
  not_the_peer,           // pair mode: the peer is pinned and this is somebody else
  source_not_link_local,  // IPv6 from anything but a link-local address (section 5.1.2.1)
  authentication,         // pair mode: not signed with a key of ours, or altered (vrrp/core/authentication.h)
  replay,                 // pair mode: signed, and heard before
  version_2,              // VRRPv2, and this virtual router speaks version 3
  version_3,              // VRRPv3, and this virtual router speaks version 2
  length,                 // the length does not follow from the count
  checksum,               // neither form is valid
  count,                  // no address (erratum 8299)
  interval,               // zero (erratum 8301)
  auth_type_unknown,      // version 2: neither none nor a simple text password
  interval_mismatch,      // version 2: not ours; version 3 counts it so, and learns it
  auth_type_mismatch,     // version 2: a password where we expect none, or none where we expect one
  auth_failure,           // version 2: the wrong password
};
inline constexpr std::size_t kDropReasons = static_cast<std::size_t>(DropReason::auth_failure) + 1;

const char* to_string(DropReason reason);     // a few words for the log
const char* counter_name(DropReason reason);  // named as in RFC 2787, RFC 6527 and RFC 8347 where those have one
const char* advice(DropReason reason);  // what to do when the two nodes are configured differently, else nullptr

// A packet as the socket gives it: the IP header's addresses, and the message behind that header.
struct ReceivedPacket {
  IpAddress source;
  IpAddress destination;
  int ttl = 0;
  ByteView message;
};

struct DecodedAdvertisement {
  Advertisement advertisement;
  ChecksumKind checksum = ChecksumKind::pseudo_header;
};

// The checks that come before the virtual router is known: length, TTL, any version, type. The value is the VRID.
Expected<std::uint8_t, DropReason> decode_vrid(const ReceivedPacket& packet);
// All checks of the message itself, for a virtual router that speaks `version`.
Expected<DecodedAdvertisement, DropReason> decode(const ReceivedPacket& packet, int version = 3);

// The whole message. The addresses of the packet belong to the checksum, but in version 2, which sums up the
// message only. Asserts what the type says of the fields.
Bytes encode(const Advertisement& advertisement, const IpAddress& source, const IpAddress& destination,
             ChecksumKind checksum);

}  // namespace vipair::vrrp
