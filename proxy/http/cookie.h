#pragma once
// The Cookie field as we need it (RFC 6265 sections 4.2.1 and 5.4): pairs between semicolons. Names are compared
// byte by byte; of a pair without "=" nothing is ever taken. What is passed on keeps its bytes: other people's
// cookies are none of our business.

#include <optional>
#include <string_view>

#include "proxy/http/buffer.h"
#include "proxy/http/chars.h"

namespace vipair::http {

// Calls visit(name, value) for each pair in order; stops and returns false when visit does.
template <class Visit>
bool for_each_cookie(std::string_view field, Visit visit) {
  while (!field.empty()) {
    const auto semicolon = field.find(';');
    const std::string_view pair = trim_blanks(field.substr(0, semicolon));
    if (const auto equals = pair.find('='); equals != std::string_view::npos) {
      if (!visit(trim_blanks(pair.substr(0, equals)), trim_blanks(pair.substr(equals + 1)))) return false;
    }
    if (semicolon == std::string_view::npos) break;
    field.remove_prefix(semicolon + 1);
  }
  return true;
}

// The value of the first cookie of this name.
std::optional<std::string_view> cookie_in(std::string_view field, std::string_view name);

// Appends the pairs of other names, as they are. Says how many bytes that were: with 0 there is nothing to send.
std::size_t append_other_cookies(Buffer& out, std::string_view field, std::string_view name);

}  // namespace vipair::http
