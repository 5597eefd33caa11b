#pragma once
// One instance by itself on a simulated host: the seams between the state machine and its Host.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "tests/vrrp/agent/simulated_lan.h"
#include "vrrp/agent/group.h"
#include "vrrp/agent/virtual_router.h"

namespace vipair::vrrp {

// "web/ipv4", number 51 on eth0, 192.0.2.100.
class OneRouter : public testing::Test {
 protected:
  OneRouter() {
    config_.key = {"eth0", IpFamily::ipv4, 51};
    config_.name = "web";
    config_.priority = 100;
    config_.advertised = {*IpPrefix::parse("192.0.2.100/24")};
    interface_.name = "eth0";
    interface_.index = 2;
    interface_.is_up = true;
    interface_.primary_v4 = SimulatedLan::v4_of(11);
  }
  VirtualRouter& make() {
    VirtualRouter::Surroundings surroundings{host_, journal_, deadlines_, [this] { update_will(); },
                                             [this](const VirtualRouter&, const IpPrefix& address) {
                                               return std::count(others_.begin(), others_.end(), address) > 0;
                                             }};
    router_.emplace(config_, std::move(surroundings), now_);
    group_.form(now_, {&*router_}, {&*router_});
    return *router_;
  }
  void update_will() {
    ++will_changes_;
    host_.will = {};
    if (router_) router_->add_to(host_.will);
  }
  VirtualRouter& active_router() {
    make();
    router_->on_interface(now_, interface_);
    now_ = *router_->next_deadline();
    router_->on_time(now_);
    work();
    EXPECT_EQ(router_->status().state, "active");
    return *router_;
  }

  // All that is left to do.
  void work() {
    for (int turns = 0; router_->is_busy() && turns < 100; ++turns) router_->work(now_, kSliceMax);
  }

  TimePoint now_{std::chrono::seconds(1000)};
  InstanceConfig config_;
  InterfaceInfo interface_;
  SimulatedHost host_;
  Journal journal_;
  Deadlines deadlines_;
  std::vector<IpPrefix> others_;
  int will_changes_ = 0;
  std::optional<VirtualRouter> router_;
  Group group_{"web"};
};

}  // namespace vipair::vrrp
