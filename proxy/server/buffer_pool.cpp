#include "proxy/server/buffer_pool.h"

#include <sys/mman.h>

#include <new>

namespace vipair::proxy {

namespace {
constexpr bool is_mapped(std::size_t capacity) {
  return capacity == BufferPool::kSmall || capacity == BufferPool::kLarge;
}
}  // namespace

void BlockDeleter::operator()(char* bytes) const {
  if (is_mapped(capacity)) {
    (void)munmap(bytes, capacity);
  } else {
    delete[] bytes;
  }
}

Block BufferPool::make(std::size_t capacity) {
  if (!is_mapped(capacity)) return Block(new char[capacity], BlockDeleter{capacity});
  void* const bytes = mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (bytes == MAP_FAILED) throw std::bad_alloc();
  return Block(static_cast<char*>(bytes), BlockDeleter{capacity});
}

}  // namespace vipair::proxy
