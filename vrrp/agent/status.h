#pragma once
// What the agent tells about itself, as values; vrrp/kernel renders them as JSON, metrics and log lines.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/ip_address.h"
#include "common/base/time.h"

namespace vipair::vrrp {

struct RouterStatus {
  std::string name;
  std::string interface;
  int vrid = 0;
  IpFamily family = IpFamily::ipv4;
  int version = 3;
  std::string state;   // "initialize" "backup" "active" "yielding" "fault"
  std::string reason;  // of the last change of state, a word: "active_down_timer" "priority_zero" "startup" …
  TimePoint since;     // of the last change of state
  int priority = 0;
  int effective_priority = 0;
  std::vector<std::string> faults;  // "proxy: not connected", "interface eth0: no carrier", "claim: …"
  std::vector<std::string> addresses;
  struct Peer {
    std::string address;
    int priority = 0;
    TimePoint heard;
  };
  std::optional<Peer> peer;                                     // the last sender of an accepted advertisement
  std::vector<std::pair<std::string, std::uint64_t>> counters;  // name, value; names as RFC 6527 where it has one
};

struct CheckStatus {
  std::string name;
  std::string type;
  bool up = false;
  std::string reason;
};

// One way to the peer.
struct PathStatus {
  std::string interface;
  std::string peer;         // address
  bool is_further = false;  // of peer.paths
  bool is_heard = false;    // the peer, over it, in the last seconds
  bool hears_us = false;    // it says so
  std::optional<TimePoint> heard;
  std::vector<std::pair<std::string, std::uint64_t>> counters;
};

// What a probe of one path brought.
struct PathProbe {
  std::string interface;
  IpAddress peer;
  bool is_further = false;
  bool is_sent = false, is_heard = false;                      // by unicast, and answered
  bool is_multicast_sent = false, is_multicast_heard = false;  // to the group
  bool peer_hears_us = false;                                  // it heard hellos over this path before the probe
  std::optional<Duration> round_trip;
  Duration clock_ahead{};      // the peer's calendar, of ours
  int prefix_length = 0;       // of our address; 0: not known
  int peer_prefix_length = 0;  // of its
};

struct Status {
  std::string node;
  bool drained = false;  // an operator keeps this node empty
  std::vector<RouterStatus> routers;
  std::vector<CheckStatus> checks;
  std::vector<PathStatus> paths;  // to the peer; none in RFC mode
  std::vector<std::pair<std::string, std::uint64_t>>
      counters;                                     // of the agent as a whole: datagrams for no router, …
  std::vector<std::string> warnings;                // what an operator should look at
  std::optional<TimePoint> started = std::nullopt;  // since when the counters count
};

// A change of role, for whoever is to be told of it: GET /events and the notify program.
struct RoleChange {
  std::string router;  // its name: "web"
  IpFamily family = IpFamily::ipv4;
  std::string interface;
  int vrid = 0;
  std::string from, to;          // as RouterStatus::state
  std::string reason;            // a word, as RouterStatus::reason
  std::string text;              // what was seen, which rule decided
  std::string phase = "change";  // "pre_release": about to give up the addresses; "post_acquire": holds them now
  std::vector<std::string> addresses;
  std::optional<RouterStatus::Peer> peer;
};

// One line of the journal: a change of role with its cause, or something else worth telling.
struct JournalEntry {
  TimePoint at;
  enum class Level { debug, info, warn, error } level = Level::info;
  std::string router;  // "web/ipv4", empty for the agent as a whole
  std::string event;   // "state" "refused" "claim_failed" "peer_seen" …
  std::string text;    // a sentence: what was seen, which rule decided
  std::optional<RoleChange> change = std::nullopt;
};

}  // namespace vipair::vrrp
