#include "vrrp/agent/holdings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string_view>

namespace vipair::vrrp {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

IpPrefix prefix(std::string_view text) { return *IpPrefix::parse(text); }

const IpPrefix kA = prefix("192.0.2.1/24"), kB = prefix("192.0.2.2/24"), kC = prefix("192.0.2.3/24");

Holdings holding(const std::vector<IpPrefix>& addresses) {
  Holdings holdings;
  holdings.want(addresses);
  holdings.claimed(addresses.size());
  (void)holdings.take_announcements(addresses.size());
  return holdings;
}

TEST(Holdings, AreClaimedAndAnnouncedInOrderSliceBySlice) {
  Holdings holdings;
  EXPECT_TRUE(holdings.is_empty());
  holdings.want({kB, kA, kC});
  EXPECT_FALSE(holdings.is_empty());
  EXPECT_THAT(holdings.next_to_claim(2), ElementsAre(kB, kA));
  EXPECT_FALSE(holdings.is_announcing());
  holdings.claimed(2);
  EXPECT_THAT(holdings.next_to_claim(2), ElementsAre(kC));
  EXPECT_THAT(holdings.take_announcements(1), ElementsAre(kB.address));
  holdings.claimed(1);
  EXPECT_FALSE(holdings.is_missing_any());
  EXPECT_THAT(holdings.take_announcements(9), ElementsAre(kA.address, kC.address));
  EXPECT_FALSE(holdings.is_announcing());
}

TEST(Holdings, RepetitionHoldsUpNoFirstAnnouncement) {
  Holdings holdings;
  holdings.want({kA, kB, kC});
  holdings.claimed(1);
  (void)holdings.take_announcements(9);
  holdings.claimed(1);
  holdings.announce_all();
  EXPECT_THAT(holdings.take_announcements(9), ElementsAre(kB.address)) << "not again while some are missing";
  EXPECT_FALSE(holdings.is_announcing());
  holdings.claimed(1);
  EXPECT_THAT(holdings.take_announcements(9), ElementsAre(kC.address, kA.address));
  EXPECT_FALSE(holdings.is_announcing());
  holdings.announce_all();
  EXPECT_THAT(holdings.take_announcements(2), ElementsAre(kA.address, kB.address));
  holdings.announce_all();
  EXPECT_THAT(holdings.take_announcements(9), ElementsAre(kA.address, kB.address, kC.address)) << "from the start";
}

TEST(Holdings, ChangeTouchesWhatDiffers) {
  Holdings holdings = holding({kA, kB});
  holdings.want({kB, kC});
  EXPECT_THAT(holdings.next_to_claim(9), ElementsAre(kC));
  EXPECT_THAT(holdings.next_to_release(9), ElementsAre(kA));
  EXPECT_EQ(holdings.release_mode(), ReleaseMode::immediate);
  EXPECT_THAT(holdings.named(), ElementsAre(kB, kC, kA)) << "whatever is there or may be";
  holdings.released(1);
  EXPECT_THAT(holdings.named(), ElementsAre(kB, kC));
}

TEST(Holdings, AreEmptyAfterTheLastSliceIsReleased) {
  Holdings holdings = holding({kA, kB, kC});
  holdings.let_go(ReleaseMode::lingering);
  EXPECT_EQ(holdings.release_mode(), ReleaseMode::lingering);
  EXPECT_THAT(holdings.next_to_release(2), ElementsAre(kA, kB));
  holdings.released(2);
  EXPECT_FALSE(holdings.is_empty());
  holdings.released(1);
  EXPECT_TRUE(holdings.is_empty());
  EXPECT_THAT(holdings.named(), IsEmpty());
}

TEST(Holdings, WhatIsStillThereIsKeptWhenItIsWantedAgain) {
  Holdings holdings = holding({kA, kB, kC});
  holdings.let_go(ReleaseMode::lingering);
  holdings.released(1);
  holdings.want({kA, kB, kC});
  EXPECT_THAT(holdings.next_to_claim(9), ElementsAre(kA));
  EXPECT_FALSE(holdings.is_holding_too_many());
}

TEST(Holdings, NothingIsReleasedThatWasNotClaimed) {
  Holdings holdings;
  holdings.want({kA, kB});
  holdings.claimed(1);
  holdings.let_go(ReleaseMode::immediate);
  EXPECT_THAT(holdings.next_to_release(9), ElementsAre(kA));
  EXPECT_FALSE(holdings.is_announcing());
}

TEST(Holdings, LostAddressIsMissingFromTheNextWishOn) {
  Holdings holdings = holding({kA, kB});
  EXPECT_FALSE(holdings.lose(kC.address));
  EXPECT_TRUE(holdings.lose(kA.address));
  EXPECT_FALSE(holdings.lose(kA.address));
  EXPECT_FALSE(holdings.is_missing_any()) << "when to claim it again is decided elsewhere";
  holdings.want({kA, kB});
  EXPECT_THAT(holdings.next_to_claim(9), ElementsAre(kA));
}

TEST(Holdings, AddressOfAnotherIsInheritedWhenItIsWanted) {
  Holdings holdings;
  holdings.want({kA, kB});
  EXPECT_FALSE(holdings.inherit(kC));
  EXPECT_TRUE(holdings.inherit(kB));
  EXPECT_THAT(holdings.next_to_claim(9), ElementsAre(kA));
  EXPECT_THAT(holdings.take_announcements(9), ElementsAre(kB.address));
  EXPECT_TRUE(holdings.inherit(kB)) << "again: it is ours already";
  EXPECT_FALSE(holdings.is_announcing());
  holdings.let_go(ReleaseMode::immediate);
  EXPECT_THAT(holdings.next_to_release(9), ElementsAre(kB));
}

TEST(Holdings, ClaimingAgainTakesWhatIsWantedAndNothingElse) {
  Holdings holdings = holding({kA, kB});
  holdings.want({kB, kC});
  holdings.claim_again();
  EXPECT_THAT(holdings.next_to_claim(9), ElementsAre(kB, kC));
  EXPECT_THAT(holdings.next_to_release(9), ElementsAre(kA));
}

TEST(Holdings, OnlyWhatIsHeldIsAnnounced) {
  Holdings holdings = holding({kA, kB, kC});
  holdings.announce_all();
  holdings.lose(kB.address);
  EXPECT_THAT(holdings.take_announcements(9), ElementsAre(kA.address, kC.address));
}

}  // namespace
}  // namespace vipair::vrrp
