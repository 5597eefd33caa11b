#pragma once
// The `checks` of node.conf: each kind has its own settings, and those of another kind are refused with the reason.

#include "common/runtime/config_file.h"
#include "vrrp/agent/config.h"

namespace vipair::vrrp {

inline constexpr int kWeightMax = 253;  // 254 - 1: more cannot be taken from any priority

inline constexpr std::size_t kChecksMax = 256;
inline constexpr std::size_t kUrlMax = 2048;               // bytes
inline constexpr std::size_t kProcessNameMax = 255;        // a file's name
inline constexpr const char* kCheckUser = "vipair-check";  // whom scripts run as unless told otherwise

// Fills config.checks, which keeps every entry that has a name, right or wrong, so that it can be referred to.
void load_checks(ConfigGroup& root, Config& config);

// Where the names `texts` of checks lead: reports unknown ones, repeated ones and the proxy, which is no entry.
std::vector<std::string> check_names(ConfigGroup& group, const std::vector<ConfigText>& texts,
                                     const Config& config);

// A plain URL of the scheme: "http://host[:port][/path][?query]", nothing else; nullopt: it is something else.
std::optional<HttpCheck> parse_url(std::string_view url, bool is_tls);

}  // namespace vipair::vrrp
