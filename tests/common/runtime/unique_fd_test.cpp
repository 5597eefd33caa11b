#include "common/runtime/unique_fd.h"

#include <fcntl.h>

#include "gtest/gtest.h"

namespace vipair {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(UniqueFd, ClosesWhatItOwnsOnce) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  {
    UniqueFd first(ends[0]), second(ends[1]);
    EXPECT_TRUE(first);
    UniqueFd moved(std::move(first));
    EXPECT_EQ(moved.get(), ends[0]);
    moved = std::move(second);
    EXPECT_FALSE(is_open(ends[0]));
    EXPECT_TRUE(is_open(ends[1]));
    UniqueFd& same = moved;
    moved = std::move(same);
    EXPECT_TRUE(is_open(ends[1]));
  }
  EXPECT_FALSE(is_open(ends[1]));
}

TEST(UniqueFd, ReleasedIsNotClosed) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  UniqueFd closer(ends[1]);
  int raw = UniqueFd(ends[0]).release();
  EXPECT_TRUE(is_open(raw));
  ::close(raw);
  EXPECT_FALSE(UniqueFd());
}

}  // namespace
}  // namespace vipair
