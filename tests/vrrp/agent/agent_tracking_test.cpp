// What checks, weights and operators do to an agent: faults, lost priority, handover, drain.

#include "tests/vrrp/agent/simulated_lan.h"
#include "vrrp/agent/agent.h"
#include "vrrp/core/advertisement.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const IpAddress kPeer = SimulatedLan::v4_of(12);

CheckConfig check(std::string name, std::optional<int> weight = std::nullopt) {
  CheckConfig check;
  check.name = std::move(name);
  check.type = "tcp";
  check.what = TcpCheck{"127.0.0.1", 80};
  check.rise = check.fall = 1;
  check.weight = weight;
  return check;
}

// Node 11 of a pair, "web" with priority 200 against 190 of the peer; "app" is a fault, "gateway" weighs 20.
class AgentTrackingTest : public testing::Test {
 protected:
  AgentTrackingTest() : lan_(1), node_(lan_.add(11)) {
    VirtualRouterConfig router = web_router(200);
    router.unicast = true;
    router.track_proxy = false;
    router.track = {"app", "gateway"};
    node_.config.peer = PeerConfig{kPeer, std::nullopt};
    node_.config.virtual_routers = {router};
    node_.config.checks = {check("app"), check("gateway", 20)};
  }
  ~AgentTrackingTest() override { EXPECT_THAT(lan_.violations(), IsEmpty()); }

  VirtualRouterConfig& router() { return node_.config.virtual_routers.at(0); }
  Agent& agent() { return *node_.agent; }
  SimulatedHost& host() { return *node_.host; }
  void start_active() {
    lan_.start(node_);
    result("app", true);
    result("gateway", true);
    lan_.run_for(1100ms);
    ASSERT_EQ(state(), "active");
    host().forget();
    agent().take_journal();
  }
  void among_strangers() {
    node_.config.peer.reset();
    router().unicast = false;
  }
  void result(const std::string& name, bool success) {
    agent().on_check_result(lan_.now(), name, success, success ? "connected" : "connection refused");
  }
  void proxy_reaches(std::uint32_t usable, std::uint32_t total) {
    lan_.set_proxy(node_, ProxyReport{true, "", {usable, total}});
  }
  void peer_says(int priority, int penalty = 0, bool is_eligible = true, std::string role = "backup") {
    const InstanceKey key{"eth0", IpFamily::ipv4, 51};
    const auto left = static_cast<std::uint8_t>(priority - penalty);
    agent().on_peer_report(lan_.now(), key, {std::move(role), left, penalty, is_eligible, lan_.now()});
  }
  void hear(int priority) {
    const IpAddress to = node_.config.peer ? SimulatedLan::v4_of(11) : multicast_group(IpFamily::ipv4);
    lan_.inject(node_, {node_.interface.index, kPeer, to, 255},
                encode({51, static_cast<std::uint8_t>(priority), Centiseconds(10), {IpAddress::v4(0xC0000264)}},
                       kPeer, to, ChecksumKind::pseudo_header));
  }
  RouterStatus status() { return agent().status(lan_.now()).routers.at(0); }
  std::string state() { return status().state; }
  // Whoever asks first whether it may gets the same answer.
  std::string handover(const std::optional<std::string>& router = std::nullopt) {
    const auto may = agent().may_hand_over(lan_.now(), router);
    const auto done = agent().handover(lan_.now(), router);
    EXPECT_EQ(may ? "" : may.error(), done ? "" : done.error());
    return done ? "" : done.error();
  }
  std::string drain(bool force = false) {
    const auto may = agent().may_drain(lan_.now(), force);
    const auto done = agent().drain(lan_.now(), force);
    EXPECT_EQ(may ? "" : may.error(), done ? "" : done.error());
    return done ? "" : done.error();
  }
  std::vector<std::string> texts(const std::string& event) {
    std::vector<std::string> texts;
    for (const JournalEntry& entry : agent().take_journal()) {
      if (entry.event == event) texts.push_back(entry.text);
    }
    return texts;
  }

