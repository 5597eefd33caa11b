#include "proxy/policy/health_check.h"

#include <algorithm>
#include <charconv>

namespace vipair::policy {

namespace {

std::optional<int> parse_status(std::string_view text) {
  int status = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), status);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (text.size() != 3 || status < 100 || status > 599) return std::nullopt;
  return status;
}

}  // namespace

std::optional<StatusRange> parse_status_range(std::string_view text) {
  const std::size_t hyphen = text.find('-');
  const auto min = parse_status(text.substr(0, hyphen));
  const auto max = hyphen == std::string_view::npos ? min : parse_status(text.substr(hyphen + 1));
  if (!min || !max || *min > *max) return std::nullopt;
  return StatusRange{*min, *max};
}

bool is_expected(const std::vector<StatusRange>& expected, int status) {
  return std::any_of(expected.begin(), expected.end(),
                     [status](const StatusRange& range) { return range.min <= status && status <= range.max; });
}

std::string to_string(const std::vector<StatusRange>& expected) {
  std::string text;
  for (const StatusRange& range : expected) {
    if (!text.empty()) text += ", ";
    text += std::to_string(range.min);
    if (range.max != range.min) text += "-" + std::to_string(range.max);
  }
  return text;
}

bool CheckedState::report(bool success) {
  if (health_) return health_->report(success);
  health_.emplace(timing_.rise, timing_.fall, success);
  return !success;
}

Duration CheckedState::until_next(std::uint32_t random) const {
  const bool is_changing = health_ && health_->is_changing();
  return (is_changing ? timing_.fast_interval : timing_.interval) + part_of(timing_.jitter, random);
}

Duration part_of(Duration max, std::uint32_t random) {
  return Duration(static_cast<std::int64_t>(static_cast<double>(max.count()) * (random / 4294967296.0)));
}

}  // namespace vipair::policy
