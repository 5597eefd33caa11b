#include "proxy/policy/health_check.h"

#include <gtest/gtest.h>

namespace vipair::policy {
namespace {

using namespace std::chrono_literals;

TEST(StatusRange, IsAStatusOrTwoWithAHyphen) {
  EXPECT_EQ(parse_status_range("200"), (StatusRange{200, 200}));
  EXPECT_EQ(parse_status_range("200-399"), (StatusRange{200, 399}));
  EXPECT_EQ(parse_status_range("100-599"), (StatusRange{100, 599}));
  for (const char* text : {"", "-", "20", "2000", "99", "600", "200-", "-399", "399-200", "200-399-400", "2xx",
                           " 200", "200 - 399", "+20", "0200"})
    EXPECT_FALSE(parse_status_range(text)) << text;
}

TEST(StatusRange, SeveralExpectAnyOfThem) {
  const std::vector<StatusRange> expected{{200, 299}, {404, 404}};
  EXPECT_TRUE(is_expected(expected, 200));
  EXPECT_TRUE(is_expected(expected, 299));
  EXPECT_TRUE(is_expected(expected, 404));
  EXPECT_FALSE(is_expected(expected, 300));
  EXPECT_FALSE(is_expected(expected, 405));
  EXPECT_EQ(to_string(expected), "200-299, 404");
}

HealthTiming timing() {
  HealthTiming timing;
  timing.interval = 2s;
  timing.fast_interval = 500ms;
  timing.jitter = 200ms;
  return timing;
}

TEST(CheckedState, IsUpUntilTheFirstResultWhichDecides) {
  CheckedState state(timing());
  EXPECT_TRUE(state.is_up());
  EXPECT_FALSE(state.is_proven());
  EXPECT_TRUE(state.report(false));
  EXPECT_FALSE(state.is_up()) << "one failure, whatever `fall` says";
  EXPECT_TRUE(state.is_proven());

  CheckedState good(timing());
  EXPECT_FALSE(good.report(true)) << "it was taken to be up";
  EXPECT_TRUE(good.is_up());
}

TEST(CheckedState, ChangesByRiseAndFall) {
  CheckedState state(timing());
  state.report(true);
  EXPECT_FALSE(state.report(false));
  EXPECT_FALSE(state.report(false));
  EXPECT_TRUE(state.report(false));
  EXPECT_FALSE(state.is_up());
  EXPECT_FALSE(state.report(true));
  EXPECT_TRUE(state.report(true));
  EXPECT_TRUE(state.is_up());
}

TEST(CheckedState, LooksMoreOftenWhileItIsChanging) {
  CheckedState state(timing());
  EXPECT_EQ(state.until_next(0), 2s);
  state.report(true);
  EXPECT_EQ(state.until_next(0), 2s);
  state.report(false);
  EXPECT_EQ(state.until_next(0), 500ms);
  state.report(false);
  state.report(false);
  EXPECT_EQ(state.until_next(0), 2s) << "down for certain";
  state.report(true);
  EXPECT_EQ(state.until_next(0), 500ms);
}

TEST(CheckedState, JitterIsAddedAndBounded) {
  const CheckedState state(timing());
  const Duration most = state.until_next(0xFFFFFFFF);
  EXPECT_GT(most, 2190ms);
  EXPECT_LE(most, 2200ms);
  EXPECT_EQ(part_of(1s, 0x80000000), 500ms);
  EXPECT_EQ(part_of(0s, 0x80000000), 0s);
}

}  // namespace
}  // namespace vipair::policy
