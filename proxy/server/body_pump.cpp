#include "proxy/server/body_pump.h"

#include <algorithm>
#include <charconv>

namespace vipair::proxy {

namespace {
// What is left of a body, from which on a splice is cheaper than a copy.
constexpr std::uint64_t kSpliceMin = 64 * 1024;
constexpr std::size_t kRunsMax = 16;            // runs of payload framed as one chunk
constexpr std::size_t kEncodedMin = 16 * 1024;  // that is worth a write while more is coming
constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kLastChunk = "0\r\n";
}  // namespace

void BodyPump::start(InputBuffer& buffer, http::BodyFraming framing, bool chunked_out, std::uint64_t payload_max,
                     TimePoint now) {
  buffer_ = &buffer;
  last_read_ = last_write_ = now;
  decoder_ = http::BodyDecoder(framing);
  chunked_out_ = chunked_out;
  payload_max_ = payload_max;
  is_until_close_ = framing.framing == http::Framing::until_close;
  expected_ = framing.framing == http::Framing::content_length ? framing.length : 0;
  last_framed_ = read_was_full_ = is_bulk_ = false;
  framed_bytes_ = 0;
  sent_bytes_ = 0;
  end_ = End::none;
  error_number_ = 0;
  has_spliced_ = false;
  pipe_ = Pipe();
  encoder_ = nullptr;
  has_encoded_ = holds_back_ = is_leaving_ = false;
  encoded_bytes_ = 0;
}

void BodyPump::drop_unsent() {
  buffer_->consume(framed_bytes_);
  framed_bytes_ = 0;
  output_.clear();
  pipe_ = Pipe();
  encoder_ = nullptr;
}

bool BodyPump::pump(Stream& source, Stream& sink, TimePoint now) {
  if (end_ != End::none) return false;
  has_spliced_ = false;
  if (encoder_ != nullptr) return pump_encoded(source, sink, now);
  if (!pipe_.empty() || may_splice(source, sink)) return splice(source, sink, now);
  bool moved = false;
  if (framed_bytes_ == 0 && !last_framed_) {
    if (buffer_->empty() && output_.empty() && !decoder_.is_complete() && source.can_read()) {
      moved = read(source, now);
    }
    if (end_ == End::none && (!buffer_->empty() || decoder_.is_complete())) moved |= frame();
    if (end_ != End::none) return true;
  }
  if (!output_.empty() && sink.can_write()) moved |= flush(sink, now);
  if (end_ == End::none && output_.empty()) {
    buffer_->consume(framed_bytes_);
    framed_bytes_ = 0;
    if (last_framed_) finish(End::complete);
  }
  return moved || end_ != End::none;
}

bool BodyPump::read(Stream& source, TimePoint now) {
  const bool much_is_left = expected_ > decoder_.payload_bytes() + BufferPool::kSmall;
  const std::size_t wanted = much_is_left || read_was_full_ ? BufferPool::kLarge : BufferPool::kSmall;
  if (buffer_->capacity() < wanted) buffer_->reserve(wanted);
  const std::span<char> room = buffer_->room();
  const IoResult result = source.try_read(room);
  if (result.status != IoResult::Status::ok) return read_ended(result);
  buffer_->produced(result.bytes);
  read_was_full_ = result.bytes == room.size();
  if (result.bytes >= BufferPool::kLarge) is_bulk_ = true;
  last_read_ = now;
  return true;
}

// The source gave nothing: false when there is nothing now.
bool BodyPump::read_ended(const IoResult& result) {
  if (result.status == IoResult::Status::would_block) return false;
  if (result.status == IoResult::Status::error) {
    error_number_ = result.error;
    finish(End::source_failed);
  } else if (!decoder_.finish_at_close()) {
    finish(End::source_closed);
  }
  return true;
}

bool BodyPump::may_splice(const Stream& source, const Stream& sink) const {
  if (chunked_out_ || !buffer_->empty() || !output_.empty() || decoder_.is_complete()) return false;
  const bool is_long =
      expected_ > 0 ? expected_ - decoder_.payload_bytes() >= kSpliceMin : is_until_close_ && is_bulk_;
  return is_long && expected_ <= payload_max_ && source.can_read() && source.can_splice() && sink.can_splice();
}

// One splice on either side. A short one does not say that the source is empty, and looking again at once is mostly
// in vain: the session lets others run first.
bool BodyPump::splice(Stream& source, Stream& sink, TimePoint now) {
  bool moved = false;
  if (pipe_.empty()) {
    pipe_ = buffer_->pipes().take();
    if (!pipe_) return read(source, now);
    const std::uint64_t left = expected_ > 0 ? expected_ - decoder_.payload_bytes() : PipePool::kCapacity;
    const IoResult result = source.try_splice_in(
        pipe_.write_end(), static_cast<std::size_t>(std::min<std::uint64_t>(left, PipePool::kCapacity)));
    if (result.status != IoResult::Status::ok) {
      pipe_ = Pipe();
      return read_ended(result);
    }
    pipe_.filled(result.bytes);
    decoder_.pass(result.bytes);
    if (result.bytes < BufferPool::kSmall) is_bulk_ = false;
    last_read_ = now;
    has_spliced_ = moved = true;
  }
  if (sink.can_write()) {
    const IoResult result = sink.try_splice_out(pipe_.read_end(), pipe_.size());
    if (result.status == IoResult::Status::ok) {
      pipe_.drained(result.bytes);
      sent_bytes_ += result.bytes;
      last_write_ = now;
      moved = true;
    } else if (result.status != IoResult::Status::would_block) {
      error_number_ = result.error;
      finish(End::sink_failed);
      return true;
    }
  }
  if (!pipe_.empty()) return moved;
  pipe_ = Pipe();
  if (decoder_.is_complete()) finish(End::complete);
  return moved;
}

// Puts what the buffer holds of the body into the output, as one chunk when the sink gets chunks.
bool BodyPump::frame() {
  std::array<std::string_view, kRunsMax> runs;
  std::size_t count = 0, payload = 0;
  while (!decoder_.is_complete() && count < kRunsMax) {
    const http::BodyDecoder::Step step = decoder_.decode(buffer_->view().substr(framed_bytes_));
    framed_bytes_ += step.consumed;
    if (step.error) {
      framing_error_ = *step.error;
      finish(End::bad_framing);
      return true;
    }
    if (!step.payload.empty()) {
      runs[count++] = step.payload;
      payload += step.payload.size();
    }
    if (step.consumed == 0) break;
  }
  if (decoder_.payload_bytes() > payload_max_) {
    finish(End::too_large);
    return true;
  }
  if (chunked_out_ && payload > 0) add_chunk_line(payload);
  for (std::size_t i = 0; i < count; ++i) output_.add(runs[i]);
  if (chunked_out_ && payload > 0) output_.add(kLineEnd);
  if (decoder_.is_complete()) add_end();
  return framed_bytes_ > 0 || last_framed_;
}

void BodyPump::add_chunk_line(std::size_t payload) {
  char* const begin = chunk_size_.data();
  char* end = std::to_chars(begin, begin + 16, payload, 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  output_.add({begin, static_cast<std::size_t>(end - begin)});
}

void BodyPump::add_end() {
  last_framed_ = true;
  if (!chunked_out_) return;
  output_.add(kLastChunk);
  output_.add(decoder_.trailers());
  output_.add(kLineEnd);
}

// ---- encoded bodies --------------------------------------------------------------------------

// An encoder takes much before it says something. Its output leaves, with the head in front of it, when it is worth
// a write, when the source is silent and at the end: the client never waits for what was said already.
bool BodyPump::pump_encoded(Stream& source, Stream& sink, TimePoint now) {
  bool moved = has_encoded_ = false;
  if (!is_leaving_) {
    if (buffer_->empty() && !decoder_.is_complete() && source.can_read()) moved = read(source, now);
    if (end_ == End::none && !encode()) finish(End::encoder_failed);
    if (end_ != End::none) return true;
    moved |= has_encoded_;
    const bool is_silent = !moved;  // asked once more after each piece: what follows at once is compressed with it
    using Flush = BodyEncoder::Flush;
    const Flush due = decoder_.is_complete() ? Flush::end : is_silent && holds_back_ ? Flush::sync : Flush::none;
    if (due != Flush::none) {
      if (!encoder_->encode({}, due)) {
        finish(End::encoder_failed);
        return true;
      }
      holds_back_ = false;
    }
    if (decoder_.is_complete() || is_silent || encoder_->ready.size() >= kEncodedMin) leave_encoded();
  }
  if (is_leaving_ && sink.can_write()) moved |= flush(sink, now);
  if (end_ == End::none && is_leaving_ && output_.empty()) {
    encoder_->ready.clear();
    is_leaving_ = false;
    if (last_framed_) finish(End::complete);
  }
  return moved || end_ != End::none;
}

// Gives the encoder what the buffer holds. False: it failed.
bool BodyPump::encode() {
  while (!buffer_->empty() && !decoder_.is_complete() && encoder_->ready.size() < kEncodedMin) {
    const http::BodyDecoder::Step step = decoder_.decode(buffer_->view());
    if (step.error) {
      framing_error_ = *step.error;
      finish(End::bad_framing);
      return true;
    }
    if (!step.payload.empty()) {
      if (!encoder_->encode(step.payload, BodyEncoder::Flush::none)) return false;
      has_encoded_ = holds_back_ = true;
    }
    buffer_->consume(step.consumed);
    if (step.consumed == 0) break;
  }
  return true;
}

void BodyPump::leave_encoded() {
  const std::string_view ready = encoder_->ready.view();
  encoded_bytes_ += ready.size();
  if (chunked_out_ && !ready.empty()) add_chunk_line(ready.size());
  output_.add(ready);
  if (chunked_out_ && !ready.empty()) output_.add(kLineEnd);
  if (decoder_.is_complete()) add_end();
  is_leaving_ = !output_.empty();
}

bool BodyPump::flush(Stream& sink, TimePoint now) {
  const IoResult result = output_.flush(sink);
  if (result.status == IoResult::Status::ok) {
    sent_bytes_ += result.bytes;
    last_write_ = now;
    return true;
  }
  if (result.status == IoResult::Status::would_block) return false;
  error_number_ = result.error;
  finish(End::sink_failed);
  return true;
}

}  // namespace vipair::proxy
