#include "proxy/server/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "tests/support/conversation.h"

namespace vipair::proxy {
namespace {

using ::testing::HasSubstr;

struct Fixture {
  std::shared_ptr<const Snapshot> snapshot = make_snapshot(testing::simple_config(2), 2, nullptr);
  WorkerCounters one, two;
  ConfigErrors errors{{"proxy.conf", 7, "workers", "300 is out of range"}};
  ServerView view;

  Fixture() {
    view.snapshot = snapshot.get();
    view.now = TimePoint(std::chrono::hours(1));
    view.uptime = std::chrono::seconds(90);
    view.phase = "serving";
    view.role = NodeRole::active;
    view.gate_connected = true;
    view.last_reload = WallTime(std::chrono::milliseconds(784111777123));
    view.last_reload_errors = &errors;
    view.workers = {{&one, 5, std::chrono::milliseconds(12)}, {&two, 6, std::chrono::milliseconds(0)}};
    view.listeners = {*IpEndpoint::parse("0.0.0.0:80")};
    one.requests.add(3);
    two.requests.add(4);
    one.responses[2].add(7);
    two.refused[static_cast<std::size_t>(http::HeadError::bare_lf)].add(2);
    one.failed[1][static_cast<std::size_t>(policy::Stage::connect)][0].add(5);
    snapshot->upstreams[0].servers[1]->slots[1].active.add(2);
    for (auto& slot : snapshot->upstreams[0].servers[0]->slots) {
      slot.avoid_until.store((view.now + std::chrono::seconds(1)).time_since_epoch().count());
    }
  }
};

TEST(Status, SumsTheWorkers) {
  Fixture f;
  const boost::json::value status = boost::json::parse(status_json(f.view));
  EXPECT_EQ(status.at("node").as_string(), "lb-a");
  EXPECT_EQ(status.at("state").as_string(), "serving");
  EXPECT_EQ(status.at("gate").at("role").as_string(), "active");
  EXPECT_EQ(status.at("uptime_seconds").to_number<int>(), 90);
  EXPECT_EQ(status.at("requests").at("total").to_number<int>(), 7);
  EXPECT_EQ(status.at("requests").at("2xx").to_number<int>(), 7);
  EXPECT_EQ(status.at("workers").as_array().size(), 2u);
  EXPECT_EQ(status.at("workers").at(0).at("heartbeat_age_ms").to_number<int>(), 12);
  EXPECT_EQ(status.at("listeners").at(0).at("address").as_string(), "0.0.0.0:80");
  const auto& servers = status.at("upstreams").at(0).at("servers");
  EXPECT_EQ(servers.at(0).at("address").as_string(), "10.0.0.1:80");
  EXPECT_FALSE(servers.at(0).at("up").as_bool());
  EXPECT_TRUE(servers.at(1).at("up").as_bool());
  EXPECT_EQ(servers.at(1).at("active").to_number<int>(), 2);
}

TEST(Status, NamesWhatWasWrongWithTheLastReload) {
  Fixture f;
  const boost::json::value status = boost::json::parse(status_json(f.view));
  const auto& reload = status.at("config").at("last_reload");
  EXPECT_FALSE(reload.at("ok").as_bool());
  EXPECT_EQ(reload.at("time").as_string(), "1994-11-06T08:49:37.123Z");
  EXPECT_EQ(reload.at("errors").at(0).at("line").to_number<int>(), 7);
  EXPECT_EQ(reload.at("errors").at(0).at("text").as_string(), "proxy.conf:7: workers: 300 is out of range");
}

TEST(Status, WritesMetrics) {
  Fixture f;
  const std::string text = metrics_text(f.view);
  EXPECT_THAT(text, HasSubstr("vipair_proxy_responses_total{class=\"2xx\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("vipair_proxy_refused_heads_total{reason=\"bare_lf\"} 2\n"));
  EXPECT_THAT(text,
              HasSubstr("vipair_proxy_failures_total{side=\"upstream\",stage=\"connect\",cause=\"refused\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("vipair_proxy_server_up{site=\"*\",upstream=\"app\",server=\"10.0.0.1:80\"} 0\n"));
}

TEST(Status, AnswersAReload) {
  EXPECT_EQ(reload_json({}), "{\"reloaded\":true,\"errors\":[]}\n");
  EXPECT_THAT(reload_json({{"a", 1, "b", "c"}}), HasSubstr("\"reloaded\":false"));
}

}  // namespace
}  // namespace vipair::proxy