  SimulatedLan lan_;
  SimulatedLan::Node& node_;
};

// ---- checks ----

TEST_F(AgentTrackingTest, TakesNoPartBeforeItsChecksHaveRun) {
  lan_.start(node_);
  EXPECT_THAT(status().faults, ElementsAre("check app: not run yet"));
  lan_.run_for(3s);
  EXPECT_EQ(state(), "fault");
  result("app", true);
  EXPECT_EQ(state(), "backup") << "nobody waits for a check that only weighs";
  EXPECT_EQ(status().effective_priority, 200);
}

TEST_F(AgentTrackingTest, CheckThatGoesDownHandsOverAndSaysWhy) {
  start_active();
  result("app", false);
  EXPECT_EQ(state(), "yielding");
  EXPECT_THAT(status().faults, ElementsAre("check app: connection refused"));
  const auto entries = agent().take_journal();
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].text, "check app is down: connection refused");
  EXPECT_EQ(entries[2].text, "active → yielding: check app: connection refused");
  hear(190);
  result("app", true);
  EXPECT_EQ(state(), "backup");
}

TEST_F(AgentTrackingTest, UpstreamsThatOnlyThePeerCanUseMoveTheRole) {
  router().track_proxy = true;
  router().upstream_weight = 253;
  start_active();
  proxy_reaches(1, 2);
  lan_.run_for(4900ms);
  EXPECT_EQ(status().effective_priority, 200) << "the peer may see the same in a moment";
  peer_says(190);
  EXPECT_EQ(state(), "active");
  lan_.run_for(200ms);
  EXPECT_EQ(state(), "yielding") << "200 - 127 is less than 190, and the peer lost nothing";
  EXPECT_THAT(texts("check"), ElementsAre("upstreams of the proxy: 1 of 2 can be used"));
  hear(190);
  EXPECT_EQ(state(), "backup");
}

TEST_F(AgentTrackingTest, UpstreamsThatCameBackSoonMoveNothing) {
  router().track_proxy = true;
  router().upstream_weight = 253;
  start_active();
  proxy_reaches(0, 2);
  lan_.run_for(4s);
  proxy_reaches(2, 2);
  lan_.run_for(1500ms);
  peer_says(190);
  lan_.run_for(500ms);
  EXPECT_EQ(state(), "active");
  EXPECT_EQ(status().effective_priority, 200);
}

TEST_F(AgentTrackingTest, UpstreamsThatNobodyCanUseMoveNothing) {
  router().track_proxy = true;
  router().upstream_weight = 253;
  start_active();
  proxy_reaches(0, 2);
  lan_.run_for(5500ms);
  EXPECT_EQ(status().effective_priority, 1);
  peer_says(190, 189);  // as far down as it goes
  lan_.run_for(500ms);
  EXPECT_EQ(state(), "active");
  EXPECT_THAT(status().faults, IsEmpty());
}

TEST_F(AgentTrackingTest, UpstreamsWeighNothingWithoutAWeightOrAProxy) {
  router().track_proxy = true;
  node_.config.upstream_delay = 0s;
  start_active();
  proxy_reaches(0, 2);
  peer_says(190);
  EXPECT_EQ(state(), "active") << "upstream_weight = 0";
  Config config = node_.config;
  config.virtual_routers[0].upstream_weight = 253;
  config.virtual_routers[0].track_proxy = false;
  lan_.reload(node_, config);
  EXPECT_EQ(state(), "active") << "the proxy is not tracked";
  EXPECT_EQ(status().effective_priority, 200);
}

