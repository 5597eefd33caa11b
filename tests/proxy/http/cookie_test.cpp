#include "proxy/http/cookie.h"

#include <gtest/gtest.h>

#include <string>

namespace vipair::http {
namespace {

std::string without(std::string_view field, std::string_view name) {
  Buffer out;
  out.append("<");
  const std::size_t size = append_other_cookies(out, field, name);
  EXPECT_EQ(size, out.size() - 1);
  return std::string(out.view().substr(1));
}

TEST(Cookie, IsFoundByItsWholeName) {
  struct Case {
    const char* field;
    std::optional<std::string_view> value;
  };
  const Case cases[] = {
      {"sid=1", "1"},
      {"a=0; sid=1; b=2", "1"},
      {"a=0;sid=1", "1"},
      {"a=0 ;\t sid = 1 ", "1"},
      {"sid=", ""},
      {"sid=a=b", "a=b"},
      {"sid=1; sid=2", "1"},
      {"sid=\"1\"", "\"1\""},
      {"sid", std::nullopt},
      {"", std::nullopt},
      {";;;", std::nullopt},
      {"SID=1", std::nullopt},
      {"xsid=1; sidx=1; a=sid=1", std::nullopt},
      {"=sid", std::nullopt},
  };
  for (const Case& c : cases) EXPECT_EQ(cookie_in(c.field, "sid"), c.value) << c.field;
}

TEST(Cookie, OfOursAloneIsTakenOut) {
  struct Case {
    const char* field;
    const char* rest;
  };
  const Case cases[] = {
      {"sid=1", ""},
      {"a=0; sid=1; b=2", "a=0; b=2"},
      {"sid=1; a=0", "a=0"},
      {"a=0; sid=1", "a=0"},
      {"sid=1; a=0; sid=2", "a=0"},
      {"a=0;sid=1;b=\"x y\"", "a=0; b=\"x y\""},
      {"sid; =; a", "sid; =; a"},
      {"a = 0 ; sid = 1", "a = 0"},
      {"  ", ""},
      {"SID=1", "SID=1"},
  };
  for (const Case& c : cases) EXPECT_EQ(without(c.field, "sid"), c.rest) << c.field;
}

}  // namespace
}  // namespace vipair::http
