#include "common/base/ip_address.h"

#include <algorithm>
#include <charconv>

#include "common/base/assert.h"

namespace vipair {
namespace {

std::optional<unsigned> parse_number(std::string_view text, unsigned max, int base) {
  unsigned value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size() || value > max) return std::nullopt;
  if (base == 10 && text.size() > 1 && text[0] == '0') return std::nullopt;
  return value;
}

bool parse_v4(std::string_view text, std::uint8_t* out) {
  for (int i = 0; i < 4; ++i) {
    std::size_t dot = i < 3 ? text.find('.') : text.size();
    if (dot == std::string_view::npos || dot == 0 || dot > 3) return false;
    auto number = parse_number(text.substr(0, dot), 255, 10);
    if (!number) return false;
    out[i] = static_cast<std::uint8_t>(*number);
    text.remove_prefix(std::min(dot + 1, text.size()));
  }
  return text.empty();
}

// Groups before and after the one "::", the last two possibly written as an IPv4 address.
bool parse_v6(std::string_view text, std::uint8_t* out) {
  std::array<std::uint8_t, 16> bytes{};
  std::size_t filled = 0;
  std::optional<std::size_t> gap;
  if (text.starts_with("::")) {
    gap = 0;
    text.remove_prefix(2);
  }
  while (!text.empty()) {
    // not find(): GCC 11 then warns of a length that cannot be
    const auto colon = static_cast<std::size_t>(std::find(text.begin(), text.end(), ':') - text.begin());
    const bool is_last = colon == text.size();
    std::string_view group = text.substr(0, colon);
    if (is_last && group.find('.') != std::string_view::npos) {
      if (filled > 12 || !parse_v4(group, &bytes[filled])) return false;
      filled += 4;
      break;
    }
    if (group.empty() || group.size() > 4 || filled > 14) return false;
    auto number = parse_number(group, 0xFFFF, 16);
    if (!number) return false;
    bytes[filled++] = static_cast<std::uint8_t>(*number >> 8);
    bytes[filled++] = static_cast<std::uint8_t>(*number);
    if (is_last) break;
    text.remove_prefix(colon + 1);
    if (text.empty()) return false;
    if (text[0] == ':') {
      if (gap) return false;
      gap = filled;
      text.remove_prefix(1);
    }
  }
  if (!gap) {
    if (filled != 16) return false;
  } else {
    if (filled > 14) return false;
    std::move_backward(bytes.begin() + static_cast<std::ptrdiff_t>(*gap),
                       bytes.begin() + static_cast<std::ptrdiff_t>(filled), bytes.end());
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(*gap), 16 - filled, std::uint8_t{0});
  }
  std::copy(bytes.begin(), bytes.end(), out);
  return true;
}

}  // namespace

const char* to_string(IpFamily family) { return family == IpFamily::ipv4 ? "ipv4" : "ipv6"; }

IpAddress IpAddress::v4(std::uint32_t host_order) {
  IpAddress address;
  for (int i = 0; i < 4; ++i)
    address.bytes_[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
  return address;
}

IpAddress IpAddress::v6(const std::array<std::uint8_t, 16>& network_order) {
  IpAddress address;
  address.family_ = IpFamily::ipv6;
  address.bytes_ = network_order;
  return address;
}

std::optional<IpAddress> IpAddress::from_bytes(std::span<const std::uint8_t> network_order) {
  if (network_order.size() != 4 && network_order.size() != 16) return std::nullopt;
  IpAddress address;
  address.family_ = network_order.size() == 4 ? IpFamily::ipv4 : IpFamily::ipv6;
  std::copy(network_order.begin(), network_order.end(), address.bytes_.begin());
  return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  IpAddress address;
  if (text.find(':') != std::string_view::npos) {
    address.family_ = IpFamily::ipv6;
    if (!parse_v6(text, address.bytes_.data())) return std::nullopt;
  } else if (!parse_v4(text, address.bytes_.data())) {
    return std::nullopt;
  }
  return address;
}

std::uint32_t IpAddress::v4_value() const {
  VIPAIR_ASSERT(is_v4(), "v4_value() of an IPv6 address");
  return std::uint32_t{bytes_[0]} << 24 | std::uint32_t{bytes_[1]} << 16 | std::uint32_t{bytes_[2]} << 8 |
         bytes_[3];
}

bool IpAddress::is_unspecified() const {
  return std::all_of(bytes_.begin(), bytes_.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool IpAddress::is_loopback() const {
  if (is_v4()) return bytes_[0] == 127;
  return bytes_[15] == 1 &&
         std::all_of(bytes_.begin(), bytes_.end() - 1, [](std::uint8_t byte) { return byte == 0; });
}

bool IpAddress::is_multicast() const { return is_v4() ? (bytes_[0] & 0xF0) == 0xE0 : bytes_[0] == 0xFF; }

bool IpAddress::is_link_local() const {
  return is_v4() ? bytes_[0] == 169 && bytes_[1] == 254 : bytes_[0] == 0xFE && (bytes_[1] & 0xC0) == 0x80;
}

std::string IpAddress::to_string() const {
  std::string text;
  if (is_v4()) {
    for (std::size_t i = 0; i < 4; ++i) {
      if (i) text += '.';
      text += std::to_string(bytes_[i]);
    }
    return text;
  }
  // RFC 5952: the longest run of two or more zero groups becomes "::", the first of equals
  std::array<unsigned, 8> groups{};
  for (std::size_t i = 0; i < 8; ++i) groups[i] = static_cast<unsigned>(bytes_[2 * i] << 8 | bytes_[2 * i + 1]);
  std::size_t best = 8, best_length = 1;
  for (std::size_t i = 0; i < 8; ++i) {
    std::size_t length = 0;
    while (i + length < 8 && groups[i + length] == 0) ++length;
    if (length > best_length) best = i, best_length = length;
  }
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == best) {
      text += "::";
      i += best_length - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    char digits[4];
    auto end = std::to_chars(digits, digits + 4, groups[i], 16).ptr;
    text.append(digits, end);
  }
  return text;
}

std::optional<IpPrefix> IpPrefix::parse(std::string_view text) {
  std::size_t slash = text.find('/');
  auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return IpPrefix{*address, address->bits_max()};
  auto length = parse_number(text.substr(slash + 1), static_cast<unsigned>(address->bits_max()), 10);
  if (!length) return std::nullopt;
  return IpPrefix{*address, static_cast<int>(*length)};
}

bool IpPrefix::contains(const IpAddress& other) const {
  if (other.family() != address.family()) return false;
  auto mine = address.bytes(), theirs = other.bytes();
  int left = length;
  for (std::size_t i = 0; left > 0; ++i, left -= 8) {
    int mask = left >= 8 ? 0xFF : 0xFF << (8 - left) & 0xFF;
    if ((mine[i] ^ theirs[i]) & mask) return false;
  }
  return true;
}

std::string IpPrefix::to_string() const { return address.to_string() + "/" + std::to_string(length); }

std::optional<IpEndpoint> IpEndpoint::parse(std::string_view text) {
  std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  auto address = IpAddress::parse(host);
  auto port = parse_number(text.substr(colon + 1), 65535, 10);
  if (!address || !port || address->is_v6() != bracketed) return std::nullopt;
  return IpEndpoint{*address, static_cast<std::uint16_t>(*port)};
}

std::string IpEndpoint::to_string() const {
  std::string host = address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
  return host + ":" + std::to_string(port);
}

}  // namespace vipair
