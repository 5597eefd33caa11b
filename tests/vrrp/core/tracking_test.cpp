#include "vrrp/core/tracking.h"

namespace vipair::vrrp {
namespace {

TEST(FaultSet, EachSourceClearsOnlyItsOwn) {
  FaultSet faults;
  EXPECT_TRUE(faults.empty());
  EXPECT_TRUE(faults.raise(FaultSource::proxy, "proxy: not connected"));
  EXPECT_TRUE(faults.raise(FaultSource::interface, "interface eth0: missing"));
  EXPECT_TRUE(faults.clear(FaultSource::proxy));
  EXPECT_FALSE(faults.empty());
  EXPECT_TRUE(faults.has(FaultSource::interface));
  EXPECT_FALSE(faults.has(FaultSource::proxy));
  EXPECT_TRUE(faults.clear(FaultSource::interface));
  EXPECT_TRUE(faults.empty());
}

TEST(FaultSet, TellsWhetherAnythingChanged) {
  FaultSet faults;
  EXPECT_FALSE(faults.clear(FaultSource::claim));
  EXPECT_TRUE(faults.raise(FaultSource::claim, "claim: no"));
  EXPECT_FALSE(faults.raise(FaultSource::claim, "claim: no"));
  EXPECT_TRUE(faults.raise(FaultSource::claim, "claim: still no"));
}

TEST(FaultSet, TextsComeInTheOrderOfTheSources) {
  FaultSet faults;
  faults.raise(FaultSource::claim, "c");
  faults.raise(FaultSource::interface, "i");
  EXPECT_THAT(faults.texts(), testing::ElementsAre("i", "c"));
}

}  // namespace
}  // namespace vipair::vrrp
