#pragma once
// Values of a configuration as text: durations and sizes with their units, and the words of a message about them.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"

namespace vipair {

std::optional<Duration> parse_duration(std::string_view text);
std::optional<std::uint64_t> parse_size(std::string_view text);  // bytes
std::string format_duration(Duration duration);                  // "100ms"
std::string format_size(std::uint64_t bytes);                    // "16KiB"

inline constexpr std::size_t kQuoteMax = 80;  // bytes of a value repeated in a message
// A text of the file inside a message, in quotes: shortened, and one printable line whatever it holds.
std::string quoted(std::string_view text);
// The known word that was probably meant: about one letter in three may differ.
std::optional<std::string_view> nearest(std::string_view word, const std::vector<std::string_view>& known);

}  // namespace vipair
