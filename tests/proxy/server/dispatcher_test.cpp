#include "proxy/server/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/conversation.h"

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;
using policy::Algorithm;
using policy::Cause;
using policy::Side;
using policy::Stage;
using testing::body_of;
using testing::Conversation;
using testing::first_line;
using testing::simple_config;
using testing::Wire;

using Connect = Conversation::Connect;
constexpr const char* kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr const char* kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

struct Talk : Conversation {
  explicit Talk(Config config) : Conversation(std::move(config)) {}
  Server& server(std::size_t number) { return upstream().servers[number]->server(); }
  LocalUpstream& upstream() { return worker().current().upstreams[0]; }
  UpstreamNumbers::Slot& numbers() { return upstream().line->slot(); }
  // Which server the last connection went to: '1', '2' …
  char last_server() { return server_of(connections() - 1).to_string()[7]; }
  // One request of a new client that ends at once; the server's digit.
  char ask() {
    auto client = connect();
    client->send(kGet);
    run();
    const char server = last_server();
    origin_sends("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    return server;
  }
  std::shared_ptr<Wire> begin(const char* request = kGet) {
    auto client = connect();
    client->send(request);
    run();
    return client;
  }
};

Config config_of(std::size_t servers, void (*change)(Upstream&)) {
  Config config = simple_config(servers);
  change(config.sites[0].upstreams[0]);
  return config;
}

// ---- who is chosen ---------------------------------------------------------------------------

TEST(Dispatch, CountsConnectionsForLeastConnections) {
  Talk talk(config_of(2, [](Upstream& upstream) {
    upstream.balancing.algorithm = Algorithm::least_connections;
    upstream.servers[0].weight = 2;
  }));
  std::string servers;
  std::vector<std::shared_ptr<Wire>> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(talk.begin());
    servers += talk.last_server();
  }
  EXPECT_EQ(std::count(servers.begin(), servers.end(), '1'), 4) << servers;
  EXPECT_EQ(talk.server(0).in_use.load(), 4u);
  EXPECT_EQ(talk.server(0).slots[0].active.get(), 4u);
  for (const auto& client : clients) client->reset();
  talk.run();
  EXPECT_EQ(talk.server(0).in_use.load(), 0u) << "who leaves takes its seat along";
  EXPECT_EQ(talk.server(1).in_use.load(), 0u);
}

TEST(Dispatch, CountsNothingThatNobodyAsksFor) {
  Talk talk(simple_config(2));
  talk.client_sends(kGet);
  EXPECT_EQ(talk.server(0).in_use.load(), 0u);
  EXPECT_EQ(talk.server(0).slots[0].active.get(), 1u);
}

