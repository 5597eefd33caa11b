#pragma once
// The `virtual_routers` of node.conf, each of them and how they go together: VRIDs, addresses, sync groups, and the
// weights of the checks that they track.

#include "common/runtime/config_file.h"
#include "vrrp/agent/config.h"

namespace vipair::vrrp {

inline constexpr std::size_t kVirtualRoutersMax = 2048;  // 255 VRIDs on each of eight interfaces
inline constexpr std::size_t kAddressesMax = 8192;       // of all of them together, excluded ones included
// Whatever the priorities are, a node that can use no upstream is the lesser one, unless the other cannot either.
inline constexpr int kUpstreamWeightDefault = 253;

// The peer, the keys and the checks of `config` are there already.
void load_virtual_routers(ConfigGroup& root, Config& config);

}  // namespace vipair::vrrp
