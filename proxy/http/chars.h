#pragma once
// The character classes of RFC 9110 section 5.6.2 and RFC 3986 as tables, and comparison without regard to case.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vipair::http {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

// tchar: what a method, a field name and a Connection option are made of.
constexpr bool is_token_char(char c) {
  return is_digit(c) || is_alpha(c) ||
         (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}
// Control characters that may not stand in a field value: all but HTAB, and DEL. Bytes from 0x80 on are obs-text.
constexpr bool is_control(char c) {
  auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t') || byte == 0x7f;
}
// What may stand in a request target: visible ASCII without the fragment mark and the delimiters no URI contains.
// Wider than RFC 3986, because browsers send | ^ ` { } \ [ ] unencoded in queries; a backslash in the path is
// refused later (proxy/http/target.h).
constexpr bool is_target_char(char c) {
  return c > ' ' && c < 0x7f && c != '#' && c != '"' && c != '<' && c != '>';
}

// A table of one of the classes above, for loops over bytes.
template <class Predicate>
constexpr std::array<bool, 256> class_table(Predicate in_class) {
  std::array<bool, 256> table{};
  for (std::size_t byte = 0; byte < 256; ++byte) table[byte] = in_class(static_cast<char>(byte));
  return table;
}
inline constexpr auto kTokenChars = class_table(is_token_char);
inline constexpr auto kTargetChars = class_table(is_target_char);

inline bool is_token(std::string_view text) {
  for (char c : text)
    if (!kTokenChars[static_cast<unsigned char>(c)]) return false;
  return !text.empty();
}

constexpr bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (to_lower(a[i]) != to_lower(b[i])) return false;
  return true;
}

constexpr std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// Calls visit(element) for every non-empty element of a comma-separated list (RFC 9110 section 5.6.1); stops and
// returns false when visit does. Not for lists whose elements may be quoted strings.
template <class Visit>
bool for_each_element(std::string_view list, Visit visit) {
  while (!list.empty()) {
    auto comma = list.find(',');
    auto element = trim_blanks(list.substr(0, comma));
    if (!element.empty() && !visit(element)) return false;
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return true;
}

}  // namespace vipair::http
