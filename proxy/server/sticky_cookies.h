#pragma once
// The cookies of one sticky upstream. A cookie's value is a keyed hash (HMAC-SHA256, 128 bits of it) of site,
// upstream and the server's address: whoever has the key knows which server is meant, so either node honours what
// the other has set, nothing is remembered, and a client can neither make a value up nor learn an address from one.
// A value that is not known is no error: the server may be gone. The name is made the same way unless the
// configuration has one, so that two proxies in a row do not take each other's cookie. Immutable.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/config_sticky.h"
#include "proxy/policy/affinity.h"

namespace vipair::proxy {

class StickyCookies {
 public:
  // `servers` are the addresses, in the order of their indices.
  StickyCookies(const Sticky& settings, std::string_view site, std::string_view upstream,
                std::span<const std::string> servers);

  std::string_view name() const { return name_; }
  std::optional<std::size_t> server_of(std::string_view value) const { return affinity_.server_of(value); }
  // "Set-Cookie: …\r\n"
  std::string_view field(std::size_t server, bool client_is_on_tls) const {
    return client_is_on_tls ? secure_fields_[server] : fields_[server];
  }

 private:
  std::string name_;
  policy::Affinity affinity_;
  std::vector<std::string> fields_, secure_fields_;  // by server
};

}  // namespace vipair::proxy
