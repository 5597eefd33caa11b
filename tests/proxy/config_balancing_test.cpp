#include "proxy/config_balancing.h"

#include "tests/proxy/config_text.h"

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;

const Mistake kMistakes[] = {
    {"balance", "", WITH_UPSTREAM("balance = \"fair\";"), "site.upstreams[0].balance", "round_robin"},
    {"hash_on_nothing", "", WITH_UPSTREAM("balance = \"hash\"; hash_on = \"weather\";"),
     "site.upstreams[0].hash_on", "is nothing to go by"},
    {"hash_on_no_name", "", WITH_UPSTREAM("balance = \"hash\"; hash_on = \"header:\";"),
     "site.upstreams[0].hash_on", "expected \"address\", \"path\", \"header:NAME\""},
    {"hash_on_bad_name", "", WITH_UPSTREAM("balance = \"hash\"; hash_on = \"cookie:a b\";"),
     "site.upstreams[0].hash_on", "is nothing to go by"},
    {"hash_on_without_hash", "", WITH_UPSTREAM("hash_on = \"path\";"), "site.upstreams[0].hash_on",
     "has no effect without balance = \"hash\""},
    {"hash_load_max", "", WITH_UPSTREAM("balance = \"hash\"; hash_load_max = \"100%\";"),
     "site.upstreams[0].hash_load_max", "expected \"101%\" to \"1000%\""},
    {"hash_load_max_number", "", WITH_UPSTREAM("balance = \"hash\"; hash_load_max = \"1.25\";"),
     "site.upstreams[0].hash_load_max", "out of range"},
    {"slow_start", "", WITH_UPSTREAM("slow_start = \"2h\";"), "site.upstreams[0].slow_start", "out of range"},
    {"slow_start_with_hash", "", WITH_UPSTREAM("balance = \"hash\"; slow_start = \"10s\";"),
     "site.upstreams[0].slow_start", "has no effect with balance"},
    {"failures", "", WITH_UPSTREAM("passive_health = { failures = -1; };"),
     "site.upstreams[0].passive_health.failures", "out of range"},
    {"eject", "", WITH_UPSTREAM("passive_health = { eject = \"1ms\"; };"), "site.upstreams[0].passive_health.eject",
     "out of range"},
    {"eject_max", "", WITH_UPSTREAM("passive_health = { eject = \"20s\"; eject_max = \"10s\"; };"),
     "site.upstreams[0].passive_health.eject_max", "is shorter than eject, 20s"},
    {"statuses", "", WITH_UPSTREAM("passive_health = { statuses = [ \"200\" ]; };"),
     "site.upstreams[0].passive_health.statuses[0]", "expected \"400\" to \"599\""},
    {"unknown_passive", "", WITH_UPSTREAM("passive_health = { failure = 5; };"),
     "site.upstreams[0].passive_health.failure", "failures"},
    {"attempts", "", WITH_UPSTREAM("retries = { attempts = 0; };"), "site.upstreams[0].retries.attempts",
     "out of range"},
    {"budget", "", WITH_UPSTREAM("retries = { budget = \"20\"; };"), "site.upstreams[0].retries.budget",
     "expected \"0%\" to \"1000%\""},
    {"queue_timeout", "",
     SITE(HOSTS,
          "{ name = \"u\"; servers = ( { address = \"10.0.0.1:80\"; max_connections = 1; } ); "
          "queue = { timeout = \"0s\"; }; }",
          ROUTE, ""),
     "site.upstreams[0].queue.timeout", "out of range"},
};

EXPECT_MISTAKES(BalancingConfigMistake, kMistakes);

Balancing balancing_of(const std::string& settings) {
  const std::string upstream =
      "{ name = \"u\"; servers = ( { address = \"10.0.0.1:80\"; max_connections = 1; } ); " + settings + " }";
  auto config = parse(
      kListeners, "site = { hosts = [ " HOSTS " ]; upstreams = ( " + upstream + " ); routes = ( " ROUTE " ); };");
  EXPECT_TRUE(config) << first_error(config);
  return config ? config->sites[0].upstreams[0].balancing : Balancing{};
}

TEST(BalancingConfig, HasDefaults) {
  const Balancing balancing = balancing_of("");
  EXPECT_EQ(balancing, Balancing{});
  EXPECT_EQ(balancing.algorithm, policy::Algorithm::round_robin);
  EXPECT_EQ(balancing.breaker.failures, 5u);
  EXPECT_EQ(balancing.retries.attempts, 2);
  EXPECT_EQ(balancing.queue.length, 100u);
}

TEST(BalancingConfig, TakesEverySetting) {
  const Balancing balancing = balancing_of(R"(
    balance = "hash"; hash_on = "header:X-User"; hash_load_max = "125%";
    passive_health = { failures = 3; eject = "2s"; eject_max = "1m"; statuses = [ "502", "503" ]; };
    retries = { attempts = 3; budget = "50%"; idempotent = true; };
    queue = { length = 7; timeout = "1s"; };)");
  EXPECT_EQ(balancing.algorithm, policy::Algorithm::hash);
  EXPECT_EQ(balancing.hash_on, (HashOn{HashOn::Source::header, "X-User"}));
  EXPECT_EQ(balancing.hash_load_max, 125u);
  EXPECT_EQ(balancing.breaker, (policy::BreakerSettings{3, 2s, 1min}));
  EXPECT_TRUE(balancing.failure_statuses.test(502) && balancing.failure_statuses.test(503));
  EXPECT_EQ(balancing.failure_statuses.count(), 2u);
  EXPECT_EQ(balancing.retries, (policy::RetrySettings{3, 50, true}));
  EXPECT_EQ(balancing.queue, (Queue{7, 1s}));
}

TEST(BalancingConfig, KnowsEveryAlgorithmAndSource) {
  EXPECT_EQ(balancing_of("balance = \"least_connections\"; slow_start = \"30s\";").slow_start, 30s);
  EXPECT_EQ(balancing_of("balance = \"random\";").algorithm, policy::Algorithm::random);
  EXPECT_EQ(balancing_of("balance = \"hash\";").hash_on.source, HashOn::Source::address);
  EXPECT_EQ(balancing_of("balance = \"hash\"; hash_on = \"path\";").hash_on.source, HashOn::Source::path);
  EXPECT_EQ(balancing_of("balance = \"hash\"; hash_on = \"cookie:sid\";").hash_on,
            (HashOn{HashOn::Source::cookie, "sid"}));
}

TEST(BalancingConfig, ALongEjectionIsItsOwnMaximum) {
  EXPECT_EQ(balancing_of("passive_health = { eject = \"1h\"; };").breaker.eject_max, 1h);
}

}  // namespace
}  // namespace vipair::proxy
