// What an instance tells.
#include "vrrp/agent/virtual_router.h"

#include "tests/vrrp/agent/one_router.h"
#include "vrrp/core/advertisement.h"
#include "vrrp/core/announcement.h"

namespace vipair::vrrp {
namespace {

using testing::ElementsAre;
using VirtualRouterReport = OneRouter;

TEST_F(VirtualRouterReport, AChangeOfRoleIsToldWithItsReason) {
  VirtualRouter& router = active_router();
  std::vector<RoleChange> changes;
  for (const JournalEntry& entry : journal_.take())
    if (entry.change) changes.push_back(*entry.change);
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[0].to, "backup");
  EXPECT_EQ(changes[1].from, "backup");
  EXPECT_EQ(changes[1].to, "active");
  EXPECT_EQ(changes[1].phase, "post_acquire");
  EXPECT_EQ(changes[1].reason, "active_down_timer");
  EXPECT_EQ(changes[1].text, "nobody was ever heard");
  EXPECT_THAT(changes[1].addresses, ElementsAre("192.0.2.100/24"));
  EXPECT_EQ(router.status().reason, "active_down_timer");
}

TEST_F(VirtualRouterReport, AFaultIsTheStateOfWhoTakesNoPart) {
  VirtualRouter& router = active_router();
  EXPECT_TRUE(router.report(now_).is_eligible);
  router.raise(now_, FaultSource::proxy, "proxy: busy");
  EXPECT_EQ(router.status().state, "fault");
  EXPECT_THAT(router.status().faults, ElementsAre("proxy: busy"));
  EXPECT_FALSE(router.report(now_).is_eligible);
}

TEST_F(VirtualRouterReport, ANeighbourThatIsConfiguredDifferentlyIsWarnedOf) {
  VirtualRouter& router = active_router();
  const IpAddress peer = SimulatedLan::v4_of(12), group = multicast_group(IpFamily::ipv4);
  const Bytes message = encode({51, 200, Centiseconds(20), {*IpAddress::parse("192.0.2.101")}}, peer, group,
                               ChecksumKind::pseudo_header);
  EXPECT_THAT(router.warnings(now_), testing::IsEmpty());
  router.on_packet(now_, {peer, group, 255, message});
  EXPECT_EQ(router.status().peer->address, "192.0.2.12");
  EXPECT_THAT(router.warnings(now_),
              ElementsAre(testing::HasSubstr("192.0.2.12 advertises other addresses"),
                          testing::HasSubstr("192.0.2.12 advertises every 200 ms, this node every 100 ms")));
}

}  // namespace
}  // namespace vipair::vrrp
