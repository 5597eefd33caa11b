#pragma once
// What the two nodes of a pair tell each other besides advertisements: VRRP version 3, type 15, always to the peer
// by unicast (a probe may try the multicast group). A pure codec; input is hostile: what is not exactly one of
// these is refused with a DropReason, reserved bits are zero on send and ignored on receive. Signed by the trailer
// of vrrp/core/authentication.h, which is not part of the message here.
//
//   0x3F | kind 1 | layout 1 | flags 1 | count 2 | checksum 2 (message only) | body
//   hello        clock 8 | prefix length 1 | 3 reserved | count × (vrid 1, bits 1, priority 1, penalty 1, subject
//   4) advert       vrid 1 | family 1 (4, 6) | priority 1 | reserved 1 | interval 2 (cs) | 2 reserved | subject 4 |
//   source probe        nonce 8 probe_reply  nonce 8 | clock 8 | prefix length 1 | 3 reserved

#include <cstdint>
#include <variant>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/expected.h"
#include "common/base/ip_address.h"
#include "common/base/time.h"
#include "vrrp/core/advertisement.h"

namespace vipair::vrrp {

inline constexpr std::uint8_t kPeerMessageType = 0x3F;  // the first byte: version 3, type 15
inline constexpr std::uint8_t kPeerMessageLayout = 1;
inline constexpr std::size_t kHelloEntriesMax = 150;  // of one message, which stays below any Ethernet's MTU

// How an instance of the peer is doing; the numbers go on the wire.
enum class PeerState : std::uint8_t { initialize = 0, backup = 1, active = 2, yielding = 3, fault = 4 };
const char* to_string(PeerState state);  // as name_of(State)

// Which virtual router, independent of the interface it is on.
struct Subject {
  std::uint32_t name = 0;  // name_hash()
  IpFamily family = IpFamily::ipv4;
  std::uint8_t vrid = 0;
  friend auto operator<=>(const Subject&, const Subject&) = default;
};

struct HelloEntry {
  Subject subject;
  PeerState state = PeerState::initialize;
  std::uint8_t effective_priority = 0;
  std::uint8_t penalty = 0;  // what the priority lost to weighted checks
  bool is_eligible = false;  // no fault: could take over
  friend bool operator==(const HelloEntry&, const HelloEntry&) = default;
};

// Once a second over each path, and at once when something changes.
struct Hello {
  bool hears_you = false;           // the sender has heard the receiver over this path lately
  WallTime clock;                   // the sender's, to be compared and never relied upon
  std::uint8_t prefix_length = 0;   // of the sender's address on this path; 0: not known
  std::vector<HelloEntry> entries;  // at most kHelloEntriesMax; more instances are further messages
  friend bool operator==(const Hello&, const Hello&) = default;
};

// An instance's advertisement over a further path.
struct PathAdvert {
  Subject subject;
  std::uint8_t priority = 0;
  Centiseconds max_advertise_interval{};  // 1-65535
  bool is_reachable = false;              // at `source`: the sender's interface has not failed
  IpAddress source;                       // of the instance's own advertisements
  friend bool operator==(const PathAdvert&, const PathAdvert&) = default;
};

struct Probe {
  std::uint64_t nonce = 0;
  friend bool operator==(const Probe&, const Probe&) = default;
};

// Goes to where the probe came from.
struct ProbeReply {
  std::uint64_t nonce = 0;
  bool was_multicast = false;
  bool hears_you = false;  // over this path, before the probe
  WallTime clock;
  std::uint8_t prefix_length = 0;
  friend bool operator==(const ProbeReply&, const ProbeReply&) = default;
};

using PeerMessage = std::variant<Hello, PathAdvert, Probe, ProbeReply>;

inline bool is_peer_message(ByteView bytes) { return !bytes.empty() && bytes[0] == kPeerMessageType; }

Bytes encode(const PeerMessage& message);
Expected<PeerMessage, DropReason> decode_peer_message(ByteView bytes);

}  // namespace vipair::vrrp
