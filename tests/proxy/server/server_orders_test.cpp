#include "proxy/server/server_orders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/conversation.h"

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr TimePoint kNow{1h};

struct Fixture {
  Fixture() {
    Config config = testing::simple_config(2);
    Site other = config.sites[0];
    other.name = "b.example";
    other.hosts = {"b.example"};
    other.upstreams[0].sticky.emplace();
    other.upstreams[0].sticky->keys.emplace_back();
    other.upstreams[0].sticky->drain = 5min;
    config.sites.push_back(other);
    snapshot = make_snapshot(std::move(config), 1, nullptr);
  }
  ControlResponse ask(const char* method, const char* path, const char* query = "") {
    return handle_server_order(*snapshot, {method, path, query, "", true}, kNow);
  }
  Server& server(std::size_t upstream, std::size_t number) {
    return *snapshot->upstreams[upstream].servers[number];
  }
  std::shared_ptr<const Snapshot> snapshot;
};

TEST(ServerOrders, ListEveryServer) {
  Fixture f;
  f.server(0, 1).set_up(false, kNow);
  const ControlResponse response = f.ask("GET", "/servers");
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.body, HasSubstr(R"({"site":"*","upstream":"app","server":"10.0.0.2:80","state":"down")"));
  EXPECT_THAT(response.body,
              HasSubstr(R"({"site":"b.example","upstream":"app","server":"10.0.0.1:80","state":"up")"));
}

TEST(ServerOrders, DrainWhatIsCalledSo) {
  struct Case {
    const char* name;
    bool drains[2][2];
  };
  const Case cases[] = {
      {"10.0.0.1%3A80", {{true, false}, {true, false}}},
      {"app/10.0.0.2:80", {{false, true}, {false, true}}},
      {"b.example/app/10.0.0.1:80", {{false, false}, {true, false}}},
      {"%2A/app/10.0.0.1:80", {{true, false}, {false, false}}},
  };
  for (const Case& c : cases) {
    Fixture f;
    EXPECT_EQ(f.ask("POST", "/servers/drain", (std::string("server=") + c.name).c_str()).status, 200) << c.name;
    for (std::size_t i = 0; i < 4; ++i)
      EXPECT_EQ(f.server(i / 2, i % 2).is_draining.load(), c.drains[i / 2][i % 2]) << c.name << i;
    EXPECT_THAT(f.ask("GET", "/servers").body, HasSubstr(R"("state":"draining")"));
    EXPECT_EQ(f.ask("POST", "/servers/ready", (std::string("server=") + c.name).c_str()).status, 200);
    EXPECT_THAT(f.ask("GET", "/servers").body, Not(HasSubstr("draining")));
  }
}

TEST(ServerOrders, LeaveStickyClientsTheirTime) {
  Fixture f;
  f.ask("POST", "/servers/drain", "server=10.0.0.1:80");
  EXPECT_EQ(f.server(0, 0).sticky_until.load(), kNow.time_since_epoch().count());
  EXPECT_EQ(f.server(1, 0).sticky_until.load(), (kNow + 5min).time_since_epoch().count());
  f.ask("POST", "/servers/drain", "server=10.0.0.1:80&force=1");
  EXPECT_EQ(f.server(1, 0).sticky_until.load(), kNow.time_since_epoch().count());
}

TEST(ServerOrders, AreRefusedWithAnExplanation) {
  Fixture f;
  EXPECT_EQ(f.ask("POST", "/servers/drain").status, 400);
  EXPECT_EQ(f.ask("POST", "/servers/drain", "server=%2").status, 400);
  EXPECT_EQ(f.ask("POST", "/servers/drain", "server=a&soon=1").status, 400);
  EXPECT_EQ(f.ask("GET", "/servers/drain", "server=10.0.0.1:80").status, 405);
  EXPECT_EQ(f.ask("POST", "/servers/stop", "server=10.0.0.1:80").status, 404);
  const ControlResponse unknown = f.ask("POST", "/servers/drain", "server=app/10.0.0.9:80");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_THAT(unknown.body, HasSubstr("no server is called app/10.0.0.9:80"));
}

TEST(ServerOrders, OutliveAReload) {
  Fixture f;
  f.ask("POST", "/servers/drain", "server=10.0.0.1:80");
  f.snapshot = make_snapshot(f.snapshot->config, 1, f.snapshot.get());
  EXPECT_TRUE(f.server(0, 0).is_draining.load());
}

TEST(ServerOrders, NameTheStateOfAServer) {
  Server server("app", *IpEndpoint::parse("10.0.0.1:80"), 2);
  EXPECT_STREQ(state_of(server, kNow), "up");
  server.slots[0].avoid_until = (kNow + 1s).time_since_epoch().count();
  EXPECT_STREQ(state_of(server, kNow), "up") << "the other worker would use it";
  server.slots[1].avoid_until = (kNow + 1s).time_since_epoch().count();
  EXPECT_STREQ(state_of(server, kNow), "ejected");
  EXPECT_STREQ(state_of(server, kNow + 2s), "up");
  server.breaker.open({1}, kNow);
  EXPECT_STREQ(state_of(server, kNow + 2s), "ejected");
  server.set_up(false, kNow);
  EXPECT_STREQ(state_of(server, kNow), "down");
  server.drain(kNow);
  EXPECT_STREQ(state_of(server, kNow), "draining");
}

}  // namespace
}  // namespace vipair::proxy
