// One instance by itself: the seams between the state machine and its Host.

#include "vrrp/agent/virtual_router.h"

#include "tests/vrrp/agent/simulated_lan.h"
#include "vrrp/agent/group.h"
#include "vrrp/core/timers.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

IpPrefix prefix(std::string_view text) { return *IpPrefix::parse(text); }

class VirtualRouterTest : public testing::Test {
 protected:
  VirtualRouterTest() {
    config_.key = {"eth0", IpFamily::ipv4, 51};
    config_.name = "web";
    config_.priority = 100;
    config_.advertised = {prefix("192.0.2.100/24")};
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

  TimePoint now_{1000s};
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

TEST_F(VirtualRouterTest, LastWillIsGivenBeforeTheClaimAndTakenBackAfterTheRelease) {
  VirtualRouter& router = active_router();
  EXPECT_THAT(host_.violations, testing::IsEmpty()) << "the host looked at the will when the claim came";
  EXPECT_EQ(host_.will.releases.size(), 1u);
  router.raise(now_, FaultSource::proxy, "proxy: busy");
  EXPECT_EQ(host_.will.releases.size(), 1u);
  work();
  EXPECT_TRUE(host_.will.releases.empty());
}

TEST_F(VirtualRouterTest, AddressThatAnotherRouterHoldsStays) {
  config_.advertised.push_back(prefix("192.0.2.101/24"));
  VirtualRouter& router = active_router();
  others_ = {prefix("192.0.2.101/24")};
  host_.forget();
  router.raise(now_, FaultSource::proxy, "proxy: busy");
  work();
  EXPECT_THAT(host_.calls, ElementsAre("send 0", "release 192.0.2.100/24"));
  EXPECT_FALSE(router.holds_addresses());
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

TEST_F(VirtualRouterTest, FailedClaimLeavesAnEarlierOneAlone) {
  VirtualRouter& router = active_router();
  InstanceChange change{config_, {prefix("192.0.2.101/24")}, {}};
  change.config.advertised.push_back(change.added[0]);
  host_.refused_claims = 1;
  router.change(now_, change);
  work();
  EXPECT_EQ(host_.calls.back(), "release 192.0.2.100/24") << "and resigns with what it had";
  EXPECT_TRUE(router.has_fault(FaultSource::claim));
}

TEST_F(VirtualRouterTest, RemovalOfManyAddressesIsOneClaim) {
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
