#pragma once
// What the parts of the node.conf loader share: names, interfaces, addresses, paths, secrets. A value that cannot
// be used is reported to its group and comes back as nullopt. Secrets never appear in a message.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ip_address.h"
#include "common/runtime/config_file.h"
#include "vrrp/agent/config.h"

namespace vipair::vrrp {

inline constexpr std::size_t kNameMax = 64;                // of a node, a virtual router, a check, a sync group
inline constexpr std::size_t kInterfaceNameMax = 15;       // IFNAMSIZ - 1
inline constexpr std::size_t kSocketPathMax = 107;         // sun_path
inline constexpr std::size_t kPathMax = 4095;              // PATH_MAX - 1
inline constexpr std::size_t kArgumentsMax = 64;           // of a command, the program included
inline constexpr std::size_t kPathsMax = 8;                // further ways to the peer
inline constexpr std::size_t kPairKeysMax = 8;             // of one key file
inline constexpr std::size_t kKeyFileSizeMax = 64u << 10;  // bytes
inline constexpr std::size_t kKeyDigits = 64;              // of one key, hexadecimal
inline constexpr std::size_t kPasswordMax = 8;             // bytes: RFC 2338's simple text password

std::string place(const ConfigText& text);              // "virtual_routers[0].name (line 2)"
const char* why_not_unicast(const IpAddress& address);  // nullptr: it may be somebody's address

std::optional<ConfigText> name_setting(ConfigGroup& group, std::string_view key);
std::optional<ConfigText> interface_setting(ConfigGroup& group, std::string_view key);
// An address that somebody can have; `whose`: "the peer's own address".
std::optional<IpAddress> unicast_setting(ConfigGroup& group, std::string_view key, std::string_view whose);
std::string socket_setting(ConfigGroup& group, std::string_view key, std::string fallback);
std::optional<std::string> path_setting(ConfigGroup& group, std::string_view key);  // relative to the file
// Program and arguments, no shell. That it can be run now is only a warning: it may be installed later.
std::vector<std::string> command_setting(ConfigGroup& group, std::string_view key, Config& config);
// A user of this machine; one that does not exist is a warning. An empty fallback: the daemon's own.
std::string user_setting(ConfigGroup& group, std::string_view key, std::string fallback, Config& config);

// The peer's own address; IPv6: the link-local one, since that is where it speaks from.
std::optional<IpAddress> peer_address_setting(ConfigGroup& group, std::string_view key);
// The addresses of the peer in one of the networks that it shares with this node.
PeerConfig peer_addresses(ConfigGroup& group);

// The secrets that a *_file setting names: a path, absolute or relative to the file, or a bare name, which is
// looked for among systemd's credentials ($CREDENTIALS_DIRECTORY), beside the file and in /run/secrets.
std::vector<PairKey> key_file_setting(ConfigGroup& group, std::string_view key, Config& config);
std::string password_file_setting(ConfigGroup& group, std::string_view key, Config& config);

}  // namespace vipair::vrrp