TEST(Dispatch, CountsATunnelUntilItEndsAndBlamesNobodyForHow) {
  Config config = config_of(2, [](Upstream& upstream) {
    upstream.balancing.algorithm = Algorithm::least_connections;
    upstream.balancing.breaker.failures = 1;
  });
  config.sites[0].routes[0].upgrades = {"websocket"};
  Talk talk(config);
  auto client = talk.begin("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  talk.origin_sends("HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  Server& server = talk.server(talk.last_server() == '1' ? 0 : 1);
  EXPECT_EQ(server.in_use.load(), 1u);
  talk.origin().reset();
  talk.run();
  EXPECT_EQ(server.in_use.load(), 0u);
  EXPECT_EQ(server.slots[0].failures.get(), 0u);
  EXPECT_TRUE(server.breaker.is_closed());
}

TEST(Dispatch, UsesBackupsWhileNobodyElseIsUp) {
  Talk talk(config_of(3, [](Upstream& upstream) { upstream.servers[2].is_backup = true; }));
  EXPECT_EQ(talk.ask(), '1');
  talk.server(0).set_up(false, TimePoint{});
  talk.server(1).set_up(false, TimePoint{});
  EXPECT_EQ(talk.ask(), '3');
  talk.server(1).set_up(true, TimePoint{});
  EXPECT_EQ(talk.ask(), '2');
}

TEST(Dispatch, GivesADrainedServerNoNewRequests) {
  Talk talk(simple_config(2));
  talk.client_sends(kGet);
  const char first = talk.last_server();
  talk.server(0).drain(TimePoint{});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(talk.ask(), '2');
  EXPECT_EQ(first, '1');
  talk.origin(0).send(kOk);
  talk.run();
  EXPECT_EQ(body_of(talk.client_gets()), "ok") << "what runs goes on";
  const std::uint64_t before = talk.server(0).slots[0].requests.get();
  talk.server(0).end_drain(TimePoint{});
  talk.client_sends(kGet);
  EXPECT_EQ(talk.server(0).slots[0].requests.get(), before + 1);
}

TEST(Dispatch, StartsSlowlyWhatCameBack) {
  Talk talk(config_of(2, [](Upstream& upstream) { upstream.balancing.slow_start = 10s; }));
  talk.server(0).set_up(false, talk.worker().scheduler.now());
  talk.server(0).set_up(true, talk.worker().scheduler.now());
  auto share = [&] {
    int count = 0;
    for (int i = 0; i < 44; ++i) count += talk.ask() == '1' ? 1 : 0;
    return count;
  };
  EXPECT_EQ(share(), 4) << "a tenth of its weight";
  talk.pass(5s);
  const int later = share();
  EXPECT_GT(later, 10);
  EXPECT_LT(later, 20);
  talk.pass(6s);
  EXPECT_EQ(share(), 22);
}

// ---- failures --------------------------------------------------------------------------------

Config ejecting() {
  return config_of(2, [](Upstream& upstream) {
    upstream.balancing.breaker = {3, 10s, 60s};
    upstream.avoid_failed = 0s;
  });
}

// Lets the next `count` requests that go to this server find nobody there.
void refuse(Talk& talk, char server, int count) {
  while (count > 0) {
    // round robin of two: whose turn it is can be seen from the last one
    const bool is_next = talk.connections() == 0 ? server == '1' : talk.last_server() != server;
    if (!is_next) {
      talk.ask();
      continue;
    }
    talk.on_connect({Connect::refuse});
    talk.ask();
    --count;
  }
}

TEST(Dispatch, EjectsAServerThatFailsInARow) {
  Talk talk(ejecting());
  refuse(talk, '1', 3);
  EXPECT_FALSE(talk.server(0).breaker.is_closed());
  for (int i = 0; i < 4; ++i) EXPECT_EQ(talk.ask(), '2');
  talk.pass(10s);
  EXPECT_EQ(talk.ask(), '1') << "one request probes it";
  EXPECT_TRUE(talk.server(0).breaker.is_closed());
  EXPECT_EQ(talk.ask(), '2');
  EXPECT_EQ(talk.ask(), '1');
}

TEST(Dispatch, AnswersInBetweenMakeARowOfTheirOwn) {
  Talk talk(ejecting());
  for (int i = 0; i < 5; ++i) {
    refuse(talk, '1', 2);
    talk.ask();
    talk.ask();
  }
  EXPECT_TRUE(talk.server(0).breaker.is_closed());
}

TEST(Dispatch, SendsOneProbeAndTriesAgainLaterWhenItFails) {
  Talk talk(ejecting());
  refuse(talk, '1', 3);
  talk.pass(10s);
  talk.on_connect({Connect::hang});
  auto probe = talk.begin();
  EXPECT_EQ(talk.last_server(), '1');
  for (int i = 0; i < 4; ++i) EXPECT_EQ(talk.ask(), '2') << "the others wait for the outcome";
  talk.pass(6s);  // the connect has timed out
  for (int i = 0; i < 4; ++i) EXPECT_EQ(talk.ask(), '2');
  talk.pass(10s);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(talk.ask(), '2') << "twice as long now";
  talk.pass(10s);
  EXPECT_EQ(talk.ask(), '1');
}

TEST(Dispatch, AProbeWhoseClientLeavesIsLeftToTheNext) {
  Talk talk(ejecting());
  refuse(talk, '1', 3);
  talk.pass(10s);
  auto probe = talk.begin();
  ASSERT_EQ(talk.last_server(), '1');
  probe->reset();
  talk.run();
  EXPECT_EQ(talk.ask(), '2') << "round robin";
  EXPECT_EQ(talk.ask(), '1');
  EXPECT_TRUE(talk.server(0).breaker.is_closed());
}

TEST(Dispatch, NeverEjectsTheLastOne) {
  Talk talk(ejecting());
  talk.server(1).set_up(false, TimePoint{});
  for (int i = 0; i < 10; ++i) {
    talk.on_connect({Connect::refuse, Connect::refuse});
    auto client = talk.begin();
    EXPECT_EQ(first_line(client->take()), "HTTP/1.1 502 Bad Gateway");
  }
  EXPECT_TRUE(talk.server(0).breaker.is_closed());
  EXPECT_EQ(talk.ask(), '1');
}

TEST(Dispatch, CountsStatusesAsFailuresWhenTold) {
  Talk talk(config_of(2, [](Upstream& upstream) {
    upstream.balancing.breaker = {2, 10s, 60s};
    upstream.balancing.failure_statuses.set(503);
  }));
  for (int i = 0; i < 4; ++i) {
    auto client = talk.begin();
    talk.origin_sends(talk.last_server() == '1'
                          ? "HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                          : "HTTP/1.1 500 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  }
  EXPECT_FALSE(talk.server(0).breaker.is_closed());
  EXPECT_TRUE(talk.server(1).breaker.is_closed());
}

TEST(Dispatch, TriesAsManyServersAsItMay) {
  Talk talk(config_of(4, [](Upstream& upstream) { upstream.balancing.retries.attempts = 3; }));
  talk.on_connect({Connect::refuse, Connect::refuse, Connect::refuse});
  talk.client_sends(kGet);
  EXPECT_EQ(talk.connections(), 3u);
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 502 Bad Gateway");
}

TEST(Dispatch, KeepsToItsBudgetOfRetries) {
  Talk talk(config_of(3, [](Upstream& upstream) {
    upstream.avoid_failed = 0s;
    upstream.balancing.breaker.failures = 0;
    upstream.balancing.retries.budget = 0;
  }));
  while (talk.upstream().budget.spend()) {
  }
  talk.on_connect({Connect::refuse});
  talk.client_sends(kGet);
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 502 Bad Gateway");
  EXPECT_EQ(talk.numbers().retries_denied.get(), 1u);
}

TEST(Dispatch, AClosedIdleConnectionCostsNoRetryAndBlamesNobody) {
  Talk talk(config_of(2, [](Upstream& upstream) { upstream.balancing.breaker = {1, 10s, 60s}; }));
  while (talk.upstream().budget.spend()) {
  }
  talk.client_sends(kGet);
  talk.origin_sends(kOk);
  talk.client_gets();
  talk.ask();  // the other server's turn
  talk.client_sends(kGet);
  talk.origin(0).reset();
  talk.run();
  EXPECT_EQ(talk.last_server(), '1');
  talk.origin_sends(kOk);
  EXPECT_EQ(body_of(talk.client_gets()), "ok");
  EXPECT_TRUE(talk.server(0).breaker.is_closed());
}

// ---- room ------------------------------------------------------------------------------------

Config crowded(std::size_t servers, std::size_t queue_length = 10) {
  Config config = simple_config(servers);
  Upstream& upstream = config.sites[0].upstreams[0];
  for (UpstreamServer& server : upstream.servers) server.max_connections = 1;
  upstream.balancing.queue = {queue_length, 2s};
  return config;
}

TEST(Dispatch, LetsRequestsWaitForRoomInTheirOrder) {
  Talk talk(crowded(1));
  auto first = talk.begin("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
  auto second = talk.begin("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  auto third = talk.begin("GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(talk.connections(), 1u);
  EXPECT_EQ(talk.numbers().waiting.get(), 2u);
  EXPECT_EQ(first_line(talk.origin_gets()), "GET /1 HTTP/1.1");
  talk.origin_sends(kOk);
  EXPECT_EQ(body_of(first->take()), "ok");
  EXPECT_EQ(first_line(talk.origin_gets()), "GET /2 HTTP/1.1") << "at once, without waiting for a tick";
  talk.origin_sends(kOk);
  EXPECT_EQ(first_line(talk.origin_gets()), "GET /3 HTTP/1.1");
  talk.origin_sends(kOk);
  EXPECT_EQ(body_of(second->take()) + body_of(third->take()), "okok");
  EXPECT_EQ(talk.connections(), 1u);
  EXPECT_EQ(talk.numbers().waiting.get(), 0u);
}

TEST(Dispatch, NobodyPassesThoseWhoWait) {
  Talk talk(crowded(1));
  auto first = talk.begin("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
  auto second = talk.begin("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  talk.origin_gets();
  talk.origin().send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  auto third = talk.begin("GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(first_line(talk.origin_gets()), "GET /2 HTTP/1.1");
}

TEST(Dispatch, RefusesWhenTheLineIsFullOrTheWaitTooLong) {
  Talk talk(crowded(1, 1));
  auto first = talk.begin();
  auto second = talk.begin();
  auto third = talk.begin();
  EXPECT_EQ(first_line(third->take()), "HTTP/1.1 503 Service Unavailable");
  EXPECT_EQ(talk.numbers().queue_full.get(), 1u);
  talk.pass(3s);
  EXPECT_EQ(first_line(second->take()), "HTTP/1.1 503 Service Unavailable");
  EXPECT_EQ(talk.numbers().queue_timed_out.get(), 1u);
  EXPECT_EQ(talk.numbers().waiting.get(), 0u);
  talk.origin_sends(kOk);
  EXPECT_EQ(body_of(first->take()), "ok");
}

TEST(Dispatch, AClientThatLeavesTheLineLetsTheNextOneUp) {
  Talk talk(crowded(1));
  auto first = talk.begin();
  auto second = talk.begin();
  auto third = talk.begin("GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
  second->reset();
  talk.run();
  EXPECT_EQ(talk.numbers().waiting.get(), 1u);
  talk.origin_gets();
  talk.origin_sends(kOk);
  EXPECT_EQ(first_line(talk.origin_gets()), "GET /3 HTTP/1.1");
}

TEST(Dispatch, AServerThatFailsWhileOthersWaitFreesItsRoom) {
  Talk talk(crowded(2));
  auto first = talk.begin();
  auto second = talk.begin();
  auto third = talk.begin("GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
  talk.origin(0).reset();
  talk.run();
  EXPECT_EQ(talk.connections(), 3u);
  EXPECT_EQ(first_line(talk.origin_gets()), "GET /3 HTTP/1.1");
  EXPECT_EQ(talk.server(0).in_use.load() + talk.server(1).in_use.load(), 2u);
}

TEST(Dispatch, NoticesWithoutBeingTold) {
  Talk talk(crowded(2));
  talk.server(1).set_up(false, TimePoint{});
  auto first = talk.begin();
  auto second = talk.begin();
  EXPECT_EQ(talk.connections(), 1u);
  talk.server(1).set_up(true, TimePoint{});
  talk.pass(1s);
  EXPECT_EQ(talk.connections(), 2u);
  EXPECT_EQ(talk.last_server(), '2');
}

TEST(Dispatch, TellsTheWorkerWhoseClientHasWaitedLonger) {
  Talk talk(crowded(1));
  WorkerContext& worker = talk.worker();
  auto numbers = std::make_shared<UpstreamNumbers>(2);
  WaitingLine here(numbers, 0), there(numbers, 1);
  std::vector<std::size_t> told;
  worker.wake_elsewhere = [&](std::size_t index, const std::shared_ptr<UpstreamNumbers>& whose, auto) {
    EXPECT_EQ(whose, numbers);
    told.push_back(index);
  };
  const std::shared_ptr<Server>& server = talk.upstream().servers[0]->shared_server();
  worker.wake_next(here, server);
  EXPECT_TRUE(told.empty()) << "nobody waits";
  WaitingLine::Place place;
  there.enter(place);
  worker.wake_next(here, server);
  EXPECT_EQ(told, std::vector<std::size_t>{1});
  there.leave(place);
}

}  // namespace
}  // namespace vipair::proxy
