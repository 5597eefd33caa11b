#include "vrrp/kernel/http_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vipair::vrrp {
namespace {

using testing::HasSubstr;

HttpCheck check_of(const char* host, std::uint16_t port, bool is_tls = false) {
  HttpCheck check;
  check.host = host;
  check.port = port;
  check.is_tls = is_tls;
  check.target = "/health?full=1";
  return check;
}

TEST(HttpAnswer, RequestNamesTheHostAsTheUrlDid) {
  EXPECT_EQ(http_request(check_of("app.test", 80)),
            "GET /health?full=1 HTTP/1.1\r\nHost: app.test\r\nUser-Agent: vipair\r\nAccept: */*\r\n"
            "Connection: close\r\n\r\n");
  EXPECT_THAT(http_request(check_of("app.test", 8080)), HasSubstr("Host: app.test:8080\r\n"));
  EXPECT_THAT(http_request(check_of("app.test", 443, true)), HasSubstr("Host: app.test\r\n"));
  EXPECT_THAT(http_request(check_of("app.test", 80, true)), HasSubstr("Host: app.test:80\r\n"));
  EXPECT_THAT(http_request(check_of("2001:db8::1", 80)), HasSubstr("Host: [2001:db8::1]\r\n"));
}

TEST(HttpAnswer, StatusIsThatOfTheWholeHead) {
  const std::string answer = "HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n";
  for (std::size_t size = 0; size < answer.size(); ++size) {
    const auto status = http_status(std::string_view(answer).substr(0, size));
    ASSERT_TRUE(status) << status.error();
    EXPECT_EQ(*status, std::nullopt) << size;
  }
  EXPECT_EQ(*http_status(answer), 204);
  EXPECT_EQ(*http_status(answer + "body\r\n\r\n"), 204);
  EXPECT_EQ(*http_status("HTTP/1.0 503\r\n\r\n"), 503);
  EXPECT_EQ(*http_status("HTTP/1.0 200 OK\n\n"), 200);
}

TEST(HttpAnswer, InterimAnswersArePassedOver) {
  EXPECT_EQ(*http_status("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"), std::nullopt);
  EXPECT_EQ(*http_status("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\n\r\nHTTP/1.1 500 No\r\n\r\n"), 500);
}

TEST(HttpAnswer, NonsenseIsRefusedEarly) {
  for (const char* text : {"SSH-2.0-OpenSSH\r\n", "HTTP/2 200\r\n\r\n", "220 mail\r\n", "\x15\x03\x01", "h"})
    EXPECT_EQ(http_status(text).error(), "the answer is not HTTP/1") << text;
  for (const char* text : {"HTTP/1.1 20\r\n\r\n", "HTTP/1.1 2000 x\r\n\r\n", "HTTP/1.1  200\r\n\r\n", "HTTP/1.\n\n",
                           "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 020 x\r\n\r\n", "HTTP/1.x 200 OK\r\n\r\n"})
    EXPECT_EQ(http_status(text).error(), "the answer has no status") << text;
}

TEST(HttpAnswer, EndlessHeadIsRefused) {
  std::string head = "HTTP/1.1 200 OK\r\nX: ";
  head.resize(kHttpHeadMax, 'x');
  EXPECT_THAT(http_status(head).error(), HasSubstr("longer than 16384 bytes"));
  head.pop_back();
  EXPECT_TRUE(http_status(head));
}

}  // namespace
}  // namespace vipair::vrrp
