#include "proxy/http/pages.h"

#include <gtest/gtest.h>

#include <string>

#include "proxy/http/body.h"
#include "proxy/http/head_parser.h"
#include "proxy/http/persistence.h"

namespace vipair::http {
namespace {

std::string page(int status, const PageContext& context) {
  Buffer out;
  error_page(out, status, context);
  return std::string(out.view());
}

TEST(Pages, AreWholeResponses) {
  for (int status : {301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 408, 413,
                     414, 417, 421, 429, 431, 500, 501, 502, 503, 504, 505}) {
    std::string bytes = page(status, {.closes = false, .date = "D", .request_id = "id-1"});
    ResponseHead head;
    ASSERT_EQ(parse_response_head(bytes, {}, head).status, ParseStatus::complete) << bytes;
    EXPECT_EQ(head.status, status);
    EXPECT_EQ(head.reason.in(bytes.data()), reason_phrase(status));
    EXPECT_FALSE(reason_phrase(status).empty());
    EXPECT_EQ(head.content_length, bytes.size() - head.size);
    EXPECT_TRUE(connection_persists(head, Method::get));
    EXPECT_NE(bytes.find("request id-1"), std::string::npos);
    EXPECT_NE(bytes.find("\r\nX-Request-ID: id-1\r\n"), std::string::npos);
    EXPECT_NE(bytes.find("\r\nDate: D\r\n"), std::string::npos);
    EXPECT_EQ(bytes.find("vipair"), std::string::npos) << "nothing of the inside";
    EXPECT_EQ(head.fields.has(FieldName::connection), false);
    EXPECT_EQ(bytes.find("\r\nAllow: ") != std::string::npos, status == 405) << "RFC 9110 section 15.5.6";
  }
}

TEST(Pages, SayWhatTheConnectionDoes) {
  EXPECT_NE(page(400, {.closes = true}).find("\r\nConnection: close\r\n"), std::string::npos);
  EXPECT_NE(page(404, {.minor_version = 0, .closes = false}).find("\r\nConnection: keep-alive\r\n"),
            std::string::npos);
  EXPECT_EQ(page(404, {.closes = false}).find("Connection:"), std::string::npos);
}

TEST(Pages, HaveNoBodyForHead) {
  std::string with_body = page(404, {.closes = false});
  std::string bytes = page(404, {.is_head = true, .closes = false});
  ResponseHead head;
  ASSERT_EQ(parse_response_head(bytes, {}, head).status, ParseStatus::complete);
  EXPECT_EQ(head.size, bytes.size());
  EXPECT_EQ(with_body.substr(0, bytes.size()), bytes) << "the same head as a GET's";
}

TEST(Pages, EscapeTheRequestId) {
  std::string bytes = page(500, {.request_id = "<script>&\"'"});
  EXPECT_EQ(bytes.find("<script>", bytes.find("\r\n\r\n")), std::string::npos);
  EXPECT_NE(bytes.find("&lt;script&gt;&amp;&quot;&#39;"), std::string::npos);
}

TEST(Pages, AnswerWithWhatTheConfigurationSays) {
  auto fixed = [](int status, const PageContext& context, std::string_view content) {
    Buffer out;
    fixed_answer(out, status, context, "text/plain", content);
    return std::string(out.view());
  };
  EXPECT_EQ(fixed(200, {.closes = false}, "hello"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_EQ(fixed(200, {.is_head = true, .closes = false}, "hello"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(fixed(410, {.closes = false}, ""), "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(fixed(204, {.closes = false}, "hello"), "HTTP/1.1 204 No Content\r\n\r\n") << "RFC 9110 section 8.6";
  EXPECT_EQ(fixed(299, {.closes = false}, ""), "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n");
}

TEST(Pages, NameTheMethodsOfTheRoute) {
  const std::string bytes = page(405, {.closes = false, .allow = "GET, PUT"});
  EXPECT_NE(bytes.find("\r\nAllow: GET, PUT\r\n"), std::string::npos);
}

TEST(Pages, AnswerOptions) {
  Buffer out;
  options_answer(out, {.closes = false});
  EXPECT_EQ(out.view(),
            "HTTP/1.1 200 OK\r\nAllow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\nContent-Length: 0\r\n\r\n");
}

}  // namespace
}  // namespace vipair::http
