#include "proxy/server/preference.h"

#include "proxy/http/cookie.h"
#include "proxy/policy/hash.h"

namespace vipair::proxy {

namespace {

// Calls visit(value) for the cookies of this name in all Cookie fields, until it returns true.
template <class Visit>
void find_cookie(const http::RequestHead& head, const char* buffer, std::string_view name, Visit visit) {
  if (!head.fields.has(http::FieldName::cookie)) return;
  for (const http::Field& field : head.fields) {
    if (field.id != http::FieldName::cookie) continue;
    const bool goes_on = http::for_each_cookie(
        field.value.in(buffer),
        [&](std::string_view each, std::string_view value) { return each != name || !visit(value); });
    if (!goes_on) return;
  }
}

std::string_view key_text(const HashOn& hash_on, const http::RequestHead& head, const char* buffer,
                          std::string_view path, std::string_view client_address) {
  std::string_view text;
  switch (hash_on.source) {
    case HashOn::Source::address:
      break;
    case HashOn::Source::path:
      return path;
    case HashOn::Source::header:
      for (const http::Field& field : head.fields) {
        if (!http::equal_ignoring_case(field.name.in(buffer), hash_on.name)) continue;
        text = field.value.in(buffer);
        break;
      }
      break;
    case HashOn::Source::cookie:
      find_cookie(head, buffer, hash_on.name, [&](std::string_view value) {
        text = value;
        return true;
      });
      break;
  }
  return text.empty() ? client_address : text;
}

}  // namespace

Preference preference_of(const Snapshot::Upstream& upstream, const http::RequestHead& head, const char* buffer,
                         std::string_view path, std::string_view client_address, UpstreamNumbers::Slot& numbers) {
  Preference preference;
  const Balancing& balancing = upstream.config->balancing;
  if (balancing.algorithm == policy::Algorithm::hash)
    preference.key = policy::hash_of(key_text(balancing.hash_on, head, buffer, path, client_address));
  if (!upstream.sticky) return preference;
  bool has_cookie = false;
  find_cookie(head, buffer, upstream.sticky->name(), [&](std::string_view value) {
    has_cookie = true;
    preference.server = upstream.sticky->server_of(value);
    return preference.server.has_value();
  });
  if (has_cookie && !preference.server) numbers.cookies_unknown.add();
  return preference;
}

}  // namespace vipair::proxy
