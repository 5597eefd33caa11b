#include "proxy/http/head_parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace vipair::http {
namespace {

struct Request {
  std::string bytes;
  ParseResult result;
  RequestHead head;
  std::string_view text(Slice slice) const { return slice.in(bytes.data()); }
  std::string_view value(FieldName id) const {
    const Field* field = head.fields.find(id);
    return field != nullptr ? text(field->value) : std::string_view();
  }
};

Request parse(std::string bytes, HeadLimits limits = {}) {
  Request request{std::move(bytes), {}, {}};
  request.result = parse_request_head(request.bytes, limits, request.head);
  return request;
}

std::string outcome(const ParseResult& result) {
  if (result.status == ParseStatus::complete) return "complete";
  if (result.status == ParseStatus::incomplete) return "incomplete";
  return to_string(result.error);
}

std::string outcome_of_request(std::string bytes) { return outcome(parse(std::move(bytes)).result); }

// A request with these lines behind its Host field.
std::string with_fields(std::string_view lines) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n";
}

TEST(HeadParser, ReadsARequest) {
  auto request = parse(
      "GET /index.html?q=1 HTTP/1.1\r\nHost: Example.COM:8080\r\nAccept:*/*\r\nX-Empty:\r\nX-Blank: \t \r\n"
      "X-Padded: \t a b \t\r\nCookie: a=b; c=d\r\n\r\nbody");
  ASSERT_EQ(outcome(request.result), "complete");
  EXPECT_EQ(request.head.method, Method::get);
  EXPECT_EQ(request.text(request.head.method_name), "GET");
  EXPECT_EQ(request.text(request.head.target), "/index.html?q=1");
  EXPECT_EQ(request.text(request.head.path_and_query), "/index.html?q=1");
  EXPECT_EQ(request.head.form, TargetForm::origin);
  EXPECT_EQ(request.head.minor_version, 1);
  EXPECT_EQ(request.text(request.head.authority), "Example.COM:8080");
  EXPECT_EQ(request.head.host.host(), "example.com");
  EXPECT_EQ(request.head.host.port(), 8080);
  EXPECT_EQ(request.head.size, request.bytes.size() - 4);
  ASSERT_EQ(request.head.fields.count, 6);
  std::vector<std::string> lines;
  for (const Field& field : request.head.fields) {
    lines.push_back(std::string(request.text(field.name)) + "=" + std::string(request.text(field.value)));
  }
  EXPECT_EQ(lines, (std::vector<std::string>{"Host=Example.COM:8080", "Accept=*/*",
                                             "X-Empty=", "X-Blank=", "X-Padded=a b", "Cookie=a=b; c=d"}));
  EXPECT_EQ(request.value(FieldName::cookie), "a=b; c=d");
  EXPECT_FALSE(request.head.fields.has(FieldName::content_length));
}

