#include "proxy/http/path_mapping.h"

#include <gtest/gtest.h>

#include <string>

namespace vipair::http {
namespace {

ExchangeFacts facts(std::string_view scheme = "http") {
  ExchangeFacts facts;
  facts.scheme = scheme;
  facts.authority = "www.example.com";
  facts.upstream_address = "10.0.0.1:8080";
  return facts;
}
std::string location(std::string_view value, PathMapping mapping = {"/api", "/v1"},
                     std::string_view scheme = "http") {
  Buffer out;
  append_mapped_location(out, value, mapping, facts(scheme));
  return std::string(out.view());
}
std::string refresh(std::string_view value) {
  Buffer out;
  append_mapped_refresh(out, value, {"/api", "/v1"}, facts());
  return std::string(out.view());
}
std::string cookie(std::string_view value, PathMapping mapping = {"/api", "/v1"}) {
  Buffer out;
  append_mapped_cookie(out, value, mapping);
  return std::string(out.view());
}

TEST(PathMapping, TakesPathsBack) {
  EXPECT_EQ(location("/v1/x?a=b#c"), "/api/x?a=b#c");
  EXPECT_EQ(location("/v1"), "/api");
  EXPECT_EQ(location("/v1/"), "/api/");
  EXPECT_EQ(location("/v1?q"), "/api?q");
  EXPECT_EQ(location("/x", {"/api", "/"}), "/api/x");
  EXPECT_EQ(location("/", {"/api", "/"}), "/api/");
  EXPECT_EQ(location("/v1/x", {"/", "/v1"}), "/x");
  EXPECT_EQ(location("/v1", {"/", "/v1"}), "/");
  EXPECT_EQ(location("/v1?q", {"/", "/v1"}), "/?q");
  EXPECT_EQ(location("/v1/x", {"/api/", "/v1/"}), "/api/x");
  EXPECT_EQ(location("/v1", {"/api/", "/v1"}), "/api/") << "the route takes no \"/api\"";
}

TEST(PathMapping, LeavesWhatIsNotBelowThePrefix) {
  for (const char* value : {"/v1x", "/v2/x", "/", "x", "../x", "?q", "#f", "", "v1/x", "mailto:a@example.com",
                            "ftp://www.example.com/v1/x", "//", "http://", "/\\v1/x"}) {
    EXPECT_EQ(location(value), value);
  }
}

TEST(PathMapping, KnowsTheHostsThatAreMeant) {
  EXPECT_EQ(location("http://www.example.com/v1/x"), "http://www.example.com/api/x");
  EXPECT_EQ(location("HTTPS://WWW.example.com/v1/x"), "HTTPS://WWW.example.com/api/x");
  EXPECT_EQ(location("//www.example.com/v1"), "//www.example.com/api");
  EXPECT_EQ(location("http://www.example.com:80/v1"), "http://www.example.com:80/api");
  EXPECT_EQ(location("http://www.example.com/v1", {"/api", "/v1"}, "https"), "http://www.example.com/api");
  EXPECT_EQ(location("http://www.example.com", {"/api", "/"}), "http://www.example.com/api/");
  EXPECT_EQ(location("http://10.0.0.1:8080/v1/x?y"), "/api/x?y") << "the client cannot go there";
  EXPECT_EQ(location("http://www.example.com:8080/v1/x"), "/api/x") << "nor to that port";
  for (const char* other : {"http://www.example.com:8081/v1/x", "http://example.com/v1/x", "http://10.0.0.1/v1/x",
                            "https://10.0.0.1:8081/v1/x", "http://www.example.com/v2/x", "http://10.0.0.1:8080/v2",
                            "http://a@www.example.com/v1/x", "http://www.example.com.evil/v1/x", "http:///v1/x"}) {
    EXPECT_EQ(location(other), other);
  }
}

TEST(PathMapping, NeverLeadsToAnotherHost) {
  for (const char* value : {"/v1//evil.example/x", "/v1/\\evil.example/x"}) {
    EXPECT_EQ(location(value, {"/", "/v1"}), value);
    EXPECT_EQ(location(value), "/api" + std::string(value).substr(3)) << "no harm is in that";
  }
}

TEST(PathMapping, FindsTheUrlOfARefresh) {
  EXPECT_EQ(refresh("5; url=/v1/x"), "5; url=/api/x");
  EXPECT_EQ(refresh("0;URL='/v1/x'"), "0;URL='/api/x'");
  EXPECT_EQ(refresh("0, url = \"http://www.example.com/v1/x\" "), "0, url = \"http://www.example.com/api/x\" ");
  for (const char* value : {"5", "5;", "5; url", "5; url=", "5; link=/v1/x", "url=/v1/x", ""}) {
    EXPECT_EQ(refresh(value), value);
  }
}

TEST(PathMapping, BringsCookiesBack) {
  EXPECT_EQ(cookie("a=b; Path=/v1; HttpOnly"), "a=b; Path=/api; HttpOnly");
  EXPECT_EQ(cookie("a=b;path = /v1/x ;Secure"), "a=b;path =/api/x;Secure");
  EXPECT_EQ(cookie("a=b; Path=/admin", {"/files", "/"}), "a=b; Path=/files/admin");
  for (const char* value : {"a=b", "a=b; Path=/", "a=b; Path=/api", "a=b; Path=/v1x", "a=b; Path=/v2",
                            "a=b; Path=", "a=b; Path", "path=/v1", "a=b; Domain=example.com", ""}) {
    EXPECT_EQ(cookie(value), value);
  }
  EXPECT_EQ(cookie("a=b; Path=/files/x", {"/files", "/"}), "a=b; Path=/files/x") << "it knows where it is";
  EXPECT_EQ(cookie("a=b; Path=/", {"/files", "/"}), "a=b; Path=/") << "it comes back, and other routes may want it";
}

}  // namespace
}  // namespace vipair::http
