#pragma once
// The head parser: one strict pass over the buffer (RFC 9112 sections 2 to 6), SSE4.2/AVX2 where the CPU has them, nothing
// copied, nothing repaired. Whatever is ambiguous is an error here and never reaches an upstream.
//
// Parsing restarts from the beginning when more bytes came; `already_seen` (bytes of the buffer that an earlier call
// found incomplete) lets it skip ahead to a cheap test for the end of the head, so that a drip of single bytes costs
// linear time.

#include <cstddef>
#include <string_view>

#include "proxy/http/message.h"

namespace vipair::http {

struct HeadLimits {
  std::size_t head_bytes_max = 64 * 1024;
  std::size_t target_bytes_max = 16 * 1024;
  std::size_t fields_max = kFieldsMax;  // at most kFieldsMax
};

// One value per refusal: each has a counter, a status for the client and a test.
enum class HeadError : std::uint8_t {
  bad_method, bad_target, target_too_long, bad_version, unsupported_version, bad_status_line, bare_cr, bare_lf,
  obsolete_fold, empty_field_name, bad_field_name, space_before_colon, bad_field_value, too_many_fields,
  head_too_large, missing_host, repeated_host, bad_host, bad_content_length, repeated_content_length,
  content_length_with_transfer_encoding, transfer_encoding_in_http10, unknown_transfer_coding, chunked_not_final,
};
const char* to_string(HeadError error);   // "bare_lf"
int status_for(HeadError error);          // 400, 414, 431, 501, 505

enum class ParseStatus { complete, incomplete, error };

struct ParseResult {
  ParseStatus status = ParseStatus::incomplete;
  HeadError error{};  // when status is error
};

// Checks everything that concerns the head alone, including Host (RFC 9112 section 3.2) and message framing fields
// (section 6). Empty lines before a request line are skipped (section 2.2), at most 2.
ParseResult parse_request_head(std::string_view buffer, const HeadLimits& limits, RequestHead& out,
                               std::size_t already_seen = 0);
ParseResult parse_response_head(std::string_view buffer, const HeadLimits& limits, ResponseHead& out,
                                std::size_t already_seen = 0);

}  // namespace vipair::http
