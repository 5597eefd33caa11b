#include "proxy/http/target.h"

#include <array>
#include <optional>

#include "proxy/http/chars.h"

namespace vipair::http {
namespace {

constexpr std::string_view kHexDigits = "0123456789ABCDEF";

constexpr int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

constexpr bool is_unreserved(char c) {
  return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

// A path without these has nothing to be changed or refused. A dot alone is no reason: only behind a slash.
bool is_canonical(std::string_view path) {
  char previous = 0;
  for (char c : path) {
    if (c == '%' || c == '\\' || (c == '.' && previous == '/')) return false;
    previous = c;
  }
  return true;
}

// Decodes into `out`; still with dot segments.
std::optional<TargetError> decode(std::string_view path, Buffer& out) {
  for (std::size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (c == '\\') return TargetError::backslash;
    if (c != '%') {
      out.append(c);
      continue;
    }
    int high = i + 2 < path.size() ? hex_digit(path[i + 1]) : -1;
    int low = i + 2 < path.size() ? hex_digit(path[i + 2]) : -1;
    if (high < 0 || low < 0) return TargetError::bad_percent_encoding;
    char decoded = static_cast<char>(high << 4 | low);
    i += 2;
    if (decoded == '/' || decoded == '\\' || decoded == '\0') return TargetError::encoded_delimiter;
    if (is_unreserved(decoded)) {
      out.append(decoded);
    } else {
      out.append('%');
      out.append(kHexDigits[static_cast<std::size_t>(high)]);
      out.append(kHexDigits[static_cast<std::size_t>(low)]);
    }
  }
  return {};
}

// RFC 3986 section 5.2.4 for an absolute path. Written in place: what is
// kept never overtakes what is read.
std::optional<TargetError> remove_dot_segments(Buffer& buffer) {
  std::string_view path = buffer.view();
  char* const out = const_cast<char*>(buffer.data());
  std::size_t size = 0;
  for (std::size_t at = 0; at < path.size();) {  // at a slash
    std::size_t end = std::min(path.find('/', at + 1), path.size());
    std::string_view segment = path.substr(at + 1, end - at - 1);
    std::string_view name = segment.substr(0, segment.find(';'));
    bool is_dots = name == "." || name == "..";
    if (is_dots && name.size() != segment.size()) return TargetError::ambiguous_dot_segment;
    if (is_dots) {
      if (name == "..") {
        while (size > 0 && out[size - 1] != '/') --size;
        if (size > 0) --size;
      }
      if (end == path.size()) out[size++] = '/';
    } else {
      std::memmove(out + size, path.data() + at, end - at);
      size += end - at;
    }
    at = end;
  }
  buffer.shrink(size);
  return {};
}

}  // namespace

Expected<Target, TargetError> canonical_target(const RequestHead& head, const char* buffer, Buffer& scratch) {
  if (head.form == TargetForm::authority) return Target{};
  std::string_view sent = head.path_and_query.in(buffer);
  if (head.form == TargetForm::asterisk) return Target{sent, {}};
  if (sent.empty()) return Target{head.method == Method::options ? "*" : "/", {}};  // RFC 9112 section 3.2.4
  return canonical_path(sent, scratch);
}

Expected<Target, TargetError> canonical_path(std::string_view sent, Buffer& scratch) {
  std::string_view path = sent.substr(0, sent.find('?'));
  std::string_view query = sent.substr(path.size());
  if (path.empty()) return Target{"/", query};
  if (is_canonical(path)) return Target{path, query};
  scratch.clear();
  scratch.reserve(path.size());
  if (auto error = decode(path, scratch)) return Unexpected{*error};
  if (auto error = remove_dot_segments(scratch)) return Unexpected{*error};
  return Target{scratch.view(), query};
}

const char* to_string(TargetError error) {
  switch (error) {
    case TargetError::bad_percent_encoding:
      return "bad_percent_encoding";
    case TargetError::encoded_delimiter:
      return "encoded_delimiter";
    case TargetError::backslash:
      return "backslash";
    case TargetError::ambiguous_dot_segment:
      return "ambiguous_dot_segment";
  }
  return "unknown";
}

}  // namespace vipair::http
