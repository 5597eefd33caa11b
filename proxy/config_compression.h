#pragma once
// compression = { … } of the proxy or a site: which responses are compressed, and how hard.

#include <vector>

#include "common/runtime/config_file.h"
#include "proxy/http/compression.h"

namespace vipair::proxy {

inline constexpr std::size_t kCompressionTypesMax = 100;

struct Compression {
  bool is_on = false;
  int gzip = 5;    // level, 1-9; 0: not offered
  int brotli = 4;  // level, 1-9; 0: not offered
  http::CompressionRules rules{
      {"text/html", "text/css", "text/plain", "text/xml", "text/javascript", "application/javascript",
       "application/json", "application/xml", "application/manifest+json", "application/wasm", "image/svg+xml"},
      1024};
  http::CodingsOffered offered() const { return {gzip > 0, brotli > 0}; }
  friend bool operator==(const Compression&, const Compression&) = default;
};

// What is not said stays as it is in `compression`, the outer level's. Naming the group switches it on.
void read_compression(ConfigGroup& parent, Compression& compression);

}  // namespace vipair::proxy
