#include "proxy/server/scheduler.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <stdexcept>
#include <vector>

#include "proxy/server/task.h"

namespace vipair::proxy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart{std::chrono::hours(1)};

// Waits again and again and writes down when it was woken and whether it was late.
struct Sleeper {
  Scheduler& scheduler;
  Waiter waiter{scheduler};
  TimePoint deadline = TimePoint::max();
  std::vector<std::pair<TimePoint, bool>> wakes;
  Task task = run();

  explicit Sleeper(Scheduler& used, TimePoint first) : scheduler(used), deadline(first) { task.start({}); }
  Task run() {
    for (;;) {
      const bool is_late = co_await waiter.activity(deadline);
      wakes.emplace_back(scheduler.now(), is_late);
      if (is_late) deadline = TimePoint::max();
    }
  }
};

void pass(Scheduler& scheduler, TimePoint from, TimePoint to, Duration step) {
  for (TimePoint now = from; now <= to; now += step) {
    scheduler.advance(now);
    scheduler.run();
  }
}

TEST(Scheduler, ADeadlineIsNeverEarlyAndAtMostTwoTicksLate) {
  std::mt19937 random(5);
  Scheduler scheduler(kStart);
  std::vector<std::unique_ptr<Sleeper>> sleepers;
  for (int i = 0; i < 500; ++i) {
    sleepers.push_back(std::make_unique<Sleeper>(scheduler, kStart + milliseconds(1 + random() % 60000)));
  }
  std::vector<TimePoint> wanted;
  for (auto& sleeper : sleepers) wanted.push_back(sleeper->deadline);
  pass(scheduler, kStart, kStart + seconds(62), milliseconds(10));
  for (std::size_t i = 0; i < sleepers.size(); ++i) {
    ASSERT_EQ(sleepers[i]->wakes.size(), 1u);
    EXPECT_TRUE(sleepers[i]->wakes[0].second);
    EXPECT_GE(sleepers[i]->wakes[0].first, wanted[i]);
    EXPECT_LE(sleepers[i]->wakes[0].first, wanted[i] + 2 * Scheduler::kTick);
  }
}

TEST(Scheduler, ActivityComesBeforeTheDeadline) {
  Scheduler scheduler(kStart);
  Sleeper sleeper(scheduler, kStart + seconds(5));
  sleeper.waiter.wake();
  scheduler.run();
  ASSERT_EQ(sleeper.wakes.size(), 1u);
  EXPECT_FALSE(sleeper.wakes[0].second);
}

TEST(Scheduler, AMovedDeadlineFiresOnceAndAtItsNewTime) {
  Scheduler scheduler(kStart);
  Sleeper sleeper(scheduler, kStart + seconds(1));
  sleeper.deadline = kStart + seconds(20);
  sleeper.waiter.wake();
  pass(scheduler, kStart, kStart + seconds(25), milliseconds(20));
  ASSERT_EQ(sleeper.wakes.size(), 2u);
  EXPECT_FALSE(sleeper.wakes[0].second);
  EXPECT_TRUE(sleeper.wakes[1].second);
  EXPECT_GE(sleeper.wakes[1].first, kStart + seconds(20));
}

TEST(Scheduler, ADeadlineMayMoveCloser) {
  Scheduler scheduler(kStart);
  Sleeper sleeper(scheduler, kStart + seconds(60));
  sleeper.deadline = kStart + seconds(2);
  sleeper.waiter.wake();
  pass(scheduler, kStart, kStart + seconds(3), milliseconds(20));
  ASSERT_EQ(sleeper.wakes.size(), 2u);
  EXPECT_LE(sleeper.wakes[1].first, kStart + seconds(2) + 2 * Scheduler::kTick);
}

TEST(Scheduler, ALongPauseFiresEverythingThatIsDue) {
  Scheduler scheduler(kStart);
  Sleeper due(scheduler, kStart + seconds(30)), not_due(scheduler, kStart + std::chrono::hours(5));
  scheduler.advance(kStart + std::chrono::hours(4));
  scheduler.run();
  EXPECT_EQ(due.wakes.size(), 1u);
  EXPECT_EQ(not_due.wakes.size(), 0u);
}

TEST(Scheduler, ManyWakesOfOneTurnResumeOnce) {
  Scheduler scheduler(kStart);
  Sleeper sleeper(scheduler, TimePoint::max());
  sleeper.waiter.wake();
  sleeper.waiter.wake();
  EXPECT_TRUE(scheduler.has_work());
  scheduler.run();
  EXPECT_EQ(sleeper.wakes.size(), 1u);
  EXPECT_FALSE(scheduler.has_work());
}

