#pragma once
// What is to be written to one stream next: a few pieces of memory that somebody else keeps alive until they are
// written. One send per flush.

#include <sys/uio.h>

#include <array>
#include <cstring>
#include <span>
#include <string_view>

#include "common/base/assert.h"
#include "proxy/server/stream.h"

namespace vipair::proxy {

class Output {
 public:
  static constexpr std::size_t kPiecesMax = 24;

  bool empty() const { return first_ == count_; }
  std::size_t pieces_left() const { return kPiecesMax - count_; }
  void add(std::string_view piece) {
    if (piece.empty()) return;
    VIPAIR_ASSERT(count_ < kPiecesMax, "whoever adds pieces has asked for room");
    pieces_[count_++] = {const_cast<char*>(piece.data()), piece.size()};
  }
  // Everything that is left, as one message. The result of the one write; `bytes` were written.
  IoResult flush(Stream& stream) {
    std::span<const iovec> left = std::span(pieces_).subspan(first_, count_ - first_);
    // A small message in pieces costs the kernel more than a copy costs us.
    std::array<char, kGatheredMax> gathered;
    iovec whole{gathered.data(), 0};
    if (left.size() > 1 && gather(left, whole)) left = {&whole, 1};
    IoResult result = stream.try_write(left);
    if (result.status == IoResult::Status::ok) advance(result.bytes);
    return result;
  }
  void clear() { first_ = count_ = 0; }

 private:
  static constexpr std::size_t kGatheredMax = 4096;  // bytes

  static bool gather(std::span<const iovec> pieces, iovec& whole) {
    for (const iovec& piece : pieces) {
      if (piece.iov_len > kGatheredMax - whole.iov_len) return false;
      std::memcpy(static_cast<char*>(whole.iov_base) + whole.iov_len, piece.iov_base, piece.iov_len);
      whole.iov_len += piece.iov_len;
    }
    return true;
  }
  void advance(std::size_t bytes) {
    while (first_ < count_ && bytes >= pieces_[first_].iov_len) bytes -= pieces_[first_++].iov_len;
    if (first_ == count_) {
      clear();
    } else {
      pieces_[first_].iov_base = static_cast<char*>(pieces_[first_].iov_base) + bytes;
      pieces_[first_].iov_len -= bytes;
    }
  }
  std::array<iovec, kPiecesMax> pieces_;
  std::size_t first_ = 0, count_ = 0;
};

}  // namespace vipair::proxy
