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

TEST(FaultSet, OneSourceCanHaveSeveralByName) {
  FaultSet faults;
  EXPECT_TRUE(faults.raise(FaultSource::check, "check app: refused", "app"));
  EXPECT_TRUE(faults.raise(FaultSource::check, "check disk: full", "disk"));
  EXPECT_THAT(faults.names(FaultSource::check), testing::ElementsAre("app", "disk"));
  EXPECT_TRUE(faults.clear(FaultSource::check, "app"));
  EXPECT_FALSE(faults.clear(FaultSource::check, "app"));
  EXPECT_THAT(faults.texts(), testing::ElementsAre("check disk: full"));
}

TEST(EffectivePriority, StaysBetweenOneAndTheConfiguredOne) {
  EXPECT_EQ(effective_priority(100, 0), 100);
  EXPECT_EQ(effective_priority(100, 30), 70);
  EXPECT_EQ(effective_priority(100, 100), 1);
  EXPECT_EQ(effective_priority(100, 100'000), 1);
  EXPECT_EQ(effective_priority(255, 30), 255) << "the owner of the address stays the owner";
}

TEST(ShareOfWeight, IsWhatIsLostOfTheWhole) {
  EXPECT_EQ(share_of_weight(50, 0, 4), 0);
  EXPECT_EQ(share_of_weight(50, 1, 4), 13) << "rounded up: nothing that is lost weighs nothing";
  EXPECT_EQ(share_of_weight(50, 4, 4), 50);
  EXPECT_EQ(share_of_weight(253, 1, 1'000'000), 1);
  EXPECT_EQ(share_of_weight(0, 4, 4), 0) << "turned off";
  EXPECT_EQ(share_of_weight(50, 0, 0), 0) << "there are none";
}

TEST(IsOutweighed, OnlyByAPeerThatLostLessAndIsTheGreaterNow) {
  EXPECT_TRUE(is_outweighed({80, 120}, {100, 0}));
  EXPECT_FALSE(is_outweighed({100, 20}, {100, 0})) << "equal";
  EXPECT_FALSE(is_outweighed({180, 20}, {100, 0})) << "still the greater one";
  EXPECT_FALSE(is_outweighed({80, 120}, {90, 120})) << "both lost the same";
  EXPECT_FALSE(is_outweighed({80, 0}, {100, 0})) << "lost nothing: that is preemption, and it is off";
  EXPECT_FALSE(is_outweighed({80, 20}, {100, 30}));
}

}  // namespace
}  // namespace vipair::vrrp
