#include "common/ctl/render.h"

#include <boost/json.hpp>

#include "gtest/gtest.h"

namespace vipair::ctl {
namespace {

boost::json::value parse(const std::string& text) {
  boost::system::error_code error;
  auto value = boost::json::parse(text, error);
  EXPECT_FALSE(error) << text;
  return value;
}

TEST(Render, AgentStatusIsATable) {
  const auto status = parse(R"({
    "node": "lb-a",
    "routers": [
      { "name": "web", "interface": "eth0", "vrid": 51, "family": "ipv4", "version": 3, "state": "active",
        "reason": "active_down_timer", "since": "2026-11-20T05:00:00.123Z", "priority": 200,
        "effective_priority": 200, "faults": [], "addresses": ["192.0.2.100/24", "192.0.2.101/24"],
        "peer": { "address": "192.0.2.12", "priority": 100, "heard_ms_ago": 40 }, "counters": { "sent": 5 } },
      { "name": "web", "interface": "eth0", "vrid": 51, "family": "ipv6", "version": 3, "state": "fault",
        "reason": "fault", "since": "2026-11-20T05:00:00.123Z", "priority": 200, "effective_priority": 180,
        "faults": ["proxy: not connected", "interface eth0: no carrier"], "addresses": ["2001:db8::100/64"],
        "peer": null, "counters": {} } ],
    "checks": [ { "name": "proxy", "type": "proxy", "up": false, "reason": "not connected" },
                { "name": "gateway", "type": "neighbour", "up": true, "reason": "" } ],
    "warnings": [ "memory lock: not permitted" ],
    "counters": {} })");
  EXPECT_EQ(render_vrrp_status(status),
            "node lb-a\n"
            "\n"
            "ROUTER    INTERFACE  VRID  STATE   PRIORITY    SINCE                     REASON             PEER"
            "                         ADDRESSES\n"
            "web/ipv4  eth0       51    active  200         2026-11-20T05:00:00.123Z  active_down_timer  "
            "192.0.2.12 (100), 40 ms ago  192.0.2.100/24, 192.0.2.101/24\n"
            "web/ipv6  eth0       51    fault   180 of 200  2026-11-20T05:00:00.123Z  fault              "
            "-                            2001:db8::100/64\n"
            "\n"
            "fault: web/ipv6: proxy: not connected\n"
            "fault: web/ipv6: interface eth0: no carrier\n"
            "\n"
            "CHECK    TYPE       STATE  REASON\n"
            "proxy    proxy      DOWN   not connected\n"
            "gateway  neighbour  up     -\n"
            "\n"
            "warning: memory lock: not permitted\n");
}

TEST(Render, MissingAndWrongKeysAreDashes) {
  EXPECT_EQ(render_vrrp_status(parse(R"({ "routers": [ {}, 5, { "name": null, "faults": 7, "peer": "x" } ],
                                          "checks": [ { "up": "yes" } ] })")),
            "node -\n"
            "\n"
            "ROUTER  INTERFACE  VRID  STATE  PRIORITY  SINCE  REASON  PEER  ADDRESSES\n"
            "-/-     -          -     -      -         -      -       -     -\n"
            "-/-     -          -     -      -         -      -       -     -\n"
            "-/-     -          -     -      -         -      -       -     -\n"
            "\n"
            "CHECK  TYPE  STATE  REASON\n"
            "-      -     -      -\n");
  for (const char* text : {"null", "5", "[]", "{}", "\"x\""}) {
    EXPECT_EQ(render_vrrp_status(parse(text)), "node -\n\nno virtual routers\n") << text;
    EXPECT_EQ(render_errors(parse(text)), "") << text;
  }
  EXPECT_EQ(render_proxy_status(parse("[]")), "proxy\n  -\n");
  EXPECT_EQ(render_proxy_status(parse("{}")), "proxy\n");
  EXPECT_EQ(render_events(parse("{}")), "-\n");
}

TEST(Render, ProxyStatusShowsWhatItIsTold) {
  const auto status = parse(R"({
    "node": "lb-a", "ready": true, "uptime_seconds": 120, "load": 0.5, "workers": 2,
    "listeners": [ "0.0.0.0:80", "[::]:80" ],
    "connections": { "now": 5, "accepted": 100 },
    "sites": [ { "hosts": ["blog.example.com", "*.blog.example.com"], "routes": 2 } ],
    "upstreams": [
      { "name": "blog", "balance": "round_robin",
        "servers": [ { "address": "10.0.0.11:80", "up": true, "active": 3, "idle": 1, "requests": 70, "failures": 0,
          "check": { "reason": "status 200" } },
                     { "address": "10.0.0.12:80", "up": false, "active": 0, "failures": 9 } ] },
      { "name": "shop", "servers": [] } ],
    "warnings": [ "no agent" ] })");
  EXPECT_EQ(render_proxy_status(status),
            "proxy\n"
            "  node: lb-a\n"
            "  ready: yes\n"
            "  uptime_seconds: 120\n"
            "  load: 0.5\n"
            "  workers: 2\n"
            "  listeners: 0.0.0.0:80, [::]:80\n"
            "  connections: now=5 accepted=100\n"
            "\n"
            "sites\n"
            "HOSTS                                 ROUTES\n"
            "blog.example.com, *.blog.example.com  2\n"
            "\n"
            "upstreams\n"
            "NAME  BALANCE\n"
            "blog  round_robin\n"
            "shop  -\n"
            "\n"
            "UPSTREAM  SERVER        STATE  ACTIVE  IDLE  REQUESTS  FAILURES  CHECK\n"
            "blog      10.0.0.11:80  up     3       1     70        0         status 200\n"
            "blog      10.0.0.12:80  DOWN   0       -     -         9         -\n"
            "\n"
            "warning: no agent\n");
}

