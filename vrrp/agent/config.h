#pragma once
// The agent's configuration as plain values: node.conf after validation. vrrp/config.h loads it; nothing here reads
// files.

#include <optional>
#include <string>
#include <vector>

#include "common/base/ip_address.h"
#include "common/base/time.h"
#include "vrrp/core/advertisement.h"

namespace vipair::vrrp {

// The one pinned neighbour of pair mode. Without it every virtual router is in RFC mode.
struct PeerConfig {
  std::optional<IpAddress> address_v4;
  std::optional<IpAddress> address_v6;
};

// One named entry of virtual_routers. It becomes one VRRP instance per address family that it has addresses of.
struct VirtualRouterConfig {
  std::string name;
  std::string interface;
  std::uint8_t vrid = 0;                    // 1-255
  std::uint8_t priority = 100;              // 1-254; 255: address owner
  Centiseconds advertisement_interval{10};  // 1-4095
  bool preempt = false;
  Duration preempt_delay{};
  Duration join_hold = std::chrono::seconds(1);  // no election for so long after the interface came up
  std::vector<IpPrefix> addresses;               // advertised; both families
  std::vector<IpPrefix> excluded_addresses;      // moved too, not advertised
  std::optional<PeerConfig> peer;  // the peer's address on this interface's network; default: the pair's
  bool unicast = false;            // default: true in pair mode
  bool track_proxy = true;
  ChecksumForm checksum = ChecksumForm::rfc5798;
};

struct Config {
  std::string node;
  std::optional<PeerConfig> peer;
  std::vector<VirtualRouterConfig> virtual_routers;
  std::string control_socket = "/run/vipair/vrrpd.sock";
  std::string gate_socket = "/run/vipair/gate.sock";
  int realtime_priority = 50;  // 0: normal scheduling
  bool lock_memory = true;
  Duration hang_timeout = std::chrono::milliseconds(250);  // of the agent's own loop, watched by the supervisor
  Duration drain_time =
      std::chrono::seconds(10);  // how long connections of the old Active are relayed to it after a planned move
  std::vector<std::string> warnings;  // what the loader accepted but an operator should know: for log and status
};

}  // namespace vipair::vrrp
