#include "proxy/config_reader.h"

#include "tests/proxy/config_text.h"

namespace vipair::proxy {
namespace {

TEST(ConfigReader, QuotesWhateverAValueHolds) {
  EXPECT_EQ(in_quotes("a b"), "\"a b\"");
  EXPECT_EQ(in_quotes(std::string_view("a\r\n\0", 4)), "\"a\\x0d\\x0a\\x00\"");
  EXPECT_EQ(in_quotes(std::string(81, 'x')), "\"" + std::string(80, 'x') + "…\"");
}

TEST(ConfigReader, NamesAreShortAndPlain) {
  EXPECT_TRUE(is_name("blog-1.a_b"));
  EXPECT_TRUE(is_name(std::string(kNameMax, 'a')));
  EXPECT_FALSE(is_name(""));
  EXPECT_FALSE(is_name("a b"));
  EXPECT_FALSE(is_name(std::string(kNameMax + 1, 'a')));
}

}  // namespace
}  // namespace vipair::proxy