TEST_F(AgentTrackingTest, StatusListsEveryCheck) {
  router().track_proxy = true;
  lan_.start(node_);
  result("gateway", false);
  proxy_reaches(0, 3);
  std::vector<std::string> lines;
  for (const CheckStatus& check : agent().status(lan_.now()).checks) {
    lines.push_back(check.name + " " + check.type + (check.up ? " up " : " down ") + check.reason);
  }
  EXPECT_THAT(lines, ElementsAre("proxy proxy up ready", "upstreams upstreams down 0 of 3 can be used",
                                 "app tcp down not run yet", "gateway tcp down connection refused"));
}

TEST_F(AgentTrackingTest, NewCheckOfAReloadLetsARunningRouterRun) {
  start_active();
  node_.config.checks.push_back(check("disk"));
  router().track.push_back("disk");
  lan_.reload(node_, node_.config);
  EXPECT_EQ(state(), "active");
  result("disk", false);
  EXPECT_EQ(state(), "yielding");
  node_.config.checks.pop_back();
  router().track.pop_back();
  lan_.reload(node_, node_.config);
  EXPECT_THAT(status().faults, IsEmpty()) << "nobody tracks it any more";
}

TEST_F(AgentTrackingTest, NewFamilyOfAReloadDoesNotWaitForChecksEither) {
  start_active();
  node_.config.checks.push_back(check("disk"));
  router().track.push_back("disk");
  router().addresses.push_back(*IpPrefix::parse("2001:db8::100/64"));
  lan_.reload(node_, node_.config);
  for (const RouterStatus& router : agent().status(lan_.now()).routers) EXPECT_EQ(router.state, "active");
}

// ---- weights ----

TEST_F(AgentTrackingTest, LostPriorityIsAdvertisedAtOnce) {
  start_active();
  result("gateway", false);
  EXPECT_EQ(state(), "active");
  EXPECT_EQ(status().effective_priority, 180);
  EXPECT_EQ(status().priority, 200);
  EXPECT_THAT(host().calls, ElementsAre("send 180"));
  EXPECT_THAT(texts("priority"), ElementsAre("the priority is 180 of 200: gateway takes 20"));
  result("gateway", true);
  EXPECT_THAT(host().calls, ElementsAre("send 180", "send 200"));
}

TEST_F(AgentTrackingTest, OutweighedActiveHandsOverToThePeerThatLostLess) {
  start_active();
  peer_says(190);
  EXPECT_EQ(state(), "active") << "a better peer is no reason by itself: preemption is off";
  result("gateway", false);
  EXPECT_EQ(state(), "yielding");
  EXPECT_EQ(status().reason, "outweighed");
  EXPECT_THAT(texts("state"),
              ElementsAre("active → yielding: checks that are down took 20 and left 180; the peer has "
                          "190 and lost 0"));
  hear(190);
  EXPECT_EQ(state(), "backup");
  EXPECT_THAT(host().calls, Contains("linger 192.0.2.100/24"));
}

TEST_F(AgentTrackingTest, OutweighedLaterWhenThePeerSaysSo) {
  start_active();
  result("gateway", false);
  EXPECT_EQ(state(), "active") << "nothing is known of the peer";
  peer_says(190, 20);
  EXPECT_EQ(state(), "active") << "the peer lost the same: both fail the same check";
  peer_says(190, 0, false);
  EXPECT_EQ(state(), "active") << "the peer cannot";
  peer_says(190);
  EXPECT_EQ(state(), "yielding");
}

TEST_F(AgentTrackingTest, OutweighedActiveStaysIfNobodyTakesOverAndWaitsBeforeItTriesAgain) {
  start_active();
  result("gateway", false);
  peer_says(190);
  lan_.run_for(300ms);
  EXPECT_EQ(state(), "active") << "the peer was not heard";
  EXPECT_THAT(host().held, ElementsAre(*IpPrefix::parse("192.0.2.100/24")));
  peer_says(190);
  EXPECT_EQ(state(), "active");
  lan_.run_for(10s);
  peer_says(190);
  EXPECT_EQ(state(), "yielding");
}

