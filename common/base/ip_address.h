#pragma once
// IP addresses and prefixes of both families as small ordered values. Text form: RFC 4291/5952 for IPv6, dotted
// decimal without leading zeros for IPv4; parsing is strict, nothing is guessed.

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace vipair {

enum class IpFamily : std::uint8_t { ipv4, ipv6 };
const char* to_string(IpFamily family);  // "ipv4" "ipv6"

class IpAddress {
 public:
  IpAddress() = default;  // 0.0.0.0
  static IpAddress v4(std::uint32_t host_order);
  static IpAddress v6(const std::array<std::uint8_t, 16>& network_order);
  static std::optional<IpAddress> from_bytes(std::span<const std::uint8_t> network_order);  // 4 or 16 bytes
  static std::optional<IpAddress> parse(std::string_view text);                             // no zone, no brackets

  IpFamily family() const { return family_; }
  bool is_v4() const { return family_ == IpFamily::ipv4; }
  bool is_v6() const { return family_ == IpFamily::ipv6; }
  std::span<const std::uint8_t> bytes() const { return {bytes_.data(), is_v4() ? 4u : 16u}; }  // network order
  std::uint32_t v4_value() const;                                                              // host order
  int bits_max() const { return is_v4() ? 32 : 128; }

  bool is_unspecified() const;
  bool is_loopback() const;
  bool is_multicast() const;
  bool is_link_local() const;  // 169.254/16, fe80::/10
  std::string to_string() const;

  // The order of RFC 9568's tie-break: unsigned, network order. IPv4 sorts before IPv6.
  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  IpFamily family_ = IpFamily::ipv4;
  std::array<std::uint8_t, 16> bytes_{};  // an IPv4 address in the first four
};

// An address with its network: "192.0.2.100/24". The host bits are kept.
struct IpPrefix {
  IpAddress address;
  int length = 0;  // bits

  static std::optional<IpPrefix> parse(std::string_view text);  // without "/n": a single address
  bool contains(const IpAddress& other) const;
  std::string to_string() const;
  friend auto operator<=>(const IpPrefix&, const IpPrefix&) = default;
};

// "192.0.2.1:80", "[2001:db8::1]:80".
struct IpEndpoint {
  IpAddress address;
  std::uint16_t port = 0;

  static std::optional<IpEndpoint> parse(std::string_view text);
  std::string to_string() const;
  friend auto operator<=>(const IpEndpoint&, const IpEndpoint&) = default;
};

}  // namespace vipair

template <>
struct std::hash<vipair::IpAddress> {
  std::size_t operator()(const vipair::IpAddress& address) const noexcept {
    auto bytes = address.bytes();
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
};
