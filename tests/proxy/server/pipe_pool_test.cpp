#include "proxy/server/pipe_pool.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <vector>

namespace vipair::proxy {
namespace {

TEST(PipePool, HandsAPipeOutAgain) {
  PipePool pool;
  int first = -1;
  {
    Pipe pipe = pool.take();
    ASSERT_TRUE(pipe);
    first = pipe.read_end();
    ASSERT_EQ(::write(pipe.write_end(), "abc", 3), 3);
    pipe.filled(3);
    char bytes[3];
    ASSERT_EQ(::read(pipe.read_end(), bytes, 3), 3);
    pipe.drained(3);
  }
  Pipe again = pool.take();
  EXPECT_EQ(again.read_end(), first);
}

TEST(PipePool, NeverHandsOutWhatIsNotEmpty) {
  PipePool pool;
  {
    Pipe pipe = pool.take();
    ASSERT_EQ(::write(pipe.write_end(), "abc", 3), 3);
    pipe.filled(3);
  }
  Pipe other = pool.take();
  char byte;
  EXPECT_EQ(::read(other.read_end(), &byte, 1), -1);
}

TEST(PipePool, HasAnEnd) {
  PipePool pool;
  std::vector<Pipe> pipes;
  for (std::size_t i = 0; i < PipePool::kPipesMax; ++i) pipes.push_back(pool.take());
  EXPECT_TRUE(pipes.back());
  EXPECT_FALSE(pool.take());
  pipes.pop_back();
  EXPECT_TRUE(pool.take());
}

}  // namespace
}  // namespace vipair::proxy
