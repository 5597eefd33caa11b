#include "proxy/server/log_ring.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "tests/support/log_entry.h"

namespace vipair::proxy {
namespace {

using testing::log_entry;

TEST(LogRing, GivesBackWhatWasPutIn) {
  LogRing ring;
  LogEntry out;
  EXPECT_FALSE(ring.pop(out));
  ASSERT_TRUE(ring.push(log_entry()));
  ASSERT_TRUE(ring.pop(out));
  EXPECT_EQ(out.target, "/a?b");
  EXPECT_EQ(out.request_id, "00ff");
  EXPECT_EQ(out.duration, log_entry().duration);
  EXPECT_FALSE(ring.pop(out));
}

// The undefined behaviour of copying nothing from nowhere is found by the sanitizers.
TEST(LogRing, TakesAnEntryWithoutTexts) {
  LogRing ring;
  ASSERT_TRUE(ring.push({}));
  LogEntry out = log_entry();
  ASSERT_TRUE(ring.pop(out));
  EXPECT_EQ(out.method, "");
  EXPECT_EQ(out.request_id, "");
}

TEST(LogRing, CutsLongTexts) {
  LogRing ring;
  const std::string longest(100000, 'x');
  LogEntry in = log_entry(), out;
  in.target = longest;
  ASSERT_TRUE(ring.push(in));
  ASSERT_TRUE(ring.pop(out));
  EXPECT_EQ(out.target, longest.substr(0, LogRing::kTextMax));
  EXPECT_EQ(out.host, in.host);
}

TEST(LogRing, IsBoundedAndWorksOnAfterwards) {
  LogRing ring;
  std::size_t pushed = 0;
  while (ring.push(log_entry())) ++pushed;
  EXPECT_GT(pushed, LogRing::kBytes / 512);
  LogEntry out;
  std::size_t popped = 0;
  while (ring.pop(out)) ++popped;
  EXPECT_EQ(popped, pushed);
  EXPECT_TRUE(ring.push(log_entry()));
}

TEST(LogRing, KeepsOrderAndContentBetweenTwoThreads) {
  constexpr std::uint64_t kCount = 100000;
  LogRing ring;
  std::thread writer([&] {
    for (std::uint64_t i = 0; i < kCount;) {
      LogEntry in = log_entry();
      const std::string target(i % 300, static_cast<char>('a' + i % 26));
      in.target = target;
      in.response_bytes = i;
      if (ring.push(in)) {
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  });
  LogEntry out;
  bool is_right = true;
  for (std::uint64_t i = 0; i < kCount;) {
    if (!ring.pop(out)) {
      std::this_thread::yield();
      continue;
    }
    is_right &= out.response_bytes == i && out.target.size() == i % 300 &&
                out.target.find_first_not_of(static_cast<char>('a' + i % 26)) == std::string_view::npos;
    ++i;
  }
  writer.join();
  EXPECT_TRUE(is_right);
}

}  // namespace
}  // namespace vipair::proxy
