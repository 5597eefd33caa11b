#include "proxy/server/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "tests/support/server_view.h"

namespace vipair::proxy {
namespace {

using ::testing::HasSubstr;

TEST(Status, SumsTheWorkers) {
  testing::ViewOfTwoWorkers f;
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
  testing::ViewOfTwoWorkers f;
  const boost::json::value status = boost::json::parse(status_json(f.view));
  const auto& reload = status.at("config").at("last_reload");
  EXPECT_FALSE(reload.at("ok").as_bool());
  EXPECT_EQ(reload.at("time").as_string(), "1994-11-06T08:49:37.123Z");
  EXPECT_EQ(reload.at("errors").at(0).at("line").to_number<int>(), 7);
  EXPECT_EQ(reload.at("errors").at(0).at("text").as_string(), "proxy.conf:7: workers: 300 is out of range");
}

TEST(Status, AnswersAReload) {
  EXPECT_EQ(reload_json({}), "{\"reloaded\":true,\"errors\":[]}\n");
  EXPECT_THAT(reload_json({{"a", 1, "b", "c"}}), HasSubstr("\"reloaded\":false"));
}

}  // namespace
}  // namespace vipair::proxy
