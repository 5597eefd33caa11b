// What an instance holds, wants and lets go of.
#include "vrrp/agent/virtual_router.h"

#include "tests/vrrp/agent/one_router.h"

namespace vipair::vrrp {
namespace {

using testing::ElementsAre;
IpPrefix prefix(std::string_view text) { return *IpPrefix::parse(text); }

using VirtualRouterAddresses = OneRouter;

TEST_F(VirtualRouterAddresses, LastWillIsGivenBeforeTheClaimAndTakenBackAfterTheRelease) {
  VirtualRouter& router = active_router();
  EXPECT_THAT(host_.violations, testing::IsEmpty()) << "the host looked at the will when the claim came";
  EXPECT_EQ(host_.will.releases.size(), 1u);
  router.raise(now_, FaultSource::proxy, "proxy: busy");
  EXPECT_EQ(host_.will.releases.size(), 1u);
  work();
  EXPECT_TRUE(host_.will.releases.empty());
}

TEST_F(VirtualRouterAddresses, AddressThatAnotherRouterHoldsStays) {
  config_.advertised.push_back(prefix("192.0.2.101/24"));
  VirtualRouter& router = active_router();
  others_ = {prefix("192.0.2.101/24")};
  host_.forget();
  router.raise(now_, FaultSource::proxy, "proxy: busy");
  work();
  EXPECT_THAT(host_.calls, ElementsAre("send 0", "release 192.0.2.100/24"));
  EXPECT_FALSE(router.holds_addresses());
}

TEST_F(VirtualRouterAddresses, FailedClaimLeavesAnEarlierOneAlone) {
  VirtualRouter& router = active_router();
  InstanceChange change{config_, {prefix("192.0.2.101/24")}, {}};
  change.config.advertised.push_back(change.added[0]);
  host_.refused_claims = 1;
  router.change(now_, change);
  work();
  EXPECT_EQ(host_.calls.back(), "release 192.0.2.100/24") << "and resigns with what it had";
  EXPECT_TRUE(router.has_fault(FaultSource::claim));
}

TEST_F(VirtualRouterAddresses, RemovalOfManyAddressesIsOneClaim) {
  for (int i = 101; i < 110; ++i) config_.advertised.push_back({SimulatedLan::v4_of(i), 24});
  VirtualRouter& router = active_router();
  host_.forget();
  for (const IpPrefix& gone : config_.advertised) router.on_address_removed(now_, 2, gone.address);
  EXPECT_EQ(router.next_deadline(), now_ + kReclaimDelay);
  now_ += kReclaimDelay;
  router.on_time(now_);
  work();
  EXPECT_EQ(std::count_if(host_.calls.begin(), host_.calls.end(), [](auto& c) { return c.rfind("claim", 0) == 0; }),
            1);
}

}  // namespace
}  // namespace vipair::vrrp
