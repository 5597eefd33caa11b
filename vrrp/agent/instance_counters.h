#pragma once
// What an instance counts (RFC 6527, RFC 8347 and more). The names are interfaces: they only grow.

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "vrrp/core/advertisement.h"

namespace vipair::vrrp {

struct InstanceCounters {
  std::uint64_t active_transitions = 0;
  std::uint64_t received_advertisements = 0;
  std::uint64_t sent_advertisements = 0;
  std::uint64_t received_priority_zero = 0;
  std::uint64_t sent_priority_zero = 0;
  std::uint64_t address_list_errors = 0;
  std::uint64_t received_checksums_pseudo_header = 0;
  std::uint64_t received_checksums_message_only = 0;
  std::uint64_t lower_priority_discarded = 0;
  std::uint64_t second_active_heard = 0;
  std::uint64_t unproven = 0;
  std::uint64_t received_path_advertisements = 0;
  std::uint64_t late_wakeups = 0;
  std::uint64_t announcements = 0;
  std::uint64_t send_errors = 0;
  std::uint64_t claim_errors = 0;
  std::uint64_t addresses_lost = 0;
  std::array<std::uint64_t, kDropReasons> dropped{};

  using List = std::vector<std::pair<std::string, std::uint64_t>>;
  List list() const;  // with their names in the status
};

}  // namespace vipair::vrrp
