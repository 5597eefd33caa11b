#pragma once
// Authority: the host and port of a Host field, of an absolute-form target or of a CONNECT target (RFC 9110 section
// 7.2, RFC 3986 section 3.2), in one normal form: lower case, no trailing dot, IPv6 literals as RFC 5952 in
// brackets. Strict: letters, digits, '-', '_' and '.' without empty labels, or an IP address; no user information,
// no percent encoding. A plain value of fixed size; text in it is never longer than kHostMax.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace vipair::http {

inline constexpr std::size_t kHostMax = 255;  // bytes; a name of the DNS has at most 253

class Authority {
 public:
  static std::optional<Authority> parse(std::string_view text);
  // Parses in place, without a copy of the whole. On refusal the value is empty().
  bool assign(std::string_view text);
  void clear() { length_ = 0, port_ = 0; }

  bool empty() const { return length_ == 0; }
  std::string_view host() const { return {host_.data(), length_}; }
  std::uint16_t port() const { return port_; }  // 0: none given

 private:
  std::uint8_t length_ = 0;
  std::uint16_t port_ = 0;
  std::array<char, kHostMax> host_;  // the first length_ bytes
};

}  // namespace vipair::http
