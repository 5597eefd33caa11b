#include "proxy/http/buffer.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>

namespace vipair::http {
namespace {

TEST(Buffer, KeepsWhatWasAppendedWhileItGrows) {
  Buffer buffer;
  std::string expected;
  for (int i = 0; i < 2000; ++i) {
    std::string piece(static_cast<std::size_t>(i % 7), static_cast<char>('a' + i % 26));
    buffer.append(piece);
    buffer.append('.');
    expected += piece + ".";
  }
  EXPECT_EQ(buffer.view(), expected);
}

TEST(Buffer, WritesNumbers) {
  Buffer buffer;
  buffer.append_number(0);
  buffer.append(' ');
  buffer.append_number(std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(buffer.view(), "0 18446744073709551615");
}

TEST(Buffer, KeepsItsMemoryUntilReleased) {
  Buffer buffer(100);
  buffer.append("abc");
  const char* memory = buffer.data();
  buffer.clear();
  EXPECT_TRUE(buffer.empty());
  buffer.append("def");
  EXPECT_EQ(buffer.data(), memory);
  buffer.shrink(2);
  EXPECT_EQ(buffer.view(), "de");
  buffer.shrink(5);
  EXPECT_EQ(buffer.view(), "de");
  buffer.release();
  EXPECT_EQ(buffer.capacity(), 0U);
  EXPECT_EQ(buffer.view(), "");
}

TEST(Buffer, MovesItsContent) {
  Buffer from;
  from.append("abc");
  Buffer to(std::move(from));
  EXPECT_EQ(to.view(), "abc");
  EXPECT_EQ(from.view(), "");  // NOLINT(bugprone-use-after-move): it promises to be empty
  from.append("x");
  to = std::move(from);
  EXPECT_EQ(to.view(), "x");
}

}  // namespace
}  // namespace vipair::http
