#include "proxy/http/host.h"

#include <gtest/gtest.h>

#include <string>

namespace vipair::http {
namespace {

// "host|port", or "refused".
std::string normal_form(std::string_view text) {
  auto authority = Authority::parse(text);
  if (!authority) return "refused";
  std::string text_of(authority->host());
  text_of.append("|").append(std::to_string(authority->port()));
  return text_of;
}

TEST(Authority, HasOneNormalForm) {
  struct Case {
    std::string_view text;
    std::string_view expected;
  };
  for (const Case& c : {
           Case{"example.com", "example.com|0"},
           Case{"EXAMPLE.Com:80", "example.com|80"},
           Case{"example.com.", "example.com|0"},
           Case{"example.com.:8080", "example.com|8080"},
           Case{"example.com:", "example.com|0"},
           Case{"a", "a|0"},
           Case{"my_service-1", "my_service-1|0"},
           Case{"192.0.2.1:65535", "192.0.2.1|65535"},
           Case{"[2001:DB8:0:0:0:0:0:1]", "[2001:db8::1]|0"},
           Case{"[::1]:8080", "[::1]|8080"},
           Case{"[::1]:", "[::1]|0"},
           Case{"xn--bcher-kva.example", "xn--bcher-kva.example|0"},
       }) {
    EXPECT_EQ(normal_form(c.text), c.expected) << c.text;
  }
}

TEST(Authority, RefusesWhatIsNoHost) {
  for (std::string_view text : {
           "",
           ".",
           "..",
           ".a",
           "a..b",
           "a b",
           "a\tb",
           "a/b",
           "a?b",
           "a#b",
           "user@a",
           "user:pass@a",
           "a,b",
           "a;b",
           "a%20b",
           "a\\b",
           "a:b",
           "a:-1",
           "a:+1",
           "a:65536",
           "a:0",
           "a:123456",
           "a:80:80",
           "a:80 ",
           " a",
           ":80",
           ":",
           "[",
           "]",
           "[]",
           "[::1",
           "::1",
           "[::1]x",
           "[::1]:x",
           "[::1]]",
           "[1.2.3.4]",
           "[::g]",
           "[fe80::1%eth0]",
           "[v1.a]",
           "b\xc3\xbc"
           "cher",
           "a*b",
           "*",
           "*.a",
           "a'b",
           "a\"b",
           "(a)",
           "a!b",
       }) {
    EXPECT_EQ(normal_form(text), "refused") << text;
  }
  EXPECT_EQ(normal_form(std::string("a\0b", 3)), "refused");
}

TEST(Authority, KeepsItsLimit) {
  const std::string longest(kHostMax, 'a');
  EXPECT_EQ(normal_form(longest), std::string(longest).append("|0"));
  EXPECT_EQ(normal_form(std::string(kHostMax + 1, 'a')), "refused");
}

TEST(Authority, IsEmptyAfterARefusal) {
  Authority authority;
  ASSERT_TRUE(authority.assign("a:80"));
  ASSERT_FALSE(authority.assign("b c:90"));
  EXPECT_TRUE(authority.empty());
  EXPECT_EQ(authority.port(), 0);
  ASSERT_FALSE(authority.assign("b..c"));
  EXPECT_EQ(authority.host(), "");
}

}  // namespace
}  // namespace vipair::http
