#pragma once
// The parsed form of an HTTP/1.1 message head: offsets into the bytes that were parsed, nothing copied but the host
// in its normal form. Valid while those bytes are not overwritten; they may move, since offsets are no pointers.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/http/host.h"

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
  other,
  connection,
  content_length,
  transfer_encoding,
  host,
  expect,
  upgrade,
  te,
  trailer,
  keep_alive,
  proxy_connection,
  proxy_authenticate,
  proxy_authorization,
  via,
  forwarded,
  x_forwarded_for,
  x_forwarded_proto,
  x_forwarded_host,
  x_request_id,
  x_real_ip,
  date,
  server,
  max_forwards,
  content_type,
  cookie,
  set_cookie,
  user_agent,
  referer,
  location,
  refresh,
  authorization,
  www_authenticate,
  content_encoding,
  content_range,
  cache_control,
  range,
  accept_encoding,
  accept_ranges,
  etag,
  vary,
  client_cert,        // Client-Cert and Client-Cert-Chain (RFC 9440)
  x_forwarded_other,  // any other name that starts with X-Forwarded-
  disguised,  // one of the names above with '_' for a '-' (X_Forwarded_For), which CGI-like origins mistake for it
};
FieldName field_name_from(std::string_view name);  // case-insensitive

struct Field {
  Slice name;
  Slice value;  // without surrounding white space
  FieldName id = FieldName::other;
};

// What the Connection fields of a head say (RFC 9110 section 7.6.1).
struct ConnectionOptions {
  static constexpr std::size_t kNamesMax = 16;
  bool close = false;
  bool keep_alive = false;
  bool upgrade = false;
  bool te = false;
  std::uint8_t count = 0;
  std::array<Slice, kNamesMax> names;  // the others: fields that are meant for the next hop only
};

struct FieldTable {
  std::array<Field, kFieldsMax> fields;
  std::uint16_t count = 0;
  std::uint64_t present = 0;  // bit per FieldName
  ConnectionOptions connection;
  bool has(FieldName id) const { return present >> static_cast<int>(id) & 1; }
  const Field* begin() const { return fields.data(); }
  const Field* end() const { return fields.data() + count; }
  const Field* find(FieldName id) const;  // the first one
};

// RFC 9112 section 3.2.
enum class TargetForm : std::uint8_t { origin, absolute, authority, asterisk };

struct RequestHead {
  Method method = Method::other;
  std::uint8_t minor_version = 1;  // HTTP/1.x
  Slice method_name;
  Slice target;  // as sent
  TargetForm form = TargetForm::origin;
  Slice path_and_query;  // the target's; empty in authority form and for "http://host" (which means "/")
  Slice authority;       // as sent: of the target if it has one, else the Host field's value (RFC 9110 section 7.2)
  Authority host;        // its normal form, what routing goes by; empty when an HTTP/1.0 client sent none
  std::uint64_t content_length = 0;  // when there is a Content-Length field
  FieldTable fields;
  std::uint32_t size = 0;  // bytes of the head with its final empty line
};

struct ResponseHead {
  std::uint16_t status = 0;  // 100-599
  std::uint8_t minor_version = 1;
  Slice reason;
  std::uint64_t content_length = 0;  // when there is a Content-Length field
  FieldTable fields;
  std::uint32_t size = 0;
};

}  // namespace vipair::http
