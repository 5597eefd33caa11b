#pragma once
// Message bodies (RFC 9112 sections 6 and 7): how a body is framed, and a decoder that finds its end in a stream.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/http/message.h"

namespace vipair::http {

enum class Framing : std::uint8_t { none, content_length, chunked, until_close };

struct BodyFraming {
  Framing framing = Framing::none;
  std::uint64_t length = 0;  // content_length only
  // Not of a message whose Connection names fields: a trailer that it names must not be passed on (RFC 9110 section
  // 7.6.1), and all of them may be left out.
  bool keeps_trailers = true;
};

// The heads passed the parser, so these cannot fail (RFC 9112 section 6.3).
BodyFraming body_framing(const RequestHead& head);
BodyFraming body_framing(const ResponseHead& head, Method request_method);

enum class BodyError : std::uint8_t {
  bad_chunk_size,
  chunk_extension_too_long,
  bad_chunk_extension,
  bad_chunk_end,
  bare_lf,
  bad_trailer,
  trailers_too_large,
};
inline constexpr std::size_t kBodyErrors = static_cast<std::size_t>(BodyError::trailers_too_large) + 1;
const char* to_string(BodyError error);

inline constexpr std::size_t kChunkExtensionMax = 256;         // bytes of one chunk line behind its size
inline constexpr std::size_t kChunkExtensionsMax = 16 * 1024;  // bytes of them in one body
inline constexpr std::size_t kChunkSizeDigitsMax = 15;         // cannot overflow 64 bits
inline constexpr std::size_t kTrailersMax = 8 * 1024;          // bytes of one trailer section

// Walks over the bytes of a body as they come. Payload is reported as views into the input: nothing is copied but
// trailers. Feed it again with what follows; it never looks at a byte twice. Chunk lines are as strict as heads are
// (RFC 9112 section 7.1): CRLF alone ends a line, no blanks around the size. After an error it stays in error.
class BodyDecoder {
 public:
  explicit BodyDecoder(BodyFraming framing);

  struct Step {
    std::size_t consumed = 0;  // bytes of the input that belong to this body (framing and payload)
    std::string_view payload;  // part of the input, may be empty
    bool is_complete = false;  // the body has ended; what follows `consumed` belongs to the next message
    std::optional<BodyError> error;
  };
  // Consumes up to one run of payload; call in a loop until it consumes nothing or the body is complete.
  Step decode(std::string_view input);

  bool is_complete() const { return state_ == State::done; }
  // So many bytes of payload went another way; not in a chunked body.
  void pass(std::uint64_t bytes);
  // The next byte is payload, not framing.
  bool is_before_payload() const {
    return state_ == State::payload || state_ == State::until_close || state_ == State::chunk_payload;
  }
  // The peer closed: the regular end of an until_close body, a truncation of any other unless complete.
  bool finish_at_close();
  std::uint64_t payload_bytes() const { return payload_bytes_; }
  // "Name: value\r\n" lines, checked as fields; fields that may not be trailers (framing, routing, Host,
  // authentication; RFC 9110 section 6.5.1) are left out. Whole when the body is complete.
  const std::string& trailers() const { return trailers_; }

 private:
  enum class State : std::uint8_t {
    payload,
    until_close,
    chunk_size,
    chunk_extension,
    chunk_size_lf,
    chunk_payload,
    chunk_cr,
    chunk_lf,
    trailer_line,
    done,
    failed,
  };
  std::optional<BodyError> chunk_line_byte(char c);
  std::optional<BodyError> trailer_byte(char c);
  std::optional<BodyError> end_trailer_line();

  State state_ = State::done;
  bool keeps_trailers_ = true;
  std::uint8_t digits_ = 0;
  BodyError error_{};            // when failed
  std::uint64_t remaining_ = 0;  // of the payload or the chunk
  std::uint64_t payload_bytes_ = 0;
  std::size_t extension_bytes_ = 0;   // of this chunk
  std::size_t extensions_bytes_ = 0;  // of this body
  std::size_t trailer_bytes_ = 0;
  std::string line_;  // of the trailer section, without its line end
  std::string trailers_;
};

// Whether a field of this name may be passed on as a trailer.
bool may_be_trailer(FieldName id);

}  // namespace vipair::http
