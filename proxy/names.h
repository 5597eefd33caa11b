#pragma once
// Names of servers and what they stand for: a pure step between two configurations. The file says
// "app.internal:80"; each address that the name has becomes a server of the upstream, with the settings that stand
// beside the name.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "common/base/ip_address.h"
#include "common/base/time.h"
#include "proxy/config.h"

namespace vipair::proxy {

inline constexpr std::size_t kTargetsPerNameMax = 100;

// One server that a name stands for.
struct NameTarget {
  IpAddress address;
  std::uint16_t port = 0;      // of a service; 0: the port that stands beside the name
  std::uint16_t priority = 0;  // of a service (RFC 2782): the lowest is used, the others are backups
  std::uint16_t weight = 1;
  friend auto operator<=>(const NameTarget&, const NameTarget&) = default;
};

// Absent: not looked up yet. Empty: looked up in vain, so far.
using NameAnswers = std::map<NameQuery, std::vector<NameTarget>>;

std::set<NameQuery> names_of(const Config& config);

// Replaces the servers of all names, also in a configuration that has some of earlier answers. Returns whether
// anything is different now.
bool apply_names(Config& config, const NameAnswers& answers);

// In one order, however they came; nothing twice, nothing that is nobody's address, at most kTargetsPerNameMax.
std::vector<NameTarget> usable_targets(std::vector<NameTarget> targets);

// How long an answer is used. Without one (`failures` in a row): when to try again, less often each time.
Duration until_next_lookup(const ResolverSettings& settings, std::optional<Duration> ttl, int failures);

}  // namespace vipair::proxy
