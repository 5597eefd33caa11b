#include "proxy/http/date.h"

#include <algorithm>
#include <chrono>

#include "common/base/assert.h"

namespace vipair::http {

ImfDate::ImfDate(WallTime time) {
  constexpr std::string_view kPattern = "Sun, 00 Jan 0000 00:00:00 GMT";
  constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  const int year = static_cast<int>(date.year());
  VIPAIR_ASSERT(year >= 0 && year <= 9999, "a four-digit year");

  auto put_text = [this](std::size_t at, std::string_view text) {
    std::copy(text.begin(), text.end(), &text_[at]);
  };
  auto put_two = [this](std::size_t at, unsigned value) {
    text_[at] = static_cast<char>('0' + value / 10);
    text_[at + 1] = static_cast<char>('0' + value % 10);
  };
  put_text(0, kPattern);
  put_text(0, kDays.substr(std::chrono::weekday(day).c_encoding() * 3, 3));
  put_two(5, static_cast<unsigned>(date.day()));
  put_text(8, kMonths.substr((static_cast<unsigned>(date.month()) - 1) * 3, 3));
  put_two(12, static_cast<unsigned>(year) / 100);
  put_two(14, static_cast<unsigned>(year) % 100);
  put_two(17, static_cast<unsigned>(clock.hours().count()));
  put_two(20, static_cast<unsigned>(clock.minutes().count()));
  put_two(23, static_cast<unsigned>(clock.seconds().count()));
}

}  // namespace vipair::http
