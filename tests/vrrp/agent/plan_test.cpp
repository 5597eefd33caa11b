#include "vrrp/agent/plan.h"

#include <algorithm>

namespace vipair::vrrp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

using enum PlannedActive;

CheckConfig check(std::string name, std::optional<int> weight = std::nullopt) {
  CheckConfig check;
  check.name = std::move(name);
  check.type = "tcp";
  check.what = TcpCheck{"127.0.0.1", 80};
  check.weight = weight;
  return check;
}

// A pair, 200 against 190: "app" is a fault, "gateway" weighs 20.
Config pair() {
  Config config;
  config.node = "lb-a";
  config.peer = PeerConfig{IpAddress::v4(0xC000020C), std::nullopt};
  config.peer_priority = 190;
  config.checks = {check("app"), check("gateway", 20)};
  VirtualRouterConfig router;
  router.name = "web";
  router.interface = "eth0";
  router.vrid = 51;
  router.priority = 200;
  router.addresses = {*IpPrefix::parse("192.0.2.100/24"), *IpPrefix::parse("2001:db8::100/64")};
  router.track = {"app", "gateway"};
  router.track_proxy = false;
  config.virtual_routers = {router};
  return config;
}

const char* word(PlannedActive active) {
  return std::array{"own", "peer", "unmoved", "nobody", "unknown"}[static_cast<std::size_t>(active)];
}

// "app+gateway: here there everywhere"
std::vector<std::string> lines(const Config& config, const PeerPriorities& peer = {}) {
  std::vector<std::string> lines;
  for (const PlanRow& row : plan(config, peer)) {
    std::string line;
    for (const std::string& name : row.failing) line += (line.empty() ? "" : "+") + name;
    if (line.empty()) line = row.is_node_down ? "node" : "-";
    lines.push_back(line + ": " + word(row.here) + " " + word(row.there) + " " + word(row.everywhere));
  }
  return lines;
}

TEST(Plan, SaysWhoIsActiveForEachCombinationOnEitherNodeAndOnBoth) {
  EXPECT_THAT(lines(pair()), ElementsAre("-: unmoved unmoved unmoved",    //
                                         "app: peer own nobody",          //
                                         "gateway: peer own unmoved",     //
                                         "app+gateway: peer own nobody",  //
                                         "node: peer own nobody"));
}

TEST(Plan, WeightThatDoesNotReachLeavesTheAddressesWhereTheyAre) {
  Config config = pair();
  config.peer_priority = 100;
  const auto all = lines(config);
  EXPECT_EQ(all.at(2), "gateway: unmoved own unmoved") << "the peer is outweighed, this node is not";
}

TEST(Plan, WithPreemptionTheGreaterPriorityWins) {
  Config config = pair();
  config.virtual_routers[0].preempt = true;
  EXPECT_THAT(lines(config), ElementsAre("-: own own own",                //
                                         "app: peer own nobody",          //
                                         "gateway: peer own own",         //
                                         "app+gateway: peer own nobody",  //
                                         "node: peer own nobody"));
  config.peer_priority = 200;
  EXPECT_EQ(lines(config).at(0), "-: unmoved unmoved unmoved") << "equal priorities";
}

TEST(Plan, WithoutThePeersPriorityOnlyWhatHangsOnItIsUnknown) {
  Config config = pair();
  config.peer_priority.reset();
  EXPECT_THAT(lines(config),
              ElementsAre("-: unmoved unmoved unmoved", "app: peer own nobody", "gateway: unknown unknown unmoved",
                          "app+gateway: peer own nobody", "node: peer own nobody"));
  const PeerPriorities told{{{"eth0", IpFamily::ipv4, 51}, 190}};
  EXPECT_EQ(lines(config, told).at(2), "gateway: peer own unmoved") << "unless the peer told it";
}

TEST(Plan, AmongStrangersWithoutPreemptionALostPriorityMovesNothing) {
  Config config = pair();
  config.peer.reset();
  EXPECT_EQ(lines(config).at(2), "gateway: unmoved unmoved unmoved");
}

TEST(Plan, OwnerIsActiveWheneverItCanBe) {
  Config config = pair();
  config.virtual_routers[0].priority = 255;
  EXPECT_EQ(lines(config).at(0), "-: own own own");
  EXPECT_EQ(lines(config).at(1), "app: peer own nobody");
}

