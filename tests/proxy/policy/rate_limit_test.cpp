#include "proxy/policy/rate_limit.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

namespace vipair::policy {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{1h};
constexpr Rate kTenPerSecond{100ms, 3};

TEST(LimitKey, CountsAnIpv6ClientAsItsNetwork) {
  auto key = [](const char* text, std::uint64_t limit = 1, std::uint64_t seed = 7) {
    return limit_key(seed, limit, *IpAddress::parse(text));
  };
  EXPECT_EQ(key("2001:db8:0:1::1"), key("2001:db8:0:1:ffff::"));
  std::set<std::uint64_t> different{
      key("2001:db8:0:1::1"), key("2001:db8:0:2::1"), key("192.0.2.1"), key("192.0.2.2"),
      key("192.0.2.1", 2),    key("192.0.2.1", 1, 8), key("::"),        key("0.0.0.0"),
      limit_key(7, 1)};
  EXPECT_EQ(different.size(), 9u);
}

TEST(RateTable, LetsABurstPassAndThenOnePerInterval) {
  RateTable table(64);
  TimePoint now = kStart;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(table.take(1, kTenPerSecond, now), 0ms);
  EXPECT_EQ(table.take(1, kTenPerSecond, now), 100ms) << "says when to come again";
  EXPECT_EQ(table.take(1, kTenPerSecond, now), 100ms) << "what is refused costs nothing";
  EXPECT_EQ(table.take(1, kTenPerSecond, now + 99ms), 1ms);
  EXPECT_EQ(table.take(1, kTenPerSecond, now + 100ms), 0ms);
  EXPECT_EQ(table.take(1, kTenPerSecond, now + 100ms), 100ms);
  now += 1h;
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(table.take(1, kTenPerSecond, now), 0ms) << "no more than the burst is saved";
  EXPECT_GT(table.take(1, kTenPerSecond, now), 0ms);
}

TEST(RateTable, CountsEachKeyAlone) {
  RateTable table(1024);
  for (std::uint64_t key = 1; key <= 100; ++key) {
    EXPECT_EQ(table.take(limit_key(7, key), {1s, 1}, kStart), 0ms);
  }
  for (std::uint64_t key = 1; key <= 100; ++key) {
    EXPECT_GT(table.take(limit_key(7, key), {1s, 1}, kStart), 0ms);
  }
}

TEST(RateTable, LetsTheSmallestDebtGiveWayWhenItIsFull) {
  RateTable table(4);
  ASSERT_EQ(table.places(), 4u);
  const Rate rate{1s, 100};
  for (int i = 0; i < 100; ++i) EXPECT_EQ(table.take(99, rate, kStart), 0ms);
  for (std::uint64_t key = 1; key <= 1000; ++key) EXPECT_EQ(table.take(key * 1000, rate, kStart), 0ms);
  EXPECT_GT(table.take(99, rate, kStart), 0ms) << "a thousand newcomers have not washed it away";
}

TEST(RateTable, CountsForAllThreadsTogether) {
  RateTable table(64);
  std::atomic<int> passed{0};
  (void)table.take(5, {1h, 1000}, kStart);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 1000; ++j) passed += table.take(5, {1h, 1000}, kStart) == 0ms ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(passed, 999);
}

TEST(ConcurrencyTable, CountsWhatIsHeld) {
  ConcurrencyTable table(64);
  const std::uint64_t key = limit_key(7, 1), other = limit_key(7, 2);
  ConcurrencyTable::Hold first, second, third;
  EXPECT_TRUE(table.enter(key, 2, first));
  EXPECT_TRUE(table.enter(key, 2, second));
  EXPECT_FALSE(table.enter(key, 2, third));
  EXPECT_FALSE(third.is_counted());
  EXPECT_TRUE(table.enter(other, 2, third));
  EXPECT_EQ(table.count(key), 2u);
  first.release();
  EXPECT_EQ(table.count(key), 1u);
  ConcurrencyTable::Hold moved = std::move(second);
  EXPECT_EQ(table.count(key), 1u);
  moved = std::move(third);
  EXPECT_EQ(table.count(key), 0u);
  EXPECT_EQ(table.count(other), 1u);
  moved.release();
  EXPECT_EQ(table.count(other), 0u);
}

TEST(ConcurrencyTable, RefusesNobodyForWantOfAPlace) {
  ConcurrencyTable table(8);
  std::vector<ConcurrencyTable::Hold> holds(20);
  for (std::uint64_t i = 0; i < holds.size(); ++i) EXPECT_TRUE(table.enter(limit_key(7, i), 1, holds[i]));
  EXPECT_FALSE(table.enter(limit_key(7, 0), 1, holds[19]));
  holds.clear();
  for (std::uint64_t i = 0; i < 20; ++i) EXPECT_EQ(table.count(limit_key(7, i)), 0u);
}

}  // namespace
}  // namespace vipair::policy
