#pragma once
// node.conf → vrrp::Config, validated whole: either every setting is right, or every mistake of the file is
// reported at once with file, line, setting and what would be right. Checking and loading are this one path; it
// reads the file and the key files that it names, nothing else, and changes nothing.

#include <string>

#include "common/base/expected.h"
#include "common/runtime/config_file.h"
#include "vrrp/agent/config.h"

namespace vipair::vrrp {

// Limits of one configuration.
inline constexpr std::size_t kVirtualRoutersMax = 255;
inline constexpr std::size_t kAddressesMax = 4096;      // of all virtual routers together, excluded ones included
inline constexpr std::size_t kAdvertisedIpv4Max = 255;  // per virtual router: the count field is one byte
inline constexpr std::size_t kAdvertisedIpv6Max = 89;   // per virtual router: more do not fit into 1500 bytes
inline constexpr std::size_t kInterfaceNameMax = 15;    // IFNAMSIZ - 1
inline constexpr std::size_t kSocketPathMax = 107;      // sun_path
inline constexpr std::size_t kNameMax = 64;             // of a node or a virtual router
inline constexpr std::size_t kKeyFileSizeMax = 64u << 10;  // bytes

Expected<Config, ConfigErrors> load_config(const std::string& path);

// The same from text that stands for the file `name`; key files are still read from disk.
Expected<Config, ConfigErrors> parse_config(const std::string& text, const std::string& name);

}  // namespace vipair::vrrp
