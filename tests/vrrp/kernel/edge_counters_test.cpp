#include "vrrp/kernel/edge_counters.h"

#include <gtest/gtest.h>

#include <set>

namespace vipair::vrrp {
namespace {

std::uint64_t value_of(const std::vector<EdgeCounter>& counters, std::string_view name) {
  for (const EdgeCounter& counter : counters)
    if (counter.name == name) return counter.value;
  ADD_FAILURE() << "no counter " << name;
  return 0;
}

TEST(EdgeCounters, EachHasANameOfItsOwnAndAHelp) {
  std::set<std::string_view> names;
  for (const EdgeCounter& counter : edge_counters({})) {
    EXPECT_TRUE(names.insert(counter.name).second) << counter.name;
    EXPECT_TRUE(counter.help.ends_with('.')) << counter.name;
  }
}

TEST(EdgeCounters, AreWhatTheirPartsCounted) {
  EdgeCounts counts;
  counts.host.claims = 1;
  counts.gate.hangs = 2;
  counts.checks.timeouts = 3;
  counts.notifier.coalesced = 4;
  counts.notify_fifo_dropped = 5;
  counts.interface_resyncs = 6;
  counts.reloads = 7;
  counts.reloads_refused = 8;
  const auto counters = edge_counters(counts);
  EXPECT_EQ(value_of(counters, "claims"), 1u);
  EXPECT_EQ(value_of(counters, "gate_hangs"), 2u);
  EXPECT_EQ(value_of(counters, "check_timeouts"), 3u);
  EXPECT_EQ(value_of(counters, "notify_coalesced"), 4u);
  EXPECT_EQ(value_of(counters, "notify_fifo_dropped"), 5u);
  EXPECT_EQ(value_of(counters, "interface_resyncs"), 6u);
  EXPECT_EQ(value_of(counters, "reloads"), 7u);
  EXPECT_EQ(value_of(counters, "reloads_refused"), 8u);
}

}  // namespace
}  // namespace vipair::vrrp
