#pragma once
// The state machine of one VRRP instance (RFC 9568 and RFC 3768 section 6.4) as a pure function: what was, what
// happened and when, give what is and what to do. Deadlines live in the state, so an early tick is harmless,
// nothing is ever cancelled and nothing goes stale. After TimeReached no deadline of the new state lies at or
// before `now`.
//
// Beyond the RFC (reasons in vrrp/README.md): the join hold and the preempt delay, everything marked "pair mode",
// and listening first after having slept through the time in which another node must have taken over.

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ip_address.h"
#include "common/base/time.h"
#include "vrrp/core/parameters.h"
#include "vrrp/core/types.h"

namespace vipair::vrrp {

// ---- events ----

struct Startup {};   // nothing speaks against taking part any more
struct Shutdown {};  // something does: a fault, a stop, removal from the configuration
struct TimeReached {};
struct AdvertReceived {  // passed every receive check, not our own
  IpAddress source;
  std::uint8_t priority = 0;
  Centiseconds max_advertise_interval{};
  bool decides_ties = true;  // between equal priorities, by the addresses on this network
  bool is_reachable = true;  // at `source`: connections can be relayed there
};
// Pair mode: an advertisement from the peer's address, with a priority other than 0, that does not prove to be the
// peer's. Somebody is there: no reason to conclude that nobody is, and nothing to be learned.
struct AdvertUnverified {};
struct ParametersChanged {  // `parameters` are the new ones already
  bool announce = false;    // an address was added or the MAC changed: the LAN has to learn it
};
struct ClaimFailed {};  // the last ClaimAddresses did not succeed
struct AddressLost {};  // somebody else removed an address of ours
enum class Reason;
struct Handover {  // let another node be Active and stay available; preemption rests until that one is lost
  Reason reason;
};
using Event = std::variant<Startup, Shutdown, TimeReached, AdvertReceived, AdvertUnverified, ParametersChanged,
                           ClaimFailed, AddressLost, Handover>;

// ---- actions, performed in order; the rest is skipped when a claim fails ----

struct ClaimAddresses {
  std::optional<IpAddress> relay_to;  // a planned move: the old Active lives and keeps its connections
  friend bool operator==(const ClaimAddresses&, const ClaimAddresses&) = default;
};
struct SendAdvertisement {
  std::uint8_t priority = 0;
  friend bool operator==(const SendAdvertisement&, const SendAdvertisement&) = default;
};
struct AnnounceAddresses {
  friend bool operator==(const AnnounceAddresses&, const AnnounceAddresses&) = default;
};
struct ReleaseAddresses {
  ReleaseMode mode = ReleaseMode::immediate;
  friend bool operator==(const ReleaseAddresses&, const ReleaseAddresses&) = default;
};
using Action = std::variant<ClaimAddresses, SendAdvertisement, AnnounceAddresses, ReleaseAddresses>;

// Which rule decided. `none`: nothing worth a word happened.
enum class Reason {
  none,
  startup,            // taking part from now on
  owner,              // priority 255: Active at once
  shutdown,           // told to stop
  active_down_timer,  // nothing acceptable was heard for Active_Down_Interval
  preempted,          // the timer ran out while a lower-priority Active was heard and discarded
  priority_zero,      // the Active resigned
  higher_priority,    // another Active has a higher priority
  higher_address,     // another Active has the same priority and a greater address
  handover,           // an operator wants another node to be Active
  outweighed,         // checks that are down took so much that the peer is the better one now
  peer_took_over,     // Yielding ends: the peer was heard
  yield_timeout,      // Yielding ends: the peer was not heard
  claim_failed,
  address_lost,     // ours again, announced again
  accepted,         // Backup: the Active lives
  outranked,        // Backup: a lower priority was discarded, the timer runs on
  unverified,       // Backup: somebody speaks in the peer's name, the timer starts anew
  second_active,    // Active: a lower priority was discarded, and in version 3 answered
  answered,         // Active: somebody resigned or asked with priority 0
  late_wakeup,      // slept for too long to trust the silence: listening first
  silent_too_long,  // Active: slept so long that the other one has taken over by right
  sync_group,       // the rest of its group has this role
  parameters_changed,
};
const char* to_string(Reason reason);  // "active_down_timer" …

struct Transition {
  State next;
  std::vector<Action> actions;
  Reason reason = Reason::none;
};

Transition step(const Parameters& parameters, const State& state, const Event& event, TimePoint now);

// When step() wants TimeReached; nullopt when only an event can change anything.
std::optional<TimePoint> next_deadline(const State& state);

}  // namespace vipair::vrrp
