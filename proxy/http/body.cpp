#include "proxy/http/body.h"

#include <algorithm>

#include "common/base/assert.h"
#include "proxy/http/chars.h"

namespace vipair::http {
namespace {

constexpr int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

BodyFraming chunked(const FieldTable& fields) { return {Framing::chunked, 0, fields.connection.count == 0}; }

}  // namespace

BodyFraming body_framing(const RequestHead& head) {
  if (head.fields.has(FieldName::transfer_encoding)) return chunked(head.fields);
  if (head.fields.has(FieldName::content_length) && head.content_length != 0) {
    return {Framing::content_length, head.content_length};
  }
  return {};
}

BodyFraming body_framing(const ResponseHead& head, Method request_method) {
  if (request_method == Method::head || head.status < 200 || head.status == 204 || head.status == 304) return {};
  if (request_method == Method::connect && head.status < 300) return {};  // a tunnel, not a body
  if (head.fields.has(FieldName::transfer_encoding)) return chunked(head.fields);
  if (!head.fields.has(FieldName::content_length)) return {Framing::until_close, 0};
  if (head.content_length == 0) return {};
  return {Framing::content_length, head.content_length};
}

BodyDecoder::BodyDecoder(BodyFraming framing)
    : keeps_trailers_(framing.keeps_trailers), remaining_(framing.length) {
  switch (framing.framing) {
    case Framing::none:
      state_ = State::done;
      break;
    case Framing::content_length:
      state_ = remaining_ == 0 ? State::done : State::payload;
      break;
    case Framing::chunked:
      state_ = State::chunk_size;
      break;
    case Framing::until_close:
      state_ = State::until_close;
      break;
  }
}

BodyDecoder::Step BodyDecoder::decode(std::string_view input) {
  Step step;
  // One run of payload, with the framing before it and behind it: a body whose bytes are all here is complete now.
  while (step.consumed < input.size()) {
    if (state_ == State::done || state_ == State::failed) break;
    if (!is_before_payload()) {
      char c = input[step.consumed++];
      auto error = state_ == State::trailer_line ? trailer_byte(c) : chunk_line_byte(c);
      if (error) {
        state_ = State::failed;
        error_ = *error;
      }
      continue;
    }
    if (!step.payload.empty()) break;
    std::uint64_t available = input.size() - step.consumed;
    auto size =
        static_cast<std::size_t>(state_ == State::until_close ? available : std::min(remaining_, available));
    step.payload = input.substr(step.consumed, size);
    step.consumed += size;
    payload_bytes_ += size;
    if (state_ == State::until_close) continue;
    remaining_ -= size;
    if (remaining_ == 0) state_ = state_ == State::payload ? State::done : State::chunk_cr;
  }
  step.is_complete = state_ == State::done;
  if (state_ == State::failed) step.error = error_;
  return step;
}

std::optional<BodyError> BodyDecoder::chunk_line_byte(char c) {
  switch (state_) {
    case State::chunk_size:
      if (int digit = hex_digit(c); digit >= 0) {
        if (++digits_ > kChunkSizeDigitsMax) return BodyError::bad_chunk_size;
        remaining_ = remaining_ << 4 | static_cast<unsigned>(digit);
        return {};
      }
      if (c == '\n') return BodyError::bare_lf;
      if (digits_ == 0 || (c != '\r' && c != ';')) return BodyError::bad_chunk_size;
      digits_ = 0;
      extension_bytes_ = 0;
      state_ = c == '\r' ? State::chunk_size_lf : State::chunk_extension;
      return {};
    case State::chunk_extension:  // received and ignored (RFC 9112 section 7.1.1)
      if (c == '\r') {
        state_ = State::chunk_size_lf;
        return {};
      }
      if (c == '\n') return BodyError::bare_lf;
      if (is_control(c)) return BodyError::bad_chunk_extension;
      if (++extension_bytes_ > kChunkExtensionMax || ++extensions_bytes_ > kChunkExtensionsMax) {
        return BodyError::chunk_extension_too_long;
      }
      return {};
    case State::chunk_size_lf:
      if (c != '\n') return BodyError::bad_chunk_size;
      state_ = remaining_ != 0 ? State::chunk_payload : State::trailer_line;
      return {};
    case State::chunk_cr:
      if (c == '\n') return BodyError::bare_lf;
      if (c != '\r') return BodyError::bad_chunk_end;
      state_ = State::chunk_lf;
      return {};
    case State::chunk_lf:
      if (c != '\n') return BodyError::bad_chunk_end;
      state_ = State::chunk_size;
      return {};
    default:
      return {};
  }
}

std::optional<BodyError> BodyDecoder::trailer_byte(char c) {
  if (++trailer_bytes_ > kTrailersMax) return BodyError::trailers_too_large;
  bool is_line_end = !line_.empty() && line_.back() == '\r';
  if (is_line_end) {
    if (c != '\n') return BodyError::bad_trailer;
    line_.pop_back();
    return end_trailer_line();
  }
  if (c == '\n') return BodyError::bare_lf;
  if (c != '\r' && is_control(c)) return BodyError::bad_trailer;
  line_ += c;
  return {};
}

std::optional<BodyError> BodyDecoder::end_trailer_line() {
  if (line_.empty()) {
    state_ = State::done;
    return {};
  }
  auto colon = line_.find(':');
  if (colon == std::string::npos || !is_token(std::string_view(line_).substr(0, colon)))
    return BodyError::bad_trailer;
  std::string_view name = std::string_view(line_).substr(0, colon);
  if (keeps_trailers_ && may_be_trailer(field_name_from(name))) {
    trailers_.append(name)
        .append(": ")
        .append(trim_blanks(std::string_view(line_).substr(colon + 1)))
        .append("\r\n");
  }
  line_.clear();
  return {};
}

void BodyDecoder::pass(std::uint64_t bytes) {
  VIPAIR_ASSERT(state_ == State::until_close || (state_ == State::payload && bytes <= remaining_),
                "only payload without framing goes another way");
  payload_bytes_ += bytes;
  if (state_ == State::until_close) return;
  remaining_ -= bytes;
  if (remaining_ == 0) state_ = State::done;
}

bool BodyDecoder::finish_at_close() {
  if (state_ == State::until_close) state_ = State::done;
  return state_ == State::done;
}

bool may_be_trailer(FieldName id) {
  switch (id) {
    case FieldName::other:
    case FieldName::date:
    case FieldName::server:
    case FieldName::user_agent:
    case FieldName::referer:
      return true;
    default:
      return false;
  }
}

const char* to_string(BodyError error) {
  switch (error) {
    case BodyError::bad_chunk_size:
      return "bad_chunk_size";
    case BodyError::chunk_extension_too_long:
      return "chunk_extension_too_long";
    case BodyError::bad_chunk_extension:
      return "bad_chunk_extension";
    case BodyError::bad_chunk_end:
      return "bad_chunk_end";
    case BodyError::bare_lf:
      return "bare_lf";
    case BodyError::bad_trailer:
      return "bad_trailer";
    case BodyError::trailers_too_large:
      return "trailers_too_large";
  }
  return "unknown";
}

}  // namespace vipair::http
