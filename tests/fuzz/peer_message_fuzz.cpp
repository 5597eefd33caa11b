// Any bytes as a signed message of the peer: the trailer is refused or verifies, the message is refused or encodes
// to what decodes to itself. The same bytes are tried as they are, with a right checksum, and with a right trailer,
// which are beyond a fuzzer's luck; of one that verified, no altered byte may verify. The first byte chooses the
// family, the second the byte that is altered.

#include "common/base/assert.h"
#include "common/base/checksum.h"
#include "tests/support/fake_mac.h"
#include "vrrp/core/peer_message.h"

using namespace vipair;
using namespace vipair::vrrp;

namespace {

constexpr std::uint64_t kPeerEpoch = 1, kOwnEpoch = 2;

struct Ends {
  IpAddress peer, own;
};

Ends ends_of(bool is_v4) {
  if (is_v4) return {IpAddress::v4(0xC000020B), IpAddress::v4(0xC000020C)};
  return {*IpAddress::parse("fe80::11"), *IpAddress::parse("fe80::12")};
}

void check_message(ByteView bytes) {
  const auto decoded = decode_peer_message(bytes);
  if (!decoded) {
    VIPAIR_ASSERT(static_cast<std::size_t>(decoded.error()) < kDropReasons, "a refusal has a reason");
    return;
  }
  const Bytes again = encode(*decoded);
  VIPAIR_ASSERT(again.size() == bytes.size(), "nothing is added or lost");
  const auto twice = decode_peer_message(again);
  VIPAIR_ASSERT(twice && *twice == *decoded, "what is encoded decodes to itself");
}

Bytes with_checksum(ByteView message) {
  Bytes fixed(message.begin(), message.end());
  if (fixed.size() < kHeaderSize) return fixed;
  fixed[0] = kPeerMessageType;
  fixed[2] = kPeerMessageLayout;
  fixed[6] = fixed[7] = 0;
  InternetChecksum checksum;
  checksum.add(fixed);
  fixed[6] = static_cast<std::uint8_t>(checksum.value() >> 8);
  fixed[7] = static_cast<std::uint8_t>(checksum.value());
  return fixed;
}

PairSession session_of(std::uint64_t epoch) {
  PairSession session(epoch, fake_mac);
  session.set_keys({key_of(1)});
  return session;
}

void check_trailer(ByteView bytes, const Ends& ends) {
  PairSession session = session_of(kOwnEpoch);
  ReplayWindow window;
  const auto opened = session.open(bytes, ends.peer, ends.own, window);
  VIPAIR_ASSERT(opened.verdict != Verdict::fresh, "a fuzzer does not know the key");
}

void check_sealed(Bytes message, const Ends& ends, std::uint8_t altered) {
  const std::size_t size = message.size();
  PairSession session = session_of(kOwnEpoch), peer = session_of(kPeerEpoch);
  ReplayWindow window, of_peer;
  Bytes hello;  // tells the peer our epoch
  session.seal(hello, ends.own, ends.peer, 0);
  (void)peer.open(hello, ends.own, ends.peer, of_peer);
  peer.seal(message, ends.peer, ends.own, 0);
  Bytes spoiled = message;
  spoiled[altered % spoiled.size()] ^= 0x40;
  const Verdict refused = session.open(spoiled, ends.peer, ends.own, window).verdict;
  VIPAIR_ASSERT(refused != Verdict::fresh && refused != Verdict::unproven, "an altered byte does not verify");
  const auto opened = session.open(message, ends.peer, ends.own, window);
  VIPAIR_ASSERT(opened.verdict == Verdict::fresh && opened.message.size() == size, "what is sealed opens");
  const auto again = session.open(message, ends.peer, ends.own, window);
  VIPAIR_ASSERT(again.verdict == Verdict::replay, "once");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Ends ends = ends_of(data[0] % 2 == 0);
  const ByteView bytes(data + 2, size - 2);
  check_message(bytes);
  check_trailer(bytes, ends);
  const Bytes fixed = with_checksum(bytes);
  check_message(fixed);
  check_sealed(fixed, ends, data[1]);
  return 0;
}
