#pragma once
// The kernel answers ARP and neighbour solicitations for the virtual addresses only while the agent lives: the
// agent renews a lease, and when it expires the kernel drops the questions, whatever has become of the processes.
// A node that is frozen, or whose supervisor was killed as well, still has the addresses; without this it would go
// on answering beside the node that took over, and every second client that asks anew would end up with the dead.
//
// The lease is one element with a timeout in an nf_tables set, of which the two tables (arp and ip6) have one each.
// Unlike the other tables they outlive their process; release_leftovers() and the end of the agent remove them.
// Best effort: a kernel without it answers as ever.
//
// One owner, one thread; nothing waits for the network.

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/expected.h"
#include "common/base/time.h"
#include "common/runtime/unique_fd.h"
#include "vrrp/agent/host.h"

namespace vipair::vrrp {

class AnswerLease {
 public:
  ~AnswerLease();  // no address is answered for any more, or all are: the tables go

  // How long the kernel answers after the last renewal.
  void set_duration(Duration duration) { duration_ = duration; }

  // Before the addresses are added. The error is for the operator; the address is then answered for without a
  // lease.
  Expected<void, std::string> cover(TimePoint now, const AddressSet& set);
  void uncover(const AddressSet& set);  // after they were removed; unknown ones are fine
  // To be called by the loop as often as it can: acts when a quarter of the lease is over. Whoever let it expire
  // was away: the node is silent for the time of another lease, in which the agent finds out who is Active now.
  void renew(TimePoint now);

  // Removes what a crashed run left.
  Expected<void, std::string> remove_leftovers();

 private:
  struct Table {
    bool is_made = false;
    std::set<IpAddress> addresses;
  };
  Expected<void, std::string> open();
  Table& table_of(IpFamily family) { return family == IpFamily::ipv4 ? arp_ : ip6_; }

  UniqueFd nftables_;
  Duration duration_ = std::chrono::milliseconds(300);
  Table arp_, ip6_;
  TimePoint renewed_at_;
  std::optional<TimePoint> silent_until_;
};

}  // namespace vipair::vrrp
