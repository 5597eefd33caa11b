#include "proxy/config_sticky.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "proxy/config_reader.h"
#include "proxy/http/chars.h"

namespace vipair::proxy {

using namespace std::chrono_literals;

namespace {

std::optional<StickyKey> key_of(std::string_view digits) {
  StickyKey key{};
  if (digits.size() != 2 * key.size()) return {};
  auto value_of = [](char c) {
    return http::is_digit(c)      ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  for (std::size_t i = 0; i < key.size(); ++i) {
    const int high = value_of(digits[2 * i]), low = value_of(digits[2 * i + 1]);
    if (high < 0 || low < 0) return {};
    key[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return key;
}

// av-octets of RFC 6265 section 4.1.1.
bool is_attribute(std::string_view text) {
  return !text.empty() && text.size() <= 1024 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f && c != ';' && c != ','; });
}

}  // namespace

// One key per line; nothing of the file is ever shown.
Expected<std::vector<StickyKey>, ConfigError> read_sticky_keys(const FileSetting& file) {
  auto wrong = [&](const std::string& what) {
    return Unexpected{
        file.error(in_quotes(file.path) + " " + what +
                   ": expected one key per line, 64 hexadecimal digits, as vipairctl keygen makes it")};
  };
  const auto text = read_file(file, kSecretFileMax);
  if (!text || text->empty()) return wrong("cannot be read or is empty");
  std::vector<StickyKey> keys;
  for (std::string_view rest = *text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.empty()) continue;
    const auto key = key_of(line);
    if (!key) return wrong("holds a line that is no key");
    keys.push_back(*key);
  }
  if (keys.empty() || keys.size() > kStickyKeysMax)
    return Unexpected{file.error(in_quotes(file.path) + " holds " + std::to_string(keys.size()) +
                                 " keys, expected 1 to " + std::to_string(kStickyKeysMax))};
  return keys;
}

std::optional<Sticky> read_sticky(ConfigGroup& upstream) {
  auto group = upstream.group("sticky");
  if (!group) return {};
  Sticky sticky;
  if (const auto cookie = group->text("cookie")) {
    sticky.cookie = cookie->value;
    if (!http::is_token(sticky.cookie) || sticky.cookie.size() > kNameMax)
      group->error(*cookie, in_quotes(sticky.cookie) + " is not the name of a cookie, expected 1 to " +
                                std::to_string(kNameMax) + " letters, digits, \"-\" and \"_\"");
  }
  if (!group->has("secret_file")) {
    group->error(
        "secret_file",
        "is missing: both nodes need the same secret to know each other's cookies, expected a file made by "
        "vipairctl keygen and copied to the other node");
  } else if (sticky.secret = read_file_setting(*group, "secret_file"); sticky.secret) {
    if (auto keys = read_sticky_keys(sticky.secret)) {
      sticky.keys = std::move(keys).value();
    } else {
      group->error("secret_file", keys.error().message);
    }
  }
  if (const auto path = group->text("path")) {
    sticky.path = path->value;
    if (!is_attribute(sticky.path) || sticky.path.front() != '/')
      group->error(*path, in_quotes(sticky.path) + " is not a cookie's path, expected for example \"/app\"");
  }
  if (const auto domain = group->text("domain")) {
    sticky.domain = domain->value;
    if (!is_attribute(sticky.domain) || !consists_of(sticky.domain, "-."))
      group->error(*domain, in_quotes(sticky.domain) + " is not a domain, expected for example \"example.com\"");
  }
  assign(sticky.http_only, group->boolean("http_only"));
  sticky.secure = group->boolean("secure");
  if (const auto same_site = group->choice("same_site", {"lax", "strict", "none"}))
    sticky.same_site = static_cast<SameSite>(*same_site);
  if (sticky.same_site == SameSite::none && !sticky.secure.value_or(false))
    group->error("same_site", "\"none\" is taken by browsers from secure cookies only: say secure = true as well");
  sticky.max_age = group->duration("max_age", 1s, 24h * 400);
  assign(sticky.drain, group->duration("drain", 0s, 24h * 7));
  group->finish();
  return sticky;
}

}  // namespace vipair::proxy
