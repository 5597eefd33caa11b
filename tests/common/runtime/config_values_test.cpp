#include "common/runtime/config_values.h"

#include <chrono>

#include "gtest/gtest.h"

namespace vipair {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ConfigValues, DurationsAreStrict) {
  EXPECT_EQ(parse_duration("0s"), Duration(0));
  EXPECT_EQ(parse_duration("1us"), Duration(1000));
  EXPECT_EQ(parse_duration("100ms"), Duration(milliseconds(100)));
  EXPECT_EQ(parse_duration("90s"), Duration(seconds(90)));
  EXPECT_EQ(parse_duration("10m"), Duration(seconds(600)));
  EXPECT_EQ(parse_duration("1h"), Duration(hours(1)));
  EXPECT_EQ(parse_duration("2d"), Duration(hours(48)));
  EXPECT_EQ(parse_duration("007s"), Duration(seconds(7)));
  EXPECT_EQ(parse_duration("106751d"), Duration(hours(24 * 106751)));
  for (const char* text : {"", "s", "5", "5 s", " 5s", "5s ", "-5s", "+5s", "1.5s", "5S", "5ns", "5sec", "5s5ms",
                           "0x5s", "1e3s", "106752d", "9223372036854775808us", "99999999999999999999s", "5s\n"})
    EXPECT_FALSE(parse_duration(text)) << '"' << text << '"';
  EXPECT_FALSE(parse_duration(std::string_view("5s\0", 3)));
}

TEST(ConfigValues, SizesAreStrict) {
  EXPECT_EQ(parse_size("0B"), 0u);
  EXPECT_EQ(parse_size("512B"), 512u);
  EXPECT_EQ(parse_size("16KiB"), 16384u);
  EXPECT_EQ(parse_size("3MiB"), 3u << 20);
  EXPECT_EQ(parse_size("100GiB"), std::uint64_t{100} << 30);
  EXPECT_EQ(parse_size("16777215TiB"), std::uint64_t{16777215} << 40);
  for (const char* text :
       {"", "B", "16", "16kB", "16K", "16kib", "16 KiB", "-1B", "1.5KiB", "16777216TiB", "18446744073709551616B"})
    EXPECT_FALSE(parse_size(text)) << '"' << text << '"';
}

TEST(ConfigValues, DurationsAreWrittenAsTheyAreRead) {
  const struct {
    Duration duration;
    const char* text;
  } cases[] = {{Duration(0), "0s"},
               {milliseconds(100), "100ms"},
               {milliseconds(1500), "1500ms"},
               {seconds(90), "90s"},
               {seconds(600), "10m"},
               {hours(24), "1d"},
               {hours(25), "25h"},
               {Duration(1500), "1500ns"},
               {std::chrono::microseconds(7), "7us"},
               {milliseconds(-100), "-100ms"},
               {Duration::min(), "-9223372036854775808ns"}};
  for (const auto& each : cases) EXPECT_EQ(format_duration(each.duration), each.text);
}

TEST(ConfigValues, SizesAreWrittenInTheLargestUnitThatFits) {
  EXPECT_EQ(format_size(0), "0B");
  EXPECT_EQ(format_size(1000), "1000B");
  EXPECT_EQ(format_size(16384), "16KiB");
  EXPECT_EQ(format_size(std::uint64_t{3} << 40), "3TiB");
}

TEST(ConfigValues, QuotedTextsAreOneShortPrintableLine) {
  EXPECT_EQ(vipair::quoted("a b"), "\"a b\"");
  EXPECT_EQ(vipair::quoted("a\n\x7f"), "\"a\\x0a\\x7f\"");
  EXPECT_EQ(vipair::quoted(std::string(100, 'x')), "\"" + std::string(kQuoteMax, 'x') + "…\"");
}

TEST(ConfigValues, NearestIsWhatWasProbablyMeant) {
  EXPECT_EQ(nearest("priorty", {"vrid", "priority"}), "priority");
  EXPECT_EQ(nearest("vird", {"vrid", "priority"}), "vrid");
  EXPECT_EQ(nearest("banana", {"vrid", "priority"}), std::nullopt);
}

}  // namespace
}  // namespace vipair
