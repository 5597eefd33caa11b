#include "common/runtime/config_document.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>
#include <utility>

#include "common/runtime/unique_fd.h"

namespace vipair {

using libconfig::Setting;

namespace {

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    std::size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

}  // namespace

Expected<std::string, std::string> ConfigDocument::read(const std::string& path) {
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

std::shared_ptr<ConfigDocument> ConfigDocument::parse(const std::string& text, const std::string& name,
                                                      ConfigErrors& errors) {
  std::shared_ptr<ConfigDocument> document(new ConfigDocument(name, errors));
  return document->load(text) ? document : nullptr;
}

ConfigDocument::ConfigDocument(std::string name, ConfigErrors& errors)
    : name_(std::move(name)), directory_(directory_of(name_)), errors_(&errors) {}

bool ConfigDocument::load(const std::string& text) {
  if (text.size() > kConfigSizeMax) {
    report(name_, 0, "", "is larger than " + format_size(kConfigSizeMax));
    return false;
  }
  const std::size_t errors_before = errors_->size();
  check_source(name_, text);
  if (text.find('\0') != std::string::npos) return false;
  try {
    if (!directory_.empty()) config_.setIncludeDir(directory_.c_str());
    config_.readString(text);
    if (text.find("@include") != std::string::npos) check_included(config_.getRoot());
  } catch (const libconfig::ParseException& failure) {
    const std::string file = resolve(failure.getFile());
    errors_->resize(errors_before);  // what a broken text seems to hold is no mistake of its own
    report(file, failure.getLine(), "", explain(file, failure));
    return false;
  }
  return true;
}

// With the line as the user sees it: the cause stands there or before.
std::string ConfigDocument::explain(const std::string& file, const libconfig::ParseException& failure) {
  std::string message = failure.getError();
  const auto& lines = lines_[file];
  const auto line = static_cast<std::size_t>(std::max(failure.getLine(), 1));
  if (line <= lines.size()) {
    const std::size_t first = lines[line - 1].find_first_not_of(" \t");
    if (first != std::string::npos) message += " at or before " + quoted(lines[line - 1].substr(first));
  } else if (!lines.empty()) {
    message += " at the end of the file: is a quote or a bracket left open?";
  }
  return message;
}

void ConfigDocument::report(std::string file, int line, std::string setting, std::string message) {
  ConfigError error{std::move(file), line, std::move(setting), std::move(message)};
  if (errors_->size() >= kConfigErrorsMax) return;
  // a loader may ask for one key twice
  for (const ConfigError& known : *errors_)
    if (known.line == error.line && known.file == error.file && known.setting == error.setting &&
        known.message == error.message)
      return;
  errors_->push_back(std::move(error));
  if (errors_->size() + 1 == kConfigErrorsMax)
    errors_->push_back({name_, 0, "", "too many mistakes, the others are not shown"});
}

// libconfig names an included file as the @include line wrote it (1.5) or with the directory before it (1.7).
std::string ConfigDocument::resolve(const char* source) const {
  if (!source) return name_;
  std::string joined = join_path(directory_, source);
  struct stat info {};
  return ::stat(joined.c_str(), &info) == 0 ? joined : std::string(source);
}

// libconfig takes the line of a text inside a list from the token behind it: look for the text from where the
// list begins, or behind the text before it, up to that line.
int ConfigDocument::line_of(const Setting& setting, Cursor& cursor) const {
  const int line = static_cast<int>(setting.getSourceLine());
  if (setting.getName() || setting.isRoot() || !is_text(setting)) return line;
  auto found = lines_.find(file_of(setting));
  if (found == lines_.end()) return line;
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
int ConfigDocument::line_of(const Setting& setting) const {
  Cursor cursor;
  return line_of(setting, cursor);
}

// libconfig reads "vrid = 4294967347" as 51 without a word, and stops at a NUL byte as if the file ended there:
// both are found here, before it looks. Comments, texts and words are skipped by the same rules as libconfig's.
void ConfigDocument::check_source(const std::string& file, const std::string& text) {
  lines_.emplace(file, lines_of(text));
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

void ConfigDocument::check_included(const Setting& setting) {
  std::string file = file_of(setting);
  if (lines_.find(file) == lines_.end()) {
    auto text = read(file);
    if (text) {
      check_source(file, *text);
    } else {
      report(file, 0, "", text.error());
    }
  }
  if (!setting.isAggregate()) return;
  for (int i = 0; i < setting.getLength(); ++i) check_included(setting[i]);
}

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

std::string directory_of(const std::string& path) {
  std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, std::max<std::size_t>(slash, 1));
}

std::string join_path(const std::string& directory, std::string_view path) {
  if (directory.empty() || path.starts_with('/')) return std::string(path);
  return directory + (directory.back() == '/' ? "" : "/") + std::string(path);
}

}  // namespace vipair
