#include "vrrp/agent/virtual_router.h"

#include "tests/vrrp/agent/one_router.h"

namespace vipair::vrrp {
namespace {

using VirtualRouterTest = OneRouter;

TEST_F(VirtualRouterTest, TakesNoPartBeforeItsInterfaceIsKnown) {
  VirtualRouter& router = make();
  EXPECT_EQ(router.status().state, "fault");
  EXPECT_EQ(router.label(), "web/ipv4");
  EXPECT_TRUE(router.is_stopped());
  EXPECT_FALSE(router.next_deadline());
  EXPECT_FALSE(router.is_on(0));
}

TEST_F(VirtualRouterTest, AnyFaultStopsItAndOnlyTheLastOneCleared) {
  VirtualRouter& router = active_router();
  router.raise(now_, FaultSource::proxy, "proxy: busy");
  router.raise(now_, FaultSource::stopping, "the agent stops");
  work();
  EXPECT_TRUE(router.is_stopped());
  router.clear(now_, FaultSource::proxy);
  EXPECT_TRUE(router.is_stopped());
  router.clear(now_, FaultSource::stopping);
  EXPECT_EQ(router.status().state, "backup");
}

TEST_F(VirtualRouterTest, ResignationGetsOutAfterTheSourceAddressIsGone) {
  VirtualRouter& router = active_router();
  interface_.primary_v4.reset();
  host_.forget();
  router.on_interface(now_, interface_);
  ASSERT_EQ(host_.sent.size(), 1u);
  EXPECT_EQ(host_.sent[0].source, SimulatedLan::v4_of(11));
  EXPECT_EQ(host_.sent[0].interface_index, 2);
}

}  // namespace
}  // namespace vipair::vrrp
