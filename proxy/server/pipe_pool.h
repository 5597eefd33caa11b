#pragma once
// The pipes of one worker through which bytes go from socket to socket without being copied to us (splice(2)). A
// pipe is held only while bytes are in it. One thread; a pool outlives its pipes.

#include <cstddef>
#include <utility>
#include <vector>

#include "common/runtime/unique_fd.h"

namespace vipair::proxy {

class PipePool;

// A pipe, and how many bytes are in it. Goes back to its pool when it is let go of; with bytes in it, it is closed.
class Pipe {
 public:
  Pipe() = default;
  Pipe(Pipe&& other) noexcept { swap(other); }
  Pipe& operator=(Pipe&& other) noexcept {
    Pipe(std::move(other)).swap(*this);
    return *this;
  }
  ~Pipe();
  explicit operator bool() const { return pool_ != nullptr; }

  int read_end() const { return read_end_.get(); }
  int write_end() const { return write_end_.get(); }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  void filled(std::size_t bytes) { size_ += bytes; }
  void drained(std::size_t bytes) { size_ -= bytes; }

 private:
  friend class PipePool;
  void swap(Pipe& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(read_end_, other.read_end_);
    std::swap(write_end_, other.write_end_);
    std::swap(size_, other.size_);
  }
  PipePool* pool_ = nullptr;
  UniqueFd read_end_, write_end_;
  std::size_t size_ = 0;
};

class PipePool {
 public:
  static constexpr std::size_t kCapacity = 256 * 1024;  // bytes; the kernel may allow less
  static constexpr std::size_t kPipesMax = 32;          // each is two descriptors
  Pipe take();  // none: there is no pipe to be had now, bytes have to be copied

 private:
  friend class Pipe;
  void give_back(Pipe& pipe);
  std::vector<std::pair<UniqueFd, UniqueFd>> free_;
  std::size_t in_use_ = 0;
};

}  // namespace vipair::proxy
