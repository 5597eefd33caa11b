#pragma once
// What all parts of the proxy's configuration loader share: how a value is quoted in an error, counted, and read as
// an address. A value that cannot be used is reported to its group and comes back as nullopt.

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/expected.h"
#include "common/base/ip_address.h"
#include "common/runtime/config_file.h"

namespace vipair::proxy {

inline constexpr std::string_view kUnsupported = "not supported by this version";
inline constexpr std::uint64_t kKibi = 1024;
inline constexpr std::size_t kNameMax = 64;  // bytes of the name of an upstream and the like

// Letters, digits and `also`.
bool consists_of(std::string_view text, std::string_view also);
bool is_name(std::string_view text);  // 1 to kNameMax letters, digits, "-", "_" and "."

// A value of a file as part of an error: whatever it holds, one printable and bounded line comes out.
std::string in_quotes(std::string_view text);
std::string place(const ConfigText& text);  // "sites.d/blog.conf:7"

// A number that may be absent: the target keeps its default.
template <class T, class U>
void assign(T& target, const std::optional<U>& value) {
  if (value) target = static_cast<T>(*value);
}

void refuse_unsupported(ConfigGroup& group, std::initializer_list<std::string_view> keys);

// False, and said so, when there are more than `max` of them.
bool check_count(ConfigGroup& group, std::string_view key, std::size_t count, std::size_t max);

// An address with a port that somebody can have.
std::optional<IpEndpoint> read_endpoint(ConfigGroup& group, const ConfigText& text, std::string_view example);
// A socket's path, relative to the file; `path` keeps its default when there is none.
void read_socket_path(ConfigGroup& group, std::string_view key, std::string& path);
// A setting that names a file, and where it stands, for what is wrong with the file.
struct FileSetting {
  std::string path;  // absolute, or relative to where the process runs; "": none
  std::string file;
  int line = 0;
  std::string setting;
  explicit operator bool() const { return !path.empty(); }
  ConfigError error(const std::string& message) const { return {file, line, setting, message}; }
  friend bool operator==(const FileSetting&, const FileSetting&) = default;
};

// Absent, or empty and said so: no path.
FileSetting read_file_setting(ConfigGroup& group, std::string_view key);
// A small file as a whole. The error says what is wrong, not what it holds.
Expected<std::string, ConfigError> read_file(const FileSetting& setting, std::size_t bytes_max);
std::string absolute(const std::string& path);  // relative to where the process runs

}  // namespace vipair::proxy
