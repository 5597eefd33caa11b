#include "vrrp/agent/peer_reports.h"

#include "tests/vrrp/agent/one_router.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class PeerReportsTest : public OneRouter {
 protected:
  PeerReportsTest() { config_.is_pair = true; }
  // In a group of its own, Active.
  const Group& active_group() {
    VirtualRouter& router = active_router();
    groups_.push_back(std::make_unique<Group>("edge"));
    groups_[0]->form(now_, {&router}, {});
    return *groups_[0];
  }
  void peer_says(std::string state, bool is_eligible = true, int priority = 90, int penalty = 0) {
    reports_.set(config_.key, {std::move(state), static_cast<std::uint8_t>(priority), penalty, is_eligible, now_});
  }
  std::string handover(const std::optional<std::string>& router = std::nullopt) {
    const auto meant = reports_.to_hand_over(now_, groups_, router);
    return meant ? "" : meant.error();
  }
  std::string drain(bool force = false) {
    const auto meant = reports_.to_drain(now_, groups_, force);
    return meant ? "" : meant.error();
  }

  PeerReports::Groups groups_;
  PeerReports reports_;
};

TEST_F(PeerReportsTest, ATakerIsABackupWithoutFaultThatWasHeardLately) {
  const Group& group = active_group();
  EXPECT_THAT(reports_.taker_of(now_, group).error(), HasSubstr("web/ipv4: the peer says nothing"));
  EXPECT_FALSE(reports_.is_alone(now_, group)) << "nothing is known as yet";
  peer_says("active");
  EXPECT_THAT(reports_.taker_of(now_, group).error(), HasSubstr("not Backup but active"));
  peer_says("backup", false);
  EXPECT_THAT(reports_.taker_of(now_, group).error(), HasSubstr("has a fault"));
  EXPECT_TRUE(reports_.is_alone(now_, group));
  peer_says("backup");
  ASSERT_TRUE(reports_.taker_of(now_, group));
  EXPECT_EQ(reports_.taker_of(now_, group)->effective_priority, 90);
  EXPECT_FALSE(reports_.is_alone(now_, group));
  const TimePoint late = now_ + kPeerReportMax + 1ms;
  EXPECT_FALSE(reports_.taker_of(late, group));
  EXPECT_TRUE(reports_.is_alone(late, group));
}

TEST_F(PeerReportsTest, WhatMayBeHandedOverIsActiveHereAndHasATaker) {
  active_group();
  EXPECT_THAT(handover(), HasSubstr("the peer says nothing"));
  peer_says("backup");
  EXPECT_EQ(handover(), "");
  EXPECT_EQ(handover("web"), "");
  EXPECT_THAT(handover("mail"), HasSubstr("no virtual router is named mail"));
  EXPECT_EQ(drain(), "");
  reports_.forget(config_.key);
  EXPECT_TRUE(reports_.is_empty());
  EXPECT_THAT(drain(), HasSubstr("the peer says nothing"));
  EXPECT_EQ(drain(true), "");
}

TEST_F(PeerReportsTest, StrangersCannotBeAsked) {
  config_.is_pair = false;
  active_group();
  EXPECT_EQ(handover(), "");
  EXPECT_THAT(drain(), HasSubstr("without a configured peer nobody can be asked"));
  EXPECT_FALSE(reports_.is_alone(now_, *groups_[0]));
}

TEST_F(PeerReportsTest, AnOwnerHandsNothingOver) {
  config_.priority = kPriorityOwner;
  active_group();
  peer_says("backup");
  EXPECT_THAT(handover(), HasSubstr("priority 255 means that this node owns the addresses"));
}

TEST_F(PeerReportsTest, PrioritiesAreAsConfiguredOverThere) {
  peer_says("backup", true, 90, 20);
  EXPECT_EQ(reports_.priorities().at(config_.key), 110);
  peer_says("backup", true, 1, 200);
  EXPECT_TRUE(reports_.priorities().empty()) << "what it is without the checks cannot be told";
}

}  // namespace
}  // namespace vipair::vrrp
