// Virtual routers that move together, seen from outside of one agent with two interfaces.

#include "vrrp/agent/group.h"

#include <map>

#include "tests/vrrp/agent/simulated_lan.h"
#include "vrrp/agent/agent.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

IpPrefix prefix(std::string_view text) { return *IpPrefix::parse(text); }
IpAddress address(std::string_view text) { return *IpAddress::parse(text); }

// "inside" (vrid 2) on eth1 and "outside" (vrid 1) on eth0, priority 100.
class GroupTest : public testing::Test {
 protected:
  GroupTest() {
    config_.virtual_routers = {router("inside", "eth1", 2, "10.0.0.100/24"),
                               router("outside", "eth0", 1, "192.0.2.100/24")};
    for (int index : {0, 1}) {
      InterfaceInfo& interface = interfaces_[static_cast<std::size_t>(index)];
      interface.name = "eth" + std::to_string(index);
      interface.index = 2 + index;
      interface.is_up = true;
      interface.link_local_v6 = address("fe80::11");
    }
    interfaces_[0].primary_v4 = address("192.0.2.11");
    interfaces_[1].primary_v4 = address("10.0.0.11");
  }
  ~GroupTest() override { EXPECT_THAT(host_.violations, IsEmpty()); }

  static VirtualRouterConfig router(std::string name, std::string interface, std::uint8_t vrid,
                                    std::string_view addresses) {
    VirtualRouterConfig router;
    router.name = std::move(name);
    router.interface = std::move(interface);
    router.vrid = vrid;
    router.addresses = {prefix(addresses)};
    router.track_proxy = false;
    router.sync_group = "edge";
    return router;
  }

  void start() {
    agent_.emplace(config_, host_, now_);
    for (const InterfaceInfo& interface : interfaces_) agent_->on_interface(now_, interface);
  }
  void start_active() {
    start();
    run_for(1100ms);
    ASSERT_THAT(states(), Each("active"));
    host_.forget();
    agent_->take_journal();
  }
  void run_for(Duration duration) {
    const TimePoint end = now_ + duration;
    for (auto next = agent_->next_deadline(); next && *next <= end; next = agent_->next_deadline()) {
      now_ = std::max(now_, *next);
      agent_->on_time(now_);
    }
    now_ = end;
  }
  void set_link(std::size_t at, bool is_up) {
    interfaces_[at].is_up = is_up;
    agent_->on_interface(now_, interfaces_[at]);
  }
  void reload() { agent_->reload(now_, config_); }

  // The other node, .12 on either network.
  void hear(std::size_t at, int priority, int number = 12) {
    const IpAddress source = address((at == 0 ? "192.0.2." : "10.0.0.") + std::to_string(number)),
                    group = multicast_group(IpFamily::ipv4);
    const auto vrid = static_cast<std::uint8_t>(at + 1);
    const IpAddress announced = address(at == 0 ? "192.0.2.100" : "10.0.0.100");
    const Bytes message = encode({vrid, static_cast<std::uint8_t>(priority), Centiseconds(10), {announced}}, source,
                                 group, ChecksumKind::pseudo_header);
    agent_->on_datagram(now_, {interfaces_[at].index, source, group, 255}, message);
    agent_->on_time(now_);
  }

  std::vector<std::string> states() {
    std::vector<std::string> states;
    for (const RouterStatus& router : agent_->status(now_).routers) states.push_back(router.state);
    return states;
  }
  std::vector<std::string> texts() {
    std::vector<std::string> texts;
    for (const JournalEntry& entry : agent_->take_journal()) {
      if (entry.change) texts.push_back(entry.router + " " + entry.text);
    }
    return texts;
  }

  TimePoint now_{1000s};
  Config config_;
  std::array<InterfaceInfo, 2> interfaces_;
  SimulatedHost host_;
  std::optional<Agent> agent_;
};

TEST_F(GroupTest, AllMembersClaimBeforeTheFirstOneSpeaks) {
  start();
  run_for(1100ms);
  ASSERT_GE(host_.calls.size(), 6u);
  host_.calls.resize(6);
  EXPECT_THAT(host_.calls, ElementsAre("claim 10.0.0.100/24", "claim 192.0.2.100/24", "send 100", "announce 1",
                                       "send 100", "announce 1"));
}

TEST_F(GroupTest, FaultOfOneMemberIsAFaultOfAll) {
  start_active();
  set_link(0, false);
  EXPECT_THAT(states(), Each("fault"));
  EXPECT_THAT(host_.held, IsEmpty());
  const Status status = agent_->status(now_);
  EXPECT_THAT(status.routers.at(0).faults, ElementsAre("outside/ipv4: interface eth0: down or no carrier"));
  EXPECT_THAT(status.routers.at(1).faults, ElementsAre("interface eth0: down or no carrier"));
  EXPECT_THAT(texts(), ElementsAre("inside/ipv4 active → fault: outside/ipv4: interface eth0: down or no carrier",
                                   "outside/ipv4 active → fault: interface eth0: down or no carrier"));
  set_link(1, false);
  set_link(0, true);
  EXPECT_THAT(states(), Each("fault")) << "the other one is still there";
  set_link(1, true);
  run_for(1100ms);
  EXPECT_THAT(states(), Each("active"));
}

