#pragma once
// Answers of the proxy itself: a status, a sentence that says what happened in the reader's words, and the
// request's id to quote. No product, no version, no host of the inside.

#include <string_view>

#include "proxy/http/buffer.h"
#include "proxy/http/message.h"

namespace vipair::http {

// "Not Found"; empty for a status we do not know.
std::string_view reason_phrase(int status);

// Methods that the proxy passes on, for the Allow field of a 405 (RFC 9110 section 15.5.6) and of OPTIONS.
inline constexpr std::string_view kAllowedMethods = "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH";

struct PageContext {
  bool is_head = false;                      // the request's method is HEAD: no body (RFC 9110 section 9.3.2)
  std::uint8_t minor_version = 1;            // of the request; 1 when there was none to read
  bool closes = true;                        // the connection ends behind it
  std::string_view date{};                   // ImfDate
  std::string_view request_id{};             // shown on the page and as X-Request-ID; may be empty
  std::string_view allow = kAllowedMethods;  // of a 405
};

// Appends a whole response: 301 302 303 307 308 400 401 403 404 405 408 413 414 417 421 429 431 500 501 502 503 504
// 505 508; any other status gets a general sentence.
void error_page(Buffer& out, int status, const PageContext& context);

// Appends a whole response with content of the configuration's. Without content: a Content-Length of 0, or none
// where a response has no content at all (204, 304).
void fixed_answer(Buffer& out, int status, const PageContext& context, std::string_view content_type,
                  std::string_view content);

// Appends the answer to OPTIONS * and to OPTIONS whose Max-Forwards is used up: 200 with Allow, no body.
void options_answer(Buffer& out, const PageContext& context);

}  // namespace vipair::http
