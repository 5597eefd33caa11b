#include "vrrp/agent/deadlines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/vrrp/agent/simulated_lan.h"
#include "vrrp/agent/virtual_router.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(Deadlines, KnowTheEarliestAndWhoIsDue) {
  SimulatedHost host;
  Journal journal;
  Deadlines deadlines;
  const TimePoint now(1000s);
  const VirtualRouter::Surroundings surroundings{host, journal, deadlines, [] {},
                                                 [](const VirtualRouter&, const IpPrefix&) { return false; }};
  VirtualRouter a({}, surroundings, now), c({}, surroundings, now);
  auto b = std::make_unique<VirtualRouter>(InstanceConfig{}, surroundings, now);
  EXPECT_FALSE(deadlines.earliest());

  deadlines.set(a.place(), now + 2s);
  deadlines.set(b->place(), now + 1s);
  deadlines.set(c.place(), now + 1s);
  EXPECT_EQ(deadlines.earliest(), now + 1s);
  EXPECT_THAT(deadlines.due(now), IsEmpty());
  EXPECT_THAT(deadlines.due(now + 1s), testing::UnorderedElementsAre(b.get(), &c));
  EXPECT_THAT(deadlines.due(now + 2s, c.place()).front(), &c) << "in turn";
  EXPECT_EQ(deadlines.due(now + 2s, c.place()).size(), 3u);

  deadlines.set(c.place(), std::nullopt);
  const std::size_t free = b->place();
  b.reset();
  EXPECT_EQ(deadlines.earliest(), now + 2s);
  EXPECT_THAT(deadlines.due(now + 2s), ElementsAre(&a));
  const VirtualRouter d({}, surroundings, now);
  EXPECT_EQ(d.place(), free) << "places are used again";
}

}  // namespace
}  // namespace vipair::vrrp
