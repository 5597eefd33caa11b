#include "proxy/http/target.h"

#include <gtest/gtest.h>

#include <string>

#include "proxy/http/head_parser.h"

namespace vipair::http {
namespace {

// "path|query" or the error's name, of a GET unless the target says more.
std::string canonical(std::string_view target, std::string_view method = "GET") {
  std::string bytes = std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  RequestHead head;
  if (parse_request_head(bytes, {}, head).status != ParseStatus::complete) return "not parsed";
  Buffer scratch;
  auto result = canonical_target(head, bytes.data(), scratch);
  if (!result) return to_string(result.error());
  return std::string(result->path) + "|" + std::string(result->query);
}

TEST(Target, HasOneCanonicalPath) {
  struct Case {
    std::string_view target;
    std::string_view expected;
  };
  for (const Case& c : {
           Case{"/", "/|"},
           Case{"/a/b.c?d=/../e", "/a/b.c|?d=/../e"},
           Case{"/?", "/|?"},
           Case{"/%61%7E%2D%5f", "/a~-_|"},
           Case{"/%c3%a4%20", "/%C3%A4%20|"},
           Case{"/%3F%23%25", "/%3F%23%25|"},
           Case{"/%2541", "/%2541|"},  // decoded once, not twice
           Case{"/a/./b", "/a/b|"},
           Case{"/a/../b", "/b|"},
           Case{"/a/b/..", "/a/|"},
           Case{"/a/b/.", "/a/b/|"},
           Case{"/..", "/|"},
           Case{"/../../a", "/a|"},
           Case{"/.", "/|"},
           Case{"/a/%2e%2E/b", "/b|"},
           Case{"/a/.%2e/b", "/b|"},
           Case{"/%2e/a", "/a|"},
           Case{"/a//b", "/a//b|"},
           Case{"/a//../b", "/a/b|"},
           Case{"//..//a", "//a|"},
           Case{"/...", "/...|"},
           Case{"/.well-known/x", "/.well-known/x|"},
           Case{"/a;b=c/d", "/a;b=c/d|"},
           Case{"/..a/.b./c..", "/..a/.b./c..|"},
           Case{"/%00x?", "encoded_delimiter"},
           Case{"/a%2fb", "encoded_delimiter"},
           Case{"/a%2Fb", "encoded_delimiter"},
           Case{"/a%5cb", "encoded_delimiter"},
           Case{"/a\\b", "backslash"},
           Case{"/..\\a", "backslash"},
           Case{"/%", "bad_percent_encoding"},
           Case{"/%4", "bad_percent_encoding"},
           Case{"/%4?1", "bad_percent_encoding"},
           Case{"/%zz", "bad_percent_encoding"},
           Case{"/%u0041", "bad_percent_encoding"},
           Case{"/a/..;/b", "ambiguous_dot_segment"},
           Case{"/a/.;x/b", "ambiguous_dot_segment"},
           Case{"/a/%2e%2e;x=y/b", "ambiguous_dot_segment"},
           Case{"/a?b\\c%2f%zz", "/a|?b\\c%2f%zz"},  // the query stays as it is
           Case{"http://b/%61?c", "/a|?c"},
           Case{"http://b", "/|"},
           Case{"http://b?c", "/|?c"},
       }) {
    EXPECT_EQ(canonical(c.target), c.expected) << c.target;
  }
}

TEST(Target, KnowsTheAsterisk) {
  EXPECT_EQ(canonical("*", "OPTIONS"), "*|");
  EXPECT_EQ(canonical("http://b", "OPTIONS"), "*|") << "RFC 9112 section 3.2.4";
  EXPECT_EQ(canonical("http://b?c", "OPTIONS"), "/|?c");
  EXPECT_EQ(canonical("a:1", "CONNECT"), "|");
}

TEST(Target, IsStable) {
  for (std::string_view target :
       {"/a/%2e%2e/b/%7ex//%41./..", "/%25%32%65", "/./.././x", "/a/b/c/../../..", "/%E4%b8%ad/.."}) {
    std::string once = canonical(target);
    ASSERT_EQ(once.back(), '|') << target;
    EXPECT_EQ(canonical(once.substr(0, once.size() - 1)), once) << target;
  }
}

TEST(Target, CopiesNothingThatIsCanonical) {
  std::string bytes = "GET /a/b?c HTTP/1.1\r\nHost: a\r\n\r\n";
  RequestHead head;
  ASSERT_EQ(parse_request_head(bytes, {}, head).status, ParseStatus::complete);
  Buffer scratch;
  auto result = canonical_target(head, bytes.data(), scratch);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->path.data(), bytes.data() + 4);
  EXPECT_EQ(scratch.capacity(), 0U);
}

TEST(Target, MakesAPathOfOurOwnCanonicalToo) {
  Buffer scratch;
  auto target = canonical_path("/a/../b?x=/..", scratch);
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/b");
  EXPECT_EQ(target->query, "?x=/..");
  EXPECT_FALSE(canonical_path("/a%2fb", scratch));
}

}  // namespace
}  // namespace vipair::http
