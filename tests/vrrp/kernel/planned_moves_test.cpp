// Moves of an agent on a simulated LAN; its peer is what the test says.
#include "vrrp/kernel/planned_moves.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/vrrp/agent/simulated_lan.h"
#include "vrrp/core/advertisement.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const IpAddress kPeer = SimulatedLan::v4_of(12);

class PlannedMovesTest : public testing::Test {
 protected:
  PlannedMovesTest() : lan_(1), node_(lan_.add(11)) {
    std::string pattern = (std::filesystem::temp_directory_path() / "vipair-moves-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    VirtualRouterConfig router = web_router(200);
    router.unicast = true;
    router.track_proxy = false;
    node_.config.peer = PeerConfig{kPeer, std::nullopt};
    node_.config.virtual_routers = {router};
    lan_.start(node_);
    lan_.run_for(1100ms);
    moves_.emplace(agent(), flag(), surroundings());
  }
  ~PlannedMovesTest() override { std::filesystem::remove_all(folder_); }

  Agent& agent() { return *node_.agent; }
  DrainFlag flag() const { return DrainFlag(folder_ / "drained"); }
  PlannedMoves::Surroundings surroundings() {
    return {[this](const auto& routers, const auto& reason, const auto&, std::function<void()> then) {
              told_.push_back(reason + ":" + routers.at(0));
              released_ = std::move(then);
            },
            [this] { ++turns_; }, [this] { return lan_.now(); }};
  }
  PlannedMoves::Done answer() {
    return [this](const Expected<void, std::string>& done) { answers_.push_back(done ? "done" : done.error()); };
  }
  void peer_says_backup() {
    agent().on_peer_report(lan_.now(), {"eth0", IpFamily::ipv4, 51}, {"backup", 190, 0, true, lan_.now()});
  }
  void peer_takes_over() {
    const IpAddress us = SimulatedLan::v4_of(11);
    lan_.inject(
        node_, {node_.interface.index, kPeer, us, 255},
        encode({51, 190, Centiseconds(10), {IpAddress::v4(0xC0000264)}}, kPeer, us, ChecksumKind::pseudo_header));
  }
  void run_for(Duration duration) {
    lan_.run_for(duration);
    moves_->on_time(lan_.now());
  }
  std::string state() { return agent().status(lan_.now()).routers.at(0).state; }

  std::filesystem::path folder_;
  SimulatedLan lan_;
  SimulatedLan::Node& node_;
  std::optional<PlannedMoves> moves_;
  std::vector<std::string> told_, answers_;
  std::function<void()> released_;
  int turns_ = 0;
};

TEST_F(PlannedMovesTest, AHandoverIsAnsweredWhenThePeerHasTakenOver) {
  peer_says_backup();
  moves_->handover("web", answer());
  EXPECT_THAT(told_, ElementsAre("handover:web"));
  EXPECT_EQ(state(), "active") << "who wants to be told before is told before";
  released_();
  EXPECT_EQ(state(), "yielding");
  EXPECT_EQ(turns_, 1);
  run_for(10ms);
  EXPECT_THAT(answers_, IsEmpty());
  peer_takes_over();
  run_for(1ms);
  EXPECT_EQ(state(), "backup");
  EXPECT_THAT(answers_, ElementsAre("done"));
  run_for(1ms);
  EXPECT_THAT(answers_, ElementsAre("done")) << "once";
}

TEST_F(PlannedMovesTest, AHandoverThatCannotBeIsRefusedAtOnce) {
  moves_->handover("web", answer());
  moves_->handover("mail", answer());
  EXPECT_THAT(answers_,
              ElementsAre(HasSubstr("the peer says nothing"), HasSubstr("no virtual router is named mail")));
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(PlannedMovesTest, WhatChangedWhileOthersWereToldIsSeen) {
  peer_says_backup();
  moves_->handover("web", answer());
  lan_.run_for(3001ms);
  released_();
  EXPECT_THAT(answers_, ElementsAre(HasSubstr("the peer says nothing")));
  EXPECT_EQ(state(), "active");
}

TEST_F(PlannedMovesTest, AHandoverThatNobodyTakesSaysSo) {
  peer_says_backup();
  moves_->handover(std::nullopt, answer());
  released_();
  run_for(10ms);
  EXPECT_THAT(answers_, IsEmpty());
  run_for(2s);
  EXPECT_THAT(answers_, ElementsAre("web: nobody took over, this node is Active again"));
}

TEST_F(PlannedMovesTest, ADrainOutlivesTheAgentUntilItIsUndone) {
  peer_says_backup();
  moves_->drain(false, answer());
  EXPECT_THAT(told_, ElementsAre("drained:web"));
  EXPECT_FALSE(flag().is_set());
  released_();
  EXPECT_TRUE(flag().is_set());
  EXPECT_EQ(moves_->warning(), "");

  agent().undrain(lan_.now());
  moves_.emplace(agent(), flag(), surroundings());  // as at the next start
  EXPECT_TRUE(agent().is_drained());

  moves_->undrain(answer());
  EXPECT_FALSE(flag().is_set());
  EXPECT_FALSE(agent().is_drained());
  EXPECT_THAT(answers_, ElementsAre("done"));
}

TEST_F(PlannedMovesTest, ADrainThatCannotBeRememberedIsOneAllTheSame) {
  std::filesystem::remove_all(folder_);
  peer_says_backup();
  moves_->drain(false, answer());
  released_();
  EXPECT_TRUE(agent().is_drained());
  EXPECT_THAT(moves_->warning(), HasSubstr("the drain will not outlive the agent"));
}

}  // namespace
}  // namespace vipair::vrrp
