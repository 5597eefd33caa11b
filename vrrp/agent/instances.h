#pragma once
// From the operator's virtual routers to VRRP instances: one per address family that an entry has addresses of.

#include <string>
#include <vector>

#include "vrrp/agent/config.h"
#include "vrrp/core/reload.h"

namespace vipair::vrrp {

// The link-local address of a virtual router whose configuration lists none: fe80::/64 with the modified EUI-64
// (RFC 4291 appendix A) of the virtual router's MAC address 00-00-5E-00-02-VRID (RFC 9568 section 7.3), the same on
// every node without being configured. RFC 9568 section 5.2.9 wants a link-local address first.
IpPrefix derived_link_local(std::uint8_t vrid);

// `config` is validated: keys are unique. Advertised addresses beyond what one message carries move
// unadvertised.
std::vector<InstanceConfig> instances_of(const Config& config);

// What an operator should know about this configuration: families whose neighbour cannot be pinned.
std::vector<std::string> warnings_about(const Config& config);

}  // namespace vipair::vrrp
