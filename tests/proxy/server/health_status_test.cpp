#include "proxy/server/health_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "proxy/server/metrics.h"
#include "proxy/server/status.h"
#include "tests/support/conversation.h"

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

struct HealthStatus : public ::testing::Test {
  HealthStatus() {
    view.snapshot = snapshot.get();
    view.now = TimePoint(1h);
  }
  const Server& server(std::size_t index) const { return *snapshot->upstreams[0].servers[index]; }
  boost::json::value status() const { return boost::json::parse(status_json(view)); }

  std::shared_ptr<const Snapshot> snapshot = make_snapshot(testing::simple_config(2), 1, nullptr);
  ServerView view;
};

TEST_F(HealthStatus, SaysWhatTheChecksOfAServerFound) {
  CheckReport& check = view.checks[&server(1)];
  check.is_up = false;
  check.reason = "status 503, expected 200-399";
  check.since = view.now - 3s;
  check.checks = 12;
  check.failures = 2;
  view.usable_upstreams = {1, 2};
  const auto servers = status().at("upstreams").at(0).at("servers");
  EXPECT_TRUE(servers.at(0).at("check").is_null());
  EXPECT_EQ(servers.at(1).at("check").at("reason").as_string(), "status 503, expected 200-399");
  EXPECT_EQ(servers.at(1).at("check").at("since_seconds").to_number<int>(), 3);
  const std::string metrics = metrics_text(view);
  EXPECT_THAT(metrics, HasSubstr("vipair_proxy_server_check_failures_total{site=\"*\",upstream=\"app\","
                                 "server=\"10.0.0.2:80\"} 2\n"));
  EXPECT_THAT(metrics, HasSubstr("vipair_proxy_upstreams 2\n"));
  EXPECT_THAT(metrics, HasSubstr("vipair_proxy_upstreams_usable 1\n"));
}

TEST_F(HealthStatus, TellsOfNamesAndHowOldTheirAnswersAre) {
  EXPECT_EQ(status().as_object().count("names"), 0u);
  EXPECT_THAT(metrics_text(view), Not(HasSubstr("vipair_proxy_name_")));
  NameReport name;
  name.query = {"app.internal", false};
  name.targets = {"10.0.0.1"};
  name.answered_at = view.now - 70s;
  name.ttl = 30s;
  name.error = "Timeout while contacting DNS servers";
  name.failures = 4;
  NameReport fresh;
  fresh.query = {"_http._tcp.app.internal", true};
  view.names = {name, fresh};
  const auto names = status().at("names");
  EXPECT_EQ(names.at(0).at("addresses").at(0).as_string(), "10.0.0.1");
  EXPECT_EQ(names.at(0).at("age_seconds").to_number<int>(), 70);
  EXPECT_EQ(names.at(0).at("ttl_seconds").to_number<int>(), 30);
  EXPECT_EQ(names.at(0).at("error").as_string(), "Timeout while contacting DNS servers");
  EXPECT_EQ(names.at(1).at("type").as_string(), "SRV");
  EXPECT_TRUE(names.at(1).at("age_seconds").is_null());
  EXPECT_THAT(metrics_text(view),
              HasSubstr("vipair_proxy_name_failures_total{name=\"app.internal\",type=\"address\"} 4\n"));
}

}  // namespace
}  // namespace vipair::proxy
