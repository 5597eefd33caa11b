#pragma once
// The memory bodies and heads flow through: blocks of two sizes, kept by the worker that used them. A freed block
// is the next one taken, while it is warm. What a crowd needed goes back to the heap when it has left (trim()). One
// thread; a pool outlives its blocks.

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#include "common/base/assert.h"
#include "proxy/server/free_list.h"
#include "proxy/server/pipe_pool.h"

namespace vipair::proxy {

// The blocks of the two sizes are mappings of their own. On the heap they would lie between what lives longer, and
// what a crowd of requests leaves behind could not be given back to the system.
struct BlockDeleter {
  std::size_t capacity = 0;
  void operator()(char* bytes) const;
};
using Block = std::unique_ptr<char[], BlockDeleter>;

class BufferPool {
 public:
  PipePool pipes;  // for what needs no memory of ours

  static constexpr std::size_t kSmall = 16 * 1024;  // a head, a small message
  static constexpr std::size_t kLarge = 64 * 1024;  // a body

  Block take(std::size_t capacity) {  // throws std::bad_alloc
    FreeList<Block>* free = list(capacity);
    Block block = free != nullptr ? free->take() : Block();
    return block != nullptr ? std::move(block) : make(capacity);
  }
  void give_back(Block block) {
    FreeList<Block>* free = list(block.get_deleter().capacity);
    if (free != nullptr) free->give_back(std::move(block));
  }
  // Frees the blocks that nobody has taken since the last call; how many bytes that were.
  std::size_t trim() { return small_.trim() * kSmall + large_.trim() * kLarge; }

 private:
  static Block make(std::size_t capacity);
  FreeList<Block>* list(std::size_t capacity) {
    return capacity == kSmall ? &small_ : capacity == kLarge ? &large_ : nullptr;
  }
  FreeList<Block> small_, large_;
};

// A window [begin, end) of unread bytes in a block of the pool. Holds no memory until it is asked to.
class InputBuffer {
 public:
  explicit InputBuffer(BufferPool& pool) : pool_(&pool) {}
  InputBuffer(const InputBuffer&) = delete;
  InputBuffer& operator=(const InputBuffer&) = delete;
  ~InputBuffer() { release(); }

  const char* data() const { return block_.get() + begin_; }
  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  PipePool& pipes() { return pool_->pipes; }
  std::string_view view() const { return {data(), size()}; }
  std::size_t capacity() const { return capacity_; }
  std::span<char> room() { return {block_.get() + end_, capacity_ - end_}; }

  void produced(std::size_t bytes) {
    VIPAIR_ASSERT(bytes <= capacity_ - end_, "no more arrives than there was room for");
    end_ += bytes;
  }
  void consume(std::size_t bytes) {
    VIPAIR_ASSERT(bytes <= size(), "no more is consumed than there is");
    begin_ += bytes;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  // What was consumed since the last read may be read again: a request that is sent to a second server.
  struct Mark {
    std::size_t begin, end;
  };
  Mark mark() const { return {begin_, end_}; }
  void rewind(Mark mark) { begin_ = mark.begin, end_ = mark.end; }

  // Room for at least `capacity` bytes in all, unread ones at the front. Pointers into the buffer become invalid.
  void reserve(std::size_t capacity) {
    if (capacity <= capacity_) {
      if (begin_ == 0) return;
      std::memmove(block_.get(), data(), size());
    } else {
      Block block = pool_->take(capacity);
      if (!empty()) std::memcpy(block.get(), data(), size());
      if (block_ != nullptr) pool_->give_back(std::move(block_));
      block_ = std::move(block);
      capacity_ = capacity;
    }
    end_ = size();
    begin_ = 0;
  }
  void release() {
    if (block_ != nullptr) pool_->give_back(std::move(block_));
    capacity_ = begin_ = end_ = 0;
  }

 private:
  BufferPool* pool_;
  Block block_;
  std::size_t capacity_ = 0, begin_ = 0, end_ = 0;
};

}  // namespace vipair::proxy
