// What each frame of a peer means (RFC 9113 section 6), and what a frame is in the wrong place or of a stream that
// is over (section 5.1).
#include <algorithm>
#include <cerrno>

#include "proxy/server/h2_connection.h"

namespace vipair::proxy {

using http::h2::ErrorCode;
using http::h2::Flood;
using http::h2::FrameHeader;
using http::h2::FrameType;
using http::h2::H2HeadText;

void H2Connection::on_frame(const FrameHeader& header, std::string_view payload) {
  switch (static_cast<FrameType>(header.type)) {
    case FrameType::headers:
      return on_headers(header, payload);
    case FrameType::continuation:
      return on_continuation(header, payload);
    case FrameType::rst_stream:
      return on_rst_stream(header, payload);
    case FrameType::settings:
      return on_settings(header, payload);
    case FrameType::window_update:
      return on_window_update(header, payload);
    case FrameType::ping:
      if (header.stream != 0) return fail(ErrorCode::protocol_error);
      if (payload.size() != 8) return fail(ErrorCode::frame_size_error);
      if (header.has(http::h2::kAck) || !spend(Flood::pings)) return;
      output_.append(http::h2::ping_ack(payload).view());
      return;
    case FrameType::goaway:
      if (header.stream != 0) return fail(ErrorCode::protocol_error);
      if (payload.size() < 8) return fail(ErrorCode::frame_size_error);
      return on_goaway(http::h2::read_u32(payload.data()) & http::h2::kStreamIdMost);
    case FrameType::priority:
      if (header.stream == 0) return fail(ErrorCode::protocol_error);
      if (!spend(Flood::priorities)) return;
      if (payload.size() != 5) return stream_error(header.stream, ErrorCode::frame_size_error);
      if ((http::h2::read_u32(payload.data()) & http::h2::kStreamIdMost) == header.stream) {
        stream_error(header.stream, ErrorCode::protocol_error);  // it depends on itself
      }
      return;
    case FrameType::push_promise:  // clients may not, and from upstreams we do not take it
      return fail(ErrorCode::protocol_error);
    case FrameType::data:  // goes another way
    default:
      (void)spend(Flood::priorities);
  }
}

// RFC 9113 section 5.4.2, of a stream that may not even be there.
void H2Connection::stream_error(std::uint32_t id, ErrorCode code) {
  H2Stream* stream = find(id);
  if (stream != nullptr) return reset(*stream, code);
  if (is_idle_id(id)) return fail(code);
  reset_id(id, code);
}

// ---- DATA (section 6.1) --------------------------------------------------------------------

void H2Connection::begin_data(const FrameHeader& header) {
  if (header.stream == 0 || is_idle_id(header.stream)) return fail(ErrorCode::protocol_error);
  const bool is_padded = header.has(http::h2::kPadded);
  std::uint32_t padding = 0;
  if (is_padded) {
    if (header.length == 0) return fail(ErrorCode::frame_size_error);
    padding = static_cast<unsigned char>(in_.view()[http::h2::kFrameHeaderBytes]);
    if (padding >= header.length) return fail(ErrorCode::protocol_error);
  }
  data_left_ = header.length - padding - (is_padded ? 1 : 0);
  padding_left_ = padding;
  data_stream_ = header.stream;
  data_ends_stream_ = header.has(http::h2::kEndStream);
  in_data_ = true;
  if (data_left_ == 0 && !data_ends_stream_ && !spend(Flood::empty_frames)) return;
  // The whole frame counts, padding too (section 6.9.1); what nobody will read is given back at once.
  receive_window_ -= header.length;
  if (receive_window_ < 0) return fail(ErrorCode::flow_control_error);
  const std::uint32_t overhead = header.length - data_left_;
  credit_connection(overhead);
  H2Stream* stream = find(header.stream);
  if (stream == nullptr || stream->end_received()) {
    if (stream != nullptr) {
      reset(*stream, ErrorCode::stream_closed);
    } else if (how_ended(header.stream) != Ended::by_us) {
      return fail(ErrorCode::stream_closed);
    }
    data_stream_ = 0;
    return;
  }
  if (!stream->takes(header.length)) {
    reset(*stream, ErrorCode::flow_control_error);
    data_stream_ = 0;
    return;
  }
  stream->credit_ += overhead;
}

void H2Connection::on_data(std::string_view payload) {
  const bool is_last = data_left_ == 0 && padding_left_ == 0;
  if (is_last) in_data_ = false;
  H2Stream* stream = data_stream_ != 0 ? find(data_stream_) : nullptr;
  if (stream == nullptr) return credit_connection(payload.size());
  const bool ends_stream = is_last && data_ends_stream_;
  if (const auto error = stream->receive_data(payload, ends_stream)) {
    credit_connection(payload.size());
    return reset(*stream, *error);
  }
  if (ends_stream && stream->end_sent()) on_end_sent(*stream);  // it came behind the whole answer
}

// ---- HEADERS and CONTINUATION (sections 6.2 and 6.10) --------------------------------------

void H2Connection::on_headers(const FrameHeader& header, std::string_view payload) {
  if (header.stream == 0) return fail(ErrorCode::protocol_error);
  std::size_t padding = 0;
  if (header.has(http::h2::kPadded)) {
    if (payload.empty()) return fail(ErrorCode::frame_size_error);
    padding = static_cast<unsigned char>(payload.front());
    payload.remove_prefix(1);
  }
  bool depends_on_itself = false;
  if (header.has(http::h2::kPriority)) {
    if (payload.size() < 5) return fail(ErrorCode::frame_size_error);
    depends_on_itself = (http::h2::read_u32(payload.data()) & http::h2::kStreamIdMost) == header.stream;
    payload.remove_prefix(5);
  }
  if (padding > payload.size()) return fail(ErrorCode::protocol_error);
  payload.remove_suffix(padding);
  if (payload.empty() && !header.has(http::h2::kEndHeaders) && !spend(Flood::empty_frames)) return;

  H2Stream* stream = find(header.stream);
  block_stream_ = header.stream;
  block_ends_stream_ = header.has(http::h2::kEndStream);
  block_is_new_ = false;
  block_counts_ = stream != nullptr;
  H2HeadText::Kind kind = H2HeadText::Kind::trailers;
  if (stream != nullptr) {
    if (role_ == Role::client && !stream->has_final_head()) kind = H2HeadText::Kind::response;
    if (stream->end_received()) {
      block_counts_ = false;
      reset(*stream, ErrorCode::stream_closed);
    } else if (depends_on_itself || (kind == H2HeadText::Kind::trailers && !block_ends_stream_)) {
      block_counts_ = false;
      reset(*stream, ErrorCode::protocol_error);
    }
  } else if (role_ == Role::client || header.stream % 2 == 0) {
    if (is_idle_id(header.stream)) return fail(ErrorCode::protocol_error);
    if (how_ended(header.stream) != Ended::by_us) return fail(ErrorCode::stream_closed);
  } else if (header.stream > highest_) {
    highest_ = header.stream;
    kind = H2HeadText::Kind::request;
    block_is_new_ = header.stream <= accept_until_;
    block_counts_ = block_is_new_ && !depends_on_itself;
    if (!block_is_new_) closed_[header.stream / 2 % kClosedKept] = {header.stream, Ended::by_us};
    if (block_is_new_ && depends_on_itself) reset_id(header.stream, ErrorCode::protocol_error);
  } else {
    // Over, or passed over by a higher one (section 5.1.1).
    const Ended how = how_ended(header.stream);
    if (how == Ended::never) return fail(ErrorCode::protocol_error);
    if (how != Ended::by_us) return fail(ErrorCode::stream_closed);
  }
  if (has_failed_) return;
  head_.begin(kind, head_text_, head_limits_, stream != nullptr ? stream->request_method() : http::Method::get);
  continuations_ = 0;
  block_since_ = now();
  on_block(payload, header.has(http::h2::kEndHeaders));
}

void H2Connection::on_continuation(const FrameHeader& header, std::string_view payload) {
  if (block_stream_ == 0) return fail(ErrorCode::protocol_error);
  if (++continuations_ > kContinuationsMax) {
    worker_.counters.h2.floods[static_cast<std::size_t>(Flood::empty_frames)].add();
    return fail(ErrorCode::enhance_your_calm);
  }
  if (payload.empty() && !header.has(http::h2::kEndHeaders) && !spend(Flood::empty_frames)) return;
  on_block(payload, header.has(http::h2::kEndHeaders));
}

void H2Connection::on_block(std::string_view block, bool is_last) {
  const bool is_sound = decoder_.decode(
      block, is_last, [this](std::string_view name, std::string_view value) { head_.add(name, value); });
  if (!is_sound) return fail(ErrorCode::compression_error);
  if (head_.list_bytes() > kBlockFactor * head_limits_.head_bytes_max) {
    worker_.counters.h2.malformed[static_cast<std::size_t>(http::h2::HeadFault::too_large)].add();
    return fail(ErrorCode::enhance_your_calm);
  }
  if (is_last) end_block();
}

void H2Connection::end_block() {
  const std::uint32_t id = block_stream_;
  block_stream_ = 0;
  if (!block_counts_) return;
  if (block_is_new_) return on_new_request(id);
  H2Stream* stream = find(id);
  if (stream == nullptr) return;  // it went while its block came
  const auto fault = head_.finish(block_ends_stream_);
  if (fault) {
    worker_.counters.h2.malformed[static_cast<std::size_t>(*fault)].add();
    return reset(*stream, ErrorCode::protocol_error);
  }
  if (role_ == Role::client && !stream->has_final_head()) {
    if (head_.status() >= 200) has_response_ = true;
    stream->receive_head(head_text_, head_, block_ends_stream_);
  } else if (const auto error = stream->receive_trailers(head_text_.view())) {
    return reset(*stream, *error);
  }
  if (stream->end_received() && stream->end_sent()) on_end_sent(*stream);
}

void H2Connection::on_new_request(std::uint32_t id) {
  RequestId key;
  const auto fault = head_.finish(block_ends_stream_, websocket_key(key));
  if (fault) {
    worker_.counters.h2.malformed[static_cast<std::size_t>(*fault)].add();
    return http::h2::is_about_size(*fault) ? answer_too_large(id) : reset_id(id, ErrorCode::protocol_error);
  }
  H2Stream* stream = busy_ < streams_max_ ? accept_stream() : nullptr;
  if (stream == nullptr) {
    worker_.counters.h2.refused_streams.add();
    return reset_id(id, ErrorCode::refused_stream);
  }
  ++busy_;
  worker_.counters.h2.streams.add();
  open_.push_back({id, stream});
  stream->begin(id, initial_send_window_);
  stream->receive_head(head_text_, head_, block_ends_stream_);
}

void H2Connection::answer_too_large(std::uint32_t id) {
  http::h2::FieldLines& fields = lines();
  fields.count = 2;
  fields.lines[0] = {":status", "431"};
  fields.lines[1] = {"content-length", "0"};
  send_head(id, true);
  if (!block_ends_stream_) {
    reset_id(id, ErrorCode::no_error);
  } else {
    closed_[id / 2 % kClosedKept] = {id, Ended::regularly};
  }
}

// ---- the small ones ------------------------------------------------------------------------

void H2Connection::on_rst_stream(const FrameHeader& header, std::string_view payload) {
  if (header.stream == 0) return fail(ErrorCode::protocol_error);
  if (payload.size() != 4) return fail(ErrorCode::frame_size_error);
  if (is_idle_id(header.stream)) return fail(ErrorCode::protocol_error);
  if (!spend(Flood::resets)) return;
  const std::uint32_t code = http::h2::read_u32(payload.data());
  worker_.counters.h2.resets_received[std::min<std::size_t>(code, http::h2::kErrorCodes - 1)].add();
  H2Stream* stream = find(header.stream);
  if (stream == nullptr) return;
  close_stream(*stream);
  closed_[header.stream / 2 % kClosedKept].how = Ended::by_peer;
  const bool was_refused = code == static_cast<std::uint32_t>(ErrorCode::refused_stream);
  stream->receive_reset(was_refused ? ECONNREFUSED : ECONNRESET);
}

void H2Connection::on_settings(const FrameHeader& header, std::string_view payload) {
  if (header.stream != 0) return fail(ErrorCode::protocol_error);
  if (header.has(http::h2::kAck)) {
    if (!payload.empty()) fail(ErrorCode::frame_size_error);
    return;
  }
  if (payload.size() % 6 != 0) return fail(ErrorCode::frame_size_error);
  if (!spend(Flood::settings)) return;
  if (payload.size() > 6 * kSettingsMax) {
    worker_.counters.h2.floods[static_cast<std::size_t>(Flood::settings)].add();
    return fail(ErrorCode::enhance_your_calm);
  }
  for (; !payload.empty(); payload.remove_prefix(6)) {
    const auto id =
        static_cast<unsigned>(static_cast<unsigned char>(payload[0])) << 8 | static_cast<unsigned char>(payload[1]);
    if (!apply(static_cast<http::h2::Setting>(id), http::h2::read_u32(payload.data() + 2))) return;
  }
  saw_settings_ = true;
  output_.append(http::h2::settings_ack().view());
  on_settings_applied();
}

// Section 6.5.2. False: the connection has failed.
bool H2Connection::apply(http::h2::Setting setting, std::uint32_t value) {
  switch (setting) {
    case http::h2::Setting::header_table_size:
      if (std::min<std::uint32_t>(value, HpackEncoder::kTableBytes) != encoder_table_) {
        encoder_table_ = std::min<std::uint32_t>(value, HpackEncoder::kTableBytes);
        encoder_.limit_table(encoder_table_);
      }
      return true;
    case http::h2::Setting::enable_push:
      if (value <= (role_ == Role::server ? 1U : 0U)) return true;
      fail(ErrorCode::protocol_error);
      return false;
    case http::h2::Setting::max_concurrent_streams:
      if (role_ == Role::client) streams_max_ = value;
      return true;
    case http::h2::Setting::initial_window_size: {
      if (value > http::h2::kWindowMost) {
        fail(ErrorCode::flow_control_error);
        return false;
      }
      const std::int64_t change = std::int64_t{value} - initial_send_window_;
      initial_send_window_ = value;
      if (change == 0) return true;
      for (const Open& open : open_) {
        if (!open.stream->widen(change)) {
          fail(ErrorCode::flow_control_error);
          return false;
        }
      }
      resume_blocked();
      return true;
    }
    case http::h2::Setting::max_frame_size:  // we send no larger ones than everybody takes
      if (value >= http::h2::kFrameSize && value <= http::h2::kFrameSizeMost) return true;
      fail(ErrorCode::protocol_error);
      return false;
    case http::h2::Setting::enable_connect_protocol:
      if (value <= 1) return true;
      fail(ErrorCode::protocol_error);
      return false;
    default:
      return true;
  }
}

void H2Connection::on_window_update(const FrameHeader& header, std::string_view payload) {
  if (payload.size() != 4) return fail(ErrorCode::frame_size_error);
  if (header.stream != 0 && is_idle_id(header.stream)) return fail(ErrorCode::protocol_error);
  if (!spend(Flood::window_updates)) return;
  const std::uint32_t increment = http::h2::read_u32(payload.data()) & http::h2::kStreamIdMost;
  if (header.stream == 0) {
    if (increment == 0) return fail(ErrorCode::protocol_error);
    send_window_ += increment;
    if (send_window_ > http::h2::kWindowMost) return fail(ErrorCode::flow_control_error);
    return resume_blocked();
  }
  H2Stream* stream = find(header.stream);
  if (stream == nullptr) return;  // it may have been under way when the stream ended
  if (increment == 0) return reset(*stream, ErrorCode::protocol_error);
  if (!stream->widen(increment)) return reset(*stream, ErrorCode::flow_control_error);
  if (!stream->wants_window() && stream->is_linked()) stream->resume();
}

}  // namespace vipair::proxy
