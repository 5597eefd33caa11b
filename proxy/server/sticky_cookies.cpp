#include "proxy/server/sticky_cookies.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <utility>

#include "common/base/assert.h"

namespace vipair::proxy {

namespace {

constexpr std::size_t kValueBytes = 16, kNameBytes = 4;

// Of the parts with a separator that stands in none of them.
std::string keyed_hash(const StickyKey& key, std::initializer_list<std::string_view> parts, std::size_t bytes) {
  std::string text;
  for (std::string_view part : parts) {
    text += part;
    text += '\0';
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  const auto* done = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                          reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size);
  VIPAIR_ASSERT(done != nullptr && size >= bytes, "SHA-256 is always there");
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string result;
  for (std::size_t i = 0; i < bytes; ++i) result += {kDigits[digest[i] >> 4], kDigits[digest[i] & 15]};
  return result;
}

std::string attributes_of(const Sticky& settings) {
  constexpr const char* kSameSite[] = {"; SameSite=Lax", "; SameSite=Strict", "; SameSite=None"};
  std::string text = "; Path=" + settings.path;
  if (!settings.domain.empty()) text += "; Domain=" + settings.domain;
  if (settings.max_age)
    text +=
        "; Max-Age=" + std::to_string(std::chrono::duration_cast<std::chrono::seconds>(*settings.max_age).count());
  if (settings.http_only) text += "; HttpOnly";
  return text + kSameSite[static_cast<std::size_t>(settings.same_site)];
}

}  // namespace

StickyCookies::StickyCookies(const Sticky& settings, std::string_view site, std::string_view upstream,
                             std::span<const std::string> servers)
    : name_(settings.cookie) {
  VIPAIR_ASSERT(!settings.keys.empty(), "the loader has seen to that");
  // The last key is the one that stays when another is put in front of it.
  if (name_.empty()) name_ = "vipair_" + keyed_hash(settings.keys.back(), {"name", site, upstream}, kNameBytes);
  const std::string attributes = attributes_of(settings);
  std::vector<policy::Affinity::Entry> entries;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    for (const StickyKey& key : settings.keys) {
      entries.push_back({keyed_hash(key, {"server", site, upstream, servers[i]}, kValueBytes), i});
    }
    const std::string& value = entries[entries.size() - settings.keys.size()].token;
    const std::string cookie = "Set-Cookie: " + name_ + "=" + value + attributes;
    fields_.push_back(cookie + (settings.secure.value_or(false) ? "; Secure\r\n" : "\r\n"));
    secure_fields_.push_back(cookie + (settings.secure.value_or(true) ? "; Secure\r\n" : "\r\n"));
  }
  affinity_ = policy::Affinity(std::move(entries));
}

}  // namespace vipair::proxy
