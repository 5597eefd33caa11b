#include "vrrp/agent/instance_counters.h"

#include <gtest/gtest.h>

#include <map>

namespace vipair::vrrp {
namespace {

TEST(InstanceCounters, EachIsListedOnceByItsName) {
  InstanceCounters counters;
  counters.active_transitions = 1;
  counters.addresses_lost = 2;
  counters.dropped[static_cast<std::size_t>(DropReason::not_the_peer)] = 3;
  const auto list = counters.list();
  const std::map<std::string, std::uint64_t> by_name(list.begin(), list.end());
  EXPECT_EQ(by_name.size(), list.size());
  EXPECT_EQ(by_name.at("active_transitions"), 1u);
  EXPECT_EQ(by_name.at("addresses_lost"), 2u);
  EXPECT_EQ(by_name.at(counter_name(DropReason::not_the_peer)), 3u);
}

}  // namespace
}  // namespace vipair::vrrp
