#include "proxy/server/h2_stream.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

#include "proxy/http/head_parser.h"
#include "proxy/http/persistence.h"
#include "proxy/server/h2_connection.h"

namespace vipair::proxy {

using http::h2::ErrorCode;

namespace {
constexpr std::string_view kLineEnd = "\r\n";
// Of a head that our own session wrote, from one that had passed its limits and with what rules add to it.
constexpr http::HeadLimits kOwnHead{1024 * 1024, 1024 * 1024, http::kFieldsMax};
}  // namespace

H2Stream::H2Stream(H2Connection& connection) : connection_(&connection), body_in_(connection.worker().buffers) {
  connection.attach(*this);
}

H2Stream::~H2Stream() {
  if (connection_ != nullptr) connection_->on_gone(*this);
}

void H2Stream::begin(std::uint32_t id, std::int64_t send_window) {
  id_ = id;
  send_window_ = send_window;
  receive_window_ = kReceiveWindow;
  credit_ = 0;
  head_read_ = 0;
  head_in_.clear();
  piece_ = {};
  run_left_ = 0;
  received_ = 0;
  length_in_.reset();
  trailers_in_.clear();
  is_chunked_in_ = closes_chunk_ = has_no_content_ = has_final_head_ = end_received_ = last_chunk_given_ =
      is_tunnel_ = false;
  out_ = Out::head;
  head_out_.clear();
  end_sent_ = false;
  persists_ = true;
  if (id != 0) became_ready(kWritable);
}

// ---- what the peer sent --------------------------------------------------------------------

void H2Stream::receive_head(http::Buffer& text, const http::h2::H2HeadText& head, bool ends_stream) {
  if (head_read_ == head_in_.size()) {
    std::swap(head_in_, text);
    head_read_ = 0;
  } else {
    head_in_.append(text.view());  // behind an interim response that nobody has read yet
  }
  length_in_ = head.content_length();
  is_chunked_in_ = head.is_chunked();
  if (connection_->role() == H2Connection::Role::server) {
    request_method_ = head.method();
    is_tunnel_ = head.is_tunnel();
  } else {
    has_no_content_ = request_method_ == http::Method::head || head.status() == 204 || head.status() == 304;
    has_final_head_ = head.status() >= 200;
  }
  if (ends_stream) end_received_ = true;
  became_ready(end_received_ && connection_->role() == H2Connection::Role::client ? kReadable | kPeerClosed
                                                                                  : kReadable);
}

std::optional<ErrorCode> H2Stream::receive_data(std::string_view payload, bool ends_stream) {
  received_ += payload.size();
  // RFC 9113 section 8.1.1. A response to HEAD, and a 304, may tell a length and have no content.
  if (has_no_content_ ? received_ > 0 : length_in_ && received_ > *length_in_) return ErrorCode::protocol_error;
  if (ends_stream && !has_no_content_ && length_in_ && received_ != *length_in_) return ErrorCode::protocol_error;
  if (!payload.empty()) {
    const std::size_t needed = body_in_.size() + payload.size();
    if (body_in_.room().size() < payload.size()) {
      body_in_.reserve(needed <= BufferPool::kSmall ? BufferPool::kSmall : BufferPool::kLarge);
    }
    std::copy(payload.begin(), payload.end(), body_in_.room().begin());
    body_in_.produced(payload.size());
  }
  if (ends_stream) end_received_ = true;
  if (payload.empty() && !ends_stream) return {};
  const bool is_last = ends_stream && (is_tunnel_ || connection_->role() == H2Connection::Role::client);
  became_ready(is_last ? kReadable | kPeerClosed : kReadable);
  return {};
}

std::optional<ErrorCode> H2Stream::receive_trailers(std::string_view lines) {
  if (is_tunnel_) return ErrorCode::protocol_error;
  trailers_in_.clear();
  trailers_in_.append(lines);
  return receive_data({}, true);
}

void H2Stream::receive_reset(int error) {
  is_reset_ = true;
  error_ = error;
  unlink();
  // An answer that is here whole is whole: RST_STREAM(NO_ERROR) behind it is about the request (RFC 9113 8.1).
  const bool has_all = end_received_ && connection_ != nullptr && connection_->role() == H2Connection::Role::client;
  became_ready(has_all ? kReadable | kPeerClosed : kReadable | kWritable | kPeerClosed | kBroken);
}

void H2Stream::detach(int error) {
  connection_ = nullptr;
  receive_reset(error);
}

void H2Stream::may_use_connection() { became_ready(kWritable); }

bool H2Stream::widen(std::int64_t amount) {
  send_window_ += amount;
  return send_window_ <= http::h2::kWindowMost;
}

void H2Stream::resume() {
  unlink();
  became_ready(kWritable);
}

// ---- what the session reads ----------------------------------------------------------------

bool H2Stream::has_unread() const {
  return head_read_ < head_in_.size() || !piece_.empty() || run_left_ > 0 || closes_chunk_ ||
         (!body_in_.empty() && may_read_body()) || (end_received_ && is_chunked_in_ && !last_chunk_given_);
}

// What comes without a frame in the text must not be taken for the next request: the bytes of a tunnel wait until
// it stands, those behind a CONNECT for ever.
bool H2Stream::may_read_body() const { return is_chunked_in_ || length_in_ || (is_tunnel_ && out_ == Out::raw); }

bool H2Stream::next_piece() {
  if (closes_chunk_) {
    closes_chunk_ = false;
    piece_ = kLineEnd;
    return true;
  }
  if (!body_in_.empty()) {
    if (!may_read_body()) return false;
    run_left_ = body_in_.size();
    if (is_chunked_in_) {
      char* end = std::to_chars(chunk_line_.data(), chunk_line_.data() + 16, run_left_, 16).ptr;
      *end++ = '\r';
      *end++ = '\n';
      piece_ = {chunk_line_.data(), static_cast<std::size_t>(end - chunk_line_.data())};
      closes_chunk_ = true;
    }
    return true;
  }
  if (!end_received_ || !is_chunked_in_ || last_chunk_given_) return false;
  last_chunk_given_ = true;
  // The last chunk, the trailers and the empty line as one piece.
  head_in_.clear();
  head_in_.append("0\r\n");
  head_in_.append(trailers_in_.view());
  head_in_.append(kLineEnd);
  head_read_ = head_in_.size();
  piece_ = head_in_.view();
  return true;
}

std::size_t H2Stream::take(std::span<char> room) {
  std::size_t taken = 0;
  auto copy = [&](std::string_view from) {
    const std::size_t size = std::min(from.size(), room.size() - taken);
    std::copy_n(from.begin(), size, room.begin() + static_cast<std::ptrdiff_t>(taken));
    taken += size;
    return size;
  };
  while (taken < room.size()) {
    if (head_read_ < head_in_.size()) {
      head_read_ += copy(head_in_.view().substr(head_read_));
    } else if (!piece_.empty()) {
      piece_.remove_prefix(copy(piece_));
    } else if (run_left_ > 0) {
      const std::size_t size = copy(body_in_.view().substr(0, run_left_));
      body_in_.consume(size);
      run_left_ -= size;
      if (body_in_.empty()) body_in_.release();
      if (connection_ != nullptr) connection_->on_read(*this, size);
    } else if (!next_piece()) {
      break;
    }
  }
  return taken;
}

IoResult H2Stream::try_read(std::span<char> buffer) {
  const std::size_t taken = take(buffer);
  if (taken > 0) {
    if (!has_unread() && !peer_closed()) no_longer(kReadable);
    return {IoResult::Status::ok, taken, 0};
  }
  if (!is_open() && !(end_received_ && !is_broken())) return {IoResult::Status::error, 0, error_};
  if (end_received_ && peer_closed()) return {IoResult::Status::eof, 0, 0};
  no_longer(kReadable);
  return {IoResult::Status::would_block, 0, 0};
}

// ---- what the session writes ---------------------------------------------------------------

IoResult H2Stream::try_write(std::span<const iovec> pieces) {
  if (!is_open()) return {IoResult::Status::error, 0, error_ == ECONNREFUSED ? error_ : EPIPE};
  if (out_ == Out::head && !connection_->may_send_head(*this)) {
    if (!is_open()) return {IoResult::Status::error, 0, error_};
    no_longer(kWritable);
    connection_->wait_for_room(*this);
    return {IoResult::Status::would_block, 0, 0};
  }
  std::size_t written = 0;
  bool is_all = true;
  last_data_ = nullptr;
  for (const iovec& piece : pieces) {
    const std::size_t size = write({static_cast<const char*>(piece.iov_base), piece.iov_len});
    written += size;
    is_all = size == piece.iov_len;
    if (!is_all) break;
  }
  last_data_ = nullptr;
  if (!is_open()) return {IoResult::Status::error, 0, error_ != 0 ? error_ : EPIPE};
  if (end_sent_) connection_->on_end_sent(*this);
  if (!is_all) {
    no_longer(kWritable);
    connection_->wait_for_room(*this);
  }
  if (written == 0) return {IoResult::Status::would_block, 0, 0};
  return {IoResult::Status::ok, written, 0};
}

// As much as can go now; a session writes well-formed messages, and what follows an end is not one.
std::size_t H2Stream::write(std::string_view bytes) {
  std::size_t written = 0;
  while (written < bytes.size() && is_open()) {
    const std::string_view rest = bytes.substr(written);
    std::size_t size = 0;
    switch (out_) {
      case Out::head:
        size = write_head(rest);
        break;
      case Out::body:
        size = write_body(rest);
        break;
      case Out::raw:
        size = write_raw(rest);
        break;
      case Out::ended:
        return bytes.size();
    }
    if (size == 0) break;
    written += size;
  }
  return written;
}

std::size_t H2Stream::write_head(std::string_view bytes) {
  // The usual head comes whole, and is read where it stands.
  const bool is_whole = head_out_.empty() && bytes.find("\r\n\r\n") != std::string_view::npos;
  const std::size_t before = head_out_.size();
  if (!is_whole) head_out_.append(bytes);
  const std::string_view text = is_whole ? bytes : head_out_.view();
  http::h2::FieldLines& lines = connection_->lines();
  http::ParseResult parsed;
  std::size_t size = 0;
  bool ends_stream = false;
  if (connection_->role() == H2Connection::Role::server) {
    http::ResponseHead& head = connection_->worker().h2_response;
    parsed = http::parse_response_head(text, kOwnHead, head, before);
    if (parsed.status == http::ParseStatus::complete) {
      size = head.size;
      const bool is_switch = head.status == 101 && is_tunnel_;
      // A 2xx would tell the client that there is a tunnel (RFC 8441 section 4).
      const bool is_misleading = is_tunnel_ && head.status >= 200 && head.status < 300;
      const int status = is_switch ? 200 : is_misleading ? 502 : head.status;
      http::h2::response_fields(head, text.data(), static_cast<std::uint16_t>(status), lines);
      if (head.status >= 200 || is_switch) {
        const http::BodyFraming framing = http::body_framing(head, request_method_);
        body_out_ = http::BodyDecoder(framing);
        out_ = is_switch ? Out::raw : Out::body;
        ends_stream = !is_switch && framing.framing == http::Framing::none;
        persists_ = !is_switch && !head.fields.connection.close;
      }
    }
  } else {
    http::RequestHead& head = connection_->worker().h2_request;
    parsed = http::parse_request_head(text, kOwnHead, head, before);
    if (parsed.status == http::ParseStatus::complete) {
      size = head.size;
      request_method_ = head.method;
      http::h2::request_fields(head, text.data(), connection_->scheme(), false, lines);
      const http::BodyFraming framing = http::body_framing(head);
      body_out_ = http::BodyDecoder(framing);
      out_ = Out::body;
      ends_stream = framing.framing == http::Framing::none;
    }
  }
  if (parsed.status == http::ParseStatus::incomplete) return bytes.size();
  if (parsed.status == http::ParseStatus::error) {
    // Ours, so larger than it may be, with what rules of the configuration added.
    error_ = EMSGSIZE;
    connection_->reset(*this, ErrorCode::internal_error);
    return 0;
  }
  if (ends_stream) {
    out_ = Out::ended;
    end_sent_ = true;
  }
  connection_->send_head(id_, ends_stream);
  head_out_.clear();
  if (out_ == Out::raw && has_unread()) became_ready(kReadable);
  return size - before;
}

std::size_t H2Stream::write_body(std::string_view bytes) {
  std::size_t written = 0;
  while (written < bytes.size() && out_ == Out::body) {
    std::string_view rest = bytes.substr(written);
    if (body_out_.is_before_payload()) {
      const std::int64_t window =
          std::min<std::int64_t>(send_window_, static_cast<std::int64_t>(connection_->data_room()));
      if (window <= 0) return written;
      rest = rest.substr(0, std::min<std::size_t>(static_cast<std::size_t>(window), http::h2::kFrameSize));
    } else {
      rest = rest.substr(0, 1);  // a byte of a chunk's line, or of trailers
    }
    const http::BodyDecoder::Step step = body_out_.decode(rest);
    if (step.error || step.consumed == 0) {
      error_ = EPROTO;
      connection_->reset(*this, ErrorCode::internal_error);
      return written;
    }
    written += step.consumed;
    if (!step.payload.empty()) last_data_ = connection_->send_data(*this, step.payload, false);
    if (step.is_complete) end_output();
  }
  return written;
}

std::size_t H2Stream::write_raw(std::string_view bytes) {
  const std::int64_t window =
      std::min<std::int64_t>(send_window_, static_cast<std::int64_t>(connection_->data_room()));
  if (window <= 0) return 0;
  const std::size_t size =
      std::min({bytes.size(), static_cast<std::size_t>(window), std::size_t{http::h2::kFrameSize}});
  connection_->send_data(*this, bytes.substr(0, size), false);
  return size;
}

// END_STREAM stands on the trailers, on the DATA frame that was just written, or on an empty one.
void H2Stream::end_output() {
  out_ = Out::ended;
  end_sent_ = true;
  if (!body_out_.trailers().empty()) {
    http::h2::trailer_fields(body_out_.trailers(), connection_->lines());
    connection_->send_head(id_, true);
  } else if (last_data_ != nullptr) {
    last_data_[4] = static_cast<char>(last_data_[4] | http::h2::kEndStream);
  } else {
    connection_->send_data(*this, {}, true);
  }
}

void H2Stream::shutdown_write() {
  if (!is_open() || id_ == 0) return;
  const bool ends_with_close = out_ == Out::raw || (out_ == Out::body && body_out_.finish_at_close());
  if (ends_with_close) {
    last_data_ = nullptr;
    end_output();
    connection_->on_end_sent(*this);
  } else if (end_sent_ && !end_received_) {
    connection_->reset(*this, ErrorCode::no_error);  // the rest of the request is of no use (RFC 9113 section 8.1)
  }
}

}  // namespace vipair::proxy
