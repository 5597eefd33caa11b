#include "proxy/regex.h"

#include <gtest/gtest.h>

#include <thread>

namespace vipair::proxy {
namespace {

Regex regex(std::string_view pattern) {
  auto compiled = Regex::compile(pattern);
  EXPECT_TRUE(compiled) << compiled.error();
  return std::move(compiled).value();
}

TEST(Regex, MatchesAnywhereUnlessItIsAnchored) {
  EXPECT_EQ(regex("\\.php$").match("/a/b.php"), Regex::Result::match);
  EXPECT_EQ(regex("^\\.php").match("/a/b.php"), Regex::Result::no_match);
  EXPECT_EQ(regex("(?i)B").match("/a/b.php"), Regex::Result::match);
  EXPECT_EQ(regex("a$").match("a\n"), Regex::Result::no_match) << "the end is the end";
}

TEST(Regex, TakesItsGroups) {
  const Regex pattern = regex("^/(user)/([0-9]+)(/x)?(/.*)?$");
  EXPECT_EQ(pattern.groups(), 4u);
  Regex::Captures captures;
  ASSERT_EQ(pattern.match("/user/42/rest", &captures), Regex::Result::match);
  EXPECT_EQ(captures[0], "/user/42/rest");
  EXPECT_EQ(captures[1], "user");
  EXPECT_EQ(captures[2], "42");
  EXPECT_EQ(captures[3], "") << "took no part";
  EXPECT_EQ(captures[4], "/rest");
  ASSERT_EQ(regex("b").match("abc", &captures), Regex::Result::match);
  EXPECT_EQ(captures[1], "") << "nothing of the match before";
}

TEST(Regex, HasPlacesForNineGroups) {
  const Regex pattern = regex("(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)(k)");
  EXPECT_EQ(pattern.groups(), 9u);
  Regex::Captures captures;
  ASSERT_EQ(pattern.match("abcdefghijk", &captures), Regex::Result::match);
  EXPECT_EQ(captures[9], "i");
}

TEST(Regex, GivesUpInsteadOfSearchingForEver) {
  std::string subject(41, 'a');
  subject.back() = '!';
  EXPECT_EQ(regex("^(a+)+$").match(subject), Regex::Result::given_up);
  EXPECT_EQ(regex("^(a|aa)+$").match(subject), Regex::Result::given_up);
  EXPECT_EQ(regex("^((a?){30}){30}$").match(subject), Regex::Result::given_up);
}

TEST(Regex, SaysWhatIsWrongWithAPattern) {
  for (const char* pattern : {"", "(", "a{2,1}", "[z-a]", "\\", "(?<n>a", "\\C"}) {
    auto compiled = Regex::compile(pattern);
    ASSERT_FALSE(compiled) << pattern;
    EXPECT_FALSE(compiled.error().empty());
  }
  EXPECT_EQ(Regex::compile("a(b").error(), "missing closing parenthesis at byte 3");
  EXPECT_FALSE(Regex::compile(std::string(kRegexMax + 1, 'a')));
}

TEST(Regex, ServesThreadsAtOnce) {
  const Regex pattern = regex("^/([a-z]+)/([0-9]+)$");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&pattern, t] {
      const std::string subject = "/x/" + std::to_string(t);
      for (int i = 0; i < 1000; ++i) {
        Regex::Captures captures;
        ASSERT_EQ(pattern.match(subject, &captures), Regex::Result::match);
        ASSERT_EQ(captures[2], std::to_string(t));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace vipair::proxy
