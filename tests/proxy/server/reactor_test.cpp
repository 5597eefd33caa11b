#include "proxy/server/reactor.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <thread>

namespace vipair::proxy {
namespace {

struct Recorder final : Reactor::Target {
  std::uint32_t seen = 0;
  int calls = 0;
  void on_events(std::uint32_t events) override {
    seen |= events;
    ++calls;
  }
};

struct Pair {
  UniqueFd near, far;
  Pair() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    near.reset(fds[0]);
    far.reset(fds[1]);
  }
};

TEST(Reactor, ReportsAStreamOncePerEdge) {
  Reactor reactor;
  Pair pair;
  Recorder recorder;
  ASSERT_EQ(reactor.add_stream(pair.near.get(), recorder), 0);
  reactor.turn();
  EXPECT_EQ(recorder.seen, std::uint32_t{EPOLLOUT});
  recorder.seen = 0;
  ASSERT_EQ(write(pair.far.get(), "x", 1), 1);
  while (recorder.seen == 0) reactor.turn();
  EXPECT_NE(recorder.seen & EPOLLIN, 0u);
  const int calls = recorder.calls;
  reactor.turn();
  EXPECT_EQ(recorder.calls, calls) << "what was reported is not reported again";
}

TEST(Reactor, ReportsTheEndOfThePeer) {
  Reactor reactor;
  Pair pair;
  Recorder recorder;
  ASSERT_EQ(reactor.add_stream(pair.near.get(), recorder), 0);
  pair.far.reset();
  while ((recorder.seen & EPOLLRDHUP) == 0) reactor.turn();
}

TEST(Reactor, RefusesWhatEpollRefuses) {
  Reactor reactor;
  Recorder recorder;
  EXPECT_EQ(reactor.add_stream(-1, recorder), EBADF);
}

TEST(Reactor, RunsPostedFunctionsInOrderInItsOwnThread) {
  Reactor reactor;
  std::vector<int> order;
  std::thread other([&] {
    for (int i = 0; i < 100; ++i) reactor.post([&order, i] { order.push_back(i); });
  });
  while (order.size() < 100) reactor.turn();
  other.join();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(Reactor, CountsItsTurns) {
  Reactor reactor;
  const std::uint64_t before = reactor.turns();
  reactor.turn();  // nothing happens: it ends with the tick
  EXPECT_EQ(reactor.turns(), before + 1);
}

TEST(Reactor, ARemovedListenerIsSilent) {
  Reactor reactor;
  Pair pair;
  Recorder recorder;
  ASSERT_EQ(reactor.add_listener(pair.near.get(), recorder), 0);
  ASSERT_EQ(write(pair.far.get(), "x", 1), 1);
  reactor.turn();
  EXPECT_EQ(recorder.calls, 1);
  reactor.turn();
  EXPECT_EQ(recorder.calls, 2) << "level-triggered: reported while it lasts";
  reactor.remove(pair.near.get());
  reactor.turn();
  EXPECT_EQ(recorder.calls, 2);
}

}  // namespace
}  // namespace vipair::proxy
