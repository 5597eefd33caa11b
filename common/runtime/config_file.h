#pragma once
// libconfig files as a contract: a loader asks a ConfigGroup for the keys it knows, with type and range, and every
// mistake of the whole file is collected with file, line, setting, what is wrong and what would be right. A key
// that nobody asked for is unknown (the nearest known key is named). Checking and loading are the same code path:
// build the result, then look at ConfigErrors. libconfig and its exceptions stay inside.
//
// Durations are strings with a unit ("100ms" "5s" "10m" "1h"; also us, d), sizes too ("16KiB" "100GiB" "512B").

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/ip_address.h"
#include "common/base/time.h"
#include "common/runtime/config_values.h"

namespace vipair {

struct ConfigError {
  std::string file;
  int line = 0;                   // 0: the file as a whole
  std::string setting;            // path inside the file, "virtual_routers[0].vrid"; empty for the file as a whole
  std::string message;            // what is wrong and what would be right
  std::string to_string() const;  // "node.conf:7: virtual_routers[0].vrid: 256 is out of range, expected 1 to 255"
};

// Collected over all files of one configuration, in the order found, and sorted by file and line by the daemons.
using ConfigErrors = std::vector<ConfigError>;

// One value of the file with its place, for errors found later (dangling names, clashes).
struct ConfigText {
  std::string value;
  std::string file;
  int line = 0;
  std::string setting;
  operator const std::string&() const { return value; }
};

// A group "{ … }" (or the file's top level) that is being read. Cheap to copy; valid while its ConfigFile lives.
// Accessors return nullopt when the key is absent or wrong; wrong has been reported.
class ConfigGroup {
 public:
  bool has(std::string_view key);  // counts as asked for
  std::optional<ConfigText> text(std::string_view key);
  std::optional<bool> boolean(std::string_view key);
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t min, std::int64_t max);
  // An array or list of integers; a single one is a list of one.
  std::vector<std::int64_t> integers(std::string_view key, std::int64_t min, std::int64_t max);
  std::optional<Duration> duration(std::string_view key, Duration min, Duration max);
  std::optional<std::uint64_t> size(std::string_view key, std::uint64_t min, std::uint64_t max);        // bytes
  std::optional<std::size_t> choice(std::string_view key, const std::vector<std::string_view>& names);  // index
  std::optional<IpAddress> address(std::string_view key);
  std::optional<ConfigGroup> group(std::string_view key);
  std::vector<ConfigGroup> groups(
      std::string_view key);                            // a list of groups; a single group counts as a list of one
  std::vector<ConfigText> texts(std::string_view key);  // an array or list of strings; a single string is one
  // "( [ "name", "value" ], … )" as in request_headers.set
  std::vector<std::pair<ConfigText, ConfigText>> text_pairs(std::string_view key);
  bool is_text_list(std::string_view key);  // "servers": strings, or groups?

  bool require(std::string_view key);  // reports a missing key; false when missing
  void error(std::string_view key,
             std::string message);  // at the key's line, or the group's when it is absent or empty
  void error(const ConfigText& where, std::string message);
  void finish();  // call last: reports every key of this group that was never asked for
  std::string path_relative_to_file(std::string_view path) const;  // relative paths are relative to their file
  std::string file() const;
  int line() const;
  std::string setting() const;

 private:
  friend class ConfigFile;
  struct Node;
  explicit ConfigGroup(std::shared_ptr<Node> node) : node_(std::move(node)) {}
  std::shared_ptr<Node> node_;
};

class ConfigFile {
 public:
  // Both report syntax errors (and an unreadable file, and one over kConfigSizeMax) into errors and then return
  // nullopt. errors must outlive the file and its groups. @include "other.conf" is relative to the file.
  static std::optional<ConfigFile> load(const std::string& path, ConfigErrors& errors);
  static std::optional<ConfigFile> parse(const std::string& text, const std::string& name, ConfigErrors& errors);
  ConfigGroup root();

 private:
  explicit ConfigFile(std::shared_ptr<ConfigGroup::Node> root) : root_(std::move(root)) {}
  std::shared_ptr<ConfigGroup::Node> root_;
};

inline constexpr std::size_t kConfigSizeMax = 16u << 20;  // bytes
inline constexpr std::size_t kConfigErrorsMax = 1000;     // further mistakes are not collected
inline constexpr int kExitConfig = 78;                    // EX_CONFIG: the exit status of a refused configuration

}  // namespace vipair
