#pragma once
// The other way: a parsed HTTP/1.1 head that we wrote ourselves as the fields of an HTTP/2 header section (RFC 9113
// section 8.3). Names in lower case, nothing of the connection.

#include <array>
#include <cstddef>
#include <string_view>

#include "proxy/http/buffer.h"
#include "proxy/http/message.h"

namespace vipair::http::h2 {

struct FieldLine {
  std::string_view name, value;
  bool is_sensitive = false;  // never indexed by HPACK: a shared table would tell of it (RFC 7541 section 7.1)
};

// The fields of one section. Refer to the head's buffer and to `names`; valid until the next section.
struct FieldLines {
  static constexpr std::size_t kMax = kFieldsMax + 8;
  std::array<FieldLine, kMax> lines;
  std::size_t count = 0;
  Buffer names;
  const FieldLine* begin() const { return lines.data(); }
  const FieldLine* end() const { return lines.data() + count; }
};

// `as_status` is what stands in :status (a 101 of a tunnel is a 200, RFC 8441 section 5).
void response_fields(const ResponseHead& head, const char* buffer, std::uint16_t as_status, FieldLines& out);

// A request with Upgrade: websocket becomes an extended CONNECT when `is_tunnel`.
void request_fields(const RequestHead& head, const char* buffer, std::string_view scheme, bool is_tunnel,
                    FieldLines& out);

// "Name: value\r\n" lines as BodyDecoder::trailers() has them.
void trailer_fields(std::string_view text, FieldLines& out);

}  // namespace vipair::http::h2
