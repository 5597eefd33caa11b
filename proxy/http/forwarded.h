#pragma once
// Who the client is when proxies that are trusted stand in front of us: the nearest address in X-Forwarded-For, or
// in Forwarded (RFC 7239), that is not a trusted proxy's own. Everything further away was said by somebody unknown.
//
// One of the two fields is believed, never both: a proxy that writes one of them passes on whatever the client has
// written into the other.

#include <cstdint>
#include <optional>
#include <string_view>

#include "common/base/ip_address.h"
#include "proxy/http/message.h"

namespace vipair::http {

inline constexpr std::size_t kHopsMax = 32;  // elements looked at, from the nearest on

enum class ClientAddressField : std::uint8_t { x_forwarded_for, forwarded };

// "192.0.2.7", "192.0.2.7:1234", "2001:db8::7", "[2001:db8::7]:1234"; an IPv4-mapped IPv6 address is the IPv4 one.
// None for names, "unknown" and obfuscated identifiers.
std::optional<IpAddress> parse_node(std::string_view text);

// The `for` of one element of Forwarded, without its quotes; none when it says none or breaks the syntax.
std::optional<std::string_view> forwarded_for(std::string_view element);

// Takes elements from the end of a list, none of which is copied.
class ListFromTheEnd {
 public:
  explicit ListFromTheEnd(std::string_view list) : rest_(list) {}
  // Commas inside of quoted strings do not separate. None: there are no more.
  std::optional<std::string_view> next();

 private:
  std::string_view rest_;
};

// The client's address as the chain of proxies tells it. `is_trusted(address)` says which are ours. `peer` is who
// sent the message; it is trusted already. What cannot be understood ends the chain: the last address before it
// counts.
template <class IsTrusted>
IpAddress client_address(const FieldTable& fields, const char* buffer, ClientAddressField which,
                         const IpAddress& peer, IsTrusted is_trusted) {
  const bool is_forwarded = which == ClientAddressField::forwarded;
  const FieldName name = is_forwarded ? FieldName::forwarded : FieldName::x_forwarded_for;
  IpAddress client = peer;
  if (!fields.has(name)) return client;
  std::size_t hops = 0;
  for (std::size_t i = fields.count; i-- > 0;) {
    const Field& field = fields.fields[i];
    if (field.id != name) continue;
    ListFromTheEnd list(field.value.in(buffer));
    while (std::optional<std::string_view> element = list.next()) {
      if (++hops > kHopsMax) return client;
      if (is_forwarded) element = forwarded_for(*element);
      const std::optional<IpAddress> address = element ? parse_node(*element) : std::nullopt;
      if (!address) return client;
      client = *address;
      if (!is_trusted(client)) return client;
    }
  }
  return client;
}

}  // namespace vipair::http
