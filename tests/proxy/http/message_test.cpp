#include "proxy/http/message.h"

#include <gtest/gtest.h>

#include <cctype>
#include <string>
#include <utility>
#include <vector>

namespace vipair::http {
namespace {

const std::vector<std::pair<std::string, FieldName>> kNames = {
    {"Accept-Encoding", FieldName::accept_encoding},
    {"Accept-Ranges", FieldName::accept_ranges},
    {"ETag", FieldName::etag},
    {"Vary", FieldName::vary},
    {"Connection", FieldName::connection},
    {"Content-Length", FieldName::content_length},
    {"Transfer-Encoding", FieldName::transfer_encoding},
    {"Host", FieldName::host},
    {"Expect", FieldName::expect},
    {"Upgrade", FieldName::upgrade},
    {"TE", FieldName::te},
    {"Trailer", FieldName::trailer},
    {"Keep-Alive", FieldName::keep_alive},
    {"Proxy-Connection", FieldName::proxy_connection},
    {"Proxy-Authenticate", FieldName::proxy_authenticate},
    {"Proxy-Authorization", FieldName::proxy_authorization},
    {"Via", FieldName::via},
    {"Forwarded", FieldName::forwarded},
    {"X-Forwarded-For", FieldName::x_forwarded_for},
    {"X-Forwarded-Proto", FieldName::x_forwarded_proto},
    {"X-Forwarded-Host", FieldName::x_forwarded_host},
    {"X-Request-ID", FieldName::x_request_id},
    {"X-Real-IP", FieldName::x_real_ip},
    {"Date", FieldName::date},
    {"Server", FieldName::server},
    {"Max-Forwards", FieldName::max_forwards},
    {"Content-Type", FieldName::content_type},
    {"Cookie", FieldName::cookie},
    {"Set-Cookie", FieldName::set_cookie},
    {"User-Agent", FieldName::user_agent},
    {"Referer", FieldName::referer},
    {"Location", FieldName::location},
    {"Authorization", FieldName::authorization},
    {"WWW-Authenticate", FieldName::www_authenticate},
    {"Content-Encoding", FieldName::content_encoding},
    {"Content-Range", FieldName::content_range},
    {"Cache-Control", FieldName::cache_control},
    {"Range", FieldName::range},
    {"X-Forwarded-Port", FieldName::x_forwarded_other},
};

std::string mapped(std::string text, int (*convert)(int)) {
  for (char& c : text) c = static_cast<char>(convert(static_cast<unsigned char>(c)));
  return text;
}

TEST(FieldName, KnowsEveryNameInAnyCase) {
  for (const auto& [name, id] : kNames) {
    EXPECT_EQ(field_name_from(name), id) << name;
    EXPECT_EQ(field_name_from(mapped(name, std::tolower)), id) << name;
    EXPECT_EQ(field_name_from(mapped(name, std::toupper)), id) << name;
  }
}

TEST(FieldName, SeesThroughUnderscores) {
  for (const auto& [name, id] : kNames) {
    for (std::size_t i = 0; i < name.size(); ++i) {
      if (name[i] != '-') continue;
      std::string disguised = name;
      disguised[i] = '_';
      EXPECT_EQ(field_name_from(disguised), FieldName::disguised) << disguised;
      EXPECT_EQ(field_name_from(mapped(disguised, std::toupper)), FieldName::disguised) << disguised;
    }
  }
}

TEST(FieldName, DoesNotTakeOneForAnother) {
  for (const auto& [name, id] : kNames) {
    for (std::size_t i = 0; i < name.size(); ++i) {  // one letter changed
      std::string other = name;
      other[i] = other[i] == '!' ? '#' : '!';
      if (id == FieldName::x_forwarded_other && i >= 12) continue;
      FieldName expected = FieldName::other;
      if (name.rfind("X-Forwarded-", 0) == 0 && i >= 12) expected = FieldName::x_forwarded_other;
      EXPECT_EQ(field_name_from(other), expected) << other;
    }
    if (id == FieldName::x_forwarded_other) continue;
    FieldName longer = name.rfind("X-Forwarded-", 0) == 0 ? FieldName::x_forwarded_other : FieldName::other;
    EXPECT_EQ(field_name_from(name + "s"), longer) << name;
    EXPECT_EQ(field_name_from("y" + name), FieldName::other) << name;
  }
  for (const char* name :
       {"", "X", "X-", "X-Forwarded", "X-Forwarded-", "x_forwarded", "Accept", "sec-ch-ua", "-", "_"}) {
    EXPECT_EQ(field_name_from(name), FieldName::other) << name;
  }
}

TEST(Method, IsKnownByItsExactName) {
  const std::pair<const char*, Method> methods[] = {
      {"GET", Method::get},        {"HEAD", Method::head},      {"POST", Method::post},
      {"PUT", Method::put},        {"DELETE", Method::delete_}, {"OPTIONS", Method::options},
      {"PATCH", Method::patch},    {"TRACE", Method::trace},    {"CONNECT", Method::connect},
      {"get", Method::other},      {"GETS", Method::other},     {"", Method::other},
      {"PROPFIND", Method::other}, {"HEAT", Method::other},
  };
  for (const auto& [name, method] : methods) EXPECT_EQ(method_from(name), method) << name;
}

TEST(Method, IsSafeAndIdempotentAsRfc9110Section9Says) {
  for (Method method : {Method::get, Method::head, Method::options, Method::trace}) {
    EXPECT_TRUE(is_safe(method));
    EXPECT_TRUE(is_idempotent(method));
  }
  for (Method method : {Method::put, Method::delete_}) {
    EXPECT_FALSE(is_safe(method));
    EXPECT_TRUE(is_idempotent(method));
  }
  for (Method method : {Method::post, Method::patch, Method::connect, Method::other}) {
    EXPECT_FALSE(is_safe(method));
    EXPECT_FALSE(is_idempotent(method));
  }
}

TEST(FieldTable, FindsTheFirstOfAName) {
  FieldTable table;
  EXPECT_EQ(table.find(FieldName::cookie), nullptr);
  table.count = 2;
  table.fields[0].id = table.fields[1].id = FieldName::cookie;
  table.present = std::uint64_t{1} << static_cast<int>(FieldName::cookie);
  EXPECT_EQ(table.find(FieldName::cookie), &table.fields[0]);
  EXPECT_FALSE(table.has(FieldName::host));
}

}  // namespace
}  // namespace vipair::http
