#include "common/runtime/control_message.h"

#include <gtest/gtest.h>

namespace vipair {
namespace {

TEST(ControlMessage, TheFirstAnswerCounts) {
  ControlLater later(std::chrono::seconds(1));
  int woken = 0;
  later.on_change([&] { ++woken; });
  EXPECT_EQ(later.take(), nullptr);
  later.answer({200, "text/plain", "first"});
  later.answer({200, "text/plain", "second"});
  EXPECT_EQ(woken, 1);
  const auto taken = later.take();
  ASSERT_NE(taken, nullptr);
  EXPECT_EQ(taken->body, "first");
  EXPECT_EQ(later.take(), nullptr);
}

TEST(ControlMessage, AStreamKeepsWhatWasNotTakenYet) {
  ControlStream stream("too slow\n");
  int woken = 0;
  stream.on_change([&] { ++woken; });
  stream.write("a");
  stream.write("b");
  EXPECT_EQ(woken, 2);
  EXPECT_EQ(stream.take(), "ab");
  EXPECT_EQ(stream.take(), "");
  stream.end();
  stream.write("in vain");
  EXPECT_TRUE(stream.has_ended());
  EXPECT_FALSE(stream.was_cut());
  EXPECT_EQ(stream.take(), "");
}

TEST(ControlMessage, AStreamWhoseReaderIsTooSlowEndsWithTheFarewell) {
  ControlStream stream("too slow\n");
  const std::string full(kControlBacklogMax, 'x');
  stream.write(full);
  EXPECT_FALSE(stream.has_ended());
  stream.write("y");
  EXPECT_TRUE(stream.has_ended());
  EXPECT_TRUE(stream.was_cut());
  EXPECT_EQ(stream.take(), full + "too slow\n");
}

}  // namespace
}  // namespace vipair
