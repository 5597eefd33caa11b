#include "common/ctl/keepalived_words.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "common/runtime/config_file.h"

namespace vipair::ctl {
namespace {

constexpr std::size_t kNameMax = 64;  // as node.conf has it

bool is_name_char(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.';
}

}  // namespace

std::string name_from(const std::string& text) {
  std::string name = text.substr(0, kNameMax);
  for (char& c : name)
    if (!is_name_char(static_cast<unsigned char>(c))) c = '-';
  return name;
}

bool is_name(const std::string& text) { return !text.empty() && name_from(text) == text; }

std::string unique_name(const std::string& name, std::set<std::string>& taken) {
  std::string candidate = name;
  for (int i = 2; !taken.insert(candidate).second; ++i)
    candidate = name.substr(0, kNameMax - 8) + "-" + std::to_string(i);
  return candidate;
}

std::optional<int> integer(const std::string& text, int min, int max) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < min || value > max) return std::nullopt;
  return value;
}

std::optional<Duration> seconds(const std::string& text) {
  constexpr std::int64_t kSecondsMax = 1'000'000;
  const std::size_t dot = std::min(text.find('.'), text.size());
  const std::string whole = text.substr(0, dot);
  std::string fraction = dot < text.size() ? text.substr(dot + 1) : "";
  if (fraction.size() > 9 || (whole.empty() && fraction.empty())) return std::nullopt;
  fraction.append(9 - fraction.size(), '0');
  const auto is_digits = [](const std::string& digits) {
    return digits.find_first_not_of("0123456789") == std::string::npos;
  };
  if (!is_digits(whole) || !is_digits(fraction) || whole.size() > 7) return std::nullopt;
  std::int64_t count = 0, nanoseconds = 0;
  (void)std::from_chars(whole.data(), whole.data() + whole.size(), count);
  (void)std::from_chars(fraction.data(), fraction.data() + fraction.size(), nanoseconds);
  if (count > kSecondsMax) return std::nullopt;
  return std::chrono::seconds(count) + Duration(nanoseconds);
}

std::vector<std::string> split_command(const std::vector<std::string>& words) {
  if (words.size() != 1) return words;
  std::vector<std::string> parts;
  std::string part;
  bool is_quoted = false, is_part = false;
  for (char c : words[0] + " ") {
    if (c == '\'') {
      is_quoted = !is_quoted;
      is_part = true;
    } else if (!is_quoted && (c == ' ' || c == '\t')) {
      if (is_part) parts.push_back(part);
      part.clear();
      is_part = false;
    } else {
      part += c;
      is_part = true;
    }
  }
  if (is_quoted) return {};
  return parts;
}

std::optional<std::string> argument(const Statement& statement, Remarks& remarks) {
  if (statement.words.size() == 2 && !statement.is_block) return statement.words[1];
  remarks.error(statement.place, statement.keyword() + " takes one value");
  return std::nullopt;
}

std::optional<int> number(const Statement& statement, int min, int max, Remarks& remarks) {
  auto text = argument(statement, remarks);
  if (!text) return std::nullopt;
  auto value = integer(*text, min, max);
  if (!value)
    remarks.error(statement.place, statement.keyword() + " " + quoted(*text) + ": expected " + std::to_string(min) +
                                       " to " + std::to_string(max));
  return value;
}

std::optional<Duration> duration(const Statement& statement, Remarks& remarks) {
  auto text = argument(statement, remarks);
  if (!text) return std::nullopt;
  auto value = seconds(*text);
  if (!value) remarks.error(statement.place, statement.keyword() + " " + quoted(*text) + ": expected seconds");
  return value;
}

bool truth(const Statement& statement, Remarks& remarks) {
  if (statement.words.size() == 1) return true;
  const std::string& word = statement.words[1];
  if (word == "on" || word == "true" || word == "yes") return true;
  if (word != "off" && word != "false" && word != "no")
    remarks.error(statement.place, statement.keyword() + " " + quoted(word) + ": expected on or off");
  return false;
}

}  // namespace vipair::ctl
