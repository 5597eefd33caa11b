#include "proxy/policy/rewrite.h"

#include <gtest/gtest.h>

#include <string>

namespace vipair::policy {
namespace {

std::string replaced(std::string_view path, std::string_view prefix, std::string_view replacement) {
  http::Buffer out;
  replace_prefix(out, path, prefix, replacement);
  return std::string(out.view());
}

TEST(Rewrite, PutsOneSlashWhereTheyMeet) {
  EXPECT_EQ(replaced("/api", "/api", "/"), "/");
  EXPECT_EQ(replaced("/api/", "/api", "/"), "/");
  EXPECT_EQ(replaced("/api/x", "/api", "/"), "/x");
  EXPECT_EQ(replaced("/api/x", "/api/", "/"), "/x");
  EXPECT_EQ(replaced("/api/x", "/api/", "/v1"), "/v1/x");
  EXPECT_EQ(replaced("/api/", "/api/", "/v1"), "/v1");
  EXPECT_EQ(replaced("/api/x/y", "/api", "/v1/"), "/v1/x/y");
  EXPECT_EQ(replaced("/api", "/api", "/v1"), "/v1");
  EXPECT_EQ(replaced("/x", "/", "/v1"), "/v1/x");
  EXPECT_EQ(replaced("/api//x", "/api", "/"), "//x") << "repeated slashes mean something to somebody";
}

TEST(Rewrite, AddsTheQueryToTheOneThatIsThere) {
  auto with = [](std::string_view target, std::string_view query) {
    http::Buffer out;
    out.append(target);
    append_query(out, query);
    return std::string(out.view());
  };
  EXPECT_EQ(with("/a", "?x=1"), "/a?x=1");
  EXPECT_EQ(with("/a", "?"), "/a?");
  EXPECT_EQ(with("/a", ""), "/a");
  EXPECT_EQ(with("/a?y=2", "?x=1"), "/a?y=2&x=1");
  EXPECT_EQ(with("/a?y=2", "?"), "/a?y=2");
}

}  // namespace
}  // namespace vipair::policy
