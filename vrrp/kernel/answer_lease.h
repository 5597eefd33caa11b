#pragma once
// The kernel answers ARP and neighbour solicitations for the virtual addresses only while the agent lives: as long
// as its heart beats, its supervisor renews a lease, and when that expires the kernel drops the questions, whatever
// has become of the processes. A node that is frozen, or whose supervisor was killed as well, still has the
// addresses; without this it would go on answering beside the node that took over, and every second client that
// asks anew would end up with the dead.
//
// The lease is one element with a timeout in an nf_tables set, of which the two tables (arp and ip6) have one each.
// Unlike other tables they outlive their process; the next start and the end of the agent remove them. Best effort:
// a kernel without it answers as ever.
//
// Whoever changes nf_tables waits for everybody else who does, such as a firewall that loads its thousands of
// rules. That is why the supervisor renews the lease, and not the agent's own loop. Nothing waits for the network.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/expected.h"
#include "common/base/time.h"
#include "common/runtime/unique_fd.h"
#include "vrrp/agent/host.h"

namespace vipair::vrrp {

inline constexpr Duration kLeaseMin = std::chrono::milliseconds(100);

// How long the kernel answers without a renewal: a little longer than the supervisor waits for a sign of life.
Duration lease_duration(Duration hang_timeout);

// The agent's side: which addresses are answered for on lease.
class AnswerLease {
 public:
  ~AnswerLease();  // the tables go

  void set_duration(Duration duration) { duration_ = duration; }

  // Before the addresses are added, with a new lease for the first of them. The error is for the operator; the
  // address is then answered for without a lease.
  Expected<void, std::string> cover(const AddressSet& set);
  void uncover(const AddressSet& set);  // after they were removed; unknown ones are fine
  // Removes what a crashed run left.
  Expected<void, std::string> remove_leftovers();

 private:
  Expected<void, std::string> open();
  std::set<IpAddress>& covered(IpFamily family) { return family == IpFamily::ipv4 ? covered_v4_ : covered_v6_; }

  UniqueFd nftables_;
  Duration duration_ = lease_duration(std::chrono::milliseconds(250));
  std::set<IpAddress> covered_v4_, covered_v6_;
};

// Of which families addresses are held, as a set of bits.
constexpr std::uint32_t held_bit(IpFamily family) { return family == IpFamily::ipv4 ? 1u : 2u; }

// The supervisor's side.
class LeaseKeeper {
 public:
  // To be called as long as the agent does not count as hung, with the families of which it holds addresses; renews
  // when a quarter of the lease is over. Whoever let it expire was away: the node is silent for the time of another
  // lease, in which the agent finds out who is Active now.
  void renew(TimePoint now, Duration duration, std::uint32_t held);
  void restart(TimePoint now);  // a new agent, which holds nothing yet
  // When to wake up for it: later than it may be renewed, so that one wake-up serves for more.
  TimePoint next_renewal(Duration duration) const { return silent_until_.value_or(renewed_at_ + duration / 2); }

 private:
  UniqueFd nftables_;
  TimePoint renewed_at_;
  std::uint32_t held_ = 0, seen_ = 0;  // families: as told last; those whose table was seen
  std::optional<TimePoint> silent_until_;
};

}  // namespace vipair::vrrp
