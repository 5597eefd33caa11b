#pragma once
// Why a request whose head was understood is not passed on. Each has a status, a page and a counter.

#include <cstddef>
#include <cstdint>

namespace vipair::policy {

enum class Refusal : std::uint8_t {
  bad_target,        // 400, its path has no canonical form (counted by reason as well)
  no_site,           // 404, nobody serves this host
  no_route,          // 404, the site has nothing at this path
  pattern_given_up,  // 400, a regular expression takes too long for this path or these fields
  method,            // 405, CONNECT, TRACE, or none of the methods that the routes of this path take
  body_too_large,    // 413, its Content-Length says so
  address_denied,    // 403, the access lists do not let this client in
  unauthorized,      // 401, no or wrong user and password
  passwords_busy,    // 503, too many passwords are being checked
  rate,              // 429, too many requests in too short a time
  running_requests,  // 429, too many requests at once
  https_only,        // 403, the site is served over TLS only
  misdirected,       // 421, another site's connection, with other rules for TLS, or an https target without TLS
  loop,              // 508, an upstream leads back to this node
};
inline constexpr std::size_t kRefusals = static_cast<std::size_t>(Refusal::loop) + 1;

const char* to_string(Refusal refusal);  // "no_site"
int status_for(Refusal refusal);

}  // namespace vipair::policy