TEST_F(AgentTrackingTest, WithPreemptionThePeerDecidesByTheAdvertisedPriority) {
  router().preempt = true;
  start_active();
  peer_says(190);
  result("gateway", false);
  EXPECT_EQ(state(), "active");
  hear(190);
  EXPECT_EQ(state(), "backup");
}

TEST_F(AgentTrackingTest, MembersOfAGroupShareTheirWeights) {
  VirtualRouterConfig mail = router();
  mail.name = "mail";
  mail.vrid = 52;
  mail.addresses = {*IpPrefix::parse("192.0.2.101/24")};
  mail.track = {"gateway", "power"};
  node_.config.virtual_routers.push_back(mail);
  for (VirtualRouterConfig& router : node_.config.virtual_routers) router.sync_group = "edge";
  node_.config.checks.push_back(check("power", 30));
  start_active();
  result("gateway", false);
  result("power", false);
  for (const RouterStatus& router : agent().status(lan_.now()).routers) EXPECT_EQ(router.effective_priority, 150);
}

// ---- handover ----

TEST_F(AgentTrackingTest, HandoverNeedsAPeerThatCanTake) {
  start_active();
  EXPECT_THAT(handover(), HasSubstr("web/ipv4: the peer says nothing"));
  peer_says(190, 0, false);
  EXPECT_THAT(handover(), HasSubstr("the peer has a fault"));
  peer_says(190, 0, true, "active");
  EXPECT_THAT(handover(), HasSubstr("not Backup but active"));
  peer_says(190);
  lan_.run_for(3001ms);
  EXPECT_THAT(handover(), HasSubstr("the peer says nothing")) << "it said so too long ago";
  EXPECT_THAT(handover("mail"), HasSubstr("no virtual router is named mail"));
  EXPECT_EQ(state(), "active");
  peer_says(190);
  EXPECT_THAT(*agent().may_hand_over(lan_.now(), std::nullopt), ElementsAre("web"));
  EXPECT_EQ(handover("web"), "");
  EXPECT_EQ(state(), "yielding");
  EXPECT_THAT(handover("web"), HasSubstr("web is not Active here"));
}

TEST_F(AgentTrackingTest, HandoverHoldsUntilTheOtherIsLost) {
  router().preempt = true;
  start_active();
  peer_says(190);
  EXPECT_EQ(handover(), "");
  EXPECT_THAT(texts("state"), ElementsAre("active → yielding: an operator asked for a handover"));
  hear(190);
  EXPECT_EQ(state(), "backup");
  for (int i = 0; i < 100; ++i) {
    lan_.run_for(100ms);
    hear(190);
  }
  EXPECT_EQ(state(), "backup") << "though it has the greater priority and preemption is on";
  lan_.run_for(400ms);
  EXPECT_EQ(state(), "active");
}

TEST_F(AgentTrackingTest, HandoverThatNobodyAnswersComesToNothing) {
  start_active();
  peer_says(190);
  EXPECT_EQ(handover(), "");
  lan_.run_for(250ms);
  EXPECT_EQ(state(), "active");
  EXPECT_THAT(host().calls, Not(Contains(HasSubstr("release"))));
  EXPECT_THAT(texts("state"), Contains("yielding → active: nobody was heard taking over"));
}

TEST_F(AgentTrackingTest, FaultDuringAHandoverLeavesNoWayBack) {
  start_active();
  peer_says(190);
  EXPECT_EQ(handover(), "");
  result("app", false);
  lan_.run_for(250ms);
  EXPECT_EQ(state(), "fault");
  EXPECT_THAT(host().held, IsEmpty());
}

TEST_F(AgentTrackingTest, HandoverAmongStrangersReleasesAndComesBackIfNobodyIsThere) {
  among_strangers();
  start_active();
  EXPECT_EQ(handover(), "");
  EXPECT_EQ(state(), "backup");
  EXPECT_THAT(host().calls, ElementsAre("send 0", "release 192.0.2.100/24"));
  lan_.run_for(400ms);
  EXPECT_EQ(state(), "active");
}