TEST(Plan, GroupTracksWhatAnyMemberTracks) {
  Config config = pair();
  VirtualRouterConfig mail = config.virtual_routers[0];
  mail.name = "mail";
  mail.vrid = 52;
  mail.track = {"gateway"};
  config.virtual_routers[0].track = {"app"};
  config.virtual_routers.push_back(mail);
  for (VirtualRouterConfig& router : config.virtual_routers) router.sync_group = "edge";
  EXPECT_EQ(plan(config, {}).front().group, "mail, web");
  EXPECT_THAT(lines(config), SizeIs(5));
  for (VirtualRouterConfig& router : config.virtual_routers) router.sync_group.clear();
  EXPECT_THAT(lines(config), SizeIs(6)) << "apart: two groups of nothing, one check and the node";
}

TEST(Plan, ReversedChecksAndExpressionsAreFollowedToTheChecksThatRun) {
  Config config = pair();
  CheckConfig flag = check("flag");
  flag.what = FileCheck{"/run/maintenance"};
  flag.reverse = true;
  CheckConfig any = check("any");
  any.what = CombinedCheck{1, {"app", "flag"}};
  config.checks = {any, flag, check("app")};
  config.virtual_routers[0].track = {"any"};
  config.virtual_routers[0].track_proxy = true;
  EXPECT_THAT(
      lines(config),
      ElementsAre("-: unmoved unmoved unmoved", "app: unmoved unmoved unmoved", "flag: unmoved unmoved unmoved",
                  "proxy: peer own nobody", "app+flag: peer own nobody", "app+proxy: peer own nobody",
                  "flag+proxy: peer own nobody", "app+flag+proxy: peer own nobody", "node: peer own nobody"));
}

TEST(Plan, UpstreamsThatCannotBeUsedAreALossLikeACheckWithAWeight) {
  Config config = pair();
  config.checks.clear();
  config.virtual_routers[0].track.clear();
  config.virtual_routers[0].track_proxy = true;
  config.virtual_routers[0].upstream_weight = 253;
  EXPECT_THAT(lines(config),
              ElementsAre("-: unmoved unmoved unmoved", "proxy: peer own nobody", "upstreams: peer own unmoved",
                          "proxy+upstreams: peer own nobody", "node: peer own nobody"));
}

TEST(Plan, IsBoundedForManyChecks) {
  Config config = pair();
  auto rows_with = [&](int count) {
    config.checks.clear();
    config.virtual_routers[0].track.clear();
    for (int i = 0; i < count; ++i) {
      config.checks.push_back(check("c" + std::to_string(i)));
      config.virtual_routers[0].track.push_back(config.checks.back().name);
    }
    return lines(config).size();
  };
  EXPECT_EQ(rows_with(6), 64u + 1);
  EXPECT_EQ(rows_with(7), 1u + 7 + 21 + 1);
  EXPECT_EQ(rows_with(12), 1u + 12 + 66 + 1);
  EXPECT_EQ(rows_with(13), 1u + 13 + 1);
}

// ---- weights that decide nothing ----

TEST(WeightWarnings, NameTheWeightsThatCannotReachThePeer) {
  Config config = pair();
  EXPECT_THAT(weight_warnings(config, {}), IsEmpty());
  config.peer_priority = 180;
  EXPECT_THAT(
      weight_warnings(config, {}),
      ElementsAre("web: the weights of its checks (gateway) can never move it to the peer: with all of them "
                  "down the priority is 180, and the peer's is 180; weights of 21 and more do, and a check "
                  "without weight moves it whatever the priorities"));
  const PeerPriorities told{{{"eth0", IpFamily::ipv6, 51}, 181}};
  EXPECT_THAT(weight_warnings(config, told), IsEmpty());
  config.peer_priority.reset();
  EXPECT_THAT(weight_warnings(config, {}), IsEmpty()) << "nobody knows";
}

TEST(WeightWarnings, TellThatStrangersNeedPreemption) {
  Config config = pair();
  config.peer.reset();
  EXPECT_THAT(weight_warnings(config, {}), ElementsAre(HasSubstr("without preemption nobody takes over")));
  config.virtual_routers[0].preempt = true;
  EXPECT_THAT(weight_warnings(config, {}), IsEmpty());
}

}  // namespace
}  // namespace vipair::vrrp
