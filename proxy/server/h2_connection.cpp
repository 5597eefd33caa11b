#include "proxy/server/h2_connection.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace vipair::proxy {

using http::h2::ErrorCode;
using http::h2::Flood;
using http::h2::FrameType;
using http::h2::kFrameHeaderBytes;
using http::h2::kFrameSize;

H2Connection::H2Connection(WorkerContext& worker, std::unique_ptr<Stream> transport, Role role,
                           const http::HeadLimits& limits)
    : worker_(worker),
      transport_(std::move(transport)),
      waiter_(worker.scheduler),
      output_(worker.buffers),
      role_(role),
      head_limits_(limits),
      in_(worker.buffers) {
  transport_->set_waiter(&waiter_);
  worker_.counters.h2.connections.add();
}

H2Connection::~H2Connection() {
  detach_all(ECONNRESET);
  worker_.counters.h2.connections.subtract();
}

void H2Connection::start(const http::h2::SettingValue* settings, std::size_t count) {
  if (role_ == Role::client) output_.append(http::h2::kPreface);
  output_.append(http::h2::settings_frame(settings, count).view());
  output_.append(http::h2::window_update(0, kReceiveWindow - http::h2::kInitialWindow).view());
}

// ---- the transport -------------------------------------------------------------------------

bool H2Connection::step() {
  if (transport_->is_broken() && !transport_->can_read()) is_over_ = true;
  if (is_over_) return false;
  bool moved = false;
  if (!has_failed_ && !input_ended_ && transport_->can_read() && output_.size() < kOutputMax) moved = read();
  if (!output_.empty() && transport_->can_write()) moved |= flush();
  if (output_.empty()) {
    stalled_since_.reset();
  } else if (!stalled_since_) {
    stalled_since_ = now();
  }
  return moved && !is_over_;
}

bool H2Connection::read() {
  const std::size_t wanted = read_was_full_ ? BufferPool::kLarge : BufferPool::kSmall;
  if (in_.capacity() < wanted || in_.room().empty()) in_.reserve(std::max(wanted, in_.capacity()));
  const std::span<char> room = in_.room();
  const IoResult result = transport_->try_read(room);
  switch (result.status) {
    case IoResult::Status::would_block:
      if (in_.empty()) in_.release();
      return false;
    case IoResult::Status::error:
      is_over_ = true;
      return false;
    case IoResult::Status::eof:
      input_ended_ = true;
      // What the peer has begun and cannot end any more is over; what it has asked for is answered.
      for (std::size_t i = open_.size(); i-- > 0;) {
        H2Stream& stream = *open_[i].stream;
        if (stream.end_received()) continue;
        close_stream(stream);
        stream.receive_reset(ECONNRESET);
      }
      return true;
    case IoResult::Status::ok:
      in_.produced(result.bytes);
      read_was_full_ = result.bytes == room.size();
  }
  process_all();
  return true;
}

void H2Connection::take_already_read(std::string_view bytes) {
  if (bytes.empty()) return;
  in_.reserve(std::max<std::size_t>(BufferPool::kSmall, bytes.size()));
  std::copy(bytes.begin(), bytes.end(), in_.room().begin());
  in_.produced(bytes.size());
}

void H2Connection::process_all() {
  while (!has_failed_ && process()) {
  }
  if (has_failed_) in_.consume(in_.size());
  if (in_.empty()) {
    in_.release();
  } else if (in_.room().empty() || in_.capacity() < kFrameSize + kFrameHeaderBytes) {
    in_.reserve(BufferPool::kLarge);  // a whole frame fits
  }
}

bool H2Connection::read_preface() {
  constexpr std::string_view kPreface = http::h2::kPreface;
  const std::string_view expected = kPreface.substr(preface_seen_, in_.size());
  if (in_.view().substr(0, expected.size()) != expected) {
    fail(ErrorCode::protocol_error);
    return false;
  }
  preface_seen_ += expected.size();
  in_.consume(expected.size());
  return preface_seen_ == kPreface.size();
}

