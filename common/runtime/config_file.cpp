#include "common/runtime/config_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <libconfig.h++>
#include <limits>
#include <map>
#include <utility>

#include "common/base/expected.h"
#include "common/runtime/unique_fd.h"

namespace vipair {
namespace {

using libconfig::Setting;

constexpr std::size_t kQuoteMax = 80;  // bytes of a value repeated in an error text
constexpr std::size_t kKnownKeysMax = 12;

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
// nanoseconds, the largest first
constexpr Unit kDurationUnits[] = {{"d", 86'400'000'000'000}, {"h", 3'600'000'000'000}, {"m", 60'000'000'000},
                                   {"s", 1'000'000'000},      {"ms", 1'000'000},        {"us", 1'000}};
constexpr Unit kSizeUnits[] = {
    {"TiB", 1ull << 40}, {"GiB", 1ull << 30}, {"MiB", 1ull << 20}, {"KiB", 1ull << 10}, {"B", 1}};

template <std::size_t N>
std::optional<std::uint64_t> parse_with_unit(std::string_view text, const Unit (&units)[N], std::uint64_t max) {
  std::uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  for (const Unit& unit : units) {
    if (unit.name != text) continue;
    if (number > max / unit.factor) return std::nullopt;
    return number * unit.factor;
  }
  return std::nullopt;
}

template <std::size_t N>
std::string format_with_unit(std::uint64_t value, const Unit (&units)[N], const Unit& smallest) {
  for (const Unit& unit : units)
    if (value >= unit.factor && value % unit.factor == 0)
      return std::to_string(value / unit.factor).append(unit.name);
  return std::to_string(value).append(smallest.name);
}

std::string format_size(std::uint64_t bytes) { return format_with_unit(bytes, kSizeUnits, kSizeUnits[4]); }

// "1 to 254", "at least 1", "at most 254"
template <class T, class Format>
std::string range_text(T min, T max, Format format) {
  if (max == std::numeric_limits<T>::max()) return "at least " + format(min);
  if (min == std::numeric_limits<T>::min()) return "at most " + format(max);
  return format(min) + " to " + format(max);
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

std::string directory_of(const std::string& path) {
  std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, std::max<std::size_t>(slash, 1));
}

std::string join_path(const std::string& directory, std::string_view path) {
  if (directory.empty() || path.starts_with('/')) return std::string(path);
  return directory + (directory.back() == '/' ? "" : "/") + std::string(path);
}

Expected<std::string, std::string> read_text(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return Unexpected{"cannot be opened: " + std::string(std::strerror(errno))};
  std::string text;
  char buffer[65536];
  for (;;) {
    ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Unexpected{"cannot be read: " + std::string(std::strerror(errno))};
    if (got == 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > kConfigSizeMax) return Unexpected{"is larger than " + format_size(kConfigSizeMax)};
  }
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    std::size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

bool is_text(const Setting& setting) { return setting.getType() == Setting::TypeString; }
bool is_list(const Setting& setting) { return setting.isArray() || setting.isList(); }
std::string text_of(const Setting& setting) { return static_cast<const char*>(setting); }

std::optional<std::int64_t> integer_of(const Setting& setting) {
  if (setting.getType() == Setting::TypeInt) return static_cast<int>(setting);
  if (setting.getType() == Setting::TypeInt64) return static_cast<long long>(setting);
  return std::nullopt;
}

std::string describe(const Setting& setting) {
  switch (setting.getType()) {
    case Setting::TypeInt:
    case Setting::TypeInt64:
      return "the integer " + std::to_string(*integer_of(setting));
    case Setting::TypeFloat: {
      char digits[64];
      auto end = std::to_chars(digits, digits + sizeof digits, static_cast<double>(setting)).ptr;
      return "the number " + std::string(digits, end);
    }
    case Setting::TypeBoolean:
      return static_cast<bool>(setting) ? "the boolean true" : "the boolean false";
    case Setting::TypeString:
      return "the text " + quoted(text_of(setting));
    case Setting::TypeGroup:
      return "a group { }";
    case Setting::TypeArray:
      return "an array [ ]";
    case Setting::TypeList:
      return "a list ( )";
    case Setting::TypeNone:
      break;
  }
  return "nothing";
}

// How a scalar would look as text: what a user who forgot the quotes meant.
std::string as_text_example(const Setting& setting) {
  if (auto number = integer_of(setting)) return quoted(std::to_string(*number));
  if (is_list(setting) && setting.getLength() > 0 && is_text(setting[0])) return quoted(text_of(setting[0]));
  return "\"text\"";
}

}  // namespace

std::string quoted(std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "\"";
  for (char c : text.substr(0, kQuoteMax)) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte == 0x7F) {
      out += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    } else {
      out += c;
    }
  }
  return out + (text.size() > kQuoteMax ? "…\"" : "\"");
}

std::optional<std::string_view> nearest(std::string_view word, const std::vector<std::string_view>& known) {
  std::optional<std::string_view> best;
  std::size_t best_distance = 0;
  for (std::string_view candidate : known) {
    std::size_t allowed = (candidate.size() + 2) / 3;
    if (word.size() > candidate.size() + allowed || candidate.size() > word.size() + allowed) continue;
    std::size_t distance = edit_distance(word, candidate);
    if (distance > allowed || (best && distance >= best_distance)) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

// One parsed file with all that it included, and where its mistakes go.
struct ConfigFile::Document {
  libconfig::Config config;
  std::string name;
  std::string directory;
  ConfigErrors* errors = nullptr;
  std::map<std::string, std::vector<std::string>> lines;  // by file

  void report(std::string file, int line, std::string setting, std::string message) {
    ConfigError error{std::move(file), line, std::move(setting), std::move(message)};
    if (errors->size() >= kConfigErrorsMax) return;
    // a loader may ask for one key twice
    for (const ConfigError& known : *errors)
      if (known.line == error.line && known.file == error.file && known.setting == error.setting &&
          known.message == error.message)
        return;
    errors->push_back(std::move(error));
    if (errors->size() + 1 == kConfigErrorsMax)
      errors->push_back({name, 0, "", "too many mistakes, the others are not shown"});
  }

  // libconfig names an included file as the @include line wrote it (1.5) or with the directory before it (1.7).
  std::string resolve(const char* source) const {
    if (!source) return name;
    std::string joined = join_path(directory, source);
    struct stat info {};
    return ::stat(joined.c_str(), &info) == 0 ? joined : std::string(source);
  }

  std::string file_of(const Setting& setting) const { return resolve(setting.getSourceFile()); }

  // Where in a file the next text of a list is looked for.
  struct Cursor {
    int line = 0;  // 0: where the list begins
    std::size_t column = 0;
  };

  // libconfig takes the line of a text inside a list from the token behind it: look for the text from where the
  // list begins, or behind the text before it, up to that line.
  int line_of(const Setting& setting, Cursor& cursor) const {
    const int line = static_cast<int>(setting.getSourceLine());
    if (setting.getName() || setting.isRoot() || !is_text(setting)) return line;
    auto found = lines.find(file_of(setting));
    if (found == lines.end()) return line;
    const std::string text = '"' + text_of(setting) + '"';
    if (cursor.line == 0) cursor = {std::max(static_cast<int>(setting.getParent().getSourceLine()), 1), 0};
    std::size_t column = cursor.column;
    for (int at = cursor.line; at <= line; ++at, column = 0) {
      const auto index = static_cast<std::size_t>(at - 1);
      if (index >= found->second.size()) break;
      const std::size_t begin = found->second[index].find(text, column);
      if (begin == std::string::npos) continue;
      cursor = {at, begin + text.size()};
      return at;
    }
    return line;
  }
  int line_of(const Setting& setting) const {
    Cursor cursor;
    return line_of(setting, cursor);
  }

  void check_source(const std::string& file, const std::string& text);
  void check_included(const Setting& setting);
};

// libconfig reads "vrid = 4294967347" as 51 without a word, and stops at a NUL byte as if the file ended there:
// both are found here, before it looks. Comments, texts and words are skipped by the same rules as libconfig's.
void ConfigFile::Document::check_source(const std::string& file, const std::string& text) {
  lines.emplace(file, lines_of(text));
  int line = 1;
  std::size_t i = 0;
  auto skip_to = [&](std::size_t end) {
    line += static_cast<int>(std::count(text.begin() + static_cast<std::ptrdiff_t>(i),
                                        text.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
    i = end;
  };
  auto is_word = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' ||
           c == '*';
  };
  if (std::size_t nul = text.find('\0'); nul != std::string::npos) {
    skip_to(nul);
    report(file, line, "", "a NUL byte, expected text");
    return;
  }
  while (i < text.size()) {
    if (text[i] == '#' || text.compare(i, 2, "//") == 0) {
      skip_to(std::min(text.find('\n', i), text.size()));
    } else if (text.compare(i, 2, "/*") == 0) {
      std::size_t end = text.find("*/", i + 2);
      skip_to(end == std::string::npos ? text.size() : end + 2);
    } else if (text[i] == '"') {
      std::size_t end = i + 1;
      while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
      skip_to(std::min(end + 1, text.size()));
    } else if (is_word(text[i])) {
      std::size_t end = i;
      while (end < text.size() && (is_word(text[end]) || text[end] == '-')) ++end;
      std::string_view word = std::string_view(text).substr(i, end - i);
      const bool is_negative = i > 0 && text[i - 1] == '-';
      const bool is_hex = word.starts_with("0x") || word.starts_with("0X");
      std::string_view digits = is_hex ? word.substr(2) : word;
      std::uint64_t value = 0;
      auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, is_hex ? 16 : 10);
      std::string_view suffix(rest, static_cast<std::size_t>(digits.data() + digits.size() - rest));
      if (!digits.empty() && rest != digits.data() && (suffix.empty() || suffix == "L" || suffix == "LL")) {
        const std::uint64_t max =
            suffix.empty() ? std::numeric_limits<std::int32_t>::max() : std::numeric_limits<std::int64_t>::max();
        if (error != std::errc{} || value > max)
          report(file, line, "",
                 (is_negative ? "-" : "") + std::string(word.substr(0, kQuoteMax)) +
                     " is out of range for an integer, which is at most " + std::to_string(max));
      }
      i = end;
    } else {
      skip_to(i + 1);
    }
  }
}

void ConfigFile::Document::check_included(const Setting& setting) {
  std::string file = file_of(setting);
  if (lines.find(file) == lines.end()) {
    auto text = read_text(file);
    if (text) {
      check_source(file, *text);
    } else {
      report(file, 0, "", text.error());
    }
  }
  if (!setting.isAggregate()) return;
  for (int i = 0; i < setting.getLength(); ++i) check_included(setting[i]);
}

// A group in the file and the keys that were asked of it. Shared by all copies of its ConfigGroup.
struct ConfigGroup::Node {
  std::shared_ptr<ConfigFile::Document> document;
  const Setting* setting = nullptr;
  std::string path;
  std::vector<std::string> known;                                      // in the order first asked
  std::map<std::string, std::vector<std::shared_ptr<Node>>> children;  // so that asking twice finds the same group

  const Setting* find(std::string_view key) {
    if (std::find(known.begin(), known.end(), key) == known.end()) known.emplace_back(key);
    const std::string name(key);
    return setting->exists(name.c_str()) ? &(*setting)[name.c_str()] : nullptr;
  }

  std::string path_of(std::string_view key) const {
    return path.empty() ? std::string(key) : path + "." + std::string(key);
  }

  void report(const Setting& at, std::string at_path, std::string message) {
    document->report(document->file_of(at), document->line_of(at), std::move(at_path), std::move(message));
  }

  // what: "an integer from 1 to 254"; example: "200"
  void wrong_type(const Setting& at, const std::string& at_path, const std::string& what,
                  const std::string& example) {
    std::string assignment = at.getName() ? std::string(at.getName()) + " = " + example + ";" : example;
    report(at, at_path, "found " + describe(at) + ", expected " + what + ", for example: " + assignment);
  }

  ConfigText place(const Setting& at, std::string at_path, ConfigFile::Document::Cursor& cursor) const {
    return {text_of(at), document->file_of(at), document->line_of(at, cursor), std::move(at_path)};
  }
  ConfigText place(const Setting& at, std::string at_path) const {
    ConfigFile::Document::Cursor cursor;
    return place(at, std::move(at_path), cursor);
  }

  // The text of a key, and nothing when it is absent or something else.
  const Setting* find_text(std::string_view key, const std::string& what, const std::string& example) {
    const Setting* found = find(key);
    if (found && !is_text(*found)) {
      wrong_type(*found, path_of(key), what, example.empty() ? as_text_example(*found) : example);
      return nullptr;
    }
    return found;
  }

  ConfigGroup child(const Setting& at, std::string at_path) {
    auto node = std::make_shared<Node>();
    node->document = document;
    node->setting = &at;
    node->path = std::move(at_path);
    return ConfigGroup(std::move(node));
  }
};

bool ConfigGroup::has(std::string_view key) { return node_->find(key) != nullptr; }

std::optional<ConfigText> ConfigGroup::text(std::string_view key) {
  const Setting* found = node_->find_text(key, "text in quotes", "");
  if (!found) return std::nullopt;
  return node_->place(*found, node_->path_of(key));
}

std::optional<bool> ConfigGroup::boolean(std::string_view key) {
  const Setting* found = node_->find(key);
  if (!found) return std::nullopt;
  if (found->getType() == Setting::TypeBoolean) return static_cast<bool>(*found);
  node_->wrong_type(*found, node_->path_of(key), "true or false", "true");
  return std::nullopt;
}

std::optional<std::int64_t> ConfigGroup::integer(std::string_view key, std::int64_t min, std::int64_t max) {
  const Setting* found = node_->find(key);
  if (!found) return std::nullopt;
  auto format = [](std::int64_t number) { return std::to_string(number); };
  auto value = integer_of(*found);
  if (!value) {
    std::int64_t example = min;
    if (is_text(*found)) {  // "200": the quotes are the mistake
      std::string text = text_of(*found);
      std::int64_t number = 0;
      auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (error == std::errc{} && end == text.data() + text.size() && number >= min && number <= max)
        example = number;
    }
    node_->wrong_type(*found, node_->path_of(key), "an integer, " + range_text(min, max, format), format(example));
    return std::nullopt;
  }
  if (*value >= min && *value <= max) return value;
  error(key, format(*value) + " is out of range, expected " + range_text(min, max, format));
  return std::nullopt;
}

std::optional<Duration> ConfigGroup::duration(std::string_view key, Duration min, Duration max) {
  std::string example = format_duration(min);
  for (Duration usual : {Duration(std::chrono::seconds(1)), Duration(std::chrono::milliseconds(100))})
    if (usual >= min && usual <= max) {
      example = format_duration(usual);
      break;
    }
  example = '"' + example + '"';
  const Setting* found = node_->find_text(key, "a duration with a unit", example);
  if (!found) return std::nullopt;
  std::string text = text_of(*found);
  auto value = parse_duration(text);
  if (!value) {
    error(key, quoted(text) +
                   " is not a duration, expected a whole number with a unit (us ms s m h d), for example: " +
                   std::string(key) + " = " + example + ";");
    return std::nullopt;
  }
  if (*value >= min && *value <= max) return value;
  auto format = [](Duration::rep count) { return format_duration(Duration(count)); };
  error(key, quoted(text) + " is out of range, expected " + range_text(min.count(), max.count(), format));
  return std::nullopt;
}

std::optional<std::uint64_t> ConfigGroup::size(std::string_view key, std::uint64_t min, std::uint64_t max) {
  std::string example = format_size(min);
  for (std::uint64_t usual : {std::uint64_t{16} << 10, std::uint64_t{1} << 20, std::uint64_t{1} << 30})
    if (usual >= min && usual <= max) {
      example = format_size(usual);
      break;
    }
  example = '"' + example + '"';
  const Setting* found = node_->find_text(key, "a size with a unit", example);
  if (!found) return std::nullopt;
  std::string text = text_of(*found);
  auto value = parse_size(text);
  if (!value) {
    error(key, quoted(text) +
                   " is not a size, expected a whole number with a unit (B KiB MiB GiB TiB), for example: " +
                   std::string(key) + " = " + example + ";");
    return std::nullopt;
  }
  if (*value >= min && *value <= max) return value;
  error(key, quoted(text) + " is out of range, expected " + range_text(min, max, format_size));
  return std::nullopt;
}

std::optional<std::size_t> ConfigGroup::choice(std::string_view key, const std::vector<std::string_view>& names) {
  std::string list;
  for (std::string_view name : names) list += (list.empty() ? "" : ", ") + quoted(name);
  const Setting* found = node_->find_text(key, "one of " + list, names.empty() ? "" : quoted(names[0]));
  if (!found) return std::nullopt;
  std::string text = text_of(*found);
  auto match = std::find(names.begin(), names.end(), text);
  if (match != names.end()) return static_cast<std::size_t>(match - names.begin());
  auto meant = nearest(text, names);
  error(key, quoted(text) + " is not known, expected one of " + list +
                 (meant ? " (did you mean " + quoted(*meant) + "?)" : ""));
  return std::nullopt;
}

std::optional<IpAddress> ConfigGroup::address(std::string_view key) {
  static constexpr std::string_view kExample = "\"192.0.2.1\" or \"2001:db8::1\"";
  const Setting* found = node_->find_text(key, "an IP address", "\"192.0.2.1\"");
  if (!found) return std::nullopt;
  std::string text = text_of(*found);
  auto value = IpAddress::parse(text);
  if (!value) error(key, quoted(text) + " is not an IP address, expected for example " + std::string(kExample));
  return value;
}

std::optional<ConfigGroup> ConfigGroup::group(std::string_view key) {
  const Setting* found = node_->find(key);
  if (!found) return std::nullopt;
  if (!found->isGroup()) {
    node_->wrong_type(*found, node_->path_of(key), "a group", "{ … }");
    return std::nullopt;
  }
  auto& children = node_->children[std::string(key)];
  if (children.empty()) children.push_back(node_->child(*found, node_->path_of(key)).node_);
  return ConfigGroup(children[0]);
}

std::vector<ConfigGroup> ConfigGroup::groups(std::string_view key) {
  const Setting* found = node_->find(key);
  if (!found) return {};
  auto& children = node_->children[std::string(key)];
  const std::string path = node_->path_of(key);
  if (children.empty()) {
    if (found->isGroup()) {
      children.push_back(node_->child(*found, path).node_);
    } else if (!is_list(*found)) {
      node_->wrong_type(*found, path, "a list of groups", "( { … } )");
    } else {
      for (int i = 0; i < found->getLength(); ++i) {
        const Setting& element = (*found)[i];
        std::string element_path = path + "[" + std::to_string(i) + "]";
        if (element.isGroup()) {
          children.push_back(node_->child(element, element_path).node_);
        } else {
          node_->wrong_type(element, element_path, "a group", "{ … }");
        }
      }
    }
  }
  std::vector<ConfigGroup> groups;
  for (const auto& child : children) groups.push_back(ConfigGroup(child));
  return groups;
}

std::vector<std::int64_t> ConfigGroup::integers(std::string_view key, std::int64_t min, std::int64_t max) {
  const Setting* found = node_->find(key);
  if (!found) return {};
  std::vector<std::int64_t> values;
  auto format = [](std::int64_t number) { return std::to_string(number); };
  const std::string path = node_->path_of(key);
  auto take = [&](const Setting& element, const std::string& at) {
    auto value = integer_of(element);
    if (!value) {
      node_->wrong_type(element, at, "an integer, " + range_text(min, max, format), format(min));
    } else if (*value < min || *value > max) {
      node_->report(element, at, format(*value) + " is out of range, expected " + range_text(min, max, format));
    } else {
      values.push_back(*value);
    }
  };
  if (!is_list(*found)) {
    take(*found, path);
    return values;
  }
  for (int i = 0; i < found->getLength(); ++i) take((*found)[i], path + "[" + std::to_string(i) + "]");
  return values;
}

std::vector<ConfigText> ConfigGroup::texts(std::string_view key) {
  const Setting* found = node_->find(key);
  if (!found) return {};
  const std::string path = node_->path_of(key);
  if (is_text(*found)) return {node_->place(*found, path)};
  if (!is_list(*found)) {
    node_->wrong_type(*found, path, "an array of texts", "[ " + as_text_example(*found) + " ]");
    return {};
  }
  std::vector<ConfigText> texts;
  ConfigFile::Document::Cursor cursor;
  for (int i = 0; i < found->getLength(); ++i) {
    const Setting& element = (*found)[i];
    std::string element_path = path + "[" + std::to_string(i) + "]";
    if (is_text(element)) {
      texts.push_back(node_->place(element, element_path, cursor));
    } else {
      node_->wrong_type(element, element_path, "text in quotes", as_text_example(element));
    }
  }
  return texts;
}

std::vector<std::pair<ConfigText, ConfigText>> ConfigGroup::text_pairs(std::string_view key) {
  const Setting* found = node_->find(key);
  if (!found) return {};
  static constexpr const char* kPair = "[ \"name\", \"value\" ]";
  const std::string path = node_->path_of(key);
  auto is_pair = [](const Setting& setting) {
    return is_list(setting) && setting.getLength() == 2 && is_text(setting[0]) && is_text(setting[1]);
  };
  if (!found->isList()) {
    node_->wrong_type(*found, path, "a list of pairs", "( " + std::string(kPair) + " )");
    return {};
  }
  std::vector<std::pair<ConfigText, ConfigText>> pairs;
  for (int i = 0; i < found->getLength(); ++i) {
    const Setting& element = (*found)[i];
    std::string element_path = path + "[" + std::to_string(i) + "]";
    if (is_pair(element)) {
      pairs.emplace_back(node_->place(element[0], element_path + "[0]"),
                         node_->place(element[1], element_path + "[1]"));
    } else if (is_list(element)) {
      node_->report(element, element_path,
                    "found " + describe(element) + " with " + std::to_string(element.getLength()) +
                        " values, expected a pair of texts, for example: " + kPair);
    } else {
      node_->wrong_type(element, element_path, "a pair of texts", kPair);
    }
  }
  return pairs;
}

bool ConfigGroup::is_text_list(std::string_view key) {
  const Setting* found = node_->find(key);
  if (!found || found->isGroup()) return false;
  return !is_list(*found) || found->getLength() == 0 || !(*found)[0].isGroup();
}

bool ConfigGroup::require(std::string_view key) {
  if (has(key)) return true;
  error(key, "is missing and has no default");
  return false;
}

void ConfigGroup::error(std::string_view key, std::string message) {
  const std::string name(key);
  const bool is_present = node_->setting->exists(name.c_str());
  node_->report(is_present ? (*node_->setting)[name.c_str()] : *node_->setting,
                key.empty() ? node_->path : node_->path_of(key), std::move(message));
}

void ConfigGroup::error(const ConfigText& where, std::string message) {
  node_->document->report(where.file, where.line, where.setting, std::move(message));
}

void ConfigGroup::finish() {
  const std::vector<std::string_view> known(node_->known.begin(), node_->known.end());
  for (int i = 0; i < node_->setting->getLength(); ++i) {
    const Setting& member = (*node_->setting)[i];
    const std::string name = member.getName();
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string message = "is not a known setting";
    if (auto meant = nearest(name, known)) {
      message += ", did you mean " + quoted(*meant) + "?";
    } else {
      for (std::size_t k = 0; k < std::min(known.size(), kKnownKeysMax); ++k)
        message.append(k == 0 ? ", expected one of " : " ").append(known[k]);
      if (known.size() > kKnownKeysMax) message += " …";
    }
    node_->report(member, node_->path_of(name), std::move(message));
  }
}

std::string ConfigGroup::path_relative_to_file(std::string_view path) const {
  return join_path(directory_of(file()), path);
}

std::string ConfigGroup::file() const { return node_->document->file_of(*node_->setting); }
int ConfigGroup::line() const { return node_->document->line_of(*node_->setting); }
std::string ConfigGroup::setting() const { return node_->path; }

std::optional<ConfigFile> ConfigFile::load(const std::string& path, ConfigErrors& errors) {
  auto text = read_text(path);
  if (text) return parse(*text, path, errors);
  errors.push_back({path, 0, "", text.error()});
  return std::nullopt;
}

std::optional<ConfigFile> ConfigFile::parse(const std::string& text, const std::string& name,
                                            ConfigErrors& errors) {
  auto document = std::make_shared<Document>();
  document->name = name;
  document->directory = directory_of(name);
  document->errors = &errors;
  if (text.size() > kConfigSizeMax) {
    document->report(name, 0, "", "is larger than " + format_size(kConfigSizeMax));
    return std::nullopt;
  }
  const std::size_t errors_before = errors.size();
  document->check_source(name, text);
  if (text.find('\0') != std::string::npos) return std::nullopt;
  try {
    if (!document->directory.empty()) document->config.setIncludeDir(document->directory.c_str());
    document->config.readString(text);
    if (text.find("@include") != std::string::npos) document->check_included(document->config.getRoot());
  } catch (const libconfig::ParseException& failure) {
    const std::string file = document->resolve(failure.getFile());
    std::string message = failure.getError();
    // the line as the user sees it: the cause stands there or before
    const auto& lines = document->lines[file];
    const auto line = static_cast<std::size_t>(std::max(failure.getLine(), 1));
    if (line <= lines.size()) {
      const std::size_t first = lines[line - 1].find_first_not_of(" \t");
      if (first != std::string::npos) message += " at or before " + quoted(lines[line - 1].substr(first));
    } else if (!lines.empty()) {
      message += " at the end of the file: is a quote or a bracket left open?";
    }
    errors.resize(errors_before);  // what a broken text seems to hold is no mistake of its own
    document->report(file, failure.getLine(), "", message);
    return std::nullopt;
  }
  auto root = std::make_shared<ConfigGroup::Node>();
  root->setting = &document->config.getRoot();
  root->document = std::move(document);
  return ConfigFile(std::move(root));
}

ConfigGroup ConfigFile::root() { return ConfigGroup(root_); }

std::string ConfigError::to_string() const {
  std::string text = file;
  if (line > 0) text += ":" + std::to_string(line);
  if (!setting.empty()) text += ": " + setting;
  return text + ": " + message;
}

std::optional<Duration> parse_duration(std::string_view text) {
  auto count = parse_with_unit(text, kDurationUnits, std::numeric_limits<Duration::rep>::max());
  if (!count) return std::nullopt;
  return Duration(static_cast<Duration::rep>(*count));
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  return parse_with_unit(text, kSizeUnits, std::numeric_limits<std::uint64_t>::max());
}

std::string format_duration(Duration duration) {
  static constexpr Unit kNanoseconds{"ns", 1};
  const auto count = duration.count();
  if (count == 0) return "0s";
  const auto magnitude = count < 0 ? 0 - static_cast<std::uint64_t>(count) : static_cast<std::uint64_t>(count);
  return (count < 0 ? "-" : "") + format_with_unit(magnitude, kDurationUnits, kNanoseconds);
}

}  // namespace vipair
