#pragma once
// H2HeadText: the decoded fields of one HTTP/2 header section as the text of an HTTP/1.1 head, so that everything
// behind it (parser, routing, forwarding) exists once. Nothing reaches the text that could be read as anything else
// than one field: names and values are judged here, after HPACK (RFC 9113 sections 8.1 to 8.3, RFC 8441).
//
//   text.begin(kind, out); for each field text.add(name, value); fault = text.finish(ends_stream);
//
// The first fault is kept and nothing is written after it. One object serves one section after the other.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "proxy/http/buffer.h"
#include "proxy/http/head_parser.h"

namespace vipair::http::h2 {

// One value per refusal: each has a counter and a test. All of them make a message malformed (section 8.1.1) but
// the last two, which are about its size.
enum class HeadFault : std::uint8_t {
  bad_name,           // empty, no token, upper case
  bad_value,          // a control character, white space around it
  connection_field,   // Connection and its kind, TE other than trailers
  late_pseudo_field,  // behind a regular one
  unknown_pseudo_field,
  repeated_pseudo_field,
  missing_pseudo_field,
  bad_method,
  bad_scheme,
  bad_path,
  bad_authority,  // and none, with no Host either
  host_differs,   // from :authority
  bad_protocol,   // :protocol without CONNECT, or one that we do not tunnel
  bad_status,
  bad_content_length,  // no number, several, or one that the end of the stream belies
  bad_trailer,         // a pseudo-field in a trailer section
  too_many_fields,
  too_large,
};
inline constexpr std::size_t kHeadFaults = static_cast<std::size_t>(HeadFault::too_large) + 1;
const char* to_string(HeadFault fault);  // "late_pseudo_field"
constexpr bool is_about_size(HeadFault fault) { return fault >= HeadFault::too_many_fields; }

class H2HeadText {
 public:
  enum class Kind : std::uint8_t { request, response, trailers };

  // `out` is cleared and written to until finish(). `request_method` is that of the request a response answers.
  void begin(Kind kind, Buffer& out, const HeadLimits& limits, Method request_method = Method::get);
  void add(std::string_view name, std::string_view value);
  // `websocket_key` stands in for what HTTP/2 has not (RFC 8441 section 5).
  std::optional<HeadFault> finish(bool ends_stream, std::string_view websocket_key = {});

  // After a section without a fault.
  std::optional<std::uint64_t> content_length() const { return content_length_; }
  Method method() const { return method_; }         // of a request
  bool is_tunnel() const { return is_tunnel_; }     // extended CONNECT for a websocket
  std::uint16_t status() const { return status_; }  // of a response
  bool is_chunked() const { return is_chunked_; }   // the text says Transfer-Encoding: chunked
  // Counted as section 6.5.2 does, in sections with a fault too: what a peer makes us decode.
  std::uint64_t list_bytes() const { return list_bytes_; }

 private:
  enum class Pseudo : std::uint8_t { method, scheme, authority, path, protocol, status };
  void fail(HeadFault fault) {
    if (!fault_) fault_ = fault;
  }
  void add_pseudo(std::string_view name, std::string_view value);
  void add_regular(std::string_view name, std::string_view value);
  void write_start_line();
  bool has(Pseudo pseudo) const { return (seen_ >> static_cast<int>(pseudo) & 1) != 0; }

  Kind kind_ = Kind::request;
  Buffer* out_ = nullptr;
  HeadLimits limits_;
  std::optional<HeadFault> fault_;
  std::uint8_t seen_ = 0;  // bit per Pseudo
  bool has_start_line_ = false;
  bool is_tunnel_ = false, is_chunked_ = false, is_plain_connect_ = false;
  bool has_host_ = false;
  Method method_ = Method::get;
  std::uint16_t status_ = 0;
  std::optional<std::uint64_t> content_length_;
  std::size_t fields_ = 0;
  std::uint64_t list_bytes_ = 0;
  Buffer method_name_, path_, authority_, cookies_;
};

}  // namespace vipair::http::h2