TEST(Scheduler, WhoYieldsRunsAgainInTheNextTurn) {
  Scheduler scheduler(kStart);
  struct Greedy {
    Waiter waiter;
    int rounds = 0;
    Task task;
    explicit Greedy(Scheduler& used) : waiter(used), task(run()) { task.start({}); }
    Task run() {
      for (;;) {
        ++rounds;
        co_await waiter.yield();
      }
    }
  } greedy(scheduler);
  for (int i = 0; i < 10; ++i) scheduler.run();
  EXPECT_EQ(greedy.rounds, 11);
}

TEST(Scheduler, ADestroyedWaiterIsForgotten) {
  Scheduler scheduler(kStart);
  auto sleeper = std::make_unique<Sleeper>(scheduler, kStart + seconds(1));
  sleeper->waiter.wake();
  sleeper.reset();
  EXPECT_FALSE(scheduler.has_work());
  pass(scheduler, kStart, kStart + seconds(2), milliseconds(25));
}

TEST(Scheduler, WhoHasNoCoroutineIsCalledOnce) {
  Scheduler scheduler(kStart);
  Waiter waiter(scheduler);
  int calls = 0;
  const auto count = [](void* counter) { ++*static_cast<int*>(counter); };
  waiter.call(TimePoint::max(), count, &calls);
  scheduler.run();
  EXPECT_EQ(calls, 0);
  waiter.wake();
  waiter.wake();
  scheduler.run();
  EXPECT_EQ(calls, 1);
  waiter.wake();
  EXPECT_FALSE(scheduler.has_work()) << "nobody waits any more";
}

TEST(Scheduler, WhoHasNoCoroutineIsCalledWhenItsDeadlineHasPassed) {
  Scheduler scheduler(kStart);
  Waiter waiter(scheduler);
  int calls = 0;
  waiter.call(
      kStart + seconds(3), [](void* counter) { ++*static_cast<int*>(counter); }, &calls);
  pass(scheduler, kStart, kStart + milliseconds(2990), milliseconds(10));
  EXPECT_EQ(calls, 0);
  pass(scheduler, kStart + seconds(3), kStart + seconds(4), milliseconds(10));
  EXPECT_EQ(calls, 1);
}

TEST(Scheduler, ACallMayBeFollowedByACoroutineAndThatByACall) {
  Scheduler scheduler(kStart);
  struct Alternating {
    Waiter waiter;
    Task task;
    int calls = 0, resumed = 0;
    explicit Alternating(Scheduler& used) : waiter(used) { wait(); }
    void wait() {
      waiter.call(
          TimePoint::max(), [](void* self) { static_cast<Alternating*>(self)->on_call(); }, this);
    }
    void on_call() {
      ++calls;
      task = run();
      task.start({[](void* self) { static_cast<Alternating*>(self)->wait(); }, this});
    }
    Task run() {
      const bool is_late = co_await waiter.activity(TimePoint::max());
      if (!is_late) ++resumed;
    }
  } alternating(scheduler);
  for (int i = 0; i < 6; ++i) {
    alternating.waiter.wake();
    scheduler.run();
  }
  EXPECT_EQ(alternating.calls, 3);
  EXPECT_EQ(alternating.resumed, 3);
}

TEST(Task, FramesOfAnOwnerWithAPoolAreUsedAgain) {
  struct Owner {
    FramePool& pool;
    Scheduler scheduler{kStart};
    Waiter waiter{scheduler};
    const void* frame = nullptr;
    FramePool& frame_pool() { return pool; }
    [[gnu::noinline]] Task run() {  // or clang would put the frame on the stack
      const char here = 'x';
      frame = &here;  // a variable that outlives a suspension lies in the frame
      co_await waiter.activity(TimePoint::max());
      if (here != 'x') throw std::runtime_error("another frame's memory");
    }
  };
  FramePool pool;
  Owner owner{pool};
  const void* first = nullptr;
  {
    Task task = owner.run();
    task.start({});
    first = owner.frame;
  }
  Task task = owner.run();
  task.start({});
  EXPECT_EQ(owner.frame, first);
  Task other = owner.run();
  other.start({});
  EXPECT_NE(owner.frame, first) << "that one is in use";
}

TEST(Task, TellsItsOwnerThatItEndedAndWhy) {
  struct Body {
    static Task fails() {
      throw std::runtime_error("why");
      co_return;
    }
  };
  bool is_done = false;
  Task task = Body::fails();
  task.start({[](void* flag) { *static_cast<bool*>(flag) = true; }, &is_done});
  EXPECT_TRUE(is_done);
  EXPECT_TRUE(task.done());
  ASSERT_NE(task.error(), nullptr);
  EXPECT_THROW(std::rethrow_exception(task.error()), std::runtime_error);
}

}  // namespace
}  // namespace vipair::proxy
