#include "vrrp/agent/instance_counters.h"

namespace vipair::vrrp {

InstanceCounters::List InstanceCounters::list() const {
  List counters = {
      {"active_transitions", active_transitions},
      {"received_advertisements", received_advertisements},
      {"sent_advertisements", sent_advertisements},
      {"received_priority_zero", received_priority_zero},
      {"sent_priority_zero", sent_priority_zero},
      {"received_checksums_pseudo_header", received_checksums_pseudo_header},
      {"received_checksums_message_only", received_checksums_message_only},
      {"address_list_errors", address_list_errors},
      {"lower_priority_discarded", lower_priority_discarded},
      {"second_active_heard", second_active_heard},
      {"unproven", unproven},
      {"received_path_advertisements", received_path_advertisements},
      {"late_wakeups", late_wakeups},
      {"announcements", announcements},
      {"send_errors", send_errors},
      {"claim_errors", claim_errors},
      {"addresses_lost", addresses_lost},
  };
  for (std::size_t i = 0; i < kDropReasons; ++i) {
    counters.emplace_back(counter_name(static_cast<DropReason>(i)), dropped[i]);
  }
  return counters;
}

}  // namespace vipair::vrrp
