#pragma once
// A configuration file as libconfig reads it, with all that it includes: where its mistakes go, and what libconfig
// gets wrong (lines of texts in lists, integers that wrap around, NUL bytes). For config_file.cpp: libconfig and
// its exceptions stay in these two.

#include <cstddef>
#include <cstdint>
#include <libconfig.h++>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/expected.h"
#include "common/runtime/config_file.h"

namespace vipair {

class ConfigDocument {
 public:
  using Setting = libconfig::Setting;
  // Where in a file the next text of a list is looked for.
  struct Cursor {
    int line = 0;  // 0: where the list begins
    std::size_t column = 0;
  };

  // The text of a file of at most kConfigSizeMax bytes; the error says why there is none.
  static Expected<std::string, std::string> read(const std::string& path);
  // Null: reported. `errors` must outlive the document.
  static std::shared_ptr<ConfigDocument> parse(const std::string& text, const std::string& name,
                                               ConfigErrors& errors);

  const Setting& root() const { return config_.getRoot(); }
  std::string file_of(const Setting& setting) const { return resolve(setting.getSourceFile()); }
  int line_of(const Setting& setting, Cursor& cursor) const;
  int line_of(const Setting& setting) const;
  void report(std::string file, int line, std::string setting, std::string message);

 private:
  ConfigDocument(std::string name, ConfigErrors& errors);
  bool load(const std::string& text);
  std::string resolve(const char* source) const;
  void check_source(const std::string& file, const std::string& text);
  void check_included(const Setting& setting);
  std::string explain(const std::string& file, const libconfig::ParseException& failure);

  libconfig::Config config_;
  std::string name_;
  std::string directory_;
  ConfigErrors* errors_;
  std::map<std::string, std::vector<std::string>> lines_;  // by file
};

// ---- what a setting is ----

inline bool is_text(const libconfig::Setting& setting) {
  return setting.getType() == libconfig::Setting::TypeString;
}
inline bool is_list(const libconfig::Setting& setting) { return setting.isArray() || setting.isList(); }
inline std::string text_of(const libconfig::Setting& setting) { return static_cast<const char*>(setting); }
std::optional<std::int64_t> integer_of(const libconfig::Setting& setting);
std::string describe(const libconfig::Setting& setting);  // "the integer 7"

// ---- paths ----

std::string directory_of(const std::string& path);
std::string join_path(const std::string& directory, std::string_view path);

}  // namespace vipair
