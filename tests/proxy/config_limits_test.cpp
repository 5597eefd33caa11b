#include "proxy/config_limits.h"

#include "tests/proxy/config_text.h"

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;

const Mistake kMistakes[] = {
    {"too_many_fields", "limits = { request_fields = 101; };", nullptr, "limits.request_fields",
     "expected 1 to 100"},
    {"head_over_maximum", "limits = { request_head = \"2MiB\"; };", nullptr, "limits.request_head", "out of range"},
    {"target_over_head", "limits = { request_head = \"8KiB\"; request_target = \"9KiB\"; };", nullptr,
     "limits.request_target", "do not fit into request_head, 8192 bytes"},
    {"size_without_unit", "limits = { request_body = \"100\"; };", nullptr, "limits.request_body", "is not a size"},
    {"size_as_number", "limits = { request_body = 100; };", nullptr, "limits.request_body",
     "found the integer 100"},
    {"timeout_zero", "timeouts = { connect = \"0s\"; };", nullptr, "timeouts.connect", "out of range"},
    {"no_streams", "limits = { http2_streams = 0; };", nullptr, "limits.http2_streams", "expected 1 to 1000"},
    {"unknown_limit", "limits = { request_heads = \"1KiB\"; };", nullptr, "limits.request_heads",
     "did you mean \"request_head\"?"},
};

EXPECT_MISTAKES(LimitsConfigMistake, kMistakes);

TEST(LimitsConfig, SmallHeadLimitBoundsTheTargetToo) {
  auto config = parse(kListeners + "limits = { request_head = \"8KiB\"; };\n");
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_EQ(config->limits.request_target, 8192u);
}

TEST(LimitsConfig, KnowsHowSlowAndHowLongARequestMayBe) {
  auto config = parse(
      kListeners +
      "limits = { response_rate_min = \"1KiB\"; connections_per_address = 9; }; timeouts = { request = \"5m\"; };");
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_EQ(config->limits.response_rate_min, 1024u);
  EXPECT_EQ(config->limits.connections_per_address, 9u);
  EXPECT_EQ(config->timeouts.request, std::chrono::minutes(5));
  config = parse(kListeners + "timeouts = { request = \"off\"; };");
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_EQ(config->timeouts.request, Duration::max());
  EXPECT_FALSE(parse(kListeners + "timeouts = { request = \"never\"; };"));
}

}  // namespace
}  // namespace vipair::proxy
