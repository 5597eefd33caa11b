#pragma once
// The last will of the agent's process: how it is written down and how it is carried out. It travels as bytes in
// memory shared between the two processes, so the reader takes nothing for granted: a will that was damaged by the
// death of its author is carried out as far as it can be read.

#include <vector>

#include "common/base/bytes.h"
#include "common/runtime/unique_fd.h"
#include "vrrp/agent/host.h"
#include "vrrp/kernel/lingering_addresses.h"
#include "vrrp/kernel/rtnetlink_batch.h"

namespace vipair::vrrp {

// The agent's will in terms of the kernel. What lingers already and what is to linger from the death on are the
// same to it: carrying it out makes it so, and leaves alone what is so.
struct KernelWill {
  std::vector<OutgoingAdvertisement> resignations;
  std::vector<AddressSet> withdrawn;
  LingeringState lingering;
  std::vector<int> taken_down = {};  // interfaces that carry nothing but what is withdrawn
};

void encode_last_will(const KernelWill& will, Bytes& out);

// What lingers once the will is carried out.
LingeringState decode_lingering(ByteView will);

// Opens what it needs beforehand and carries out a will without allocating. What cannot be opened (no permission
// yet) is tried again when it is needed.
class LastWillExecutor {
 public:
  struct Result {
    int advertisements_sent = 0;
    int advertisements_failed = 0;
    int addresses_withdrawn = 0;  // asked of the kernel; one that was gone already counts
    int addresses_lingering = 0;  // likewise; in front of all others, for they have connections to lose
    int error = 0;                // errno of the first failure
  };

  LastWillExecutor();

  // errno of what could not be opened, 0 when all is there. IPv6 missing from the machine is not an error.
  int prepare();

  // The advertisements go out first, so that the peer acts while the addresses are let go of, and once more
  // afterwards, for a lost one would cost the peer its whole Active_Down_Interval.
  Result execute(ByteView will);

 private:
  void send_resignations(ByteView will, Result* result);

  UniqueFd socket_v4_;
  UniqueFd socket_v6_;
  UniqueFd rtnetlink_;
  RtnetlinkBatch batch_;
  int loopback_index_;
};

}  // namespace vipair::vrrp
