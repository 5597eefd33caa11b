#pragma once
// The PROXY protocol (haproxy's proxy-protocol.txt, versions 1 and 2): the line or block in front of a connection's
// own bytes with which a proxy says whom it speaks for. Whoever may write it can be anybody: the caller asks for it
// from trusted addresses only, and then insists on it.
//
// Strict and bounded: one spelling of every address, nothing left over, a checksum that is there must be right.
// UNKNOWN, LOCAL and sockets without IP addresses say nothing of a client: then the connection's own addresses
// hold.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/ip_address.h"
#include "proxy/http/buffer.h"

namespace vipair::policy {

inline constexpr std::size_t kProxyLineMax = 107;         // bytes of version 1, CRLF included
inline constexpr std::size_t kProxyBlockMax = 16 + 4096;  // bytes of version 2 that we take
inline constexpr std::size_t kProxyHeaderMax = kProxyBlockMax;

enum class ProxyHeaderError : std::uint8_t {
  no_header,    // the connection begins with something else
  too_long,     // a line without end, a block over kProxyBlockMax
  bad_line,     // version 1, but not as it is written
  bad_version,  // of a block: neither 2.LOCAL nor 2.PROXY
  bad_family,   // addresses of datagrams or of an unknown kind
  bad_address,
  bad_tlv,       // a value behind the addresses is longer than the block
  bad_checksum,  // CRC32c
};
inline constexpr std::size_t kProxyHeaderErrors = static_cast<std::size_t>(ProxyHeaderError::bad_checksum) + 1;
const char* to_string(ProxyHeaderError error);  // "no_header"

struct ProxyAddresses {
  IpEndpoint source, destination;  // an IPv4-mapped IPv6 address comes out as IPv4
  friend bool operator==(const ProxyAddresses&, const ProxyAddresses&) = default;
};

struct ProxyHeader {
  enum class Status : std::uint8_t { incomplete, complete, error };
  Status status = Status::incomplete;
  ProxyHeaderError error{};                 // with error
  std::size_t size = 0;                     // with complete: bytes of the header; what follows is the client's
  std::optional<ProxyAddresses> addresses;  // with complete; none: the connection's own hold
};

// `bytes` are the first of a connection. Incomplete: ask again with more; kProxyHeaderMax bytes are always enough.
ProxyHeader parse_proxy_header(std::string_view bytes);

enum class ProxyProtocol : std::uint8_t { none, v1, v2 };

// Addresses of different families are written as IPv6 ones. Nothing for `none`.
void append_proxy_header(http::Buffer& out, ProxyProtocol version, const ProxyAddresses& addresses);
// Of a connection that the proxy makes for itself: a health check.
std::string own_proxy_header(ProxyProtocol version);

}  // namespace vipair::policy
