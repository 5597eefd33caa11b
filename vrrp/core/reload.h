#pragma once
// What a new configuration changes, per VRRP instance: a pure difference. An instance that is the same before and
// after appears nowhere in it and is not touched.

#include <compare>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ip_address.h"
#include "common/base/time.h"
#include "vrrp/core/advertisement.h"

namespace vipair::vrrp {

// What identifies a VRRP instance. A change of any of it is another instance.
struct InstanceKey {
  std::string interface;
  IpFamily family = IpFamily::ipv4;
  std::uint8_t vrid = 0;
  friend auto operator<=>(const InstanceKey&, const InstanceKey&) = default;
};

// One VRRP instance as configured: one family of one entry of virtual_routers.
struct InstanceConfig {
  InstanceKey key;
  std::string name;      // of the entry: "web"
  int version = 3;       // 2: RFC 3768
  std::string password;  // version 2's simple text password; empty: none
  std::uint8_t priority = 100;
  Centiseconds advertisement_interval{10};
  bool preempt = false;
  Duration preempt_delay{};
  Duration join_hold{};
  bool track_proxy = true;
  int upstream_weight = 0;  // what the priority loses while the proxy can use no upstream; 0: nothing
  ChecksumForm checksum = ChecksumForm::rfc5798;
  bool is_pair = false;              // there is one other node and no more
  std::optional<IpAddress> peer;     // pinned: adverts of anybody else are refused
  bool is_unicast = false;           // to the pinned peer
  bool virtual_mac = false;          // the addresses answer with the virtual router's MAC address
  bool accept = true;                // packets to the addresses are for this node
  std::string sync_group;            // all of one group Active together or none
  std::vector<std::string> track;    // names of checks
  std::vector<IpPrefix> advertised;  // 1-255; IPv6: the link-local one first
  std::vector<IpPrefix> excluded;    // moved with them, not advertised
  friend bool operator==(const InstanceConfig&, const InstanceConfig&) = default;

  std::vector<IpPrefix> addresses() const;  // all that move
};

struct InstanceChange {
  InstanceConfig config;        // the new one
  std::vector<IpPrefix> added;  // all of them, when they are held in another way: virtual_mac, accept
  std::vector<IpPrefix> removed;
  friend bool operator==(const InstanceChange&, const InstanceChange&) = default;
};

struct ConfigDifference {
  std::vector<InstanceKey> removed;
  std::vector<InstanceConfig> added;
  std::vector<InstanceChange> changed;
  bool empty() const { return removed.empty() && added.empty() && changed.empty(); }
  friend bool operator==(const ConfigDifference&, const ConfigDifference&) = default;
};

// Keys are unique within each of the two.
ConfigDifference difference(const std::vector<InstanceConfig>& before, const std::vector<InstanceConfig>& after);

// Elements of `all` that are not in `others`, in their order.
std::vector<IpPrefix> without(const std::vector<IpPrefix>& all, const std::vector<IpPrefix>& others);

}  // namespace vipair::vrrp
