#include "proxy/http/date.h"

#include <gtest/gtest.h>

#include <ctime>
#include <string>

namespace vipair::http {
namespace {

WallTime at(std::int64_t seconds) { return WallTime(std::chrono::seconds(seconds)); }

TEST(ImfDate, WritesTheDateOfTheRfc) { EXPECT_EQ(ImfDate(at(784111777)).text(), "Sun, 06 Nov 1994 08:49:37 GMT"); }

TEST(ImfDate, AgreesWithTheCLibrary) {
  // every day at a moving time of day, 1970 to 2105, across all leap years
  for (std::int64_t day = 0; day < 49500; ++day) {
    std::time_t seconds = day * 86400 + day * 7919 % 86400;
    std::tm parts{};
    ASSERT_NE(gmtime_r(&seconds, &parts), nullptr);
    char expected[64];
    std::strftime(expected, sizeof expected, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    ASSERT_EQ(ImfDate(at(seconds)).text(), expected);
  }
}

TEST(ImfDate, CutsOffWhatIsBelowASecond) {
  EXPECT_EQ(ImfDate(at(0) + std::chrono::nanoseconds(999'999'999)).text(), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(ImfDate(at(0) - std::chrono::nanoseconds(1)).text(), "Wed, 31 Dec 1969 23:59:59 GMT");
}

}  // namespace
}  // namespace vipair::http
