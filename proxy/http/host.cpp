#include "proxy/http/host.h"

#include <algorithm>
#include <cstring>

#include "common/base/ip_address.h"
#include "proxy/http/chars.h"

namespace vipair::http {
namespace {

// The lower-case form of a character that may stand in a host name, 0 for all others.
constexpr std::array<char, 256> kHostChars = [] {
  std::array<char, 256> table{};
  for (std::size_t byte = 0; byte < 256; ++byte) {
    auto c = static_cast<char>(byte);
    if (is_alpha(c) || is_digit(c) || c == '-' || c == '_' || c == '.') table[byte] = to_lower(c);
  }
  return table;
}();

// ":8080" and the empty port of RFC 3986 ("example.com:") or nothing at all.
bool parse_port(std::string_view text, std::uint16_t& port) {
  port = 0;
  if (text.empty()) return true;
  if (text.front() != ':') return false;
  text.remove_prefix(1);
  if (text.size() > 5) return false;
  unsigned value = 0;
  for (char c : text) {
    if (!is_digit(c)) return false;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  if (value > 65535 || (value == 0 && !text.empty())) return false;
  port = static_cast<std::uint16_t>(value);
  return true;
}

}  // namespace

std::optional<Authority> Authority::parse(std::string_view text) {
  std::optional<Authority> authority(std::in_place);
  if (!authority->assign(text)) authority.reset();
  return authority;
}

bool Authority::assign(std::string_view text) {
  clear();
  if (text.empty()) return false;
  if (text.front() == '[') {
    auto close = text.find(']');
    if (close == std::string_view::npos || !parse_port(text.substr(close + 1), port_)) return false;
    auto address = IpAddress::parse(text.substr(1, close - 1));
    if (!address || !address->is_v6()) return false;
    auto canonical = "[" + address->to_string() + "]";
    std::copy(canonical.begin(), canonical.end(), host_.begin());
    length_ = static_cast<std::uint8_t>(canonical.size());
    return true;
  }
  std::size_t size = 0;
  char previous = '.';
  for (; size < text.size() && text[size] != ':'; ++size) {
    char c = kHostChars[static_cast<unsigned char>(text[size])];
    if (c == 0 || size == kHostMax || (c == '.' && previous == '.')) return false;
    host_[size] = previous = c;
  }
  if (!parse_port(text.substr(size), port_)) return false;
  if (size > 1 && previous == '.') --size;  // the root's dot says nothing more
  if (size == 0) return false;
  length_ = static_cast<std::uint8_t>(size);
  return true;
}

}  // namespace vipair::http