// One frame, or one part of a DATA frame. False: more bytes are needed.
bool H2Connection::process() {
  if (role_ == Role::server && preface_seen_ < http::h2::kPreface.size() && !read_preface()) return false;
  const std::string_view bytes = in_.view();
  if (in_data_) {
    if (bytes.empty() && data_left_ + padding_left_ > 0) return false;
    const std::size_t payload = std::min<std::size_t>(data_left_, bytes.size());
    const std::size_t padding = std::min<std::size_t>(padding_left_, bytes.size() - payload);
    data_left_ -= static_cast<std::uint32_t>(payload);
    padding_left_ -= static_cast<std::uint32_t>(padding);
    on_data(bytes.substr(0, payload));
    in_.consume(payload + padding);
    return !has_failed_;
  }
  if (bytes.size() < kFrameHeaderBytes) return false;
  const http::h2::FrameHeader header = http::h2::read_frame_header(bytes.data());
  if (header.length > kFrameSize) {
    fail(ErrorCode::frame_size_error);
    return false;
  }
  // The first frame of a peer is its SETTINGS (RFC 9113 section 3.4).
  if (!saw_settings_ && (!header.is(FrameType::settings) || header.has(http::h2::kAck))) {
    fail(ErrorCode::protocol_error);
    return false;
  }
  // Nothing may come between the parts of a header block (section 6.2).
  if (block_stream_ != 0 && (!header.is(FrameType::continuation) || header.stream != block_stream_)) {
    fail(ErrorCode::protocol_error);
    return false;
  }
  if (header.is(FrameType::data)) {
    const std::size_t needed = kFrameHeaderBytes + (header.has(http::h2::kPadded) && header.length > 0 ? 1 : 0);
    if (bytes.size() < needed) return false;
    begin_data(header);
    in_.consume(has_failed_ ? 0 : needed);
    return !has_failed_;
  }
  if (bytes.size() < kFrameHeaderBytes + header.length) return false;
  on_frame(header, bytes.substr(kFrameHeaderBytes, header.length));
  in_.consume(kFrameHeaderBytes + header.length);
  return !has_failed_;
}

bool H2Connection::flush() {
  const bool was_full = output_.size() >= kOutputMax;
  const IoResult result = output_.flush(*transport_);
  if (result.status == IoResult::Status::would_block) return false;
  if (result.status == IoResult::Status::error) {
    is_over_ = true;
    return false;
  }
  stalled_since_ = now();
  if (was_full && output_.size() < kOutputMax) resume_blocked();
  return true;
}

void H2Connection::fail(ErrorCode code) {
  if (has_failed_) return;
  send_goaway(role_ == Role::server ? highest_ : 0, code);
  has_failed_ = true;
  detach_all(ECONNRESET);
}

void H2Connection::send_goaway(std::uint32_t last_stream, ErrorCode code) {
  output_.append(http::h2::goaway(last_stream, code).view());
  accept_until_ = last_stream;
  worker_.counters.h2.goaways[static_cast<std::size_t>(code)].add();
  wake();
}

bool H2Connection::spend(Flood kind) {
  if (guard_.allows(kind, now())) return true;
  worker_.counters.h2.floods[static_cast<std::size_t>(kind)].add();
  fail(ErrorCode::enhance_your_calm);
  return false;
}

// ---- the table of streams ------------------------------------------------------------------

H2Stream* H2Connection::find(std::uint32_t id) {
  auto at = std::lower_bound(open_.begin(), open_.end(), id,
                             [](const Open& open, std::uint32_t wanted) { return open.id < wanted; });
  return at != open_.end() && at->id == id ? at->stream : nullptr;
}

bool H2Connection::is_idle_id(std::uint32_t id) const {
  return id % 2 == 0 || id > highest_;  // even ones would be pushed, and nobody pushes
}

H2Connection::Ended H2Connection::how_ended(std::uint32_t id) const {
  const Closed& closed = closed_[id / 2 % kClosedKept];
  return closed.id == id ? closed.how : Ended::never;
}

void H2Connection::close_stream(H2Stream& stream) {
  auto at = std::lower_bound(open_.begin(), open_.end(), stream.id(),
                             [](const Open& open, std::uint32_t wanted) { return open.id < wanted; });
  if (at == open_.end() || at->stream != &stream) return;
  open_.erase(at);
  closed_[stream.id() / 2 % kClosedKept] = {stream.id(), Ended::regularly};
}

void H2Connection::open_own(H2Stream& stream, std::uint32_t id) {
  highest_ = id;
  ++busy_;
  open_.push_back({id, &stream});
  stream.begin(id, initial_send_window_);
}

void H2Connection::reset(H2Stream& stream, ErrorCode code) {
  const bool was_open = find(stream.id()) == &stream;
  close_stream(stream);
  if (was_open) reset_id(stream.id(), code);
  stream.receive_reset(stream.error_ != 0 ? stream.error_ : ECONNRESET);
}

void H2Connection::reset_id(std::uint32_t id, ErrorCode code) {
  closed_[id / 2 % kClosedKept] = {id, Ended::by_us};
  if (has_failed_) return;
  output_.append(http::h2::rst_stream(id, code).view());
  worker_.counters.h2.resets_sent[static_cast<std::size_t>(code)].add();
  wake();
  // Those that only say "enough" and those the peer wanted are no sign of harm.
  if (code != ErrorCode::no_error && code != ErrorCode::cancel) (void)spend(Flood::resets);
}

void H2Connection::on_gone(H2Stream& stream) {
  attached_.erase(std::find(attached_.begin(), attached_.end(), &stream));
  wake();
  if (stream.id() == 0) return;
  credit_connection(stream.body_in_.size());
  --busy_;
  if (find(stream.id()) != &stream) return;
  const bool is_answered = role_ == Role::server && stream.end_sent();
  const bool was_complete = stream.end_sent() && stream.end_received();
  close_stream(stream);
  if (was_complete) return;
  const ErrorCode code = is_answered             ? ErrorCode::no_error
                         : role_ == Role::server ? ErrorCode::internal_error
                                                 : ErrorCode::cancel;
  reset_id(stream.id(), code);
}

