#include "vrrp/kernel/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <set>

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

constexpr auto kWall = 1'795'150'800'123ms;  // 2026-11-20T05:00:00.123Z
const Clocks kClocks{TimePoint{1000s}, WallTime{kWall}};

Status status() {
  RouterStatus web;
  web.name = "web";
  web.interface = "eth0";
  web.vrid = 51;
  web.state = "active";
  web.reason = "active_down_timer";
  web.since = kClocks.now - 2500ms;
  web.priority = 200;
  web.effective_priority = 190;
  web.addresses = {"192.0.2.100/24"};
  web.peer = RouterStatus::Peer{"192.0.2.12", 100, kClocks.now - 40ms};
  web.counters = {{"sent_advertisements", 7}, {"checksum_errors", 0}};
  RouterStatus six = web;
  six.family = IpFamily::ipv6;
  six.state = "fault";
  six.faults = {"proxy: not \"connected\"\n"};
  six.addresses = {};
  six.peer.reset();
  six.counters = {{"sent_advertisements", 1}};
  PathStatus path;
  path.interface = "eth1";
  path.peer = "198.51.100.12";
  path.is_further = path.is_heard = true;
  path.heard = kClocks.now - 250ms;
  path.counters = {{"received", 3}};
  Status status;
  status.node = "lb-a";
  status.routers = {web, six};
  status.checks = {{"proxy", "proxy", false, "not connected"}};
  status.paths = {path};
  status.counters = {{"ip_ttl_errors", 3}};
  status.warnings = {"look here"};
  return status;
}

TEST(Report, TimeIsRfc3339WithMilliseconds) {
  EXPECT_EQ(rfc3339(WallTime{kWall}), "2026-11-20T05:00:00.123Z");
  EXPECT_EQ(rfc3339(WallTime{}), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(rfc3339(WallTime{-1ns}), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(rfc3339(WallTime{999'999us}), "1970-01-01T00:00:00.999Z") << "never rounded up";
}

TEST(Report, StatusHasThePublishedShape) {
  EXPECT_EQ(status_json(status(), kClocks),
            R"({"node":"lb-a","drained":false,"routers":[)"
            R"({"name":"web","interface":"eth0","vrid":51,"family":"ipv4","version":3,"state":"active",)"
            R"("reason":"active_down_timer","since":"2026-11-20T04:59:57.623Z","priority":200,)"
            R"("effective_priority":190,"faults":[],"addresses":["192.0.2.100/24"],)"
            R"("peer":{"address":"192.0.2.12","priority":100,"heard_ms_ago":40},)"
            R"("counters":{"sent_advertisements":7,"checksum_errors":0}},)"
            R"({"name":"web","interface":"eth0","vrid":51,"family":"ipv6","version":3,"state":"fault",)"
            R"("reason":"active_down_timer","since":"2026-11-20T04:59:57.623Z","priority":200,)"
            R"("effective_priority":190,"faults":["proxy: not \"connected\"\n"],"addresses":[],"peer":null,)"
            R"("counters":{"sent_advertisements":1}}],)"
            R"("checks":[{"name":"proxy","type":"proxy","up":false,"reason":"not connected"}],)"
            R"("paths":[{"interface":"eth1","peer":"198.51.100.12","further":true,"heard":true,"hears_us":false,)"
            R"("heard_ms_ago":250,"counters":{"received":3}}],)"
            R"("warnings":["look here"],"counters":{"ip_ttl_errors":3}})");
}

TEST(Report, PathsAreToldInStatusAndMetrics) {
  Status paths = status();
  PathStatus path;
  path.interface = "eth1";
  path.peer = "198.51.100.12";
  path.is_further = path.is_heard = true;
  path.heard = kClocks.now - 30ms;
  path.counters = {{"received", 8}};
  paths.paths = {path};
  EXPECT_THAT(status_json(paths, kClocks),
              HasSubstr(R"("paths":[{"interface":"eth1","peer":"198.51.100.12","further":true,"heard":true,)"
                        R"("hears_us":false,"heard_ms_ago":30,"counters":{"received":8}}])"));
  const std::string metrics = metrics_text(paths, {}, {}, kClocks);
  EXPECT_THAT(metrics, HasSubstr("vipair_vrrp_path_heard{interface=\"eth1\",peer=\"198.51.100.12\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("vipair_vrrp_path_received_total{interface=\"eth1\",peer=\"198.51.100.12\"} 8\n"));
}

TEST(Report, StartIsToldInStatusAndMetrics) {
  Status started = status();
  started.started = kClocks.now - 1s;
  EXPECT_THAT(status_json(started, kClocks), HasSubstr(R"("started":"2026-11-20T04:59:59.123Z")"));
  EXPECT_THAT(metrics_text(started, {}, {}, kClocks), HasSubstr("vipair_vrrp_start_time_seconds 1795150799.123"));
}

TEST(Report, RefusedReloadListsItsErrors) {
  EXPECT_EQ(errors_json({{"node.conf", 7, "node", "is \"bad\""}}),
            R"({"reloaded":false,"errors":["node.conf:7: node: is \"bad\""]})");
}

TEST(Report, EventsHaveACursorWithoutGaps) {
  EventRing ring;
  EXPECT_EQ(ring.json(0), "[]");
  ring.add({kClocks.now - 1s, JournalEntry::Level::warn, "web/ipv4", "fault", "a \"text\""}, kClocks);
  EXPECT_EQ(ring.json(0), R"([{"cursor":1,"at":"2026-11-20T04:59:59.123Z","level":"warn","router":"web/ipv4",)"
                          R"("event":"fault","text":"a \"text\""}])");
  EXPECT_EQ(ring.json(1), "[]");
  for (std::size_t i = 0; i < EventRing::kEventsMax; ++i)
    ring.add({kClocks.now, JournalEntry::Level::info, "", "state", "x"}, kClocks);
  const auto events = boost::json::parse(ring.json(0)).as_array();
  ASSERT_EQ(events.size(), EventRing::kEventsMax) << "bounded";
  EXPECT_EQ(events.front().at("cursor").to_number<int>(), 2);
  EXPECT_EQ(events.back().at("cursor").to_number<std::size_t>(), EventRing::kEventsMax + 1);
  EXPECT_EQ(boost::json::parse(ring.json(EventRing::kEventsMax)).as_array().size(), 1u);
  EXPECT_EQ(ring.lines(EventRing::kEventsMax), ring.last_line());
  EXPECT_EQ(ring.json(EventRing::kEventsMax + 1), "[]");
}

