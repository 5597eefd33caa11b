#pragma once
// The advertisements of one instance: ours made from its configuration, and a neighbour's compared with it. Pure.

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/ip_address.h"
#include "vrrp/agent/host.h"
#include "vrrp/agent/instances.h"
#include "vrrp/core/advertisement.h"

namespace vipair::vrrp {

// `heard`: the form of the neighbour's checksums, which ours follow where the configuration leaves it open.
OutgoingAdvertisement make_advertisement(const InstanceConfig& config, std::uint8_t priority, int interface_index,
                                         const IpAddress& source, std::optional<ChecksumKind> heard);

// What version 2 wants to be configured alike (RFC 3768 section 7.1). Version 3 learns the interval.
std::optional<DropReason> disagreement(const InstanceConfig& own, const Advertisement& heard);

// In any order; two nodes that are configured alike have the same one.
bool lists_the_same(const std::vector<IpAddress>& listed, const std::vector<IpPrefix>& own);

}  // namespace vipair::vrrp
