#pragma once
// The agent's configuration as plain values: node.conf after validation. vrrp/config.h loads it; nothing here reads
// files.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ip_address.h"
#include "common/base/time.h"
#include "vrrp/agent/check_config.h"
#include "vrrp/core/advertisement.h"
#include "vrrp/core/authentication.h"

namespace vipair::vrrp {

// The one pinned neighbour of pair mode. Without it every virtual router is in RFC mode.
struct PeerConfig {
  std::optional<IpAddress> address_v4;
  std::optional<IpAddress> address_v6;
};

// A further way to the same peer, over another of this node's interfaces: everything that goes to the peer goes
// over all of them at once, and the peer is lost when it is lost on all.
struct PeerPath {
  std::string interface;
  IpAddress address;  // of the peer, in a network of that interface
  friend bool operator==(const PeerPath&, const PeerPath&) = default;
};

// One named entry of virtual_routers. It becomes one VRRP instance per address family that it has addresses of.
struct VirtualRouterConfig {
  std::string name;
  std::string interface;
  std::uint8_t vrid = 0;                    // 1-255
  int version = 3;                          // 2: RFC 3768, IPv4 only, whole seconds
  std::uint8_t priority = 100;              // 1-254; 255: address owner
  Centiseconds advertisement_interval{10};  // 1-4095; version 2: 100-25500 in whole seconds
  bool preempt = false;
  Duration preempt_delay{};
  Duration join_hold = std::chrono::seconds(1);  // no election for so long after the interface came up
  std::vector<IpPrefix> addresses;               // advertised; both families
  std::vector<IpPrefix> excluded_addresses;      // moved too, not advertised
  std::optional<PeerConfig> peer;  // the peer's address on this interface's network; default: the pair's
  bool unicast = false;            // default: true in pair mode
  bool track_proxy = true;
  int upstream_weight = 0;  // 0-253: what the priority loses while the proxy can use none of its upstreams
  ChecksumForm checksum = ChecksumForm::rfc5798;
  std::string password;            // version 2's simple text password, at most 8 bytes; empty: none
  bool virtual_mac = false;        // addresses answer with 00-00-5E-00-01-VRID (RFC 9568 section 7.3)
  bool accept = true;              // Accept_Mode: packets to the addresses are for this node
  std::string sync_group;          // all members Active together or none; empty: none
  std::vector<std::string> track;  // names of checks
};

// Whom to tell of changes of role.
struct NotifyConfig {
  std::vector<std::string> command;  // program and arguments, no shell; empty: none. JSON on its standard input
  std::string user;                  // whom it runs as; empty: the daemon's own
  Duration timeout = std::chrono::seconds(5);  // of one run, killed with its process group afterwards
  std::string fifo;  // a named pipe that gets the same JSON, one object per line; empty: none
  friend bool operator==(const NotifyConfig&, const NotifyConfig&) = default;
};

struct Config {
  std::string node;
  std::optional<PeerConfig> peer;
  std::optional<std::uint8_t> peer_priority;  // as configured over there, for warnings and the plan
  std::vector<PeerPath> peer_paths;           // needs keys
  std::vector<PairKey> pair_keys;             // the first one signs, all of them verify; empty: not authenticated
  std::vector<VirtualRouterConfig> virtual_routers;
  std::vector<CheckConfig> checks;
  NotifyConfig notify;
  std::string control_socket = "/run/vipair/vrrpd.sock";
  std::string gate_socket = "/run/vipair/gate.sock";
  int realtime_priority = 50;  // 0: normal scheduling
  bool lock_memory = true;
  Duration hang_timeout = std::chrono::milliseconds(200);  // of the agent's own loop, watched by the supervisor
  Duration drain_time =
      std::chrono::seconds(10);  // how long connections of the old Active are relayed to it after a planned move
  // How long upstreams are lost to the Active, or found by its peer, before that counts: the other node may see the
  // same a moment later.
  Duration upstream_delay = std::chrono::seconds(5);
  std::vector<std::string> warnings;  // what the loader accepted but an operator should know: for log and status
};

}  // namespace vipair::vrrp
