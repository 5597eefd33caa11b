#include "tests/support/memory_stream.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace vipair::proxy::testing {

namespace {
// The flags of Stream are its own; these are their meanings.
constexpr std::uint8_t kReadable = 1, kWritable = 2, kPeerClosed = 4, kBroken = 8;
}  // namespace

void Wire::notify(std::uint8_t flags) {
  if (stream_ != nullptr) stream_->became_ready(flags);
}

void Wire::send(std::string_view bytes) {
  to_proxy_ += bytes;
  if (!bytes.empty()) notify(kReadable);
}

void Wire::half_close() {
  to_proxy_ended_ = true;
  notify(kReadable | kPeerClosed);
}

void Wire::reset() {
  is_reset_ = true;
  notify(kReadable | kWritable | kBroken);
}

void Wire::accept() { notify(kWritable); }

void Wire::refuse(int error_number) {
  connect_error_ = error_number;
  is_reset_ = true;
  notify(kReadable | kWritable | kBroken);
}

std::string Wire::take() { return std::exchange(from_proxy_, {}); }

void Wire::limit_room(std::size_t bytes) { room_ = bytes; }

void Wire::make_room(std::size_t bytes) {
  room_ = bytes;
  notify(kWritable);
}

MemoryStream::MemoryStream(std::shared_ptr<Wire> wire) : wire_(std::move(wire)) { wire_->stream_ = this; }

MemoryStream::~MemoryStream() {
  wire_->stream_ = nullptr;
  wire_->ended_ = true;
}

IoResult MemoryStream::try_read(std::span<char> buffer) {
  std::string& bytes = wire_->to_proxy_;
  // Like TCP: what arrived before a reset can still be read.
  if (!bytes.empty()) {
    const std::size_t size = std::min({bytes.size(), buffer.size(), wire_->read_max});
    std::memcpy(buffer.data(), bytes.data(), size);
    bytes.erase(0, size);
    // And like a socket: a read that filled its buffer does not know that it took the last byte.
    if (bytes.empty() && size < buffer.size() && !wire_->to_proxy_ended_ && !wire_->is_reset_) no_longer(kReadable);
    return {IoResult::Status::ok, size, 0};
  }
  if (wire_->is_reset_) return {IoResult::Status::error, 0, ECONNRESET};
  if (wire_->to_proxy_ended_) return {IoResult::Status::eof, 0, 0};
  no_longer(kReadable);
  return {IoResult::Status::would_block, 0, 0};
}

IoResult MemoryStream::try_peek(std::span<char> buffer) {
  const std::string& bytes = wire_->to_proxy_;
  if (!bytes.empty()) return {IoResult::Status::ok, bytes.copy(buffer.data(), buffer.size()), 0};
  return try_read(buffer);
}

IoResult MemoryStream::try_write(std::span<const iovec> pieces) {
  if (wire_->is_reset_) return {IoResult::Status::error, 0, EPIPE};
  std::size_t left = std::min(wire_->write_max, wire_->room_);
  std::size_t written = 0;
  for (const iovec& piece : pieces) {
    const std::size_t size = std::min(piece.iov_len, left);
    wire_->from_proxy_.append(static_cast<const char*>(piece.iov_base), size);
    written += size;
    left -= size;
  }
  if (wire_->room_ != kAnySize) wire_->room_ -= written;
  if (wire_->room_ == 0) no_longer(kWritable);
  if (written != 0) ++wire_->writes;
  if (written == 0) return {IoResult::Status::would_block, 0, 0};
  return {IoResult::Status::ok, written, 0};
}

}  // namespace vipair::proxy::testing
