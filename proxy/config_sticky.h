#pragma once
// sticky = { … } of an upstream: a cookie that brings a client back to the server it had.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/expected.h"
#include "common/base/time.h"
#include "common/runtime/config_file.h"
#include "proxy/config_reader.h"

namespace vipair::proxy {

inline constexpr std::size_t kStickyKeysMax = 4;
inline constexpr std::size_t kStickyKeySize = 32;         // bytes
inline constexpr std::size_t kSecretFileMax = 16 * 1024;  // bytes
using StickyKey = std::array<std::uint8_t, kStickyKeySize>;

enum class SameSite : std::uint8_t { lax, strict, none };

struct Sticky {
  std::string cookie;  // its name; "": made of the first key, the site and the upstream
  FileSetting secret;
  std::vector<StickyKey>
      keys;  // of that file, at least one; the first makes cookies, all are known. The same on both nodes
  std::string path = "/";
  std::string domain;          // "": the host that was asked, and no other
  bool http_only = true;       // scripts do not see it
  std::optional<bool> secure;  // sent over TLS alone; when the file says nothing, as the client came
  SameSite same_site = SameSite::lax;
  std::optional<Duration> max_age;            // absent: until the browser is closed
  Duration drain = std::chrono::minutes(10);  // so long a draining server keeps the clients it has
  friend bool operator==(const Sticky&, const Sticky&) = default;
};

// One line per mistake, nothing of what the file holds.
Expected<std::vector<StickyKey>, ConfigError> read_sticky_keys(const FileSetting& file);

// None when there is no such group.
std::optional<Sticky> read_sticky(ConfigGroup& upstream);

}  // namespace vipair::proxy
