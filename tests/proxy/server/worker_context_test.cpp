#include "proxy/server/worker_context.h"

#include <gtest/gtest.h>

#include "tests/support/conversation.h"

namespace vipair::proxy {
namespace {

using testing::simple_config;

struct Fixture {
  Scheduler scheduler{TimePoint(std::chrono::hours(1))};
  WorkerContext context{scheduler, 0, nullptr, RequestIds(1)};
};

TEST(WorkerContext, FreesASnapshotWithItsLastRequest) {
  Fixture f;
  const auto first = make_snapshot(simple_config(), 1, nullptr);
  f.context.use(first);
  LocalSnapshot* const pinned = f.context.pin();
  f.context.use(make_snapshot(simple_config(), 1, first.get()));
  EXPECT_NE(&f.context.current(), pinned);
  EXPECT_GT(first.use_count(), 1);
  f.context.unpin(pinned);
  EXPECT_EQ(first.use_count(), 1);
}

TEST(WorkerContext, FreesAnUnusedSnapshotAtOnce) {
  Fixture f;
  const auto first = make_snapshot(simple_config(), 1, nullptr);
  f.context.use(first);
  f.context.use(make_snapshot(simple_config(), 1, first.get()));
  EXPECT_EQ(first.use_count(), 1);
}

TEST(WorkerContext, KeepsThePoolOfAServerThatStays) {
  Fixture f;
  const auto first = make_snapshot(simple_config(2), 1, nullptr);
  f.context.use(first);
  UpstreamPool* const pool = f.context.current().upstreams[0].servers[0].get();
  f.context.use(make_snapshot(simple_config(1), 1, first.get()));
  EXPECT_EQ(f.context.current().upstreams[0].servers[0].get(), pool);
  f.context.sweep(f.scheduler.now());
}

TEST(WorkerContext, TellsTheTimeOfDay) {
  Fixture f;
  f.context.set_wall_time(WallTime(std::chrono::seconds(784111777)));
  EXPECT_EQ(f.context.date(), "Sun, 06 Nov 1994 08:49:37 GMT");
  f.scheduler.advance(f.scheduler.now() + std::chrono::milliseconds(1500));
  EXPECT_EQ(f.context.wall_time(), WallTime(std::chrono::milliseconds(784111778500)));
}

}  // namespace
}  // namespace vipair::proxy