TEST_F(AgentTrackingTest, OwnerOfTheAddressesDoesNotHandThemOver) {
  among_strangers();
  router().priority = kPriorityOwner;
  start_active();
  EXPECT_THAT(handover(), HasSubstr("owns the addresses"));
}

// ---- drain ----

TEST_F(AgentTrackingTest, DrainedNodeStaysEmptyUntilItIsUndrained) {
  start_active();
  EXPECT_THAT(drain(), HasSubstr("the peer says nothing"));
  EXPECT_FALSE(agent().is_drained());
  peer_says(190);
  EXPECT_EQ(drain(), "");
  EXPECT_TRUE(agent().is_drained());
  EXPECT_TRUE(agent().status(lan_.now()).drained);
  EXPECT_EQ(state(), "yielding");
  hear(190);
  lan_.run_for(5s);
  EXPECT_EQ(state(), "fault");
  EXPECT_THAT(status().faults, ElementsAre("drained: an operator keeps this node empty"));
  node_.config.virtual_routers[0].vrid = 61;
  lan_.reload(node_, node_.config);
  EXPECT_EQ(state(), "fault") << "and what a reload adds stays away too";
  agent().undrain(lan_.now());
  EXPECT_FALSE(agent().is_drained());
  EXPECT_EQ(state(), "backup");
  lan_.run_for(1100ms);
  EXPECT_EQ(state(), "active");
}

TEST_F(AgentTrackingTest, DrainCanBeForcedAndBackupsNeedNobody) {
  start_active();
  EXPECT_EQ(drain(true), "");
  EXPECT_EQ(state(), "yielding");
  agent().undrain(lan_.now());
  EXPECT_EQ(state(), "backup");
  EXPECT_EQ(drain(), "");
}

TEST_F(AgentTrackingTest, DrainAmongStrangersMustBeForced) {
  among_strangers();
  start_active();
  EXPECT_THAT(drain(), HasSubstr("nobody can be asked"));
  EXPECT_EQ(drain(true), "");
  EXPECT_EQ(state(), "fault");
}

// ---- whether a hang may last a little ----

TEST_F(AgentTrackingTest, OnlyAnActiveCanBeRelievedAndOnlyByAPeerThatIsBackup) {
  lan_.start(node_);
  EXPECT_FALSE(agent().is_relievable(lan_.now())) << "nothing is held";
  result("app", true);
  result("gateway", true);
  lan_.run_for(1100ms);
  ASSERT_EQ(state(), "active");
  EXPECT_TRUE(agent().is_relievable(lan_.now())) << "there may be a peer that says nothing of itself";
  peer_says(190, 0, true, "active");
  EXPECT_FALSE(agent().is_relievable(lan_.now())) << "what a dead Active said last";
  peer_says(190, 0, false, "fault");
  EXPECT_FALSE(agent().is_relievable(lan_.now()));
  peer_says(190);
  EXPECT_TRUE(agent().is_relievable(lan_.now()));
  lan_.run_for(4s);
  EXPECT_FALSE(agent().is_relievable(lan_.now())) << "it has been silent";
  peer_says(190);
  EXPECT_EQ(handover(), "");
  peer_says(190, 0, true, "active");
  ASSERT_EQ(state(), "yielding");
  EXPECT_TRUE(agent().is_relievable(lan_.now())) << "the peer has come and the addresses are still here";
  hear(190);
  EXPECT_EQ(state(), "backup");
  EXPECT_FALSE(agent().is_relievable(lan_.now()));
}

TEST_F(AgentTrackingTest, ActiveAmongStrangersCanBeRelieved) {
  among_strangers();
  start_active();
  lan_.run_for(4s);
  EXPECT_TRUE(agent().is_relievable(lan_.now()));
}

}  // namespace
}  // namespace vipair::vrrp
