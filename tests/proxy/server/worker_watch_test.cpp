#include "proxy/server/worker_watch.h"

#include <gtest/gtest.h>

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;

TEST(WorkerWatch, NoticesWhoTurnsNoMore) {
  WorkerWatch watch(2);
  std::uint64_t turns[] = {1, 1};
  TimePoint now{1h};
  auto look = [&] { watch.look(now, 20ms, [&](std::size_t worker) { return turns[worker]; }); };
  look();
  EXPECT_EQ(watch.hanging(200ms), std::nullopt);
  for (int i = 0; i < 21; ++i) {
    now += 10ms;
    ++turns[0];
    look();
  }
  EXPECT_EQ(watch.hanging(200ms), 1u);
  EXPECT_EQ(watch.moved_at(0), now);
  EXPECT_EQ(watch.moved_at(1), TimePoint(1h));
  ++turns[1];
  look();
  EXPECT_EQ(watch.hanging(200ms), std::nullopt);
}

TEST(WorkerWatch, BlamesNobodyAfterItStoodStillItself) {
  WorkerWatch watch(1);
  TimePoint now{1h};
  const auto same = [](std::size_t) { return std::uint64_t{7}; };
  watch.look(now, 20ms, same);
  watch.look(now += 5s, 20ms, same);
  EXPECT_EQ(watch.hanging(200ms), std::nullopt);
}

}  // namespace
}  // namespace vipair::proxy
