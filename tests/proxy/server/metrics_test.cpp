#include "proxy/server/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/server_view.h"

namespace vipair::proxy {
namespace {

using ::testing::HasSubstr;

TEST(Metrics, SumTheWorkers) {
  testing::ViewOfTwoWorkers f;
  const std::string text = metrics_text(f.view);
  EXPECT_THAT(text, HasSubstr("vipair_proxy_responses_total{class=\"2xx\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("vipair_proxy_refused_heads_total{reason=\"bare_lf\"} 2\n"));
  EXPECT_THAT(text,
              HasSubstr("vipair_proxy_failures_total{side=\"upstream\",stage=\"connect\",cause=\"refused\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("vipair_proxy_server_up{site=\"*\",upstream=\"app\",server=\"10.0.0.1:80\"} 0\n"));
}

TEST(Metrics, TellOfCompression) {
  testing::ViewOfTwoWorkers f;
  f.one.compression.responses[static_cast<std::size_t>(http::Coding::brotli)].add(2);
  f.two.compression.bytes_in.add(1000);
  const std::string text = metrics_text(f.view);
  EXPECT_THAT(text, HasSubstr("vipair_proxy_compressed_responses_total{coding=\"br\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("vipair_proxy_compression_input_bytes_total 1000\n"));
}

}  // namespace
}  // namespace vipair::proxy
