#pragma once
// site = { … }: the hosts it answers for, its upstreams, and which path goes to which of them.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/expected.h"
#include "common/runtime/config_file.h"
#include "proxy/config_compression.h"
#include "proxy/config_error_pages.h"
#include "proxy/config_headers.h"
#include "proxy/config_limits.h"
#include "proxy/config_protection.h"
#include "proxy/config_route.h"
#include "proxy/config_tls.h"
#include "proxy/config_upstream.h"

namespace vipair::proxy {

inline constexpr std::size_t kHostsPerSiteMax = 10000;
inline constexpr std::size_t kUpstreamsPerSiteMax = 1000;
inline constexpr std::size_t kRoutesPerSiteMax = 10000;

// A host pattern in the form that requests are compared with, or what is wrong with it.
Expected<std::string, std::string> parse_host_pattern(std::string_view text);

struct Site {
  std::string name;  // the first of its hosts
  std::vector<std::string>
      hosts;  // lower case; "a.example", "*.example" or "*" (the default site); never in two sites
  SiteTls tls;
  std::vector<Upstream> upstreams;
  std::vector<Route> routes;  // in the file's order; behind an unconditional one of a path no other
  std::uint64_t request_body_max = kUnlimited;  // bytes
  HeaderRules response_headers;                 // proxy and site, for what no route answers
  std::vector<ErrorPage> error_pages;           // before those of the proxy
  Protection protection;                        // of this level
  Compression compression;
  std::string file;  // where it stands, for status and log
  int line = 0;
  friend bool operator==(const Site&, const Site&) = default;
};

// What a site inherits, and what must be unique over all of them.
struct SiteContext {
  const Limits& limits;
  const Timeouts& timeouts;
  const HeaderRules& request_headers;
  const HeaderRules& response_headers;
  const Protection& protection;
  const Compression& compression;
  std::map<std::string, ConfigText> hosts;  // of all sites so far, and where each stands
};

Site read_site(ConfigGroup& group, SiteContext& context);

}  // namespace vipair::proxy
