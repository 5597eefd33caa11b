#pragma once
// What is wrong with a node of a pair, concluded from evidence: a pure function. Doctor (doctor.h) gathers the
// evidence; each finding names what it is, what was seen, and what to do.

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "vrrp/agent/config.h"
#include "vrrp/agent/host.h"
#include "vrrp/agent/status.h"
#include "vrrp/kernel/link_listener.h"

namespace vipair::vrrp {

struct Finding {
  std::string what;      // a word or two: "firewall", "duplicate address"
  std::string evidence;  // what was seen, where
  std::string advice;
  friend bool operator==(const Finding&, const Finding&) = default;
};

// One way to the peer, and what came back when it was probed.
struct PathEvidence {
  std::string interface;
  IpAddress peer;
  std::optional<IpPrefix> own;            // our address there
  std::optional<int> peer_prefix_length;  // of the peer's, as it says
  int probes_sent = 0;                    // by unicast
  int probes_answered = 0;
  bool multicast_needed = false;  // the group is used, and was probed
  bool multicast_answered = false;
  bool peer_is_heard = false;            // anything from it arrived lately
  std::optional<Duration> clock_offset;  // the peer's wall clock minus ours
};

struct PrivilegeEvidence {
  bool net_admin = true, net_raw = true, sys_nice = true;  // capabilities
  bool is_realtime = true;                                 // as configured
  bool is_locked = true;                                   // in memory, as configured
};

struct InterfaceEvidence {
  InterfaceInfo info;
  std::string listen_error;   // why the link could not be listened to
  std::set<IpAddress> asked;  // who has them?
  LinkListener::Heard heard;  // while the examination lasted
  bool uses_v4 = false, uses_v6 = false;
  bool ipv6_is_disabled = false;  // by sysctl
  int arp_ignore = 0;             // in effect: the greater of all and the interface's
  bool promotes_secondaries = true;
};

struct Evidence {
  Config config;
  Status before, after;  // of the examination
  std::vector<InterfaceEvidence> interfaces;
  std::vector<PathEvidence> paths;
  PrivilegeEvidence privileges;
  std::string relay_error;  // why a planned move breaks connections; empty: it does not
};

std::vector<Finding> diagnose(const Evidence& evidence);

std::string findings_json(const std::vector<Finding>& findings);

}  // namespace vipair::vrrp
