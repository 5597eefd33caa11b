#include "vrrp/agent/explanation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

const IpAddress kPeer = *IpAddress::parse("192.0.2.12");

Circumstances with_neighbour() {
  Circumstances seen;
  seen.neighbour = kPeer;
  seen.neighbour_priority = 150;
  seen.silence = 360ms;
  seen.own_priority = 200;
  return seen;
}

TEST(Explanation, NamesWhoWasHeardAndWhichPriorities) {
  const Circumstances seen = with_neighbour();
  EXPECT_EQ(explain(Reason::active_down_timer, seen),
            "nothing acceptable heard, the last advertisement came from 192.0.2.12 360 ms ago");
  EXPECT_EQ(explain(Reason::preempted, seen), "own priority 200 is higher than 150 of 192.0.2.12, which is alive");
  EXPECT_EQ(explain(Reason::higher_priority, seen), "192.0.2.12 has the higher priority 150, ours is 200");
  EXPECT_EQ(explain(Reason::active_down_timer, {}), "nobody was ever heard");
}

TEST(Explanation, VersionTwoDoesNotAnswerASecondActive) {
  Circumstances seen = with_neighbour();
  EXPECT_THAT(explain(Reason::second_active, seen), HasSubstr(": answered"));
  seen.version = 2;
  EXPECT_THAT(explain(Reason::second_active, seen), HasSubstr(": discarded"));
}

TEST(Explanation, AFaultIsTheReasonOfAShutdown) {
  Circumstances seen;
  EXPECT_EQ(explain(Reason::shutdown, seen), "told to stop");
  seen.faults = {"check gateway: no answer", "proxy: busy"};
  EXPECT_EQ(explain(Reason::shutdown, seen), "check gateway: no answer");
  EXPECT_EQ(explain(Reason::claim_failed, seen), "check gateway: no answer");
}

TEST(Explanation, ARefusalSaysWhatToDo) {
  EXPECT_THAT(explain_refusal(DropReason::interval_mismatch, kPeer),
              HasSubstr("advertisement from 192.0.2.12 refused: "));
  EXPECT_THAT(explain_refusal(DropReason::own_advertisement, kPeer, "more exactly"),
              HasSubstr("refused: more exactly"));
  EXPECT_EQ(explain_refusal(DropReason::own_advertisement, kPeer, ""),
            explain_refusal(DropReason::own_advertisement, kPeer));
}

TEST(Explanation, AnIntervalFarFromOursIsBounded) {
  Parameters own;
  own.is_pair = true;
  EXPECT_EQ(explain_interval(own, kPeer, Centiseconds(20)),
            "192.0.2.12 advertises every 200 ms, this node every 100 ms");
  EXPECT_THAT(explain_interval(own, kPeer, Centiseconds(4000)),
              HasSubstr("more than ten times our own interval: it counts as 1000 ms"));
}

TEST(Explanation, AnInterfaceNeedsASourceOfItsFamily) {
  InterfaceInfo interface;
  const InstanceKey v4{"eth0", IpFamily::ipv4, 51}, v6{"eth0", IpFamily::ipv6, 51};
  EXPECT_EQ(interface_fault(interface, v4), "interface eth0: missing");
  interface.index = 2;
  EXPECT_EQ(interface_fault(interface, v4), "interface eth0: down or no carrier");
  interface.is_up = true;
  EXPECT_EQ(interface_fault(interface, v4), "interface eth0: no IPv4 address to advertise from");
  EXPECT_EQ(interface_fault(interface, v6), "interface eth0: no link-local IPv6 address to advertise from");
  interface.primary_v4 = kPeer;
  EXPECT_EQ(interface_fault(interface, v4), "");
}

}  // namespace
}  // namespace vipair::vrrp