TEST(Report, ChangeOfRoleIsToldInParts) {
  JournalEntry entry{kClocks.now, JournalEntry::Level::info, "web/ipv4", "state", "nothing heard"};
  entry.change = RoleChange{"web",
                            IpFamily::ipv4,
                            "eth0",
                            51,
                            "backup",
                            "active",
                            "silence",
                            "nothing heard",
                            "change",
                            {"192.0.2.100/24"},
                            RouterStatus::Peer{"192.0.2.12", 100, kClocks.now - 1s}};
  EXPECT_EQ(event_json(entry, 7, kClocks),
            R"({"cursor":7,"at":"2026-11-20T05:00:00.123Z","level":"info","router":"web/ipv4","event":"state",)"
            R"("text":"nothing heard","name":"web","family":"ipv4","interface":"eth0","vrid":51,"from":"backup",)"
            R"("to":"active","reason":"silence","phase":"change","addresses":["192.0.2.100/24"],)"
            R"("peer":{"address":"192.0.2.12","priority":100,"heard":"2026-11-20T04:59:59.123Z"}})");
  entry.change->peer.reset();
  EXPECT_TRUE(event_json(entry, 7, kClocks).ends_with(R"("peer":null})"));
}

TEST(Report, CursorFromBeforeARestartGetsEverything) {
  EventRing ring;
  EXPECT_EQ(ring.last_line(), "");
  for (int i = 0; i < 3; ++i) ring.add({kClocks.now, JournalEntry::Level::info, "", "state", "x"}, kClocks);
  const std::string all = ring.lines(7);
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 3);
  EXPECT_TRUE(all.ends_with(ring.last_line()));
}

