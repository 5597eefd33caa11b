#pragma once
// What the edge counts, with names and helps for /metrics. Names are interfaces: they only grow.

#include <cstdint>
#include <vector>

#include "vrrp/kernel/checks.h"
#include "vrrp/kernel/gate.h"
#include "vrrp/kernel/kernel_host.h"
#include "vrrp/kernel/notifier.h"
#include "vrrp/kernel/report.h"

namespace vipair::vrrp {

struct EdgeCounts {
  KernelHost::Counters host;
  Gate::Counters gate;
  Checks::Counters checks;
  Notifier::Counters notifier;
  std::uint64_t notify_fifo_dropped = 0;
  std::uint64_t interface_resyncs = 0;
  std::uint64_t reloads = 0, reloads_refused = 0;
};

std::vector<EdgeCounter> edge_counters(const EdgeCounts& counts);

}  // namespace vipair::vrrp
