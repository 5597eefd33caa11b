#pragma once
// The frames of one connection on their way out: contiguous blocks of the pool, written together. Holds no memory
// while empty.

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "common/base/assert.h"
#include "proxy/server/buffer_pool.h"
#include "proxy/server/stream.h"

namespace vipair::proxy {

class H2Output {
 public:
  explicit H2Output(BufferPool& pool) : pool_(pool) {}
  H2Output(const H2Output&) = delete;
  H2Output& operator=(const H2Output&) = delete;
  ~H2Output() { clear(); }

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }

  // Room for so many bytes in one piece; what is not produced() costs nothing. Valid until the next call.
  char* room(std::size_t bytes);
  void produced(std::size_t bytes);
  void append(std::string_view bytes) {
    std::memcpy(room(bytes.size()), bytes.data(), bytes.size());
    produced(bytes.size());
  }

  IoResult flush(Stream& stream);  // one write
  void clear();

 private:
  struct Part {
    Block bytes;
    std::size_t capacity = 0, begin = 0, end = 0;
  };
  static constexpr std::size_t kPiecesMax = 16;  // per write

  BufferPool& pool_;
  std::vector<Part> blocks_;
  std::size_t size_ = 0;
};

}  // namespace vipair::proxy
