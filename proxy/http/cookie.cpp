#include "proxy/http/cookie.h"

namespace vipair::http {

std::optional<std::string_view> cookie_in(std::string_view field, std::string_view name) {
  std::optional<std::string_view> found;
  for_each_cookie(field, [&](std::string_view each, std::string_view value) {
    if (each == name) found = value;
    return !found;
  });
  return found;
}

std::size_t append_other_cookies(Buffer& out, std::string_view field, std::string_view name) {
  const std::size_t before = out.size();
  while (!field.empty()) {
    const auto semicolon = field.find(';');
    const std::string_view pair = trim_blanks(field.substr(0, semicolon));
    const auto equals = pair.find('=');
    const bool is_ours = equals != std::string_view::npos && trim_blanks(pair.substr(0, equals)) == name;
    if (!is_ours && !pair.empty()) {
      if (out.size() != before) out.append("; ");
      out.append(pair);
    }
    if (semicolon == std::string_view::npos) break;
    field.remove_prefix(semicolon + 1);
  }
  return out.size() - before;
}

}  // namespace vipair::http
