#include "proxy/http/forwarded.h"

#include <algorithm>
#include <array>

#include "proxy/http/chars.h"

namespace vipair::http {

namespace {
constexpr std::size_t kNodeMax = 64;  // bytes: the longest is "[ipv6]:port"

IpAddress without_mapping(const IpAddress& address) {
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const auto bytes = address.bytes();
  if (address.is_v4() || !std::equal(kMapped.begin(), kMapped.end(), bytes.begin())) return address;
  return *IpAddress::from_bytes(bytes.subspan(kMapped.size()));
}

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 && std::all_of(text.begin(), text.end(), is_digit);
}

// Where the quoted string that begins at `text[begin]` ends, behind its closing quote.
std::optional<std::size_t> end_of_quoted(std::string_view text, std::size_t begin) {
  for (std::size_t i = begin + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1;
    }
  }
  return {};
}
}  // namespace

std::optional<IpAddress> parse_node(std::string_view text) {
  if (text.empty() || text.size() > kNodeMax) return {};
  std::string_view host = text;
  if (text.front() == '[') {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return {};
    host = text.substr(1, close - 1);
    const std::string_view port = text.substr(close + 1);
    if (!port.empty() && !(port.front() == ':' && is_port(port.substr(1)))) return {};
    const auto address = IpAddress::parse(host);
    if (!address || address->is_v4()) return {};
    return without_mapping(*address);
  }
  const auto colon = text.find(':');
  if (colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos) {
    if (!is_port(text.substr(colon + 1))) return {};
    host = text.substr(0, colon);
  }
  const auto address = IpAddress::parse(host);
  if (!address) return {};
  return without_mapping(*address);
}

std::optional<std::string_view> ListFromTheEnd::next() {
  while (!rest_.empty()) {
    // Quotes make a comma part of a value only when they are read from the front.
    std::size_t begin = 0;
    if (rest_.find('"') == std::string_view::npos) {
      const auto comma = rest_.rfind(',');
      begin = comma == std::string_view::npos ? 0 : comma + 1;
    } else {
      for (std::size_t i = 0; i < rest_.size(); ++i) {
        if (rest_[i] == ',') begin = i + 1;
        if (rest_[i] != '"') continue;
        const auto end = end_of_quoted(rest_, i);
        if (!end) {
          rest_ = {};
          return std::string_view();  // an element that nobody understands
        }
        i = *end - 1;
      }
    }
    const std::string_view element = trim_blanks(rest_.substr(begin));
    rest_ = rest_.substr(0, begin == 0 ? 0 : begin - 1);
    if (!element.empty()) return element;
  }
  return {};
}

std::optional<std::string_view> forwarded_for(std::string_view element) {
  std::optional<std::string_view> found;
  while (!element.empty()) {
    const auto equals = element.find('=');
    if (equals == std::string_view::npos) return {};
    const std::string_view name = trim_blanks(element.substr(0, equals));
    if (!is_token(name)) return {};
    std::size_t begin = equals + 1;
    std::size_t end = std::min(element.find(';', begin), element.size());
    std::string_view value = element.substr(begin, end - begin);
    if (begin < element.size() && element[begin] == '"') {
      const auto behind = end_of_quoted(element, begin);
      if (!behind) return {};
      value = element.substr(begin + 1, *behind - begin - 2);
      if (value.find('\\') != std::string_view::npos) return {};  // an address needs no escapes
      end = std::min(element.find(';', *behind), element.size());
      if (!trim_blanks(element.substr(*behind, end - *behind)).empty()) return {};
    }
    if (equal_ignoring_case(name, "for")) {
      if (found) return {};
      found = trim_blanks(value);
    }
    element.remove_prefix(std::min(end + 1, element.size()));
  }
  return found;
}

}  // namespace vipair::http
