// Any bytes as a VRRP message: they are refused for a reason, or they decode to something that encodes to the same
// bytes and that every state of the machine survives. The first byte chooses the family and who listens (a virtual
// router of version 2 or 3), the second the TTL.

#include <algorithm>

#include "common/base/assert.h"
#include "vrrp/core/advertisement.h"
#include "vrrp/core/state_machine.h"
#include "vrrp/core/timers.h"

using namespace vipair;
using namespace vipair::vrrp;

namespace {

const TimePoint kNow(std::chrono::hours(1));

IpAddress source_of(IpFamily family) {
  return family == IpFamily::ipv4 ? IpAddress::v4(0xC00002FB)
                                  : IpAddress::v6({0xFE, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xC8});
}

// A checksum that fits is beyond a fuzzer's luck: the message is tried once more with a right one.
Bytes with_checksum(ByteView message, const IpAddress& source, const IpAddress& destination) {
  Bytes fixed(message.begin(), message.end());
  if (fixed.size() < kHeaderSize) return fixed;
  fixed[6] = fixed[7] = 0;
  std::uint32_t sum = 0;
  auto add = [&](ByteView bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) sum += i % 2 == 0 ? bytes[i] * 256u : bytes[i];
  };
  add(fixed);
  if (fixed[0] >> 4 != 2) {  // version 2 has no pseudo-header
    sum += kIpProtocol + static_cast<std::uint32_t>(fixed.size());
    add(source.bytes());
    add(destination.bytes());
  }
  while (sum >> 16) sum = (sum & 0xFFFF) + (sum >> 16);
  fixed[6] = static_cast<std::uint8_t>(~sum >> 8);
  fixed[7] = static_cast<std::uint8_t>(~sum);
  return fixed;
}

void feed(const Advertisement& advertisement, const IpAddress& source) {
  for (bool is_pair : {false, true}) {
    Parameters parameters;
    parameters.version = advertisement.version;
    parameters.priority = 100;
    if (parameters.version == 2) parameters.advertisement_interval = Centiseconds(100);
    parameters.is_pair = is_pair;
    parameters.preempt = advertisement.vrid % 2 == 0;
    parameters.source = source;
    const AdvertReceived event{source, advertisement.priority, advertisement.max_advertise_interval};
    const Transition started = step(parameters, Initialize{}, Startup{}, kNow);
    const Transition took_over = step(parameters, started.next, TimeReached{}, *next_deadline(started.next));
    const Transition resigned = step(parameters, took_over.next, Shutdown{}, kNow);
    for (const State& state : {State(Initialize{}), started.next, took_over.next, resigned.next}) {
      const Transition heard = step(parameters, state, event, kNow);
      const auto deadline = next_deadline(heard.next);
      if (!deadline) continue;
      const TimePoint now = std::max(kNow, *deadline);
      const Transition later = step(parameters, heard.next, TimeReached{}, now);
      const auto next = next_deadline(later.next);
      VIPAIR_ASSERT(!next || *next > now, "no deadline lies in the past after TimeReached");
      const Centiseconds longest = is_pair ? kLearnedIntervalFloorOfPair : kLearnedIntervalFloor;
      VIPAIR_ASSERT(now <= kNow + longest_active_down_interval(longest),
                    "one message does not silence us for long");
    }
  }
}

// Bytes that do not survive: reserved bits, the checksum over them, and what stands in for a password where there
// is none.
bool is_ignored(std::size_t at, const Advertisement& advertisement, std::size_t size) {
  if (at == 6 || at == 7) return true;
  if (advertisement.version == 3) return at == 4;
  return !advertisement.password && at >= size - kPasswordSizeMax;
}

void check(const ReceivedPacket& packet, int version) {
  const auto decoded = decode(packet, version);
  if (!decoded) {
    VIPAIR_ASSERT(static_cast<std::size_t>(decoded.error()) < kDropReasons, "a refusal has a reason");
    return;
  }
  const Advertisement& advertisement = decoded->advertisement;
  const auto vrid = decode_vrid(packet);
  VIPAIR_ASSERT(vrid && *vrid == advertisement.vrid, "both decoders see the same VRID");
  VIPAIR_ASSERT(advertisement.version == version, "nobody hears another version than his own");
  Bytes again = encode(advertisement, packet.source, packet.destination, decoded->checksum);
  const auto twice = decode({packet.source, packet.destination, kTtl, again}, version);
  VIPAIR_ASSERT(twice && twice->advertisement == advertisement, "what is encoded decodes to itself");
  VIPAIR_ASSERT(again.size() == packet.message.size(), "nothing is added or lost");
  for (std::size_t i = 0; i < again.size(); ++i) {
    if (is_ignored(i, advertisement, again.size())) continue;
    VIPAIR_ASSERT(again[i] == packet.message[i], "what is decoded encodes to itself");
  }
  feed(advertisement, packet.source);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const IpFamily family = data[0] % 2 == 0 ? IpFamily::ipv4 : IpFamily::ipv6;
  const int version = data[0] & 2 ? 2 : 3;
  const ByteView message(data + 2, size - 2);
  const IpAddress source = source_of(family), destination = multicast_group(family);
  check({source, destination, data[1], message}, version);
  const Bytes fixed = with_checksum(message, source, destination);
  check({source, destination, kTtl, fixed}, version);
  return 0;
}
