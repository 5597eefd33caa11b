#include "common/ctl/keepalived_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vipair::ctl {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

Statement statement(std::vector<std::string> words) { return {std::move(words), {"k", 3}, false, {}}; }

TEST(KeepalivedWords, NamesAreOfTheCharactersThatNodeConfTakes) {
  EXPECT_EQ(name_from("VI 1/a"), "VI-1-a");
  EXPECT_EQ(name_from(std::string(100, 'a')).size(), 64u);
  EXPECT_TRUE(is_name("web-1.example_x"));
  EXPECT_FALSE(is_name("web 1"));
  EXPECT_FALSE(is_name(""));
}

TEST(KeepalivedWords, ATakenNameGetsANumber) {
  std::set<std::string> taken;
  EXPECT_EQ(unique_name("web", taken), "web");
  EXPECT_EQ(unique_name("web", taken), "web-2");
  EXPECT_EQ(unique_name("web", taken), "web-3");
  const std::string longest(64, 'a');
  (void)unique_name(longest, taken);
  EXPECT_TRUE(is_name(unique_name(longest, taken)));
}

TEST(KeepalivedWords, SecondsAreExact) {
  EXPECT_EQ(seconds("1"), Duration(1s));
  EXPECT_EQ(seconds("0.07"), Duration(70ms));
  EXPECT_EQ(seconds(".5"), Duration(500ms));
  EXPECT_EQ(seconds("2."), Duration(2s));
  for (const char* text : {"", ".", "1,5", "-1", "1e3", "0.0000000001", "1000001", "99999999"})
    EXPECT_EQ(seconds(text), std::nullopt) << text;
}

TEST(KeepalivedWords, IntegersAreWholeAndWithinTheirBounds) {
  EXPECT_EQ(integer("255", 1, 255), 255);
  for (const char* text : {"", "0", "256", "1x", " 1", "+1", "99999999999"})
    EXPECT_EQ(integer(text, 1, 255), std::nullopt) << text;
}

TEST(KeepalivedWords, ACommandInOneTextIsSplit) {
  EXPECT_THAT(split_command({"/bin/x  -a 'b c'\t''"}), ElementsAre("/bin/x", "-a", "b c", ""));
  EXPECT_THAT(split_command({"/bin/x y", "z"}), ElementsAre("/bin/x y", "z")) << "it is split already";
  EXPECT_THAT(split_command({"/bin/x 'a"}), IsEmpty());
}

TEST(KeepalivedWords, ValuesThatAreNoneAreReportedWhereTheyStand) {
  Remarks remarks;
  EXPECT_EQ(number(statement({"priority", "100"}), 1, 255, remarks), 100);
  EXPECT_EQ(duration(statement({"advert_int", "0.1"}), remarks), Duration(100ms));
  EXPECT_TRUE(truth(statement({"vrrp_strict"}), remarks));
  EXPECT_FALSE(truth(statement({"vrrp_strict", "off"}), remarks));
  EXPECT_THAT(remarks.errors(), IsEmpty());

  EXPECT_EQ(number(statement({"priority", "256"}), 1, 255, remarks), std::nullopt);
  EXPECT_EQ(duration(statement({"advert_int", "soon"}), remarks), std::nullopt);
  EXPECT_EQ(argument(statement({"state", "MASTER", "x"}), remarks), std::nullopt);
  EXPECT_FALSE(truth(statement({"vrrp_strict", "maybe"}), remarks));
  std::vector<std::string> told;
  for (const Remark& error : remarks.errors()) told.push_back(error.to_string());
  EXPECT_THAT(told,
              ElementsAre("k:3: priority \"256\": expected 1 to 255", "k:3: advert_int \"soon\": expected seconds",
                          "k:3: state takes one value", "k:3: vrrp_strict \"maybe\": expected on or off"));
}

}  // namespace
}  // namespace vipair::ctl
