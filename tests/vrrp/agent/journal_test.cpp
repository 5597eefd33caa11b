#include "vrrp/agent/journal.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;

JournalEntry entry(std::string text) {
  return {TimePoint(1s), JournalEntry::Level::info, "web/ipv4", "state", std::move(text)};
}

TEST(Journal, EntriesAreTakenOnceOldestFirst) {
  Journal journal;
  journal.add(entry("a"));
  journal.add(entry("b"));
  const auto taken = journal.take();
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[0].text, "a");
  EXPECT_EQ(taken[1].text, "b");
  EXPECT_TRUE(journal.take().empty());
}

TEST(Journal, OldestEntriesGoWhenNobodyTakesThem) {
  Journal journal;
  for (std::size_t i = 0; i < kJournalMax + 3; ++i) journal.add(entry(std::to_string(i)));
  EXPECT_EQ(journal.lost(), 3u);
  const auto taken = journal.take();
  ASSERT_EQ(taken.size(), kJournalMax);
  EXPECT_EQ(taken.front().text, "3");
}

TEST(RateLimit, LetsTheFirstThroughThenOnePerInterval) {
  RateLimit limit;
  const TimePoint start(100s);
  EXPECT_EQ(limit.pass(start), 0u);
  EXPECT_FALSE(limit.pass(start));
  EXPECT_FALSE(limit.pass(start + RateLimit::kInterval - 1ns));
  EXPECT_EQ(limit.pass(start + RateLimit::kInterval), 2u);
  EXPECT_EQ(limit.pass(start + 2 * RateLimit::kInterval), 0u);
}

TEST(Backoff, DoublesUpToItsLast) {
  Backoff backoff(1s, 5s);
  EXPECT_EQ(backoff.next(), 1s);
  EXPECT_EQ(backoff.next(), 2s);
  EXPECT_EQ(backoff.next(), 4s);
  EXPECT_EQ(backoff.next(), 5s);
  EXPECT_EQ(backoff.next(), 5s);
  backoff.reset();
  EXPECT_EQ(backoff.next(), 1s);
}

}  // namespace
}  // namespace vipair::vrrp