TEST_F(GroupTest, FamiliesOfAVirtualRouterMoveTogetherWithoutBeingAskedTo) {
  config_.virtual_routers = {router("web", "eth0", 1, "192.0.2.100/24")};
  config_.virtual_routers[0].sync_group.clear();
  config_.virtual_routers[0].addresses.push_back(prefix("2001:db8::100/64"));
  start_active();
  interfaces_[0].link_local_v6.reset();
  agent_->on_interface(now_, interfaces_[0]);
  EXPECT_THAT(states(), ElementsAre("fault", "fault"));
}

TEST_F(GroupTest, RoutersWithoutAGroupMoveApart) {
  for (VirtualRouterConfig& router : config_.virtual_routers) router.sync_group.clear();
  start_active();
  set_link(0, false);
  EXPECT_THAT(states(), ElementsAre("active", "fault"));
}

TEST_F(GroupTest, WhatOneMemberHearsAllHaveHeard) {
  start();
  for (int i = 0; i < 50; ++i) {
    hear(0, 50);
    run_for(100ms);
  }
  EXPECT_THAT(states(), Each("backup")) << "the other node is heard on one network, so it lives";
  run_for(400ms);
  EXPECT_THAT(states(), Each("active"));
  EXPECT_THAT(texts(), Contains("inside/ipv4 backup → active: nobody was ever heard"));
}

TEST_F(GroupTest, HigherPriorityOnOneNetworkTakesAll) {
  start_active();
  hear(1, 101);
  EXPECT_THAT(states(), Each("backup"));
  EXPECT_THAT(host_.held, IsEmpty());
  EXPECT_THAT(
      texts(),
      Contains("outside/ipv4 active → backup: inside/ipv4: 10.0.0.12 has the higher priority 101, ours is 100"));
}

TEST_F(GroupTest, PriorityZeroOfThePeerOnOneNetworkIsAnsweredOnAllAndRelayedOnEach) {
  config_.peer = PeerConfig{address("192.0.2.12"), std::nullopt};
  config_.virtual_routers[0].peer = PeerConfig{address("10.0.0.12"), std::nullopt};
  start();
  hear(0, 50);
  hear(0, 0);
  EXPECT_THAT(states(), Each("active"));
  EXPECT_THAT(host_.calls, Contains("relay 192.0.2.12"));
  EXPECT_THAT(host_.calls, Contains("relay 10.0.0.12"));
}

TEST_F(GroupTest, FirstMemberThatHearsTheOtherDecidesBetweenEqualPriorities) {
  start_active();
  hear(1, 100, 9);  // "inside" comes first, and there our address is the greater one
  hear(0, 100, 12);
  EXPECT_THAT(states(), Each("active"));
  run_for(1s);
  hear(0, 100, 12);  // nothing is heard on the first network any more
  EXPECT_THAT(states(), Each("backup"));
}

TEST_F(GroupTest, FailedClaimOfOneMemberTakesAllDown) {
  start();
  host_.refused_claims = 1;
  run_for(1100ms);
  EXPECT_THAT(states(), Each("fault"));
  EXPECT_THAT(host_.held, IsEmpty());
  run_for(2500ms);
  EXPECT_THAT(states(), Each("active")) << "the claim is tried again";
}

TEST_F(GroupTest, LostAddressIsTheBusinessOfItsMember) {
  start_active();
  host_.held.erase(prefix("10.0.0.100/24"));
  agent_->on_address_removed(now_, interfaces_[1].index, address("10.0.0.100"));
  run_for(6ms);
  EXPECT_THAT(host_.calls, Contains("claim 10.0.0.100/24"));
  EXPECT_THAT(host_.calls, Not(Contains("claim 192.0.2.100/24")));
}

TEST_F(GroupTest, StopOfTheAgentIsToldByEachMemberForItself) {
  start_active();
  agent_->shutdown(now_);
  EXPECT_TRUE(agent_->is_stopped());
  EXPECT_THAT(texts(), ElementsAre("inside/ipv4 active → fault: the agent stops",
                                   "outside/ipv4 active → fault: the agent stops"));
}

// ---- reload ----

TEST_F(GroupTest, ChangeOfPriorityIsToldOnceByEachMember) {
  start_active();
  for (VirtualRouterConfig& router : config_.virtual_routers) router.priority = 120;
  reload();
  EXPECT_THAT(host_.calls, ElementsAre("send 120", "send 120"));
}

