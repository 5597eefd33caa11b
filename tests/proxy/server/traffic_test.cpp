#include "proxy/server/traffic.h"

#include <gtest/gtest.h>

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;

TEST(Traffic, DurationsFallIntoTheBucketWhoseBoundTheyDoNotExceed) {
  EXPECT_EQ(duration_bucket(0ms), 0u);
  EXPECT_EQ(duration_bucket(1ms), 0u);
  EXPECT_EQ(duration_bucket(1ms + 1us), 1u);
  EXPECT_EQ(duration_bucket(10s), kDurationBounds - 1);
  EXPECT_EQ(duration_bucket(10s + 1ms), kDurationBounds);
}

TEST(Traffic, SumsWhatTheWorkersServed) {
  Traffic traffic(3);
  traffic.add(0, {200, 10, 1000, 5ms});
  traffic.add(2, {200, 0, 500, 20ms});
  traffic.add(2, {503, 0, 0, 30s});
  traffic.add(2, {0, 0, 0, 0ms});
  const Traffic::Sum sum = traffic.sum();
  EXPECT_EQ(sum.requests, 4u);
  EXPECT_EQ(sum.responses[2], 2u);
  EXPECT_EQ(sum.responses[5], 1u);
  EXPECT_EQ(sum.responses[0], 1u);
  EXPECT_EQ(sum.request_bytes, 10u);
  EXPECT_EQ(sum.response_bytes, 1500u);
  EXPECT_EQ(sum.durations[kDurationBounds], 1u);
  EXPECT_NEAR(sum.seconds, 30.025, 1e-9);
}

TEST(Traffic, NobodyServedAnything) {
  const Traffic traffic(2);
  EXPECT_EQ(traffic.sum().requests, 0u);
}

}  // namespace
}  // namespace vipair::proxy
