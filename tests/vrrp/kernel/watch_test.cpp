#include "vrrp/kernel/watch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>

#include "common/runtime/clock.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;

struct Pipe {
  Pipe() {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    read_end = UniqueFd(ends[0]);
    write_end = UniqueFd(ends[1]);
  }
  void fill() const { EXPECT_EQ(::write(write_end.get(), "x", 1), 1); }
  UniqueFd read_end, write_end;
};

TEST(WatchedFd, CallsOnceForEachWait) {
  boost::asio::io_context io;
  Pipe pipe;
  WatchedFd watched(io, std::move(pipe.read_end));
  int calls = 0;
  watched.when_readable([&] { ++calls; });
  io.poll();
  EXPECT_EQ(calls, 0);
  pipe.fill();
  io.run_for(10s);
  EXPECT_EQ(calls, 1);
  io.restart();
  io.poll();
  EXPECT_EQ(calls, 1) << "the byte is still there, but nobody waits";
  watched.when_readable([&] { ++calls; });
  io.restart();
  io.run_for(10s);
  EXPECT_EQ(calls, 2);
}

TEST(WatchedFd, WritableAndReadableAreApart) {
  boost::asio::io_context io;
  Pipe pipe;
  WatchedFd writer(io, std::move(pipe.write_end));
  bool is_writable = false;
  writer.when_writable([&] { is_writable = true; });
  io.run_for(10s);
  EXPECT_TRUE(is_writable);
}

TEST(WatchedFd, OwnerThatIsGoneIsNotCalled) {
  boost::asio::io_context io;
  Pipe pipe;
  std::optional<WatchedFd> watched(WatchedFd(io, std::move(pipe.read_end)));
  bool is_called = false;
  watched->when_readable([&] { is_called = true; });
  pipe.fill();
  watched.reset();
  io.run_for(10s);
  EXPECT_FALSE(is_called);
}

TEST(WatchedFd, CallbackMayDestroyItsOwner) {
  boost::asio::io_context io;
  Pipe pipe;
  WatchedFd watched(io, std::move(pipe.read_end));
  watched.when_readable([&] { watched.reset(); });
  pipe.fill();
  io.run_for(10s);
  EXPECT_FALSE(watched);
  EXPECT_EQ(watched.get(), -1);
}

TEST(Alarm, OnlyTheLastSettingCounts) {
  boost::asio::io_context io;
  Alarm alarm(io);
  int first = 0, second = 0;
  alarm.at(monotonic_now() - 1s, [&] { ++first; });
  alarm.at(monotonic_now() + 1ms, [&] { ++second; });
  io.run_for(10s);
  EXPECT_EQ(first, 0);
  EXPECT_EQ(second, 1);
  alarm.at(monotonic_now(), [&] { ++first; });
  alarm.cancel();
  io.restart();
  io.run_for(10s);
  EXPECT_EQ(first, 0);
}

TEST(Alarm, OwnerThatIsGoneIsNotCalled) {
  boost::asio::io_context io;
  bool is_called = false;
  {
    Alarm alarm(io);
    alarm.at(monotonic_now(), [&] { is_called = true; });
  }
  io.run_for(10s);
  EXPECT_FALSE(is_called);
}

}  // namespace
}  // namespace vipair::vrrp