TEST_F(GroupTest, ActiveRoutersJoinAndLeaveAGroupUntouched) {
  for (VirtualRouterConfig& router : config_.virtual_routers) router.sync_group.clear();
  start_active();
  for (VirtualRouterConfig& router : config_.virtual_routers) router.sync_group = "edge";
  reload();
  EXPECT_THAT(texts(), IsEmpty());
  EXPECT_THAT(host_.held, SizeIs(2));
  set_link(0, false);
  EXPECT_THAT(states(), Each("fault")) << "together from now on";
  set_link(0, true);
  run_for(1100ms);
  for (VirtualRouterConfig& router : config_.virtual_routers) router.sync_group.clear();
  texts();
  reload();
  EXPECT_THAT(texts(), IsEmpty());
  set_link(0, false);
  EXPECT_THAT(states(), ElementsAre("active", "fault"));
}

TEST_F(GroupTest, RoutersOfDifferentRolesThatJoinAGroupBeginAgainAsBackups) {
  for (VirtualRouterConfig& router : config_.virtual_routers) router.sync_group.clear();
  start_active();
  hear(0, 200);
  ASSERT_THAT(states(), ElementsAre("active", "backup"));
  host_.forget();
  for (VirtualRouterConfig& router : config_.virtual_routers) router.sync_group = "edge";
  reload();
  EXPECT_THAT(states(), Each("backup"));
  EXPECT_THAT(host_.calls, ElementsAre("send 0", "release 10.0.0.100/24"));
  run_for(1100ms);
  EXPECT_THAT(states(), Each("active"));
}

TEST_F(GroupTest, NewMemberFollowsTheRunningOnes) {
  start_active();
  VirtualRouterConfig third = router("third", "eth0", 3, "192.0.2.103/24");
  config_.virtual_routers.push_back(third);
  reload();
  EXPECT_THAT(states(), ElementsAre("active", "active", "active"));
  EXPECT_THAT(host_.calls, ElementsAre("claim 192.0.2.103/24", "send 100", "announce 1"));
  EXPECT_THAT(texts(), ElementsAre("third/ipv4 initialize → active: as the rest of the sync group edge"));
}

TEST_F(GroupTest, NewMemberThatCannotClaimTakesAllDown) {
  start_active();
  config_.virtual_routers.push_back(router("third", "eth0", 3, "192.0.2.103/24"));
  host_.refused_claims = 1;
  reload();
  EXPECT_THAT(states(), Each("fault"));
  run_for(2500ms);
  EXPECT_THAT(states(), Each("active"));
}

TEST_F(GroupTest, NewMemberWithAFaultTakesAllDown) {
  start_active();
  config_.virtual_routers.push_back(router("third", "eth9", 3, "192.0.2.103/24"));
  reload();
  EXPECT_THAT(states(), Each("fault"));
}

TEST_F(GroupTest, RemovedMemberGoesAlone) {
  start_active();
  config_.virtual_routers.pop_back();
  reload();
  EXPECT_THAT(states(), ElementsAre("active"));
  EXPECT_THAT(host_.held, ElementsAre(prefix("10.0.0.100/24")));
}

TEST_F(GroupTest, ARemovedMemberTakesItsFaultAway) {
  config_.virtual_routers[0].name = "outside";
  config_.virtual_routers[0].interface = "eth0";
  config_.virtual_routers[0].addresses = {prefix("192.0.2.100/24"), prefix("fe80::100/64")};
  config_.virtual_routers.pop_back();
  start_active();
  interfaces_[0].link_local_v6.reset();  // which IPv6 advertisements would come from
  agent_->on_interface(now_, interfaces_[0]);
  EXPECT_THAT(states(), Each("fault"));
  config_.virtual_routers[0].addresses.pop_back();
  agent_->reload(now_, config_);
  run_for(1100ms);
  EXPECT_THAT(states(), Each("active"));
}

TEST_F(GroupTest, MemberThatIsRemovedAndComesBackWhileItYieldsFollowsTheRest) {
  config_.peer = PeerConfig{address("192.0.2.12"), std::nullopt};
  config_.virtual_routers[0].peer = PeerConfig{address("10.0.0.12"), std::nullopt};
  start_active();
  Config both = config_;
  config_.virtual_routers.pop_back();
  reload();
  EXPECT_THAT(states(), ElementsAre("active", "yielding"));
  config_ = both;
  reload();
  EXPECT_THAT(states(), ElementsAre("active", "active"));
  EXPECT_THAT(host_.held, SizeIs(2));
}

TEST(GroupName, IsTheSyncGroupOrTheRouterItself) {
  InstanceConfig config;
  config.name = "web";
  EXPECT_EQ(group_name(config), "virtual router web");
  config.sync_group = "web";
  EXPECT_EQ(group_name(config), "sync group web");
}

}  // namespace
}  // namespace vipair::vrrp