TEST(HeadParser, RefusesWhatIsAmbiguous) {
  struct Case {
    std::string bytes;
    HeadError error;
  };
  const std::string nul(1, '\0');
  const Case cases[] = {
      // framing (RFC 9112 section 6)
      {with_fields("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
       HeadError::content_length_with_transfer_encoding},
      {with_fields("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"),
       HeadError::content_length_with_transfer_encoding},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", HeadError::transfer_encoding_in_http10},
      {with_fields("Transfer-Encoding: gzip\r\n"), HeadError::chunked_not_final},
      {with_fields("Transfer-Encoding: chunked, gzip\r\n"), HeadError::chunked_not_final},
      {with_fields("Transfer-Encoding: chunked, chunked\r\n"), HeadError::chunked_not_final},
      {with_fields("Transfer-Encoding: identity\r\n"), HeadError::chunked_not_final},
      {with_fields("Transfer-Encoding:\r\n"), HeadError::chunked_not_final},
      {with_fields("Transfer-Encoding: ,chunked\r\n"), HeadError::chunked_not_final},
      {with_fields("Transfer-Encoding: chunked,\r\n"), HeadError::chunked_not_final},
      {with_fields("Transfer-Encoding: xchunked\r\n"), HeadError::chunked_not_final},
      {with_fields("Transfer-Encoding: chunked;a=b\r\n"), HeadError::chunked_not_final},
      {with_fields("Transfer-Encoding: \"chunked\"\r\n"), HeadError::chunked_not_final},
      {with_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), HeadError::chunked_not_final},
      {with_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), HeadError::chunked_not_final},
      {with_fields("Transfer-Encoding: gzip, chunked\r\n"), HeadError::unknown_transfer_coding},
      {with_fields("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"),
       HeadError::unknown_transfer_coding},
      {with_fields("Content-Length: 1\r\nContent-Length: 1\r\n"), HeadError::repeated_content_length},
      {with_fields("Content-Length: 1\r\nCONTENT-LENGTH: 2\r\n"), HeadError::repeated_content_length},
      {with_fields("Content-Length: 1, 1\r\n"), HeadError::bad_content_length},
      {with_fields("Content-Length: +1\r\n"), HeadError::bad_content_length},
      {with_fields("Content-Length: -1\r\n"), HeadError::bad_content_length},
      {with_fields("Content-Length:\r\n"), HeadError::bad_content_length},
      {with_fields("Content-Length: 0x10\r\n"), HeadError::bad_content_length},
      {with_fields("Content-Length: 1 2\r\n"), HeadError::bad_content_length},
      {with_fields("Content-Length: 1.0\r\n"), HeadError::bad_content_length},
      {with_fields("Content-Length: 9223372036854775808\r\n"), HeadError::bad_content_length},
      {with_fields("Content-Length: 18446744073709551617\r\n"), HeadError::bad_content_length},
      // lines (sections 2.2 and 5)
      {"GET / HTTP/1.1\nHost: a\r\n\r\n", HeadError::bare_lf},
      {"GET / HTTP/1.1\r\nHost: a\n\r\n", HeadError::bare_lf},
      {"GET / HTTP/1.1\r\nHost: a\r\n\n", HeadError::bare_lf},
      {"GET / HTTP/1.1\r\nHost: a\r\nX\n\r\n", HeadError::bare_lf},
      {"GET /\nHost: a\r\n\r\n", HeadError::bare_lf},
      {"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", HeadError::bare_lf},
      {"GET\n/ HTTP/1.1\r\nHost: a\r\n\r\n", HeadError::bare_lf},
      {"GET / HTTP/1.1\rHost: a\r\n\r\n", HeadError::bare_cr},
      {"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", HeadError::bare_cr},
      {"GET / HTTP/1.1\r\nHost: a\r\n\rX: b\r\n\r\n", HeadError::bare_cr},
      {"GET / HTTP/1.1\r\nHost: a\r\nX\rY: b\r\n\r\n", HeadError::bare_cr},
      {"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", HeadError::bare_cr},
      {with_fields("X: a\r\n b\r\n"), HeadError::obsolete_fold},
      {with_fields("X: a\r\n\tb\r\n"), HeadError::obsolete_fold},
      {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", HeadError::obsolete_fold},
      {with_fields("Content-Length : 1\r\n"), HeadError::space_before_colon},
      {with_fields("Transfer-Encoding\t: chunked\r\n"), HeadError::space_before_colon},
      {with_fields(": a\r\n"), HeadError::empty_field_name},
      {with_fields("no colon\r\n"), HeadError::space_before_colon},
      {with_fields("nocolon\r\n"), HeadError::bad_field_name},
      {with_fields("a\"b: c\r\n"), HeadError::bad_field_name},
      {with_fields("a(b: c\r\n"), HeadError::bad_field_name},
      {with_fields("a" + nul + "b: c\r\n"), HeadError::bad_field_name},
      {with_fields("a\xc3\xa4: c\r\n"), HeadError::bad_field_name},
      {with_fields("X: a" + nul + "b\r\n"), HeadError::bad_field_value},
      {with_fields("X: a\x01"
                   "b\r\n"),
       HeadError::bad_field_value},
      {with_fields("X: a\x0b"
                   "b\r\n"),
       HeadError::bad_field_value},
      {with_fields("X: a\x1f"
                   "b\r\n"),
       HeadError::bad_field_value},
      {with_fields("X: a\x7f"
                   "b\r\n"),
       HeadError::bad_field_value},
      // Host (section 3.2)
      {"GET / HTTP/1.1\r\n\r\n", HeadError::missing_host},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", HeadError::repeated_host},
      {"GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", HeadError::repeated_host},
      {"GET / HTTP/1.1\r\nHost:\r\n\r\n", HeadError::bad_host},
      {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", HeadError::bad_host},
      {"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", HeadError::bad_host},
      {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", HeadError::bad_host},
      {"GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", HeadError::bad_host},
      {"GET / HTTP/1.0\r\nHost: a:b\r\n\r\n", HeadError::bad_host},
      {"GET http://a/ HTTP/1.1\r\nHost: b c\r\n\r\n", HeadError::bad_host},
      {"GET http://a/ HTTP/1.1\r\n\r\n", HeadError::missing_host},
      // the request line (section 3)
      {"GET /\r\n", HeadError::bad_version},
      {"GET / \r\n", HeadError::bad_version},
      {"GET /  HTTP/1.1\r\n", HeadError::bad_version},
      {"GET / HTTP/1.1 \r\n", HeadError::bad_version},
      {"GET / http/1.1\r\n", HeadError::bad_version},
      {"GET / HTTP/1.x\r\n", HeadError::bad_version},
      {"GET / HTTP/11\r\n\r\n", HeadError::bad_version},
      {"GET / HTTP/1.10\r\n", HeadError::bad_version},
      {"GET / HTTPS/1.1\r\n", HeadError::bad_version},
      {"GET / HTTP/0.9\r\n", HeadError::unsupported_version},
      {"GET / HTTP/2.0\r\n", HeadError::unsupported_version},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HeadError::unsupported_version},
      {"GET  / HTTP/1.1\r\n", HeadError::bad_target},
      {"GET\t/ HTTP/1.1\r\n", HeadError::bad_method},
      {" GET / HTTP/1.1\r\n", HeadError::bad_method},
      {"G\"T / HTTP/1.1\r\n", HeadError::bad_method},
      {"\x16\x03\x01\x02" + nul, HeadError::bad_method},
      {"GET\r\n", HeadError::bad_method},
      {std::string(33, 'A') + " / HTTP/1.1\r\n", HeadError::bad_method},
      {"\r\n\r\n\r\nGET / HTTP/1.1\r\n", HeadError::bad_method},
      {"GET /\tb HTTP/1.1\r\n", HeadError::bad_target},
      {"GET /a" + nul + " HTTP/1.1\r\n", HeadError::bad_target},
      {"GET /a#b HTTP/1.1\r\n", HeadError::bad_target},
      {"GET /\xc3\xa4 HTTP/1.1\r\n", HeadError::bad_target},
      {"GET /\x7f HTTP/1.1\r\n", HeadError::bad_target},
      {"GET /\"a\" HTTP/1.1\r\n", HeadError::bad_target},
      {"GET /<a> HTTP/1.1\r\n", HeadError::bad_target},
      {"GET a HTTP/1.1\r\n", HeadError::bad_target},
      {"GET * HTTP/1.1\r\n", HeadError::bad_target},
      {"GET ?a HTTP/1.1\r\n", HeadError::bad_target},
      {"OPTIONS ** HTTP/1.1\r\n", HeadError::bad_target},
      {"GET a:80 HTTP/1.1\r\n", HeadError::bad_target},
      {"GET http:// HTTP/1.1\r\n", HeadError::bad_target},
      {"GET http:///a HTTP/1.1\r\n", HeadError::bad_target},
      {"GET http://user@a/ HTTP/1.1\r\n", HeadError::bad_target},
      {"GET ftp://a/ HTTP/1.1\r\n", HeadError::bad_target},
      {"CONNECT / HTTP/1.1\r\n", HeadError::bad_target},
      {"CONNECT a HTTP/1.1\r\n", HeadError::bad_target},
      {"CONNECT http://a:1/ HTTP/1.1\r\n", HeadError::bad_target},
      {with_fields("Connection: close x\r\n"), HeadError::bad_connection},
      {with_fields("Connection: \"close\"\r\n"), HeadError::bad_connection},
      {with_fields("Connection: close; x\r\n"), HeadError::bad_connection},
      {with_fields("Connection: 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17\r\n"),
       HeadError::too_many_connection_options},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(outcome_of_request(c.bytes), to_string(c.error)) << testing::PrintToString(c.bytes);
  }
}

// However the bytes are cut, a head is refused or complete with the same result, and never before its time.
TEST(HeadParser, SaysTheSameForEveryCut) {
  const std::string heads[] = {
      "GET /index.html HTTP/1.1\r\nHost: example.com\r\nConnection: keep-alive\r\nAccept: */*\r\n\r\n",
      "\r\nPOST http://b/c?d HTTP/1.0\r\nContent-Length: 12\r\n\r\n",
      "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
      with_fields("X: a\r\n b\r\n"),
      with_fields("Content-Length : 1\r\n"),
      with_fields("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
      "GET / HTTP/1.1\nHost: a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX\rY: b\r\n\r\n",
  };
  for (const std::string& head : heads) {
    const std::string whole = outcome_of_request(head);
    std::size_t seen = 0;
    std::string stepwise = "incomplete";
    for (std::size_t size = 1; size <= head.size(); ++size) {
      auto cut = head.substr(0, size);
      RequestHead out;
      std::string fresh = outcome(parse_request_head(cut, {}, out));
      EXPECT_TRUE(fresh == "incomplete" || fresh == whole) << fresh << " after " << size << " of " << head;
      EXPECT_TRUE(fresh != "complete" || size == head.size()) << size;
      stepwise = outcome(parse_request_head(cut, {}, out, seen));
      if (stepwise != "incomplete") {
        EXPECT_EQ(stepwise, fresh);
        break;
      }
      seen = size;
    }
    EXPECT_EQ(stepwise, whole) << head;
  }
}

TEST(HeadParser, ReadsEveryFormOfTarget) {
  auto absolute = parse("GET HTTP://Other.Example:81/a?b HTTP/1.1\r\nHost: example.com\r\n\r\n");
  ASSERT_EQ(outcome(absolute.result), "complete");
  EXPECT_EQ(absolute.head.form, TargetForm::absolute);
  EXPECT_EQ(absolute.text(absolute.head.path_and_query), "/a?b");
  EXPECT_EQ(absolute.text(absolute.head.authority), "Other.Example:81");
  EXPECT_EQ(absolute.head.host.host(), "other.example") << "the Host field is overruled (RFC 9112 section 3.2.2)";

  auto bare = parse("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_EQ(outcome(bare.result), "complete");
  EXPECT_EQ(bare.head.path_and_query.length, 0U);
  auto query = parse("GET https://a?b=/c HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_EQ(outcome(query.result), "complete");
  EXPECT_EQ(query.text(query.head.path_and_query), "?b=/c");

  auto connect = parse("CONNECT a:443 HTTP/1.1\r\nHost: b\r\n\r\n");
  ASSERT_EQ(outcome(connect.result), "complete");
  EXPECT_EQ(connect.head.form, TargetForm::authority);
  EXPECT_EQ(connect.head.host.port(), 443);

  auto asterisk = parse("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_EQ(outcome(asterisk.result), "complete");
  EXPECT_EQ(asterisk.head.form, TargetForm::asterisk);
}

TEST(HeadParser, AcceptsWhatIsUnusualAndClear) {
  for (std::string bytes : {
           std::string("GET / HTTP/1.0\r\n\r\n"),
           std::string("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
           std::string("GET / HTTP/1.9\r\nHost: a\r\n\r\n"),
           std::string("M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n"),
           std::string("GET /a|b^c{d}[e]\\f`g HTTP/1.1\r\nHost: a\r\n\r\n"),
           std::string("GET / HTTP/1.1\r\nHost: [2001:DB8::1]:80\r\n\r\n"),
           std::string("GET / HTTP/1.1\r\nHost: a\r\nX: \xc3\xa4\xff\r\n\r\n"),
           std::string("GET / HTTP/1.1\r\nHost: a\r\nX: a\tb\r\n\r\n"),
           with_fields("TRANSFER-ENCODING:\t Chunked \r\n"),
           with_fields("Content-Length: 000999999999999999\r\n"),
           with_fields("Connection: 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16\r\n"),
       }) {
    EXPECT_EQ(outcome_of_request(bytes), "complete") << bytes;
  }
  EXPECT_EQ(parse("GET / HTTP/1.9\r\nHost: a\r\n\r\n").head.minor_version, 1);
  EXPECT_EQ(parse("GET / HTTP/1.0\r\n\r\n").head.minor_version, 0);
}

TEST(HeadParser, KeepsItsLimits) {
  HeadLimits limits;
  limits.target_bytes_max = 10;
  EXPECT_EQ(outcome(parse("GET /123456789 HTTP/1.1\r\nHost: a\r\n\r\n", limits).result), "complete");
  EXPECT_EQ(outcome(parse("GET /1234567890 HTTP/1.1\r\nHost: a\r\n\r\n", limits).result), "target_too_long");
  EXPECT_EQ(outcome(parse("GET /1234567890", limits).result), "target_too_long") << "as soon as it is known";
  limits.target_bytes_max = limits.head_bytes_max = std::numeric_limits<std::size_t>::max();
  EXPECT_EQ(outcome(parse(with_fields(""), limits).result), "complete") << "no limit is no overflow";

  limits = {};
  limits.fields_max = 2;
  EXPECT_EQ(outcome(parse(with_fields("X: 1\r\n"), limits).result), "complete");
  EXPECT_EQ(outcome(parse(with_fields("X: 1\r\nY: 2\r\n"), limits).result), "too_many_fields");
  limits.fields_max = 1000;
  std::string many;
  for (std::size_t i = 1; i < kFieldsMax; ++i) many += "X: 1\r\n";
  EXPECT_EQ(outcome(parse(with_fields(many), limits).result), "complete");
  EXPECT_EQ(outcome(parse(with_fields(many + "X: 1\r\n"), limits).result), "too_many_fields");

  limits = {};
  const std::string head = with_fields("X: 1\r\n");
  limits.head_bytes_max = head.size();
  EXPECT_EQ(outcome(parse(head + "body", limits).result), "complete");
  limits.head_bytes_max = head.size() - 1;
  EXPECT_EQ(outcome(parse(head, limits).result), "head_too_large");
  EXPECT_EQ(outcome(parse(head.substr(0, head.size() - 2), limits).result), "incomplete");
  RequestHead out;
  EXPECT_EQ(outcome(parse_request_head(head.substr(0, head.size() - 1), limits, out, head.size() - 2)),
            "head_too_large");
}

TEST(HeadParser, CollectsWhatConnectionSays) {
  auto request = parse(with_fields("Connection: close, ,Keep-Alive,\tX-One\r\nConnection: TE, upgrade, x-two\r\n"));
  ASSERT_EQ(outcome(request.result), "complete");
  const ConnectionOptions& connection = request.head.fields.connection;
  EXPECT_TRUE(connection.close);
  EXPECT_TRUE(connection.keep_alive);
  EXPECT_TRUE(connection.te);
  EXPECT_TRUE(connection.upgrade);
  ASSERT_EQ(connection.count, 2);
  EXPECT_EQ(request.text(connection.names[0]), "X-One");
  EXPECT_EQ(request.text(connection.names[1]), "x-two");
}

// A head is parsed into the same object again and again: nothing of the one before may remain.
TEST(HeadParser, ForgetsTheHeadBefore) {
  RequestHead head;
  const std::string first =
      "POST http://b/ HTTP/1.0\r\nHost: a\r\nConnection: close, x\r\nContent-Length: 7\r\n\r\n";
  ASSERT_EQ(outcome(parse_request_head(first, {}, head)), "complete");
  const std::string second = "GET / HTTP/1.0\r\n\r\n";
  ASSERT_EQ(outcome(parse_request_head(second, {}, head)), "complete");
  EXPECT_EQ(head.fields.count, 0);
  EXPECT_FALSE(head.fields.has(FieldName::content_length));
  EXPECT_FALSE(head.fields.connection.close);
  EXPECT_EQ(head.fields.connection.count, 0);
  EXPECT_EQ(head.content_length, 0U);
  EXPECT_TRUE(head.host.empty());
  EXPECT_EQ(head.authority.length, 0U);
  EXPECT_EQ(head.form, TargetForm::origin);
}

TEST(HeadParser, ReadsAResponse) {
  const std::string bytes = "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nServer: x\r\n\r\nhello";
  ResponseHead head;
  ASSERT_EQ(outcome(parse_response_head(bytes, {}, head)), "complete");
  EXPECT_EQ(head.status, 404);
  EXPECT_EQ(head.reason.in(bytes.data()), "Not Found");
  EXPECT_EQ(head.minor_version, 1);
  EXPECT_EQ(head.content_length, 5U);
  EXPECT_EQ(head.size, bytes.size() - 5);
  EXPECT_EQ(head.fields.count, 2);
}

TEST(HeadParser, RefusesABrokenResponse) {
  struct Case {
    std::string bytes;
    std::string outcome;
  };
  const Case cases[] = {
      {"HTTP/1.1 200\r\n\r\n", "complete"},
      {"HTTP/1.1 200 \r\n\r\n", "complete"},
      {"HTTP/1.0 200 \xc3\xa4\r\n\r\n", "complete"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
       "content_length_with_transfer_encoding"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", "repeated_content_length"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", "bad_content_length"},
      {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "transfer_encoding_in_http10"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "chunked_not_final"},
      {"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", "obsolete_fold"},
      {"HTTP/1.1 200 OK\r\nX : a\r\n\r\n", "space_before_colon"},
      {"HTTP/1.1 200 OK\nX: a\r\n\r\n", "bare_lf"},
      {"HTTP/1.1 200\nX: a\r\n\r\n", "bare_lf"},
      {"HTTP/1.1 200 O\rK\r\n\r\n", "bare_cr"},
      {"HTTP/1.1 200OK\r\n\r\n", "bad_status_line"},
      {"HTTP/1.1 20\r\n\r\n", "bad_status_line"},
      {"HTTP/1.1 2000 OK\r\n\r\n", "bad_status_line"},
      {"HTTP/1.1 099 OK\r\n\r\n", "bad_status_line"},
      {"HTTP/1.1 600 OK\r\n\r\n", "bad_status_line"},
      {"HTTP/1.1  200 OK\r\n\r\n", "bad_status_line"},
      {"HTTP/1.1\r\n\r\n", "bad_status_line"},
      {"HTTP/2.0 200 OK\r\n\r\n", "unsupported_version"},
      {"ICY 200 OK\r\n\r\n", "bad_status_line"},
      {"SSH-2.0-OpenSSH_9.2\r\n", "bad_status_line"},
      {"HTTP/1.1 200 \x01\r\n\r\n", "bad_status_line"},
      {"HTTP/1.1 200", "incomplete"},
      {"HTTP/1.1 ", "incomplete"},
      {"HTT", "incomplete"},
      {"", "incomplete"},
  };
  for (const Case& c : cases) {
    ResponseHead head;
    EXPECT_EQ(outcome(parse_response_head(c.bytes, {}, head)), c.outcome) << c.bytes;
  }
}

TEST(HeadParser, NamesEveryErrorAndItsStatus) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kHeadErrors; ++i) {
    names.emplace_back(to_string(static_cast<HeadError>(i)));
    int status = status_for(static_cast<HeadError>(i));
    EXPECT_TRUE(status == 400 || status == 414 || status == 431 || status == 501 || status == 505);
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  EXPECT_EQ(std::count(names.begin(), names.end(), "unknown"), 0);
  EXPECT_EQ(status_for(HeadError::target_too_long), 414);
  EXPECT_EQ(status_for(HeadError::too_many_fields), 431);
  EXPECT_EQ(status_for(HeadError::head_too_large), 431);
  EXPECT_EQ(status_for(HeadError::unsupported_version), 505);
  EXPECT_EQ(status_for(HeadError::unknown_transfer_coding), 501);
  EXPECT_EQ(status_for(HeadError::chunked_not_final), 400);
}

}  // namespace
}  // namespace vipair::http
