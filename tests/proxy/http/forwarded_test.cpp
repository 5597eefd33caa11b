#include "proxy/http/forwarded.h"

#include <gtest/gtest.h>

#include <string>

#include "proxy/http/head_parser.h"

namespace vipair::http {
namespace {

std::string node(std::string_view text) {
  auto address = parse_node(text);
  return address ? address->to_string() : "-";
}

TEST(Forwarded, ReadsAddressesWithAndWithoutPort) {
  EXPECT_EQ(node("192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(node("192.0.2.7:1234"), "192.0.2.7");
  EXPECT_EQ(node("2001:db8::7"), "2001:db8::7");
  EXPECT_EQ(node("[2001:db8::7]"), "2001:db8::7");
  EXPECT_EQ(node("[2001:db8::7]:443"), "2001:db8::7");
  EXPECT_EQ(node("::ffff:192.0.2.7"), "192.0.2.7");
  for (const char* text : {"", "unknown", "_hidden", "a.example", "192.0.2.7:", "192.0.2.7:x", "192.0.2.7:123456",
                           "192.0.2", "[192.0.2.7]", "[2001:db8::7", "[2001:db8::7]443", "[2001:db8::7]:", ":80"})
    EXPECT_EQ(node(text), "-") << text;
  EXPECT_EQ(node(std::string(65, '1')), "-");
}

TEST(Forwarded, TakesTheForOfAnElement) {
  EXPECT_EQ(forwarded_for("for=192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(forwarded_for("proto=https;For=\"[2001:db8::7]:443\" ; by=x"), "[2001:db8::7]:443");
  EXPECT_EQ(forwarded_for("host=\"a;for=1.1.1.1\";for=2.2.2.2"), "2.2.2.2");
  for (const char* text : {"", "proto=http", "for", "for=1.1.1.1;for=2.2.2.2", "for=\"1.1.1.1", "for=\"1\\.1\"",
                           "for=\"1.1.1.1\"x;by=y", "a b=c;for=1.1.1.1"})
    EXPECT_FALSE(forwarded_for(text).has_value()) << text;
}

TEST(Forwarded, TakesListsFromTheEnd) {
  auto elements = [](std::string_view list) {
    std::string text;
    ListFromTheEnd from_the_end(list);
    while (auto element = from_the_end.next()) text += "<" + std::string(*element) + ">";
    return text;
  };
  EXPECT_EQ(elements("a, b ,,c"), "<c><b><a>");
  EXPECT_EQ(elements(" , "), "");
  EXPECT_EQ(elements("for=\"a,b\", for=c"), "<for=c><for=\"a,b\">");
  EXPECT_EQ(elements("a, for=\"b\\\",c\""), "<for=\"b\\\",c\"><a>");
  EXPECT_EQ(elements("a, for=\"b"), "<>") << "nobody can say where it ends";
}

std::string client(const std::string& fields, ClientAddressField which = ClientAddressField::x_forwarded_for) {
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
  RequestHead head;
  EXPECT_EQ(parse_request_head(text, {}, head, 0).status, ParseStatus::complete);
  const IpPrefix trusted = *IpPrefix::parse("10.0.0.0/8");
  return client_address(head.fields, text.data(), which, *IpAddress::parse("10.0.0.1"),
                        [&](const IpAddress& address) { return trusted.contains(address); })
      .to_string();
}

TEST(Forwarded, FindsTheNearestAddressThatIsNotOurs) {
  EXPECT_EQ(client(""), "10.0.0.1");
  EXPECT_EQ(client("X-Forwarded-For: 203.0.113.9\r\n"), "203.0.113.9");
  EXPECT_EQ(client("X-Forwarded-For: 1.1.1.1, 203.0.113.9, 10.0.0.2\r\n"), "203.0.113.9") << "1.1.1.1 is a claim";
  EXPECT_EQ(client("X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 203.0.113.9:4711\r\n"), "203.0.113.9");
  EXPECT_EQ(client("X-Forwarded-For: 10.0.0.3, 10.0.0.2\r\n"), "10.0.0.3") << "all ours: the furthest";
  EXPECT_EQ(client("X-Forwarded-For: 203.0.113.9, unknown, 10.0.0.2\r\n"), "10.0.0.2")
      << "as far as it is understood";
  EXPECT_EQ(client("Forwarded: for=203.0.113.9\r\n"), "10.0.0.1") << "nobody we trust wrote that";
}

TEST(Forwarded, BelievesOneFieldOnly) {
  const auto which = ClientAddressField::forwarded;
  EXPECT_EQ(client("Forwarded: for=\"[2001:db8::7]\";proto=https, for=10.0.0.2\r\n", which), "2001:db8::7");
  EXPECT_EQ(client("X-Forwarded-For: 203.0.113.9\r\n", which), "10.0.0.1");
  EXPECT_EQ(client("Forwarded: for=1.1.1.1;x, for=10.0.0.2\r\n", which), "10.0.0.2");
}

TEST(Forwarded, LooksAtABoundedNumberOfHops) {
  std::string list = "203.0.113.9";
  for (std::size_t i = 0; i < kHopsMax; ++i) list += ", 10.0.0.2";
  EXPECT_EQ(client("X-Forwarded-For: " + list + "\r\n"), "10.0.0.2");
}

}  // namespace
}  // namespace vipair::http
