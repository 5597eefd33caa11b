#include "common/runtime/config_values.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

namespace vipair {
namespace {

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

std::optional<Duration> parse_duration(std::string_view text) {
  auto count = parse_with_unit(text, kDurationUnits, std::numeric_limits<Duration::rep>::max());
  if (!count) return std::nullopt;
  return Duration(static_cast<Duration::rep>(*count));
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  return parse_with_unit(text, kSizeUnits, std::numeric_limits<std::uint64_t>::max());
}

std::string format_size(std::uint64_t bytes) { return format_with_unit(bytes, kSizeUnits, kSizeUnits[4]); }

std::string format_duration(Duration duration) {
  static constexpr Unit kNanoseconds{"ns", 1};
  const auto count = duration.count();
  if (count == 0) return "0s";
  const auto magnitude = count < 0 ? 0 - static_cast<std::uint64_t>(count) : static_cast<std::uint64_t>(count);
  return (count < 0 ? "-" : "") + format_with_unit(magnitude, kDurationUnits, kNanoseconds);
}

}  // namespace vipair
