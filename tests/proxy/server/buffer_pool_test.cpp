#include "proxy/server/buffer_pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace vipair::proxy {
namespace {

TEST(BufferPool, GivesTheLastBlockFirst) {
  BufferPool pool;
  auto one = pool.take(BufferPool::kSmall), two = pool.take(BufferPool::kSmall);
  char* const last = two.get();
  pool.give_back(std::move(one));
  pool.give_back(std::move(two));
  EXPECT_EQ(pool.take(BufferPool::kSmall).get(), last);
}

TEST(BufferPool, GivesBackToTheHeapWhatNobodyWantedForAWhile) {
  constexpr std::size_t kCrowd = 100;
  BufferPool pool;
  std::vector<Block> blocks;
  auto take = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) blocks.push_back(pool.take(BufferPool::kSmall));
  };
  auto give_back = [&] {
    for (auto& block : blocks) pool.give_back(std::move(block));
    blocks.clear();
  };
  take(kCrowd);
  give_back();
  EXPECT_EQ(pool.trim(), 0u) << "they were needed a moment ago";
  take(40);
  give_back();
  EXPECT_EQ(pool.trim(), (kCrowd - 40 - FreeList<Block>::kMin) * BufferPool::kSmall);
  EXPECT_EQ(pool.trim(), 40 * BufferPool::kSmall) << "nobody has taken one since";
  EXPECT_EQ(pool.trim(), 0u) << "some stay warm";
}

TEST(BufferPool, HasBlocksOfEverySize) {
  BufferPool pool;
  for (std::size_t capacity : {std::size_t{1}, std::size_t{80 * 1024}, BufferPool::kSmall, BufferPool::kLarge}) {
    Block block = pool.take(capacity);
    std::memset(block.get(), 'x', capacity);
    pool.give_back(std::move(block));
  }
}

}  // namespace
}  // namespace vipair::proxy
