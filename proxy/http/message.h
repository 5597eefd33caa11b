#pragma once
// The parsed form of an HTTP/1.1 message head: offsets into the caller's buffer, nothing copied. Valid while that buffer
// is neither moved nor overwritten; a buffer that moves keeps its Heads valid because they hold offsets, not pointers.

#include <array>
#include <cstdint>
#include <string_view>

namespace vipair::http {

inline constexpr std::size_t kFieldsMax = 100;  // default and hard limit of fields per head

struct Slice {  // [offset, offset + length) of the buffer that was parsed
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
  std::string_view in(const char* buffer) const { return {buffer + offset, length}; }
};

enum class Method : std::uint8_t { get, head, post, put, delete_, options, patch, trace, connect, other };
bool is_safe(Method method);        // RFC 9110 section 9.2.1
bool is_idempotent(Method method);  // RFC 9110 section 9.2.2
Method method_from(std::string_view name);

// Fields the proxy has to look at, recognised while parsing. `other` are only forwarded.
enum class FieldName : std::uint8_t {
  other, connection, content_length, transfer_encoding, host, expect, upgrade, te, trailer, keep_alive,
  proxy_connection, proxy_authenticate, proxy_authorization, via, forwarded, x_forwarded_for, x_forwarded_proto,
  x_forwarded_host, x_request_id, x_real_ip, date, server, max_forwards, content_type, cookie, set_cookie, user_agent,
  referer, location,
};
FieldName field_name_from(std::string_view name);  // case-insensitive

struct Field {
  Slice name;
  Slice value;  // without surrounding white space
  FieldName id = FieldName::other;
};

struct FieldTable {
  std::array<Field, kFieldsMax> fields;
  std::uint16_t count = 0;
  std::uint64_t present = 0;  // bit per FieldName
  bool has(FieldName id) const { return present >> static_cast<int>(id) & 1; }
  const Field* begin() const { return fields.data(); }
  const Field* end() const { return fields.data() + count; }
  const Field* find(FieldName id) const;  // the first one
};

struct RequestHead {
  Method method = Method::other;
  std::uint8_t minor_version = 1;  // HTTP/1.x
  Slice method_name;
  Slice target;  // as sent: origin, absolute, authority or asterisk form
  FieldTable fields;
  std::uint32_t size = 0;  // bytes of the head with its final empty line
};

struct ResponseHead {
  std::uint16_t status = 0;  // 100-599
  std::uint8_t minor_version = 1;
  Slice reason;
  FieldTable fields;
  std::uint32_t size = 0;
};

}  // namespace vipair::http
