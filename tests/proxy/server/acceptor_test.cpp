#include "proxy/server/acceptor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "proxy/server/socket_address.h"
#include "proxy/server/tcp_stream.h"

namespace vipair::proxy {
namespace {

using ::testing::HasSubstr;

const IpEndpoint kAnyPort = *IpEndpoint::parse("127.0.0.1:0");

struct Fixture {
  Reactor reactor;
  UniqueFd listener = open_listener(kAnyPort).value();
  IpEndpoint endpoint = bound_endpoint(listener).value();
  AcceptCounters counters;
  bool may_accept = true;
  std::vector<IpEndpoint> clients;
  std::vector<UniqueFd> fds;
  Acceptor acceptor{reactor,
                    std::move(listener),
                    endpoint,
                    counters,
                    [this] { return may_accept; },
                    [this](UniqueFd fd, const IpEndpoint& client) {
                      clients.push_back(client);
                      fds.push_back(std::move(fd));
                    }};
  std::vector<std::unique_ptr<TcpStream>> ours;

  void connect() {
    int error = 0;
    ours.push_back(TcpStream::connect(reactor, endpoint, error));
    ASSERT_EQ(error, 0);
    while (!ours.back()->can_write()) reactor.turn();
  }
};

TEST(Acceptor, TakesConnectionsWithTheirAddress) {
  Fixture f;
  for (int i = 0; i < 3; ++i) f.connect();
  while (f.clients.size() < 3) f.reactor.turn();
  EXPECT_EQ(f.clients[0].address.to_string(), "127.0.0.1");
  EXPECT_NE(f.clients[0].port, 0);
  EXPECT_EQ(f.counters.accepted.get(), 3u);
}

TEST(Acceptor, TakesOneAtATimeWhereNothingElseIsGoingOn) {
  Fixture f;
  std::vector<UniqueFd> waiting;
  const SocketAddress address(f.endpoint);
  for (int i = 0; i < 3; ++i) {
    waiting.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(connect(waiting.back().get(), address.get(), address.length), 0);
  }
  for (std::size_t taken = 1; taken <= 3; ++taken) {
    f.reactor.turn();
    EXPECT_EQ(f.clients.size(), taken) << "and no accept4 finds nobody";
  }
}

TEST(Acceptor, GivesNewClientsTheirShareOfABusyTurn) {
  Fixture f;
  for (int i = 0; i < 40; ++i) f.connect();
  while (f.clients.size() < 40) f.reactor.turn();
  for (const UniqueFd& fd : f.fds) ASSERT_EQ(send(fd.get(), "x", 1, 0), 1);
  std::vector<UniqueFd> waiting;
  const SocketAddress address(f.endpoint);
  for (int i = 0; i < 20; ++i) {
    waiting.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(connect(waiting.back().get(), address.get(), address.length), 0);
  }
  f.reactor.turn();
  EXPECT_GE(f.clients.size(), 40U + 40 / kEventsPerAccept);
}

TEST(Acceptor, AcceptedSocketsDoNotDelay) {
  Fixture f;
  f.connect();
  while (f.fds.empty()) f.reactor.turn();
  int on = 0;
  socklen_t length = sizeof on;
  ASSERT_EQ(getsockopt(f.fds[0].get(), 6 /* TCP */, 1 /* TCP_NODELAY */, &on, &length), 0);
  EXPECT_NE(on, 0);
}

TEST(Acceptor, LeavesConnectionsToTheKernelAtTheLimit) {
  Fixture f;
  f.may_accept = false;
  f.connect();
  while (f.counters.at_limit.get() == 0) f.reactor.turn();
  EXPECT_TRUE(f.clients.empty());
  f.acceptor.on_tick(f.reactor.scheduler().now());
  f.reactor.turn();
  EXPECT_TRUE(f.clients.empty());
  f.may_accept = true;
  f.acceptor.on_tick(f.reactor.scheduler().now());
  while (f.clients.empty()) f.reactor.turn();
}

// No descriptor is free while it lives.
class OutOfDescriptors {
 public:
  OutOfDescriptors() {
    const UniqueFd lowest(fcntl(0, F_DUPFD_CLOEXEC, 0));
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit none{static_cast<rlim_t>(lowest.get()), before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
  }
  ~OutOfDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST(Acceptor, PausesWhileTheProcessIsOutOfDescriptors) {
  Fixture f;
  f.may_accept = false;
  f.connect();
  f.may_accept = true;
  {
    OutOfDescriptors none;
    f.acceptor.drain();
    EXPECT_EQ(f.counters.out_of_files.get(), 1u);
    f.reactor.turn();
    EXPECT_EQ(f.counters.out_of_files.get(), 1u) << "it is not asked again and again";
  }
  const TimePoint now = f.reactor.scheduler().now();
  f.acceptor.on_tick(now);
  f.reactor.turn();
  EXPECT_TRUE(f.clients.empty());
  f.acceptor.on_tick(now + kAcceptPause);
  while (f.clients.empty()) f.reactor.turn();
  EXPECT_EQ(f.clients.size(), 1u) << "the kernel has kept it";
}

TEST(Acceptor, DrainTakesWhatIsQueued) {
  Fixture f;
  f.may_accept = false;
  for (int i = 0; i < 5; ++i) f.connect();
  f.acceptor.drain();
  EXPECT_EQ(f.clients.size(), 5u);
}

TEST(Acceptor, TwoWorkersShareOneAddress) {
  UniqueFd first = open_listener(kAnyPort).value();
  const IpEndpoint endpoint = bound_endpoint(first).value();
  EXPECT_TRUE(open_listener(endpoint));
}

TEST(Acceptor, BindsAnAddressThatIsNotHere) { EXPECT_TRUE(open_listener(*IpEndpoint::parse("192.0.2.100:0"))); }

TEST(Acceptor, SaysWhereTheAddressIsTaken) {
  UniqueFd other(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(listen(other.get(), 1), 0);  // on a port of the kernel's choice, not to be shared
  const IpEndpoint endpoint = bound_endpoint(other).value();
  auto refused = open_listener(endpoint);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error(), HasSubstr(endpoint.to_string() + ", bind, Address already in use"));
}

}  // namespace
}  // namespace vipair::proxy
