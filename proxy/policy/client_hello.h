#pragma once
// The first message of a TLS client (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2), read only for the name it
// asks for (RFC 6066 section 3), so that a connection can be passed on without being decrypted. Bounded and strict
// about lengths; what the message says beyond the name is the server's business.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/http/host.h"

namespace vipair::policy {

// Bytes of records that we wait for; messages of today's browsers have 600 to 2,000.
inline constexpr std::size_t kClientHelloMax = 16 * 1024;

enum class ClientHelloError : std::uint8_t {
  not_tls,           // the connection begins with something else
  not_client_hello,  // a TLS record, but another message
  too_long,
  bad_length,  // a part is longer than the whole
  bad_name,    // an empty name, two of them, or one that is no host name
};
inline constexpr std::size_t kClientHelloErrors = static_cast<std::size_t>(ClientHelloError::bad_name) + 1;
const char* to_string(ClientHelloError error);  // "not_tls"

struct ClientHello {
  enum class Status : std::uint8_t { incomplete, complete, error };
  Status status = Status::incomplete;
  ClientHelloError error{};     // with error
  http::Authority server_name;  // with complete: in normal form; empty when the client names none
};

// `bytes` are the first of a connection. Incomplete: ask again with more; kClientHelloMax bytes are always enough.
ClientHello parse_client_hello(std::string_view bytes);

}  // namespace vipair::policy
