#pragma once
// Sends gratuitous ARP and unsolicited neighbour advertisements: ready-made Ethernet frames, many per system call,
// through one AF_PACKET socket for all interfaces. Never blocks: what the device does not take now is lost, the
// repeat schedule sends it again.

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/expected.h"
#include "common/runtime/unique_fd.h"
#include "vrrp/agent/host.h"

namespace vipair::vrrp {

class Announcer {
 public:
  static constexpr unsigned kBatch = 256;      // frames per system call
  static constexpr int kSendBuffer = 4 << 20;  // bytes

  // Fails without CAP_NET_RAW. Opening again after success does nothing.
  Expected<void, HostError> open();
  // Returns the number of frames that were not sent.
  std::size_t send(const std::vector<OutgoingFrame>& frames);

 private:
  UniqueFd fd_;
};

}  // namespace vipair::vrrp
