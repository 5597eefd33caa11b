#include "common/runtime/metrics.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"

namespace vipair {
namespace {

TEST(Metrics, WritesAHistogram) {
  MetricsWriter metrics;
  metrics.family("vipair_seconds", "histogram", "times");
  metrics.sample("_bucket", {{"le", "0.5"}}, std::uint64_t{1});
  metrics.sample("_bucket", {{"le", "+Inf"}}, std::uint64_t{2});
  metrics.sample("_sum", {}, 0.75);
  metrics.sample("_count", {}, std::uint64_t{2});
  EXPECT_EQ(metrics.text(),
            "# HELP vipair_seconds times\n"
            "# TYPE vipair_seconds histogram\n"
            "vipair_seconds_bucket{le=\"0.5\"} 1\n"
            "vipair_seconds_bucket{le=\"+Inf\"} 2\n"
            "vipair_seconds_sum 0.75\n"
            "vipair_seconds_count 2\n");
}

TEST(Metrics, WritesThePrometheusTextFormat) {
  MetricsWriter metrics;
  metrics.family("vipair_state", "gauge", "1 for the state the router is in");
  metrics.sample({{"router", "web"}, {"state", "active"}}, 1);
  metrics.sample({{"router", "web"}, {"state", "backup"}}, 0);
  metrics.family("vipair_advertisements_total", "counter", "advertisements sent");
  metrics.sample({}, std::uint64_t{18446744073709551615u});
  metrics.family("vipair_load", "gauge", "doubles");
  metrics.sample({}, 0.25);
  metrics.sample({}, 1e300);
  metrics.sample({}, std::nan(""));
  metrics.sample({}, std::numeric_limits<double>::infinity());
  metrics.sample({}, -std::numeric_limits<double>::infinity());
  metrics.sample({}, -3);
  EXPECT_EQ(metrics.text(),
            "# HELP vipair_state 1 for the state the router is in\n"
            "# TYPE vipair_state gauge\n"
            "vipair_state{router=\"web\",state=\"active\"} 1\n"
            "vipair_state{router=\"web\",state=\"backup\"} 0\n"
            "# HELP vipair_advertisements_total advertisements sent\n"
            "# TYPE vipair_advertisements_total counter\n"
            "vipair_advertisements_total 18446744073709551615\n"
            "# HELP vipair_load doubles\n"
            "# TYPE vipair_load gauge\n"
            "vipair_load 0.25\n"
            "vipair_load 1e+300\n"
            "vipair_load NaN\n"
            "vipair_load +Inf\n"
            "vipair_load -Inf\n"
            "vipair_load -3\n");
}

TEST(Metrics, EscapesHelpAndLabelValues) {
  MetricsWriter metrics;
  metrics.family("a", "gauge", "back\\slash \"quoted\"\nnext");
  metrics.sample({{"l", "back\\slash \"quoted\"\nnext"}, {"m", ""}}, std::uint64_t{1});
  EXPECT_EQ(metrics.text(),
            "# HELP a back\\\\slash \"quoted\"\\nnext\n"
            "# TYPE a gauge\n"
            "a{l=\"back\\\\slash \\\"quoted\\\"\\nnext\",m=\"\"} 1\n");
}

}  // namespace
}  // namespace vipair
