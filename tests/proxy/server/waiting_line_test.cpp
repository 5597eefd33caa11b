#include "proxy/server/waiting_line.h"

#include <gtest/gtest.h>

#include "proxy/server/task.h"
#include "proxy/server/upstream_pool.h"

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kNow{1h};

// A coroutine that waits in a line and counts how often it was woken.
struct Client {
  Client(Scheduler& scheduler, WaitingLine& line, TimePoint since, const Server* wanted = nullptr)
      : waiter(scheduler), line_(line) {
    place.waiter = &waiter;
    place.wanted = wanted;
    place.since = since;
    line_.enter(place);
    task = run();
    task.start({});
  }
  ~Client() { line_.leave(place); }
  Task run() {
    for (;;) {
      co_await waiter.activity(TimePoint::max());
      ++woken;
    }
  }
  Waiter waiter;
  WaitingLine::Place place;
  int woken = 0;
  Task task;

 private:
  WaitingLine& line_;
};

struct Fixture {
  Scheduler scheduler{kNow};
  std::shared_ptr<UpstreamNumbers> numbers = std::make_shared<UpstreamNumbers>(2);
  WaitingLine line{numbers, 0}, other{numbers, 1};
  Server one{"app", *IpEndpoint::parse("10.0.0.1:80"), 2}, two{"app", *IpEndpoint::parse("10.0.0.2:80"), 2};

  void has_room(const Server& server) {
    line.wake_next(server);
    scheduler.run();
  }
};

TEST(WaitingLine, WakesTheFirst) {
  Fixture f;
  Client first(f.scheduler, f.line, kNow), second(f.scheduler, f.line, kNow + 1ms);
  EXPECT_EQ(f.line.size(), 2u);
  EXPECT_EQ(f.numbers->slots[0].waiting.get(), 2u);
  EXPECT_TRUE(f.line.must_wait() && f.other.must_wait());
  EXPECT_TRUE(f.line.is_first(first.place));
  EXPECT_FALSE(f.line.is_first(second.place));
  f.has_room(f.one);
  EXPECT_EQ(first.woken, 1);
  EXPECT_EQ(second.woken, 0);
  f.line.leave(first.place);
  f.line.leave(first.place);  // twice is once
  f.has_room(f.two);
  EXPECT_EQ(second.woken, 1);
  f.line.leave(second.place);
  EXPECT_EQ(f.line.size(), 0u);
  EXPECT_FALSE(f.line.must_wait());
  EXPECT_EQ(f.numbers->slots[0].waits_since.load(), 0);
}

TEST(WaitingLine, WhoWaitsForOneServerIsWokenForThatOnly) {
  Fixture f;
  Client sticky(f.scheduler, f.line, kNow, &f.two), any(f.scheduler, f.line, kNow + 1ms);
  EXPECT_TRUE(f.line.is_first(sticky.place) && f.line.is_first(any.place));
  f.has_room(f.one);
  EXPECT_EQ(any.woken, 1);
  EXPECT_EQ(sticky.woken, 0);
  f.has_room(f.two);
  EXPECT_EQ(sticky.woken, 1) << "it has waited longer";
  f.line.leave(any.place);
  EXPECT_FALSE(f.line.must_wait()) << "it is in nobody's way";
}

TEST(WaitingLine, TellsWhichWorkerHasWaitedLongest) {
  Fixture f;
  EXPECT_EQ(f.line.longest_waiting(), 0u);
  EXPECT_EQ(f.other.longest_waiting(), 1u);
  Client here(f.scheduler, f.line, kNow + 5ms);
  EXPECT_EQ(f.other.longest_waiting(), 0u);
  Client there(f.scheduler, f.other, kNow, &f.one);
  EXPECT_EQ(f.line.longest_waiting(), 1u);
  f.other.leave(there.place);
  EXPECT_EQ(f.line.longest_waiting(), 0u);
}

}  // namespace
}  // namespace vipair::proxy
