#include "proxy/http/h2_fields.h"

#include "common/base/assert.h"
#include "proxy/http/chars.h"

namespace vipair::http::h2 {
namespace {

void add(FieldLines& out, std::string_view name, std::string_view value, bool is_sensitive = false) {
  VIPAIR_ASSERT(out.count < FieldLines::kMax, "a head has no more fields than its parser takes");
  out.lines[out.count++] = {name, value, is_sensitive};
}

// Room for all names was made before, so that none of them moves.
std::string_view lower_case(Buffer& names, std::string_view name) {
  const std::size_t begin = names.size();
  for (char c : name) names.append(to_lower(c));
  return names.view().substr(begin);
}

void begin(FieldLines& out, std::size_t bytes) {
  out.count = 0;
  out.names.clear();
  out.names.reserve(bytes);
}

bool passes(const FieldTable& fields, const Field& field, const char* buffer, bool is_tunnel) {
  switch (field.id) {
    case FieldName::connection:
    case FieldName::keep_alive:
    case FieldName::proxy_connection:
    case FieldName::transfer_encoding:
    case FieldName::upgrade:
    case FieldName::host:
      return false;
    case FieldName::content_length:
      return !is_tunnel;
    case FieldName::te:
      return equal_ignoring_case(field.value.in(buffer), "trailers");
    default:
      break;
  }
  const ConnectionOptions& options = fields.connection;
  for (std::size_t i = 0; i < options.count; ++i) {
    if (equal_ignoring_case(options.names[i].in(buffer), field.name.in(buffer))) return false;
  }
  return true;
}

void add_fields(const FieldTable& fields, const char* buffer, bool is_tunnel, FieldLines& out) {
  for (const Field& field : fields) {
    if (!passes(fields, field, buffer, is_tunnel)) continue;
    const std::string_view name = lower_case(out.names, field.name.in(buffer));
    if (is_tunnel && (name == "sec-websocket-key" || name == "sec-websocket-accept")) continue;
    const bool is_sensitive = field.id == FieldName::authorization || field.id == FieldName::cookie ||
                              field.id == FieldName::set_cookie || field.id == FieldName::proxy_authorization;
    add(out, name, field.value.in(buffer), is_sensitive);
  }
}

}  // namespace

void response_fields(const ResponseHead& head, const char* buffer, std::uint16_t as_status, FieldLines& out) {
  begin(out, head.size + 3U);
  const char digits[] = {static_cast<char>('0' + as_status / 100), static_cast<char>('0' + as_status / 10 % 10),
                         static_cast<char>('0' + as_status % 10)};
  out.names.append({digits, sizeof digits});
  add(out, ":status", out.names.view().substr(0, 3));
  add_fields(head.fields, buffer, as_status != head.status, out);
}

void request_fields(const RequestHead& head, const char* buffer, std::string_view scheme, bool is_tunnel,
                    FieldLines& out) {
  begin(out, head.size);
  add(out, ":method", is_tunnel ? std::string_view("CONNECT") : head.method_name.in(buffer));
  if (is_tunnel) add(out, ":protocol", "websocket");
  add(out, ":scheme", scheme);
  const std::string_view path = head.path_and_query.in(buffer);
  add(out, ":path", path.empty() ? std::string_view("/") : path);
  add(out, ":authority", head.authority.in(buffer));
  add_fields(head.fields, buffer, is_tunnel, out);
}

void trailer_fields(std::string_view text, FieldLines& out) {
  begin(out, text.size());
  while (!text.empty() && out.count < FieldLines::kMax) {
    const std::size_t end = text.find("\r\n");
    const std::string_view line = text.substr(0, end);
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos) {
      add(out, lower_case(out.names, line.substr(0, colon)), trim_blanks(line.substr(colon + 1)));
    }
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 2);
  }
}

}  // namespace vipair::http::h2
