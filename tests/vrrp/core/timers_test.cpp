#include "vrrp/core/timers.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;

TEST(Timers, SkewTimeIsExact) {
  EXPECT_EQ(skew_time(254, Centiseconds(1)), 78125ns);  // 2/256 of 10 ms: a millisecond clock would see 0
  EXPECT_EQ(skew_time(255, Centiseconds(1)), 39062ns);
  EXPECT_EQ(skew_time(100, Centiseconds(100)), 609375us);
  EXPECT_EQ(skew_time(1, Centiseconds(4095)), Duration(40950ms) * 255 / 256);
  EXPECT_EQ(skew_time(0, Centiseconds(10)), 100ms);
}

TEST(Timers, ActiveDownIntervalIsThreeIntervalsAndTheSkew) {
  EXPECT_EQ(active_down_interval(100, Centiseconds(100)), 3609375us);
  EXPECT_EQ(active_down_interval(192, Centiseconds(10)), 325ms);
}

// RFC 3768 section 6.1: the skew does not grow with the interval.
TEST(Timers, Version2SkewsByAFractionOfASecond) {
  EXPECT_EQ(skew_time(100, Centiseconds(100), 2), 609375us);
  EXPECT_EQ(skew_time(100, Centiseconds(1000), 2), 609375us);
  EXPECT_EQ(active_down_interval(100, Centiseconds(1000), 2), 30s + 609375us);
  EXPECT_LT(active_down_interval(1, Centiseconds(100), 2), longest_active_down_interval(Centiseconds(100)));
}

TEST(Timers, HigherPriorityWaitsLess) {
  for (int priority = 1; priority < 255; ++priority) {
    EXPECT_GT(active_down_interval(static_cast<std::uint8_t>(priority), Centiseconds(1)),
              active_down_interval(static_cast<std::uint8_t>(priority + 1), Centiseconds(1)));
    EXPECT_LT(active_down_interval(static_cast<std::uint8_t>(priority), Centiseconds(1)),
              longest_active_down_interval(Centiseconds(1)));
  }
}

TEST(Timers, LearnedIntervalIsTheAdvertisedOneWithinGenerousBoundsAmongStrangers) {
  Parameters parameters;
  parameters.advertisement_interval = Centiseconds(10);
  EXPECT_EQ(learned_interval(parameters, Centiseconds(1)), Centiseconds(1));
  EXPECT_EQ(learned_interval(parameters, Centiseconds(500)), Centiseconds(500));
  EXPECT_EQ(learned_interval(parameters, Centiseconds(4095)), Centiseconds(500));
  parameters.advertisement_interval = Centiseconds(100);
  EXPECT_EQ(learned_interval(parameters, Centiseconds(4095)), Centiseconds(1000));
  parameters.advertisement_interval = Centiseconds(1000);
  EXPECT_EQ(learned_interval(parameters, Centiseconds(4095)), Centiseconds(4095));
}

TEST(Timers, Version2LearnsNoInterval) {
  Parameters parameters;
  parameters.version = 2;
  parameters.advertisement_interval = Centiseconds(100);
  EXPECT_EQ(learned_interval(parameters, Centiseconds(500)), Centiseconds(100));
}

TEST(Timers, LearnedIntervalIsBoundedInAPair) {
  Parameters parameters;
  parameters.is_pair = true;
  parameters.advertisement_interval = Centiseconds(100);
  EXPECT_EQ(learned_interval(parameters, Centiseconds(1)), Centiseconds(1));
  EXPECT_EQ(learned_interval(parameters, Centiseconds(1000)), Centiseconds(1000));
  EXPECT_EQ(learned_interval(parameters, Centiseconds(4095)), Centiseconds(1000));
  parameters.advertisement_interval = Centiseconds(1);
  EXPECT_EQ(learned_interval(parameters, Centiseconds(4095)), Centiseconds(100));
}

TEST(Timers, YieldTimeIsTwoIntervalsWithinBounds) {
  EXPECT_EQ(yield_time(Centiseconds(1), 0), 200ms);
  EXPECT_EQ(yield_time(Centiseconds(10), 0), 200ms);
  EXPECT_EQ(yield_time(Centiseconds(30), 0), 600ms);
  EXPECT_EQ(yield_time(Centiseconds(4095), 0), 1s);
}

TEST(Timers, YieldTimeGrowsWithTheAddresses) {
  EXPECT_EQ(yield_time(Centiseconds(1), 4000), 1200ms);
  EXPECT_EQ(yield_time(Centiseconds(4095), 4000), 2s);
}

TEST(Timers, NextAdvertisementIsTheNextMultipleOfTheInterval) {
  const TimePoint start(1000s);
  EXPECT_EQ(next_advertisement(Centiseconds(10), start), start + 100ms);
  EXPECT_EQ(next_advertisement(Centiseconds(10), start + 1ns), start + 100ms);
  EXPECT_EQ(next_advertisement(Centiseconds(10), start + 99ms), start + 100ms);
  EXPECT_EQ(next_advertisement(Centiseconds(10), start + 100ms), start + 200ms);
  EXPECT_EQ(next_multiple(1s, start + 1ms), start + 1s);
  EXPECT_EQ(next_multiple(1s, start), start + 1s);
}

}  // namespace
}  // namespace vipair::vrrp
