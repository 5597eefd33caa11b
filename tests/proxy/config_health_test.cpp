#include "proxy/config_health.h"

#include "tests/proxy/config_text.h"

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;

#define WITH_HEALTH(settings) WITH_UPSTREAM("health = { " settings " };")
#define HEALTH "site.upstreams[0].health."

HealthCheck read(const std::string& settings) {
  auto config = parse(
      kListeners,
      SITE(HOSTS, "{ name = \"u\"; servers = [ \"10.0.0.1:80\" ]; health = { " + settings + " }; }", ROUTE, ""));
  EXPECT_TRUE(config) << first_error(config);
  if (!config || !config->sites[0].upstreams[0].health) return {};
  return *config->sites[0].upstreams[0].health;
}

TEST(HealthConfig, IsAbsentUnlessConfigured) {
  auto config = parse(kListeners);
  ASSERT_TRUE(config);
  EXPECT_FALSE(config->sites[0].upstreams[0].health);
}

TEST(HealthConfig, HasDefaults) {
  HealthCheck expected;
  EXPECT_EQ(read("type = \"http\";"), expected);
  EXPECT_EQ(expected.path, "/");
  EXPECT_EQ(expected.method, "GET");
  EXPECT_EQ(expected.expect_status, (std::vector<policy::StatusRange>{{200, 399}}));
  EXPECT_EQ(expected.timing.interval, 2s);
  EXPECT_EQ(expected.timing.fast_interval, 500ms);
  EXPECT_EQ(expected.timing.timeout, 1s);
  EXPECT_EQ(expected.timing.rise, 2);
  EXPECT_EQ(expected.timing.fall, 3);
}

TEST(HealthConfig, EverySettingArrives) {
  HealthCheck expected;
  expected.path = "/health?full=1";
  expected.host = "app.example:8080";
  expected.method = "POST";
  expected.port = 8081;
  expected.expect_status = {{200, 299}, {404, 404}};
  expected.expect_body = "\"ok\"";
  expected.timing = {10s, 1s, 3s, 5s, 1, 100};
  EXPECT_EQ(
      read("type = \"http\"; path = \"/health?full=1\"; host = \"app.example:8080\"; method = \"POST\"; "
           "port = 8081; expect_status = [ \"200-299\", \"404\" ]; expect_body = \"\\\"ok\\\"\"; "
           "interval = \"10s\"; fast_interval = \"1s\"; jitter = \"3s\"; timeout = \"5s\"; rise = 1; fall = 100;"),
      expected);
  EXPECT_EQ(read("type = \"tcp\"; port = 5432;").type, HealthCheck::Type::tcp);
}

TEST(HealthConfig, OtherTimesFollowTheInterval) {
  const auto timing = read("type = \"tcp\"; interval = \"200ms\";").timing;
  EXPECT_EQ(timing.timeout, 200ms);
  EXPECT_EQ(timing.fast_interval, 100ms);
  EXPECT_EQ(timing.jitter, 20ms);
  EXPECT_EQ(read("type = \"tcp\"; interval = \"100ms\";").timing.fast_interval, 100ms);
  EXPECT_EQ(read("type = \"tcp\"; interval = \"1m\";").timing.fast_interval, 15s);
}

const Mistake kMistakes[] = {
    {"no_type", "", WITH_HEALTH(""), HEALTH "type", "is missing"},
    {"bad_type", "", WITH_HEALTH("type = \"icmp\";"), HEALTH "type", "icmp"},
    {"https_without_tls", "", WITH_HEALTH("type = \"https\";"), HEALTH "type", "the upstream's tls"},
    {"path", "", WITH_HEALTH("type = \"http\"; path = \"health\";"), HEALTH "path", "is not a path of a URL"},
    {"path_with_blank", "", WITH_HEALTH("type = \"http\"; path = \"/a b\";"), HEALTH "path", "is not a path"},
    {"host", "", WITH_HEALTH("type = \"http\"; host = \"a b\";"), HEALTH "host", "is not a host"},
    {"method", "", WITH_HEALTH("type = \"http\"; method = \"G T\";"), HEALTH "method", "is not a method"},
    {"connect", "", WITH_HEALTH("type = \"http\"; method = \"CONNECT\";"), HEALTH "method", "is not a method"},
    {"status", "", WITH_HEALTH("type = \"http\"; expect_status = [ \"2xx\" ];"), HEALTH "expect_status[0]",
     "expected for example \"204\" or \"200-399\""},
    {"no_status", "", WITH_HEALTH("type = \"http\"; expect_status = [ ];"), HEALTH "expect_status", "is empty"},
    {"body_of_head", "", WITH_HEALTH("type = \"http\"; method = \"HEAD\"; expect_body = \"ok\";"),
     HEALTH "expect_body", "has no body"},
    {"empty_body", "", WITH_HEALTH("type = \"http\"; expect_body = \"\";"), HEALTH "expect_body",
     "1 to 1024 bytes"},
    {"port", "", WITH_HEALTH("type = \"tcp\"; port = 65536;"), HEALTH "port", "expected 1 to 65535"},
    {"tcp_with_path", "", WITH_HEALTH("type = \"tcp\"; path = \"/\";"), HEALTH "path", "has no meaning"},
    {"interval", "", WITH_HEALTH("type = \"tcp\"; interval = \"10ms\";"), HEALTH "interval", "out of range"},
    {"slow_fast", "", WITH_HEALTH("type = \"tcp\"; fast_interval = \"3s\";"), HEALTH "fast_interval",
     "is longer than interval, 2s"},
    {"timeout", "", WITH_HEALTH("type = \"tcp\"; timeout = \"0s\";"), HEALTH "timeout", "out of range"},
    {"rise", "", WITH_HEALTH("type = \"tcp\"; rise = 0;"), HEALTH "rise", "expected 1 to 100"},
    {"fall", "", WITH_HEALTH("type = \"tcp\"; fall = 101;"), HEALTH "fall", "expected 1 to 100"},
    {"unknown", "", WITH_HEALTH("type = \"tcp\"; intervall = \"1s\";"), HEALTH "intervall", "interval"},
};

EXPECT_MISTAKES(HealthConfigMistake, kMistakes);

}  // namespace
}  // namespace vipair::proxy
