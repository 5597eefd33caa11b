#include "proxy/http/h2_head.h"

#include <array>

#include "proxy/http/chars.h"

namespace vipair::http::h2 {
namespace {

constexpr std::size_t kEntryOverhead = 32;  // of a field in the size of a list (RFC 9113 section 6.5.2)

constexpr auto kNameChars = class_table([](char c) { return is_token_char(c) && (c < 'A' || c > 'Z'); });

bool is_name(std::string_view name) {
  for (char c : name)
    if (!kNameChars[static_cast<unsigned char>(c)]) return false;
  return !name.empty();
}

// RFC 9113 section 8.2.1. Without a branch per byte, so that the compiler takes many at once.
bool is_value(std::string_view value) {
  unsigned bad = 0;
  for (char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    bad |= static_cast<unsigned>(byte < 0x20) & static_cast<unsigned>(byte != '\t');
    bad |= static_cast<unsigned>(byte == 0x7f);
  }
  return bad == 0 && (value.empty() || (!is_blank(value.front()) && !is_blank(value.back())));
}

bool is_target(std::string_view text) {
  for (char c : text)
    if (!kTargetChars[static_cast<unsigned char>(c)]) return false;
  return !text.empty();
}

std::optional<std::uint64_t> parse_length(std::string_view text) {
  constexpr std::size_t kDigitsMax = 18;  // cannot overflow
  if (text.empty() || text.size() > kDigitsMax) return {};
  std::uint64_t value = 0;
  for (char c : text) {
    if (!is_digit(c)) return {};
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value;
}

void append_line(Buffer& out, std::string_view name, std::string_view value) {
  out.append(name);
  out.append(": ");
  out.append(value);
  out.append("\r\n");
}

}  // namespace

void H2HeadText::begin(Kind kind, Buffer& out, const HeadLimits& limits, Method request_method) {
  kind_ = kind;
  out_ = &out;
  limits_ = limits;
  out.clear();
  fault_.reset();
  seen_ = 0;
  has_start_line_ = is_tunnel_ = is_chunked_ = is_plain_connect_ = has_host_ = false;
  method_ = request_method;
  status_ = 0;
  content_length_.reset();
  fields_ = 0;
  list_bytes_ = 0;
  method_name_.clear();
  path_.clear();
  authority_.clear();
  cookies_.clear();
}

void H2HeadText::add(std::string_view name, std::string_view value) {
  list_bytes_ += name.size() + value.size() + kEntryOverhead;
  if (fault_) return;
  if (list_bytes_ > limits_.head_bytes_max) return fail(HeadFault::too_large);
  if (!is_value(value)) return fail(HeadFault::bad_value);
  if (!name.empty() && name.front() == ':') {
    add_pseudo(name, value);
  } else {
    add_regular(name, value);
  }
}

void H2HeadText::add_pseudo(std::string_view name, std::string_view value) {
  if (kind_ == Kind::trailers) return fail(HeadFault::bad_trailer);
  if (has_start_line_) return fail(HeadFault::late_pseudo_field);
  Pseudo pseudo;
  if (kind_ == Kind::response) {
    if (name != ":status") return fail(HeadFault::unknown_pseudo_field);
    pseudo = Pseudo::status;
  } else if (name == ":method") {
    pseudo = Pseudo::method;
  } else if (name == ":path") {
    pseudo = Pseudo::path;
  } else if (name == ":authority") {
    pseudo = Pseudo::authority;
  } else if (name == ":scheme") {
    pseudo = Pseudo::scheme;
  } else if (name == ":protocol") {
    pseudo = Pseudo::protocol;
  } else {
    return fail(HeadFault::unknown_pseudo_field);
  }
  if (has(pseudo)) return fail(HeadFault::repeated_pseudo_field);
  seen_ = static_cast<std::uint8_t>(seen_ | 1U << static_cast<int>(pseudo));
  switch (pseudo) {
    case Pseudo::method:
      if (!is_token(value)) return fail(HeadFault::bad_method);
      method_ = method_from(value);
      return method_name_.append(value);
    case Pseudo::scheme:
      if (value != "https" && value != "http") return fail(HeadFault::bad_scheme);
      return;
    case Pseudo::authority:
      // What is no host at all is refused by the head parser. Here it must only stay within its line; user
      // information is forbidden (section 8.3.1).
      if (!is_target(value) || value.find('@') != std::string_view::npos) return fail(HeadFault::bad_authority);
      return authority_.append(value);
    case Pseudo::path:
      if (!is_target(value) || (value.front() != '/' && value != "*")) return fail(HeadFault::bad_path);
      return path_.append(value);
    case Pseudo::protocol:
      if (!equal_ignoring_case(value, "websocket")) return fail(HeadFault::bad_protocol);
      is_tunnel_ = true;
      return;
    case Pseudo::status:
      if (value.size() != 3 || !is_digit(value[0]) || !is_digit(value[1]) || !is_digit(value[2]) ||
          value[0] < '1' || value[0] > '5') {
        return fail(HeadFault::bad_status);
      }
      status_ = static_cast<std::uint16_t>((value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0'));
      return;
  }
}

// Behind the last pseudo-field: RFC 9113 section 8.3.1, RFC 8441 section 4.
void H2HeadText::write_start_line() {
  has_start_line_ = true;
  if (kind_ == Kind::trailers) return;
  if (kind_ == Kind::response) {
    if (!has(Pseudo::status)) return fail(HeadFault::missing_pseudo_field);
    // HTTP/2 knows no switch of protocols (section 8.6)
    if (status_ == 101) return fail(HeadFault::bad_status);
    out_->append("HTTP/1.1 ");
    out_->append_number(status_);
    out_->append(" \r\n");
    return;
  }
  if (!has(Pseudo::method)) return fail(HeadFault::missing_pseudo_field);
  if (is_tunnel_ && method_ != Method::connect) return fail(HeadFault::bad_protocol);
  if (method_ == Method::connect && !is_tunnel_) {
    if (has(Pseudo::scheme) || has(Pseudo::path)) return fail(HeadFault::bad_path);
    if (authority_.empty()) return fail(HeadFault::missing_pseudo_field);
    is_plain_connect_ = true;
  } else {
    if (!has(Pseudo::scheme) || !has(Pseudo::path)) return fail(HeadFault::missing_pseudo_field);
    if (path_.view() == "*" && method_ != Method::options) return fail(HeadFault::bad_path);
  }
  out_->append(is_tunnel_ ? std::string_view("GET") : method_name_.view());
  out_->append(' ');
  out_->append(is_plain_connect_ ? authority_.view() : path_.view());
  out_->append(" HTTP/1.1\r\n");
  if (!authority_.empty()) append_line(*out_, "Host", authority_.view());
}

void H2HeadText::add_regular(std::string_view name, std::string_view value) {
  if (!has_start_line_) write_start_line();
  if (fault_) return;
  if (!is_name(name)) return fail(HeadFault::bad_name);
  if (++fields_ > limits_.fields_max) return fail(HeadFault::too_many_fields);
  const FieldName id = field_name_from(name);
  switch (id) {
    case FieldName::connection:
    case FieldName::keep_alive:
    case FieldName::proxy_connection:
    case FieldName::transfer_encoding:
    case FieldName::upgrade:
      return fail(HeadFault::connection_field);
    case FieldName::te:
      if (!equal_ignoring_case(value, "trailers")) return fail(HeadFault::connection_field);
      break;
    case FieldName::content_length:
      if (kind_ == Kind::trailers) break;
      if (content_length_) return fail(HeadFault::bad_content_length);
      content_length_ = parse_length(value);
      if (!content_length_) return fail(HeadFault::bad_content_length);
      break;
    case FieldName::host:
      if (kind_ != Kind::request) break;
      if (has_host_) return fail(HeadFault::host_differs);
      has_host_ = true;
      if (authority_.empty()) {
        if (!is_target(value)) return fail(HeadFault::bad_authority);
        break;
      }
      if (!equal_ignoring_case(value, authority_.view())) return fail(HeadFault::host_differs);
      return;  // it stands there already
    case FieldName::cookie:
      if (kind_ != Kind::request) break;
      if (!cookies_.empty()) cookies_.append("; ");  // RFC 9113 section 8.2.3
      return cookies_.append(value);
    default:
      break;
  }
  append_line(*out_, name, value);
}

std::optional<HeadFault> H2HeadText::finish(bool ends_stream, std::string_view websocket_key) {
  if (!fault_ && !has_start_line_) write_start_line();
  if (fault_) return fault_;
  if (kind_ == Kind::trailers) return {};
  const bool is_interim = kind_ == Kind::response && status_ < 200;
  if (is_interim && ends_stream) return HeadFault::bad_status;
  if (kind_ == Kind::request) {
    if (authority_.empty() && !has_host_) return HeadFault::bad_authority;
    if (!cookies_.empty()) append_line(*out_, "cookie", cookies_.view());
    if (ends_stream && content_length_.value_or(0) != 0) return HeadFault::bad_content_length;
    if (is_tunnel_) {
      out_->append("Connection: Upgrade\r\nUpgrade: websocket\r\n");
      append_line(*out_, "Sec-WebSocket-Key", websocket_key);
    } else if (!content_length_ && !ends_stream && !is_plain_connect_) {
      is_chunked_ = true;
    }
  } else {
    const bool has_no_body = is_interim || status_ == 204 || status_ == 304 || method_ == Method::head;
    if (!has_no_body && ends_stream && content_length_.value_or(0) != 0) return HeadFault::bad_content_length;
    if (!has_no_body && !content_length_) {
      is_chunked_ = !ends_stream;
      if (ends_stream) out_->append("Content-Length: 0\r\n");
    }
  }
  if (is_chunked_) out_->append("Transfer-Encoding: chunked\r\n");
  out_->append("\r\n");
  return {};
}

const char* to_string(HeadFault fault) {
  switch (fault) {
    case HeadFault::bad_name:
      return "bad_name";
    case HeadFault::bad_value:
      return "bad_value";
    case HeadFault::connection_field:
      return "connection_field";
    case HeadFault::late_pseudo_field:
      return "late_pseudo_field";
    case HeadFault::unknown_pseudo_field:
      return "unknown_pseudo_field";
    case HeadFault::repeated_pseudo_field:
      return "repeated_pseudo_field";
    case HeadFault::missing_pseudo_field:
      return "missing_pseudo_field";
    case HeadFault::bad_method:
      return "bad_method";
    case HeadFault::bad_scheme:
      return "bad_scheme";
    case HeadFault::bad_path:
      return "bad_path";
    case HeadFault::bad_authority:
      return "bad_authority";
    case HeadFault::host_differs:
      return "host_differs";
    case HeadFault::bad_protocol:
      return "bad_protocol";
    case HeadFault::bad_status:
      return "bad_status";
    case HeadFault::bad_content_length:
      return "bad_content_length";
    case HeadFault::bad_trailer:
      return "bad_trailer";
    case HeadFault::too_many_fields:
      return "too_many_fields";
    case HeadFault::too_large:
      return "too_large";
  }
  return "unknown";
}

}  // namespace vipair::http::h2
