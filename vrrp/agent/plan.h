#pragma once
// Who would be Active: for every combination of failing checks, on this node, on the peer and on both. Made of the
// configuration alone, with the functions that the agent itself decides with. The peer is taken to be configured
// alike, but for its priority.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "vrrp/agent/config.h"
#include "vrrp/core/reload.h"

namespace vipair::vrrp {

// Up to so many checks of one group every combination of them is planned; beyond, up to two that fail at a time;
// and beyond the second bound each by itself.
inline constexpr std::size_t kPlannedWhole = 6, kPlannedInPairs = 12;

// The configured priorities of the peer, as far as it told them; else Config::peer_priority.
using PeerPriorities = std::map<InstanceKey, std::uint8_t>;

enum class PlannedActive {
  this_node,
  peer,
  unmoved,  // whoever was Active before
  nobody,
  unknown,  // depends on the peer's priority, which nobody knows
};

struct PlanRow {
  std::string group;                             // "web", or the virtual routers of a sync group: "mail, web"
  std::vector<std::string> failing;              // checks, "proxy", "upstreams" (all); empty: nothing
  bool is_node_down = false;                     // the whole node
  PlannedActive here = PlannedActive::unknown;   // it fails on this node
  PlannedActive there = PlannedActive::unknown;  // on the peer
  PlannedActive everywhere = PlannedActive::unknown;
  friend bool operator==(const PlanRow&, const PlanRow&) = default;
};

// Group by group: nothing fails, each combination, the node is down.
std::vector<PlanRow> plan(const Config& config, const PeerPriorities& peer);

// Weights that decide nothing, even all together; each with what would.
std::vector<std::string> weight_warnings(const Config& config, const PeerPriorities& peer);

}  // namespace vipair::vrrp
