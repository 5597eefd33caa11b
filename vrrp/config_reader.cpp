#include "vrrp/config_reader.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "common/runtime/unique_fd.h"

namespace vipair::vrrp {
namespace {

constexpr const char* kSecretsFolder = "/run/secrets/";

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kNameMax && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_' || c == '.';
  });
}

// What the kernel accepts as a name (dev_valid_name), without the loopback, where no neighbour can be.
bool is_interface_name(std::string_view text) {
  return !text.empty() && text.size() <= kInterfaceNameMax && text != "." && text != ".." && text != "lo" &&
         std::none_of(text.begin(), text.end(),
                      [](unsigned char c) { return std::isspace(c) || std::iscntrl(c) || c == '/' || c == ':'; });
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

std::string secret_path(const ConfigGroup& group, const std::string& name) {
  const std::string beside = group.path_relative_to_file(name);
  if (name.find('/') != std::string::npos) return beside;
  if (const char* credentials = std::getenv("CREDENTIALS_DIRECTORY")) {
    const std::string credential = std::string(credentials) + "/" + name;
    if (exists(credential)) return credential;
  }
  const std::string secret = kSecretsFolder + name;
  return !exists(beside) && exists(secret) ? secret : beside;
}

// The content of a secret's file, whose path is stored; an unusable one is reported.
std::optional<std::string> read_secret(ConfigGroup& group, const ConfigText& setting, Config& config,
                                       std::string& path) {
  path = secret_path(group, setting.value);
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a pipe does not stop us
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0) {
    group.error(setting, "cannot read " + quoted(path) + " (" + std::strerror(errno) +
                             "): make the file and let the daemon's user read it");
    return std::nullopt;
  }
  std::string content(kKeyFileSizeMax + 1, '\0');
  const ssize_t size = S_ISREG(info.st_mode) ? ::read(fd.get(), content.data(), content.size()) : -1;
  if (size < 0 || static_cast<std::size_t>(size) > kKeyFileSizeMax) {
    group.error(setting, quoted(path) + " cannot hold a secret: expected a readable regular file of at most " +
                             std::to_string(kKeyFileSizeMax) + " bytes");
    return std::nullopt;
  }
  if (info.st_mode & (S_IRWXO | S_IWGRP))
    config.warnings.push_back(path + " can be read or changed by others: chmod 0600 " + path);
  content.resize(static_cast<std::size_t>(size));
  return content;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<PairKey> parse_key(std::string_view digits) {
  if (digits.size() != kKeyDigits) return std::nullopt;
  PairKey key;
  for (std::size_t i = 0; i < key.size(); ++i) {
    const int high = hex_digit(digits[2 * i]), low = hex_digit(digits[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    key[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return key;
}

// What a command line would do with it later, as far as it can be known now.
void warn_of_program(const std::string& program, const std::string& setting, Config& config) {
  struct stat info {};
  if (::stat(program.c_str(), &info) != 0) {
    config.warnings.push_back(setting + ": " + quoted(program) + " cannot be run: " + std::strerror(errno));
  } else if (!S_ISREG(info.st_mode) || (info.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0) {
    config.warnings.push_back(setting + ": " + quoted(program) + " is not an executable file");
  }
}

}  // namespace

std::string place(const ConfigText& text) { return text.setting + " (line " + std::to_string(text.line) + ")"; }

const char* why_not_unicast(const IpAddress& address) {
  if (address.is_unspecified()) return "is the unspecified address";
  if (address.is_multicast()) return "is a multicast address";
  if (address.is_loopback()) return "is a loopback address";
  if (address == IpAddress::v4(0xFFFFFFFFu)) return "is the broadcast address";
  return nullptr;
}

std::optional<ConfigText> name_setting(ConfigGroup& group, std::string_view key) {
  auto name = group.text(key);
  if (!name || is_name(name->value)) return name;
  group.error(*name, quoted(name->value) + " is not a name: expected 1 to " + std::to_string(kNameMax) +
                         " letters, digits, '-', '_' or '.'");
  return std::nullopt;
}

std::optional<ConfigText> interface_setting(ConfigGroup& group, std::string_view key) {
  auto interface = group.text(key);
  if (!interface || is_interface_name(interface->value)) return interface;
  group.error(*interface, quoted(interface->value) +
                              " cannot be used: expected the name of a network interface such as \"eth0\", 1 to " +
                              std::to_string(kInterfaceNameMax) + " characters, not \"lo\"");
  return std::nullopt;
}

std::optional<IpAddress> unicast_setting(ConfigGroup& group, std::string_view key, std::string_view whose) {
  auto address = group.address(key);
  if (!address) return std::nullopt;
  if (const char* why = why_not_unicast(*address)) {
    group.error(key, address->to_string() + " " + why + ": expected " + std::string(whose));
    return std::nullopt;
  }
  return address;
}

std::string socket_setting(ConfigGroup& group, std::string_view key, std::string fallback) {
  auto text = group.text(key);
  if (!text) return fallback;
  std::string path = group.path_relative_to_file(text->value);
  if (text->value.empty()) {
    group.error(*text, "is empty: expected the path of a Unix socket such as \"" + fallback + "\"");
  } else if (path.size() > kSocketPathMax) {
    group.error(*text, "the path is " + std::to_string(path.size()) +
                           " bytes long: a Unix socket's path has at most " + std::to_string(kSocketPathMax));
  }
  return path;
}

std::optional<std::string> path_setting(ConfigGroup& group, std::string_view key) {
  auto text = group.text(key);
  if (!text) return std::nullopt;
  std::string path = group.path_relative_to_file(text->value);
  if (text->value.empty() || path.size() > kPathMax) {
    group.error(*text, "expected a path of 1 to " + std::to_string(kPathMax) + " bytes");
    return std::nullopt;
  }
  return path;
}

std::vector<std::string> command_setting(ConfigGroup& group, std::string_view key, Config& config) {
  const auto texts = group.texts(key);
  if (texts.empty()) {
    if (group.has(key)) group.error(key, "is empty: expected [ \"/path/of/program\", \"argument\", … ]");
    return {};
  }
  const ConfigText& program = texts[0];
  if (!program.value.starts_with('/') || program.value.ends_with('/')) {
    group.error(program,
                quoted(program.value) +
                    " is not the absolute path of a program: no shell looks for it, and arguments are texts "
                    "of their own, for example [ \"/usr/bin/test\", \"-e\", \"/run/x\" ]");
  } else {
    warn_of_program(program.value, program.setting, config);
  }
  if (texts.size() > kArgumentsMax)
    group.error(key, std::to_string(texts.size()) + " texts: expected at most " + std::to_string(kArgumentsMax));
  std::vector<std::string> command;
  for (const ConfigText& text : texts) {
    if (text.value.size() > kPathMax) group.error(text, "is longer than " + std::to_string(kPathMax) + " bytes");
    command.push_back(text.value);
  }
  return command;
}

std::string user_setting(ConfigGroup& group, std::string_view key, std::string fallback, Config& config) {
  std::string user = std::move(fallback);
  if (auto name = name_setting(group, key)) user = name->value;
  if (!user.empty() && !::getpwnam(user.c_str()))
    config.warnings.push_back(group.setting() + (group.setting().empty() ? "" : ".") + std::string(key) +
                              ": there is no user " + quoted(user) +
                              " on this machine, so nothing will be run: useradd --system " + user);
  return user;
}

std::optional<IpAddress> peer_address_setting(ConfigGroup& group, std::string_view key) {
  auto address = unicast_setting(group, key, "the peer's own address");
  if (!address || address->is_v4() || address->is_link_local()) return address;
  group.error(key,
              address->to_string() +
                  " is not link-local: expected the fe80:: address of the peer's interface, since that is where "
                  "IPv6 advertisements come from (RFC 9568 section 5.1.2.1)");
  return std::nullopt;
}

PeerConfig peer_addresses(ConfigGroup& group) {
  PeerConfig peer;
  if (group.require("address")) {
    if (auto address = peer_address_setting(group, "address"))
      (address->is_v4() ? peer.address_v4 : peer.address_v6) = address;
  }
  if (auto address = peer_address_setting(group, "address_ipv6")) {
    if (address->is_v4()) {
      group.error("address_ipv6", address->to_string() + " is an IPv4 address: write it as address");
    } else if (peer.address_v6) {
      group.error("address_ipv6", "address is an IPv6 address already: expected an IPv4 address there");
    } else {
      peer.address_v6 = address;
    }
  }
  return peer;
}

// One key per line, 64 hexadecimal digits; the first one signs, all of them verify.
std::vector<PairKey> key_file_setting(ConfigGroup& group, std::string_view key, Config& config) {
  const auto setting = group.text(key);
  if (!setting) return {};
  std::string path;
  const auto content = read_secret(group, *setting, config, path);
  if (!content) return {};
  std::vector<PairKey> keys;
  int number = 0;
  bool is_empty = true;
  for (std::string_view rest = *content; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    ++number;
    if (line.empty()) continue;
    is_empty = false;
    const auto parsed = parse_key(line);
    const std::string where = quoted(path) + " line " + std::to_string(number);
    if (!parsed) {
      group.error(*setting, where + " is not a key: expected " + std::to_string(kKeyDigits) +
                                " hexadecimal digits and nothing else, as vipairctl keygen makes them");
    } else if (std::find(keys.begin(), keys.end(), *parsed) != keys.end()) {
      group.error(*setting, where + " repeats a key: remove one of the two");
    }
    if (parsed) keys.push_back(*parsed);
  }
  if (is_empty)
    group.error(*setting, quoted(path) +
                              " holds no key: expected one per line, 64 hexadecimal digits each, as "
                              "vipairctl keygen makes them");
  if (keys.size() > kPairKeysMax)
    group.error(*setting, quoted(path) + " holds " + std::to_string(keys.size()) + " keys: expected at most " +
                              std::to_string(kPairKeysMax) + ", two are enough for a rotation");
  return keys;
}

std::string password_file_setting(ConfigGroup& group, std::string_view key, Config& config) {
  const auto setting = group.text(key);
  if (!setting) return {};
  std::string path;
  const auto content = read_secret(group, *setting, config, path);
  if (!content) return {};
  const std::string password = content->substr(0, content->find('\n'));
  const bool is_one_line = password.size() + 1 >= content->size();
  const bool is_text =
      std::none_of(password.begin(), password.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
  if (password.empty() || password.size() > kPasswordMax || !is_one_line || !is_text) {
    group.error(*setting, quoted(path) + " is not a password of VRRP version 2: expected one line of 1 to " +
                              std::to_string(kPasswordMax) +
                              " bytes; of a longer one the neighbours send the first " +
                              std::to_string(kPasswordMax));
    return {};
  }
  return password;
}

}  // namespace vipair::vrrp
