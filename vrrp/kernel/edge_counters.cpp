#include "vrrp/kernel/edge_counters.h"

namespace vipair::vrrp {

std::vector<EdgeCounter> edge_counters(const EdgeCounts& counts) {
  return {
      {"claims", "Batches of addresses that were claimed.", counts.host.claims},
      {"claim_failures", "Claims that failed.", counts.host.claim_failures},
      {"releases", "Batches of addresses that were released.", counts.host.releases},
      {"announcements_sent", "Gratuitous ARP and neighbour advertisement frames sent.", counts.host.frames_sent},
      {"announcements_lost", "Announcement frames that the device did not take.", counts.host.frames_lost},
      {"relay_errors", "Planned moves whose connections could not be relayed.", counts.host.relay_errors},
      {"lease_errors", "Addresses that a frozen node would go on answering for.", counts.host.lease_errors},
      {"gate_connects", "Connections of a proxy to the gate.", counts.gate.connects},
      {"gate_disconnects", "Connections of a proxy that ended.", counts.gate.disconnects},
      {"gate_hangs", "Times a connected proxy fell silent.", counts.gate.hangs},
      {"gate_invalid_messages", "Messages at the gate that were none.", counts.gate.invalid_messages},
      {"interface_resyncs", "Times interface events were lost and the full list was read.",
       counts.interface_resyncs},
      {"check_runs", "Runs of checks.", counts.checks.runs},
      {"check_failures", "Runs of checks that failed.", counts.checks.failures},
      {"check_timeouts", "Runs of checks that took longer than their time limit.", counts.checks.timeouts},
      {"notify_runs", "Runs of the notify program.", counts.notifier.runs},
      {"notify_failures", "Runs of the notify program that failed.", counts.notifier.failures},
      {"notify_coalesced", "Changes of role that a later one replaced before they were told.",
       counts.notifier.coalesced},
      {"notify_fifo_dropped", "Changes of role that nobody read from the pipe.", counts.notify_fifo_dropped},
      {"reloads", "Configurations that were loaded by a reload.", counts.reloads},
      {"reloads_refused", "Reloads that were refused.", counts.reloads_refused}};
}

}  // namespace vipair::vrrp
