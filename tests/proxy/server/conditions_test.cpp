#include "proxy/server/conditions.h"

#include <gtest/gtest.h>

#include "proxy/http/head_parser.h"

namespace vipair::proxy {
namespace {

using Is = Condition::Test;

std::string check(const Route& route, const std::string& fields, std::string_view query = "") {
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
  http::RequestHead head;
  EXPECT_EQ(http::parse_request_head(text, {}, head, 0).status, http::ParseStatus::complete);
  switch (Conditions(route).check(head, text.data(), query)) {
    case Conditions::Verdict::holds:
      return "holds";
    case Conditions::Verdict::fails:
      return "fails";
    case Conditions::Verdict::given_up:
      return "given up";
  }
  return "";
}

Route with_header(Condition condition) {
  Route route;
  route.headers = {std::move(condition)};
  return route;
}
Route with_parameter(Condition condition) {
  Route route;
  route.query = {std::move(condition)};
  return route;
}

TEST(Conditions, LookAtFieldsWhateverTheCaseOfTheirNames) {
  EXPECT_EQ(check({}, ""), "holds");
  EXPECT_EQ(check(with_header({"X-Beta", Is::present, ""}), "x-beta: \r\n"), "holds");
  EXPECT_EQ(check(with_header({"X-Beta", Is::present, ""}), "x-alpha: 1\r\n"), "fails");
  EXPECT_EQ(check(with_header({"X-Beta", Is::absent, ""}), "x-beta: \r\n"), "fails");
  EXPECT_EQ(check(with_header({"X-Beta", Is::absent, ""}), ""), "holds");
  EXPECT_EQ(check(with_header({"X-Beta", Is::equals, "1"}), "X-Beta: 0\r\nX-Beta: 1\r\n"), "holds");
  EXPECT_EQ(check(with_header({"X-Beta", Is::equals, "1"}), "X-Beta: 11\r\n"), "fails");
  EXPECT_EQ(check(with_header({"X-Beta", Is::equals, ""}), ""), "fails") << "an absent field equals nothing";
  EXPECT_EQ(check(with_header({"Accept", Is::prefix, "text/"}), "Accept: text/html\r\n"), "holds");
  EXPECT_EQ(check(with_header({"Accept", Is::regex, "(?i)^TEXT/"}), "Accept: text/html\r\n"), "holds");
  EXPECT_EQ(check(with_header({"Accept", Is::regex, "^x"}), "Accept: text/html\r\n"), "fails");
}

TEST(Conditions, SayWhenAPatternWasGivenUp) {
  EXPECT_EQ(check(with_header({"X", Is::regex, "^(a+)+$"}), "X: " + std::string(40, 'a') + "!\r\n"), "given up");
}

TEST(Conditions, LookAtParametersAsTheyWereSent) {
  EXPECT_EQ(check(with_parameter({"v", Is::equals, "2"}), "", "?a=1&v=2&b"), "holds");
  EXPECT_EQ(check(with_parameter({"v", Is::equals, "2"}), "", "?v=1&v=2"), "holds");
  EXPECT_EQ(check(with_parameter({"v", Is::equals, "2"}), "", "?vv=2"), "fails");
  EXPECT_EQ(check(with_parameter({"b", Is::present, ""}), "", "?a=1&b"), "holds");
  EXPECT_EQ(check(with_parameter({"b", Is::absent, ""}), "", ""), "holds");
  EXPECT_EQ(check(with_parameter({"b", Is::equals, ""}), "", "?b="), "holds");
}

TEST(Conditions, MustAllHold) {
  Route route;
  route.headers = {{"A", Is::present, ""}, {"B", Is::equals, "1"}};
  route.query = {{"c", Is::present, ""}};
  EXPECT_EQ(check(route, "A: x\r\nB: 1\r\n", "?c"), "holds");
  EXPECT_EQ(check(route, "A: x\r\nB: 1\r\n", ""), "fails");
  EXPECT_EQ(check(route, "A: x\r\nB: 2\r\n", "?c"), "fails");
}

TEST(Conditions, TakeHeadWhereTheyTakeGet) {
  Route route;
  route.methods = {"GET", "PURGE", "GET"};
  const Conditions conditions(route);
  EXPECT_TRUE(conditions.takes_method(http::Method::get, "GET"));
  EXPECT_TRUE(conditions.takes_method(http::Method::head, "HEAD"));
  EXPECT_TRUE(conditions.takes_method(http::Method::other, "PURGE"));
  EXPECT_FALSE(conditions.takes_method(http::Method::other, "purge"));
  EXPECT_FALSE(conditions.takes_method(http::Method::post, "POST"));
  EXPECT_EQ(conditions.methods(), "GET, PURGE, HEAD");
  EXPECT_TRUE(Conditions().takes_method(http::Method::post, "POST"));
}

}  // namespace
}  // namespace vipair::proxy