void H2Connection::detach_all(int error) {
  open_.clear();
  for (H2Stream* stream : std::exchange(attached_, {})) stream->detach(error);
  busy_ = 0;
}

std::string_view H2Connection::websocket_key(RequestId& id) {
  if (!head_.is_tunnel()) return {};
  (void)worker_.request_ids.next(id);
  constexpr std::string_view kEnd = "A==";  // what the last of 16 bytes leaves in base64
  std::copy(kEnd.begin(), kEnd.end(), id.begin() + 21);
  return {id.data(), 24};
}

bool H2Connection::may_send_head(H2Stream&) { return output_.size() < kOutputMax; }

// ---- sending -------------------------------------------------------------------------------

void H2Connection::send_head(std::uint32_t stream, bool ends_stream) {
  const std::size_t bound = encoder_.bound(lines());
  const std::uint8_t end = ends_stream ? http::h2::kEndStream : 0;
  wake();
  if (bound <= kFrameSize) {
    char* frame = output_.room(kFrameHeaderBytes + bound);
    const std::size_t size = encoder_.encode({frame + kFrameHeaderBytes, bound});
    http::h2::write_frame_header(frame, size, FrameType::headers,
                                 static_cast<std::uint8_t>(end | http::h2::kEndHeaders), stream);
    output_.produced(kFrameHeaderBytes + size);
    return;
  }
  std::vector<char> block(bound);
  const std::size_t size = encoder_.encode(block);
  for (std::size_t at = 0; at < size; at += kFrameSize) {
    const std::size_t part = std::min<std::size_t>(kFrameSize, size - at);
    const bool is_first = at == 0, is_last = at + part == size;
    const auto flags = static_cast<std::uint8_t>((is_first ? end : 0) | (is_last ? http::h2::kEndHeaders : 0));
    char* frame = output_.room(kFrameHeaderBytes + part);
    http::h2::write_frame_header(frame, part, is_first ? FrameType::headers : FrameType::continuation, flags,
                                 stream);
    std::copy_n(block.begin() + static_cast<std::ptrdiff_t>(at), part, frame + kFrameHeaderBytes);
    output_.produced(kFrameHeaderBytes + part);
  }
}

std::size_t H2Connection::data_room() const {
  if (send_window_ <= 0 || output_.size() >= kOutputMax) return 0;
  return std::min(static_cast<std::size_t>(send_window_), kOutputMax - output_.size());
}

char* H2Connection::send_data(H2Stream& stream, std::string_view payload, bool ends_stream) {
  char* frame = output_.room(kFrameHeaderBytes + payload.size());
  http::h2::write_frame_header(frame, payload.size(), FrameType::data, ends_stream ? http::h2::kEndStream : 0,
                               stream.id());
  std::copy(payload.begin(), payload.end(), frame + kFrameHeaderBytes);
  output_.produced(kFrameHeaderBytes + payload.size());
  const auto size = static_cast<std::int64_t>(payload.size());
  send_window_ -= size;
  stream.send_window_ -= size;
  wake();
  return frame;
}

// Whoever waits for a window of its own goes on waiting; the others take their turns in the order they came.
void H2Connection::resume_blocked() {
  if (blocked_.empty() || data_room() == 0) return;
  IntrusiveList<H2Stream> waiting;
  waiting.take(blocked_);
  while (H2Stream* stream = waiting.pop_front()) {
    if (stream->id() != 0 && stream->wants_window()) {
      blocked_.push_back(*stream);
    } else {
      stream->resume();
    }
  }
}

void H2Connection::on_end_sent(H2Stream& stream) {
  if (!stream.end_received()) {
    // A tunnel that was refused: there is nothing that could end it.
    if (role_ == Role::server && stream.is_tunnel() && stream.persists_) reset(stream, ErrorCode::no_error);
    return;
  }
  close_stream(stream);
  if (stream.persists_ && !stream.has_unread() && stream.body_in_.empty()) on_free(stream);
}

// ---- windows for the peer ------------------------------------------------------------------

void H2Connection::on_read(H2Stream& stream, std::size_t payload) {
  credit_connection(payload);
  if (stream.end_received() || !stream.is_open()) return;
  stream.credit_ += static_cast<std::uint32_t>(payload);
  if (stream.credit_ < H2Stream::kReceiveWindow / 2) return;
  output_.append(http::h2::window_update(stream.id(), stream.credit_).view());
  stream.regain(stream.credit_);
  stream.credit_ = 0;
  wake();
}

void H2Connection::credit_connection(std::size_t bytes) {
  credit_ += static_cast<std::uint32_t>(bytes);
  if (credit_ < kReceiveWindow / 2 || has_failed_) return;
  output_.append(http::h2::window_update(0, credit_).view());
  receive_window_ += credit_;
  credit_ = 0;
  wake();
}

}  // namespace vipair::proxy