TEST(Report, LogLineNamesRouterAndEvent) {
  EXPECT_EQ(log_line({kClocks.now, JournalEntry::Level::info, "web/ipv4", "state", "backup → active"}),
            "backup → active router=web/ipv4 event=state");
  EXPECT_EQ(log_line({kClocks.now, JournalEntry::Level::info, "", "reload", "loaded"}), "loaded event=reload");
}

TEST(Report, LagRemembersItsWorst) {
  LoopLag lag;
  lag.add(20ms);
  lag.add(-5ms);
  EXPECT_EQ(lag.last(), 0ms);
  EXPECT_EQ(lag.max(), 20ms);
  lag.add(LoopLag::kLate);
  EXPECT_EQ(lag.late_turns(), 1u) << "more than late";
}

TEST(Report, MetricsHaveEveryCounterOnceAndEveryStateOfEveryRouter) {
  LoopLag lag;
  lag.add(20ms);
  const std::string text = metrics_text(status(), lag, {{"claims", "Claims.", 4}}, kClocks);
  const std::string v4 = R"(router="web",interface="eth0",vrid="51",family="ipv4")";
  const std::string v6 = R"(router="web",interface="eth0",vrid="51",family="ipv6")";
  for (const std::string& line : std::initializer_list<std::string>{
           "vipair_vrrp_info{node=\"lb-a\",version=\"" VIPAIR_VERSION "\"} 1",
           "vipair_vrrp_state{" + v4 + R"(,state="active"} 1)",
           "vipair_vrrp_state{" + v4 + R"(,state="backup"} 0)",
           "vipair_vrrp_state{" + v6 + R"(,state="fault"} 1)",
           "vipair_vrrp_state_seconds{" + v4 + "} 2.5",
           "vipair_vrrp_priority{" + v4 + "} 200",
           "vipair_vrrp_effective_priority{" + v4 + "} 190",
           "vipair_vrrp_faults{" + v6 + "} 1",
           "vipair_vrrp_addresses{" + v4 + "} 1",
           "vipair_vrrp_peer_heard_seconds{" + v4 + "} 0.04",
           "vipair_vrrp_sent_advertisements_total{" + v4 + "} 7",
           "vipair_vrrp_sent_advertisements_total{" + v6 + "} 1",
           "vipair_vrrp_checksum_errors_total{" + v4 + "} 0",
           std::string("vipair_vrrp_agent_ip_ttl_errors_total 3"),
           std::string("vipair_vrrp_claims_total 4"),
           std::string(R"(vipair_vrrp_check_up{check="proxy",type="proxy"} 0)"),
           std::string(R"(vipair_vrrp_path_heard{interface="eth1",peer="198.51.100.12"} 1)"),
           std::string("vipair_vrrp_warnings 1"),
           std::string("vipair_vrrp_loop_lag_max_seconds 0.02"),
           std::string("vipair_vrrp_loop_late_turns_total 1")})
    EXPECT_THAT("\n" + text, HasSubstr("\n" + line + "\n"));
  EXPECT_THAT(text, Not(HasSubstr("vipair_vrrp_checksum_errors_total{" + v6)));
  // a family is named once, or Prometheus refuses the page
  std::set<std::string> families;
  for (std::size_t at = 0; (at = text.find("# TYPE ", at)) != std::string::npos; ++at)
    EXPECT_TRUE(families.insert(text.substr(at, text.find('\n', at) - at)).second) << text.substr(at, 60);
}

}  // namespace
TEST(Report, PlanSaysWhoIsActiveWhereverItFails) {
  PlanRow nothing;
  nothing.group = "web";
  nothing.here = nothing.there = nothing.everywhere = PlannedActive::this_node;
  PlanRow both = nothing;
  both.failing = {"gateway", "proxy"};
  both.here = PlannedActive::peer;
  both.everywhere = PlannedActive::nobody;
  EXPECT_EQ(plan_json({nothing, both}),
            R"({"rows":[{"group":"web","failing":"nothing","here":"this node","there":"this node",)"
            R"("everywhere":"this node"},{"group":"web","failing":"gateway, proxy","here":"peer",)"
            R"("there":"this node","everywhere":"nobody"}]})");
  PlanRow down = nothing;
  down.is_node_down = true;
  EXPECT_NE(plan_json({down}).find(R"("failing":"the whole node")"), std::string::npos);
}

}  // namespace vipair::vrrp