TEST(Render, EventsAreLines) {
  const auto events = parse(R"([
    { "cursor": 1, "at": "2026-11-20T05:00:00.123Z", "level": "info", "router": "web/ipv4", "event": "state",
      "text": "backup -> active: active_down_timer" },
    { "cursor": 2, "at": "2026-11-20T05:00:01.000Z", "level": "warn", "router": "", "event": "gate",
      "text": "two\nlines" } ])");
  EXPECT_EQ(render_events(events),
            "2026-11-20T05:00:00.123Z info web/ipv4 state: backup -> active: active_down_timer\n"
            "2026-11-20T05:00:01.000Z warn - gate: two?lines\n");
  EXPECT_EQ(render_events(parse("[]")), "");
}

TEST(Render, RefusalIsALinePerMistake) {
  EXPECT_EQ(render_errors(parse(R"({ "reloaded": false, "errors": [ "node.conf:7: vrid: 256 is out of range",
                                     { "file": "node.conf", "text": "node.conf:9: x: is not a known setting" } ] })")),
            "node.conf:7: vrid: 256 is out of range\n"
            "node.conf:9: x: is not a known setting\n");
}

TEST(Render, ControlCharactersNeverReachTheTerminal) {
  EXPECT_EQ(printable("a\x1b[31mb\x07\x7f\n"), "a?[31mb???");
  EXPECT_EQ(printable("caf\xC3\xA9 \xC2\x9B"
                      "31m \xC2\xA0"),
            "caf\xC3\xA9 ?31m \xC2\xA0");
  EXPECT_EQ(printable("\xC2"), "\xC2");
  const auto status = parse(R"({ "node": "\u001b[2J", "routers": [ { "name": "\u001b", "faults": [ "\u0007" ] } ],
                                 "warnings": [ "\u001b" ], "\u001bkey": { "\u001b": "\u001b" },
                                 "list": [ { "\u001b": "\u001b" } ] })");
  for (const std::string& text : {render_vrrp_status(status), render_proxy_status(status)})
    for (char c : text) EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= ' ') << text;
}

TEST(Render, WideLettersKeepTheColumns) {
  const std::string text =
      render_vrrp_status(parse(R"({ "checks": [ { "name": "é", "type": "a" }, { "name": "ee", "type": "b" } ] })"));
  EXPECT_NE(text.find("é      a"), std::string::npos) << text;
  EXPECT_NE(text.find("ee     b"), std::string::npos) << text;
}

}  // namespace
}  // namespace vipair::ctl
