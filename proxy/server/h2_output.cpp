#include "proxy/server/h2_output.h"

namespace vipair::proxy {

char* H2Output::room(std::size_t bytes) {
  if (blocks_.empty() || blocks_.back().capacity - blocks_.back().end < bytes) {
    const bool is_first = blocks_.empty() && bytes <= BufferPool::kSmall;
    const std::size_t capacity =
        is_first ? std::size_t{BufferPool::kSmall} : std::max(std::size_t{BufferPool::kLarge}, bytes);
    blocks_.push_back({pool_.take(capacity), capacity, 0, 0});
  }
  return blocks_.back().bytes.get() + blocks_.back().end;
}

void H2Output::produced(std::size_t bytes) {
  Part& last = blocks_.back();
  VIPAIR_ASSERT(bytes <= last.capacity - last.end, "no more is produced than there was room for");
  last.end += bytes;
  size_ += bytes;
}

IoResult H2Output::flush(Stream& stream) {
  std::array<iovec, kPiecesMax> pieces;
  std::size_t count = 0;
  for (const Part& block : blocks_) {
    if (count == kPiecesMax) break;
    if (block.end > block.begin) pieces[count++] = {block.bytes.get() + block.begin, block.end - block.begin};
  }
  const IoResult result = stream.try_write(std::span(pieces).first(count));
  if (result.status != IoResult::Status::ok) return result;
  size_ -= result.bytes;
  if (size_ == 0) {
    clear();
    return result;
  }
  std::size_t left = result.bytes, written_blocks = 0;
  for (Part& block : blocks_) {
    const std::size_t taken = std::min(left, block.end - block.begin);
    block.begin += taken;
    left -= taken;
    if (block.begin < block.end) break;
    pool_.give_back(std::move(block.bytes));
    ++written_blocks;
  }
  blocks_.erase(blocks_.begin(), blocks_.begin() + static_cast<std::ptrdiff_t>(written_blocks));
  return result;
}

void H2Output::clear() {
  for (Part& block : blocks_) pool_.give_back(std::move(block.bytes));
  blocks_.clear();
  size_ = 0;
}

}  // namespace vipair::proxy
