#include "common/runtime/config_file.h"

#include <algorithm>
#include <charconv>
#include <libconfig.h++>
#include <limits>
#include <map>
#include <utility>

#include "common/runtime/config_document.h"

namespace vipair {
namespace {

using libconfig::Setting;

constexpr std::size_t kKnownKeysMax = 12;

// "1 to 254", "at least 1", "at most 254"
template <class T, class Format>
std::string range_text(T min, T max, Format format) {
  if (max == std::numeric_limits<T>::max()) return "at least " + format(min);
  if (min == std::numeric_limits<T>::min()) return "at most " + format(max);
  return format(min) + " to " + format(max);
}

// How a scalar would look as text: what a user who forgot the quotes meant.
std::string as_text_example(const Setting& setting) {
  if (auto number = integer_of(setting)) return quoted(std::to_string(*number));
  if (is_list(setting) && setting.getLength() > 0 && is_text(setting[0])) return quoted(text_of(setting[0]));
  return "\"text\"";
}

}  // namespace

// A group in the file and the keys that were asked of it. Shared by all copies of its ConfigGroup.
struct ConfigGroup::Node {
  std::shared_ptr<ConfigDocument> document;
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

  ConfigText place(const Setting& at, std::string at_path, ConfigDocument::Cursor& cursor) const {
    return {text_of(at), document->file_of(at), document->line_of(at, cursor), std::move(at_path)};
  }
  ConfigText place(const Setting& at, std::string at_path) const {
    ConfigDocument::Cursor cursor;
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
  ConfigDocument::Cursor cursor;
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
  auto text = ConfigDocument::read(path);
  if (text) return parse(*text, path, errors);
  errors.push_back({path, 0, "", text.error()});
  return std::nullopt;
}

std::optional<ConfigFile> ConfigFile::parse(const std::string& text, const std::string& name,
                                            ConfigErrors& errors) {
  auto document = ConfigDocument::parse(text, name, errors);
  if (!document) return std::nullopt;
  auto root = std::make_shared<ConfigGroup::Node>();
  root->setting = &document->root();
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

}  // namespace vipair
