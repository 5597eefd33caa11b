#include "proxy/server/upstream_pool.h"

#include <gtest/gtest.h>

#include "tests/support/memory_stream.h"

namespace vipair::proxy {
namespace {

using std::chrono::seconds;
using testing::MemoryStream;
using testing::Wire;

constexpr TimePoint kNow{std::chrono::hours(1)};

struct Fixture {
  std::shared_ptr<Server> server = std::make_shared<Server>("app", *IpEndpoint::parse("10.0.0.1:80"), 2);
  UpstreamPool pool{server, 1};
  std::vector<std::shared_ptr<Wire>> wires;

  explicit Fixture(std::size_t idle_max = 3) { pool.configure({.idle_max = idle_max, .idle_timeout = seconds(4)}); }
  void give_back(TimePoint when) {
    wires.push_back(std::make_shared<Wire>());
    auto stream = std::make_unique<MemoryStream>(wires.back());
    wires.back()->accept();
    pool.give_back(std::move(stream), when);
  }
  std::uint64_t idle() const { return server->slots[1].idle.get(); }
};

TEST(UpstreamPool, TakesTheLastOneFirst) {
  Fixture f;
  f.give_back(kNow);
  f.give_back(kNow);
  EXPECT_EQ(f.idle(), 2u);
  auto stream = f.pool.take_idle();
  stream.reset();
  EXPECT_FALSE(f.wires[0]->is_closed());
  EXPECT_TRUE(f.wires[1]->is_closed());
  EXPECT_EQ(f.idle(), 1u);
}

TEST(UpstreamPool, ClosesTheOldestWhenThereAreTooMany) {
  Fixture f;
  for (int i = 0; i < 4; ++i) f.give_back(kNow);
  EXPECT_TRUE(f.wires[0]->is_closed());
  EXPECT_EQ(f.idle(), 3u);
}

TEST(UpstreamPool, KeepsNoneWhenToldSo) {
  Fixture f(0);
  f.give_back(kNow);
  EXPECT_TRUE(f.wires[0]->is_closed());
}

TEST(UpstreamPool, PassesOverClosedAndTalkativeConnections) {
  Fixture f;
  for (int i = 0; i < 3; ++i) f.give_back(kNow);
  f.wires[2]->half_close();
  f.wires[1]->send("408");
  auto stream = f.pool.take_idle();
  EXPECT_NE(stream, nullptr);
  EXPECT_FALSE(f.wires[0]->is_closed());
  EXPECT_TRUE(f.wires[1]->is_closed());
  EXPECT_TRUE(f.wires[2]->is_closed());
  EXPECT_EQ(f.idle(), 0u);
}

TEST(UpstreamPool, SweepsWhatIsOldOrClosed) {
  Fixture f;
  f.give_back(kNow);
  f.give_back(kNow + seconds(2));
  f.give_back(kNow + seconds(2));
  f.wires[2]->half_close();
  f.pool.sweep(kNow + seconds(4));
  EXPECT_TRUE(f.wires[0]->is_closed());
  EXPECT_FALSE(f.wires[1]->is_closed());
  EXPECT_TRUE(f.wires[2]->is_closed());
  EXPECT_EQ(f.idle(), 1u);
}

TEST(UpstreamPool, RemembersWhenToAvoidItsServer) {
  Fixture f;
  f.pool.avoid_until(kNow + seconds(1));
  EXPECT_EQ(f.pool.avoid_until(), kNow + seconds(1));
  f.pool.mark_working();
  EXPECT_LT(f.pool.avoid_until(), kNow);
}

}  // namespace
}  // namespace vipair::proxy
