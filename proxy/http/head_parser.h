#pragma once
// The head parser: one strict pass over the buffer (RFC 9112 sections 2 to 6), with the CPU's vector unit where it
// has one (proxy/http/scan.h), nothing copied, nothing repaired. Whatever is ambiguous is an error here and never
// reaches an upstream.
//
// Parsing restarts from the beginning when more bytes came, but only once a further line is complete:
// `already_seen` are the bytes of the buffer that an earlier call found incomplete, and without a line feed behind
// them there is nothing new to find. The number of lines is limited, so a drip of single bytes costs linear time.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/http/message.h"

namespace vipair::http {

struct HeadLimits {  // bytes as they stand in the buffer
  std::size_t head_bytes_max = 64 * 1024;
  std::size_t target_bytes_max = 16 * 1024;
  std::size_t fields_max = kFieldsMax;  // at most kFieldsMax
};

// One value per refusal: each has a counter, a status for the client and a test.
enum class HeadError : std::uint8_t {
  bad_method,
  bad_target,
  target_too_long,
  bad_version,
  unsupported_version,
  bad_status_line,
  bare_cr,
  bare_lf,
  obsolete_fold,
  empty_field_name,
  bad_field_name,
  space_before_colon,
  bad_field_value,
  too_many_fields,
  head_too_large,
  missing_host,
  repeated_host,
  bad_host,
  bad_content_length,
  repeated_content_length,
  content_length_with_transfer_encoding,
  transfer_encoding_in_http10,
  unknown_transfer_coding,
  chunked_not_final,
  bad_connection,
  too_many_connection_options,
};
inline constexpr std::size_t kHeadErrors = static_cast<std::size_t>(HeadError::too_many_connection_options) + 1;
const char* to_string(HeadError error);  // "bare_lf"
int status_for(HeadError error);         // 400, 414, 431, 501, 505; of an upstream's head every error is a 502

enum class ParseStatus { complete, incomplete, error };

struct ParseResult {
  ParseStatus status = ParseStatus::incomplete;
  HeadError error{};  // when status is error
};

// Checks everything that concerns the head alone, including Host (RFC 9112 section 3.2) and message framing fields
// (section 6). Empty lines before a request line are skipped (section 2.2), at most kEmptyLinesMax; offsets count
// from the start of the buffer all the same. `out` means something only when the status is complete.
//
// A response head is checked as strictly: what makes a request ambiguous makes a response so (an upstream's error).
inline constexpr int kEmptyLinesMax = 2;
ParseResult parse_request_head(std::string_view buffer, const HeadLimits& limits, RequestHead& out,
                               std::size_t already_seen = 0);
ParseResult parse_response_head(std::string_view buffer, const HeadLimits& limits, ResponseHead& out,
                                std::size_t already_seen = 0);

}  // namespace vipair::http
