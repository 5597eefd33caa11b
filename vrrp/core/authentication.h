#pragma once
// What the two nodes of a pair tell each other is signed with a key they share: a trailer behind each message.
// Pure: the MAC function is handed in, nothing asks a clock. Against replays there is no time in it but two
// numbers: every process draws an epoch when it starts, and counts what it signs. A message is fresh when it says
// our own epoch back to us, which nobody can have recorded before we were started, and when its counter is above
// all that were seen of its sender's epoch. Whoever does not know our epoch yet learns it from what we send.
//
// Trailer, network byte order, kTrailerSize bytes:
//   magic 4 | key id 4 | sender's epoch 8 | counter 8 | receiver's epoch 8 (0: not known) | subject 4 | MAC 16
// The MAC is HMAC-SHA256, its first 16 bytes, over: address size 1 | source | destination | message | trailer up to
// the MAC. The checksum of a VRRP message does not cover the trailer.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ip_address.h"

namespace vipair::vrrp {

// Shared by the two nodes of a pair.
using PairKey = std::array<std::uint8_t, 32>;
// HMAC-SHA256 of the bytes (vrrp/kernel/hmac.h).
using MacFunction = std::array<std::uint8_t, 32> (*)(const PairKey&, ByteView);

inline constexpr std::uint32_t kTrailerMagic = 0x56504131;  // "VPA1"
inline constexpr std::size_t kMacSize = 16;
inline constexpr std::size_t kTrailerSize = 44 + kMacSize;
// What a last will is signed with outranks whatever the process may have sent until it died.
inline constexpr std::uint64_t kLastWillCounter = std::uint64_t{1} << 63;
inline constexpr std::size_t kRetiredEpochsMax =
    256;  // of the peer, in our lifetime; then we take a new one ourselves

struct Trailer {
  std::uint32_t key_id = 0;   // public: which of the keys
  std::uint64_t epoch = 0;    // the sender's, never 0
  std::uint64_t counter = 0;  // grows with everything the sender signs in this epoch
  std::uint64_t echo = 0;     // the receiver's epoch as the sender knows it; 0: not at all
  std::uint64_t heard = 0;    // the highest counter of that epoch that the sender has heard, last wills apart
  std::uint32_t subject = 0;  // name_hash() of the virtual router that it is about; 0: none
  friend bool operator==(const Trailer&, const Trailer&) = default;
};

// Of a virtual router's name (FNV-1a): both nodes call it the same, whatever its interface or VRID. Never 0.
std::uint32_t name_hash(std::string_view name);

// A message and the trailer behind it; nullopt: there is none. Nothing of it is believed yet.
struct SealedMessage {
  ByteView message;
  Trailer trailer;
};
std::optional<SealedMessage> read_trailer(ByteView bytes);

// Counters that were seen of one stream of messages, in which the sender's order is kept. It remembers the last
// kEpochsMax epochs of the sender.
class ReplayWindow {
 public:
  static constexpr std::size_t kEpochsMax = 4;

  bool has_seen(const Trailer& trailer) const;
  // Only for what verified. False: it names an epoch that is not proven, and there were too many of those.
  bool note(const Trailer& trailer, bool is_fresh);

 private:
  struct Seen {
    std::uint64_t epoch = 0, counter = 0;
  };
  std::vector<Seen> seen_;
};

enum class Verdict {
  fresh,        // signed by the peer as it is now
  unproven,     // signed by the peer, but maybe long ago: it does not say our epoch
  replay,       // signed by the peer and heard before, or of an epoch that is over
  not_signed,   // no trailer
  unknown_key,  // signed with a key that is none of ours
  wrong_mac,    // altered, or not signed with the key it names
};

// One node's side of the conversation with its peer.
class PairSession {
 public:
  // epoch: drawn at random. Without keys nothing is signed and everything counts as fresh.
  PairSession(std::uint64_t epoch, MacFunction mac);

  // The first one signs, all of them verify.
  void set_keys(std::vector<PairKey> keys);
  bool has_keys() const { return !keys_.empty(); }

  std::uint64_t epoch() const { return epoch_; }
  bool has_proven_peer() const { return peer_.has_value(); }

  // Appends the trailer, for the proven peer, else for the candidate.
  void seal(Bytes& message, const IpAddress& source, const IpAddress& destination, std::uint32_t subject);
  // For the candidate: a message that verified, but was not fresh, came with its epoch last.
  void seal_for_candidate(Bytes& message, const IpAddress& source, const IpAddress& destination,
                          std::uint32_t subject);
  // For the last will: valid until the peer restarts, and above all that is sent until then.
  void seal_last_will(Bytes& message, const IpAddress& source, const IpAddress& destination, std::uint32_t subject);

  struct Opened {
    Verdict verdict = Verdict::fresh;
    ByteView message;            // without the trailer
    Trailer trailer;             // all zero when there are no keys
    bool is_candidate = false;   // unproven, and of another epoch than the proven peer's
    bool is_new_peer = false;    // the peer has proven another epoch than before: it (re)started
    bool has_new_epoch = false;  // we took another epoch; the peer learns it as after a restart
  };
  // The cheap checks come first. `window` belongs to the stream of messages from this source to this destination
  // about this subject.
  Opened open(ByteView bytes, const IpAddress& source, const IpAddress& destination, ReplayWindow& window);

 private:
  struct Key {
    std::uint32_t id = 0;
    PairKey key{};
  };
  struct Epoch {
    std::uint64_t value = 0;
    std::uint64_t heard = 0;  // the highest counter of it
    std::uint64_t since = 0;  // our own counter when it was first seen
  };
  void append(Bytes& message, const IpAddress& source, const IpAddress& destination, std::uint64_t counter,
              const std::optional<Epoch>& receiver, std::uint32_t subject);
  std::array<std::uint8_t, kMacSize> mac_of(const PairKey& key, const IpAddress& source,
                                            const IpAddress& destination, ByteView signed_bytes);
  bool is_retired(std::uint64_t epoch) const;
  bool is_fresh(const Trailer& trailer);
  void prove(const Epoch& epoch, Opened& opened);
  void take_epoch(std::uint64_t epoch);

  MacFunction mac_;
  std::vector<Key> keys_;
  std::uint64_t epoch_;
  std::uint64_t counter_ = 0, will_counter_ = kLastWillCounter;
  std::optional<Epoch> peer_, candidate_;  // proven; and what verified last, but is not
  std::vector<std::uint64_t> retired_;     // proven once, and over
  Bytes scratch_;                          // what is signed, in one piece
};

}  // namespace vipair::vrrp
