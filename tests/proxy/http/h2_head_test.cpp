#include "proxy/http/h2_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace vipair::http::h2 {
namespace {

using ::testing::HasSubstr;
using Fields = std::vector<std::pair<std::string, std::string>>;
using Kind = H2HeadText::Kind;

struct Result {
  std::optional<HeadFault> fault;
  std::string text;
};

Result read(Kind kind, const Fields& fields, bool ends_stream = true, Method method = Method::get,
            HeadLimits limits = {}) {
  H2HeadText head;
  Buffer out;
  head.begin(kind, out, limits, method);
  for (const auto& [name, value] : fields) head.add(name, value);
  const auto fault = head.finish(ends_stream, "0123456789012345678A==");
  return {fault, std::string(out.view())};
}

Fields request(Fields more = {}) {
  Fields fields{{":method", "GET"}, {":scheme", "https"}, {":path", "/x?y"}, {":authority", "a.example"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

TEST(H2HeadText, WritesARequest) {
  EXPECT_EQ(read(Kind::request, request({{"accept", "*/*"}})).text,
            "GET /x?y HTTP/1.1\r\nHost: a.example\r\naccept: */*\r\n\r\n");
}

TEST(H2HeadText, ChunksABodyWithoutALength) {
  EXPECT_THAT(read(Kind::request, request(), false).text, HasSubstr("Transfer-Encoding: chunked\r\n\r\n"));
  EXPECT_EQ(read(Kind::request, request({{"content-length", "5"}}), false).text,
            "GET /x?y HTTP/1.1\r\nHost: a.example\r\ncontent-length: 5\r\n\r\n");
}

TEST(H2HeadText, JoinsCookieCrumbs) {
  EXPECT_EQ(
      read(Kind::request, request({{"cookie", "a=1"}, {"x", "y"}, {"cookie", "b=2"}, {"cookie", "c=3"}})).text,
      "GET /x?y HTTP/1.1\r\nHost: a.example\r\nx: y\r\ncookie: a=1; b=2; c=3\r\n\r\n");
}

TEST(H2HeadText, TakesHostWhereThereIsNoAuthority) {
  const Fields fields{{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"host", "b"}};
  EXPECT_EQ(read(Kind::request, fields).text, "GET / HTTP/1.1\r\nhost: b\r\n\r\n");
  EXPECT_EQ(read(Kind::request, request({{"host", "A.Example"}})).text,
            "GET /x?y HTTP/1.1\r\nHost: a.example\r\n\r\n");
}

TEST(H2HeadText, WritesConnectForTheSessionToRefuse) {
  EXPECT_EQ(read(Kind::request, {{":method", "CONNECT"}, {":authority", "a:443"}}, false).text,
            "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n");
}

TEST(H2HeadText, MakesAWebSocketOfAnExtendedConnect) {
  const Fields fields{{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "https"},
                      {":path", "/chat"},     {":authority", "a"},        {"sec-websocket-version", "13"}};
  EXPECT_EQ(read(Kind::request, fields, false).text,
            "GET /chat HTTP/1.1\r\nHost: a\r\nsec-websocket-version: 13\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Key: 0123456789012345678A==\r\n\r\n");
}

TEST(H2HeadText, WritesResponses) {
  EXPECT_EQ(read(Kind::response, {{":status", "200"}, {"x", "y"}}, false).text,
            "HTTP/1.1 200 \r\nx: y\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(read(Kind::response, {{":status", "200"}}, true).text, "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(read(Kind::response, {{":status", "304"}}, true).text, "HTTP/1.1 304 \r\n\r\n");
  EXPECT_EQ(read(Kind::response, {{":status", "103"}, {"link", "x"}}, false).text,
            "HTTP/1.1 103 \r\nlink: x\r\n\r\n");
  EXPECT_EQ(read(Kind::response, {{":status", "200"}, {"content-length", "9"}}, true, Method::head).text,
            "HTTP/1.1 200 \r\ncontent-length: 9\r\n\r\n");
}

TEST(H2HeadText, WritesTrailersAsLines) {
  EXPECT_EQ(read(Kind::trailers, {{"grpc-status", "0"}, {"grpc-message", ""}}).text,
            "grpc-status: 0\r\ngrpc-message: \r\n");
}

TEST(H2HeadText, RefusesWhatIsMalformed) {
  struct Case {
    Kind kind;
    Fields fields;
    bool ends_stream;
    HeadFault fault;
  };
  const Case cases[] = {
      // RFC 9113 section 8.2.1
      {Kind::request, request({{"X-Upper", "1"}}), true, HeadFault::bad_name},
      {Kind::request, request({{"a b", "1"}}), true, HeadFault::bad_name},
      {Kind::request, request({{"", "1"}}), true, HeadFault::bad_name},
      {Kind::request, request({{"x:y", "1"}}), true, HeadFault::bad_name},
      {Kind::request, request({{"x", "a\r\nevil: 1"}}), true, HeadFault::bad_value},
      {Kind::request, request({{"x", "a\nb"}}), true, HeadFault::bad_value},
      {Kind::request, request({{"x", std::string("a\0b", 3)}}), true, HeadFault::bad_value},
      {Kind::request, request({{"x", " a"}}), true, HeadFault::bad_value},
      {Kind::request, request({{"x", "a\t"}}), true, HeadFault::bad_value},
      {Kind::trailers, {{"x", "a\r\n"}}, true, HeadFault::bad_value},
      // section 8.2.2
      {Kind::request, request({{"connection", "close"}}), true, HeadFault::connection_field},
      {Kind::request, request({{"transfer-encoding", "chunked"}}), false, HeadFault::connection_field},
      {Kind::request, request({{"upgrade", "h2c"}}), true, HeadFault::connection_field},
      {Kind::request, request({{"keep-alive", "1"}}), true, HeadFault::connection_field},
      {Kind::request, request({{"proxy-connection", "1"}}), true, HeadFault::connection_field},
      {Kind::request, request({{"te", "gzip"}}), true, HeadFault::connection_field},
      {Kind::response, {{":status", "200"}, {"connection", "close"}}, true, HeadFault::connection_field},
      // section 8.3
      {Kind::request, request({{"x", "y"}, {":path", "/"}}), true, HeadFault::late_pseudo_field},
      {Kind::request, request({{":unknown", "/"}}), true, HeadFault::unknown_pseudo_field},
      {Kind::request, request({{":status", "200"}}), true, HeadFault::unknown_pseudo_field},
      {Kind::response, {{":status", "200"}, {":path", "/"}}, true, HeadFault::unknown_pseudo_field},
      {Kind::request, request({{":path", "/"}}), true, HeadFault::repeated_pseudo_field},
      {Kind::trailers, {{":path", "/"}}, true, HeadFault::bad_trailer},
      {Kind::request, {{":scheme", "http"}, {":path", "/"}}, true, HeadFault::missing_pseudo_field},
      {Kind::request, {{":method", "GET"}, {":path", "/"}}, true, HeadFault::missing_pseudo_field},
      {Kind::request, {{":method", "GET"}, {":scheme", "http"}}, true, HeadFault::missing_pseudo_field},
      {Kind::response, {{"x", "y"}}, true, HeadFault::missing_pseudo_field},
      {Kind::request, {{":method", "G T"}}, true, HeadFault::bad_method},
      {Kind::request, {{":scheme", "ftp"}}, true, HeadFault::bad_scheme},
      {Kind::request, {{":path", ""}}, true, HeadFault::bad_path},
      {Kind::request, {{":path", "x"}}, true, HeadFault::bad_path},
      {Kind::request, {{":path", "/ HTTP/1.1"}}, true, HeadFault::bad_path},
      {Kind::request, {{":method", "GET"}, {":scheme", "http"}, {":path", "*"}}, true, HeadFault::bad_path},
      {Kind::request, {{":method", "CONNECT"}, {":authority", "a:1"}, {":path", "/"}}, true, HeadFault::bad_path},
      {Kind::request, {{":authority", "user@a"}}, true, HeadFault::bad_authority},
      {Kind::request, {{":authority", "a b"}}, true, HeadFault::bad_authority},
      {Kind::request, {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}}, true, HeadFault::bad_authority},
      {Kind::request, request({{"host", "other"}}), true, HeadFault::host_differs},
      {Kind::request, request({{":protocol", "websocket"}}), true, HeadFault::bad_protocol},
      {Kind::request, request({{":protocol", "connect-udp"}}), true, HeadFault::bad_protocol},
      {Kind::response, {{":status", "2000"}}, true, HeadFault::bad_status},
      {Kind::response, {{":status", "101"}}, true, HeadFault::bad_status},
      {Kind::response, {{":status", "103"}}, true, HeadFault::bad_status},
      // section 8.1.1
      {Kind::request, request({{"content-length", "1"}}), true, HeadFault::bad_content_length},
      {Kind::request, request({{"content-length", "+1"}}), false, HeadFault::bad_content_length},
      {Kind::request, request({{"content-length", ""}}), false, HeadFault::bad_content_length},
      {Kind::request, request({{"content-length", "1"}, {"content-length", "1"}}), false,
       HeadFault::bad_content_length},
      {Kind::response, {{":status", "200"}, {"content-length", "1"}}, true, HeadFault::bad_content_length},
  };
  std::set<HeadFault> seen;
  for (const Case& each : cases) {
    const Result result = read(each.kind, each.fields, each.ends_stream);
    ASSERT_TRUE(result.fault) << result.text;
    EXPECT_STREQ(to_string(*result.fault), to_string(each.fault)) << result.text;
    seen.insert(each.fault);
  }
  EXPECT_EQ(seen.size(), kHeadFaults - 2) << "each of them but those about size";
}

TEST(H2HeadText, BoundsHowMuchThereMayBe) {
  HeadLimits limits;
  limits.fields_max = 2;
  EXPECT_EQ(read(Kind::request, request({{"a", "1"}, {"b", "1"}}), true, Method::get, limits).fault, std::nullopt);
  EXPECT_EQ(read(Kind::request, request({{"a", "1"}, {"b", "1"}, {"c", "1"}}), true, Method::get, limits).fault,
            HeadFault::too_many_fields);
  limits = {};
  limits.head_bytes_max = 300;
  EXPECT_EQ(read(Kind::request, request({{"a", std::string(300, 'x')}}), true, Method::get, limits).fault,
            HeadFault::too_large);
  EXPECT_TRUE(is_about_size(HeadFault::too_large) && is_about_size(HeadFault::too_many_fields));
  EXPECT_FALSE(is_about_size(HeadFault::bad_trailer));
}

TEST(H2HeadText, CountsOnBehindAFault) {
  H2HeadText head;
  Buffer out;
  head.begin(Kind::request, out, {});
  head.add("BAD", "1");
  head.add("x", std::string(100, 'y'));
  EXPECT_EQ(head.list_bytes(), (3 + 1 + 32) + (1 + 100 + 32u));
}

TEST(H2HeadText, NamesEveryFault) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < kHeadFaults; ++i) names.insert(to_string(static_cast<HeadFault>(i)));
  EXPECT_EQ(names.size(), kHeadFaults);
  EXPECT_FALSE(names.contains("unknown"));
}

}  // namespace
}  // namespace vipair::http::h2
