#include "proxy/config_compression.h"

#include <algorithm>
#include <string>

#include "proxy/config_reader.h"
#include "proxy/http/chars.h"

namespace vipair::proxy {

namespace {

constexpr int kGzipLevelMax = 9;
// Those above are for files that are compressed once: a block would keep a worker from everybody else for too long.
constexpr int kBrotliLevelMax = 9;
constexpr std::uint64_t kLengthMax = 1024 * kKibi;

// "text/html", "text/*"
bool is_type(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  const std::string_view subtype = text.substr(slash + 1);
  return http::is_token(text.substr(0, slash)) && (subtype == "*" || http::is_token(subtype));
}

void read_types(ConfigGroup& group, http::CompressionRules& rules) {
  if (!group.has("types")) return;
  auto texts = group.texts("types");
  if (!check_count(group, "types", texts.size(), kCompressionTypesMax)) return;
  rules.types.clear();
  for (const ConfigText& text : texts) {
    if (!is_type(text.value)) {
      group.error(text,
                  in_quotes(text.value) + " is not a media type, expected for example \"text/html\" or \"text/*\"");
      continue;
    }
    rules.types.push_back(text.value);
    std::transform(rules.types.back().begin(), rules.types.back().end(), rules.types.back().begin(),
                   http::to_lower);
  }
}

}  // namespace

void read_compression(ConfigGroup& parent, Compression& compression) {
  auto group = parent.group("compression");
  if (!group) return;
  compression.is_on = group->boolean("enabled").value_or(true);
  assign(compression.gzip, group->integer("gzip", 0, kGzipLevelMax));
  assign(compression.brotli, group->integer("brotli", 0, kBrotliLevelMax));
  assign(compression.rules.length_min, group->size("length_min", 0, kLengthMax));
  read_types(*group, compression.rules);
  if (compression.is_on && compression.gzip == 0 && compression.brotli == 0)
    group->error("gzip", "is off, and brotli too: nothing would be compressed, expected `enabled = false`");
  group->finish();
}

}  // namespace vipair::proxy
