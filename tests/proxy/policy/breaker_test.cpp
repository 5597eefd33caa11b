#include "proxy/policy/breaker.h"

#include <gtest/gtest.h>

namespace vipair::policy {
namespace {

using namespace std::chrono_literals;

constexpr BreakerSettings kSettings{3, 10s, 60s};
constexpr TimePoint kNow{1000s};

// Opened at kNow for the first time.
void trip(Breaker& breaker) {
  EXPECT_FALSE(breaker.on_failure(kSettings, false));
  EXPECT_FALSE(breaker.on_failure(kSettings, false));
  ASSERT_TRUE(breaker.on_failure(kSettings, false));
  EXPECT_EQ(breaker.open(kSettings, kNow), 10s);
}

TEST(Breaker, OpensAfterFailuresInARow) {
  Breaker breaker;
  EXPECT_FALSE(breaker.on_failure(kSettings, false));
  EXPECT_FALSE(breaker.on_failure(kSettings, false));
  breaker.on_success();
  trip(breaker);
  EXPECT_FALSE(breaker.is_closed());
  EXPECT_EQ(breaker.open_until(), kNow + 10s);
}

TEST(Breaker, NeverOpensUnlessItIsTold) {
  Breaker breaker;
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(breaker.on_failure({}, false));
}

TEST(Breaker, ThatWasNotOpenedAsksAgainAfterAsManyFailures) {
  Breaker breaker;
  int asked = 0;
  for (int i = 0; i < 9; ++i) asked += breaker.on_failure(kSettings, false) ? 1 : 0;
  EXPECT_EQ(asked, 3);
}

TEST(Breaker, LetsOneRequestProbe) {
  Breaker breaker;
  EXPECT_FALSE(breaker.try_probe(kSettings, kNow)) << "there is nothing to find out";
  trip(breaker);
  EXPECT_FALSE(breaker.try_probe(kSettings, kNow + 10s - 1ms));
  EXPECT_TRUE(breaker.try_probe(kSettings, kNow + 10s));
  EXPECT_FALSE(breaker.try_probe(kSettings, kNow + 10s)) << "the others wait for the outcome";
  breaker.close(kNow + 11s);
  EXPECT_TRUE(breaker.is_closed());
}

TEST(Breaker, LetsTheNextOneProbeWhenTheFirstToldNothing) {
  Breaker breaker;
  trip(breaker);
  ASSERT_TRUE(breaker.try_probe(kSettings, kNow + 10s));
  breaker.abandon_probe(kNow + 12s);
  EXPECT_TRUE(breaker.try_probe(kSettings, kNow + 12s));
  EXPECT_TRUE(breaker.try_probe(kSettings, kNow + 22s)) << "a probe that nobody hears of ends by itself";
}

TEST(Breaker, BacksOffWhileProbesFail) {
  Breaker breaker;
  trip(breaker);
  TimePoint now = kNow;
  for (Duration expected : {20s, 40s, 60s, 60s}) {
    now = breaker.open_until();
    ASSERT_TRUE(breaker.try_probe(kSettings, now));
    ASSERT_TRUE(breaker.on_failure(kSettings, true));
    EXPECT_EQ(breaker.open(kSettings, now), expected);
  }
}

TEST(Breaker, IgnoresFailuresThatHadBegunBefore) {
  Breaker breaker;
  trip(breaker);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(breaker.on_failure(kSettings, false));
  EXPECT_EQ(breaker.open_until(), kNow + 10s);
}

TEST(Breaker, ForgetsEjectionsOfOneThatWorkedForAsLong) {
  Breaker breaker;
  trip(breaker);
  breaker.close(kNow + 10s);
  for (int i = 0; i < 3; ++i) (void)breaker.on_failure(kSettings, false);
  EXPECT_EQ(breaker.open(kSettings, kNow + 15s), 20s) << "soon again";
  breaker.close(kNow + 35s);
  for (int i = 0; i < 3; ++i) (void)breaker.on_failure(kSettings, false);
  EXPECT_EQ(breaker.open(kSettings, kNow + 56s), 10s);
}

}  // namespace
}  // namespace vipair::policy
