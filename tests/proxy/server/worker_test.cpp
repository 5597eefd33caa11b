#include "proxy/server/worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/support/conversation.h"
#include "tests/support/tcp_peers.h"

namespace vipair::proxy {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using testing::TcpClient;
using testing::TcpOrigin;

struct Fixture {
  TcpOrigin origin{"hello"};
  std::atomic<bool> is_finished{false};
  std::shared_ptr<const Snapshot> snapshot;
  std::unique_ptr<Worker> worker;
  IpEndpoint endpoint;

  explicit Fixture(std::size_t connections = 1000) {
    Config config = testing::simple_config();
    config.limits.connections = connections;
    config.sites[0].upstreams[0].servers = {{origin.address(), *IpEndpoint::parse(origin.address())}};
    snapshot = make_snapshot(config, 1, nullptr);
    worker = std::make_unique<Worker>(Worker::Settings{}, snapshot, [this] { is_finished = true; });
    UniqueFd listener = open_listener(*IpEndpoint::parse("127.0.0.1:0")).value();
    endpoint = bound_endpoint(listener).value();
    worker->listen(std::move(listener), endpoint);
    worker->start();
  }
  void wait_finished() {
    while (!is_finished) std::this_thread::yield();
  }
};

TEST(Worker, ServesOverRealSockets) {
  Fixture f;
  TcpClient client(f.endpoint);
  for (int i = 0; i < 3; ++i) EXPECT_THAT(client.get(), EndsWith("\r\n\r\nhello"));
  while (f.worker->counters().requests.get() < 3) std::this_thread::yield();  // counted once it is over
  EXPECT_EQ(f.worker->counters().connections.get(), 1u);
  EXPECT_EQ(f.snapshot->upstreams[0].servers[0]->slots[0].connects.get(), 1u);
}

TEST(Worker, ServesManyClientsAtOnce) {
  Fixture f;
  std::vector<std::unique_ptr<TcpClient>> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(std::make_unique<TcpClient>(f.endpoint));
  for (auto& client : clients) client->send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  for (auto& client : clients) EXPECT_THAT(client->receive(), EndsWith("hello"));
}

TEST(Worker, DrainFinishesWhatRunsAndEnds) {
  Fixture f;
  f.origin.hold(true);
  TcpClient running(f.endpoint), idle(f.endpoint);
  running.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  while (f.snapshot->upstreams[0].servers[0]->slots[0].requests.get() == 0) std::this_thread::yield();
  f.worker->drain();
  EXPECT_TRUE(idle.is_ended());
  EXPECT_FALSE(TcpClient(f.endpoint).is_connected()) << "the listener is closed";
  f.origin.hold(false);
  const std::string response = running.receive();
  EXPECT_THAT(response, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(response, EndsWith("hello"));
  f.wait_finished();
}

TEST(Worker, DrainServesWhoIsQueuedInTheKernel) {
  Fixture f(1);  // one connection at a time, the others wait in the kernel
  TcpClient first(f.endpoint);
  EXPECT_THAT(first.get(), EndsWith("hello"));
  TcpClient queued(f.endpoint);
  queued.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  f.worker->drain();
  EXPECT_THAT(queued.receive(), EndsWith("hello"));
  f.wait_finished();
}

TEST(Worker, UnlistenServesWhoIsQueuedInTheKernel) {
  Fixture f(1);
  TcpClient first(f.endpoint);
  EXPECT_THAT(first.get(), EndsWith("hello"));
  TcpClient queued(f.endpoint);  // at the limit nobody accepts it
  f.worker->unlisten(f.endpoint);
  EXPECT_THAT(queued.get(), EndsWith("hello"));
}

TEST(Worker, UnlistenClosesOneAddress) {
  Fixture f;
  UniqueFd listener = open_listener(*IpEndpoint::parse("127.0.0.1:0")).value();
  const IpEndpoint second = bound_endpoint(listener).value();
  f.worker->listen(std::move(listener), second);
  EXPECT_THAT(TcpClient(second).get(), EndsWith("hello"));
  f.worker->unlisten(second);
  while (TcpClient(second).is_connected()) std::this_thread::yield();
  EXPECT_THAT(TcpClient(f.endpoint).get(), EndsWith("hello"));
}

TEST(Worker, StopEndsAtOnce) {
  Fixture f;
  f.origin.hold(true);
  TcpClient running(f.endpoint);
  running.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  while (f.snapshot->upstreams[0].servers[0]->slots[0].requests.get() == 0) std::this_thread::yield();
  f.worker->stop();
  f.wait_finished();
  EXPECT_EQ(running.receive(), "");
}

TEST(Worker, TurnsWhileNothingHappens) {
  Fixture f;
  const std::uint64_t before = f.worker->turns();
  while (f.worker->turns() < before + 2) std::this_thread::yield();
}

}  // namespace
}  // namespace vipair::proxy
