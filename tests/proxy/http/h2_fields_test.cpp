#include "proxy/http/h2_fields.h"

#include <gtest/gtest.h>

#include <string>

#include "proxy/http/head_parser.h"

namespace vipair::http::h2 {
namespace {

std::string text_of(const FieldLines& lines) {
  std::string text;
  for (const FieldLine& line : lines) {
    text += std::string(line.name) + "=" + std::string(line.value) + (line.is_sensitive ? "!" : "") + "\n";
  }
  return text;
}

TEST(H2Fields, AreThoseOfAResponseWithoutTheConnections) {
  const std::string head =
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: x\r\n"
      "Transfer-Encoding: chunked\r\nSet-Cookie: a=b\r\n\r\n";
  ResponseHead parsed;
  ASSERT_EQ(parse_response_head(head, {}, parsed).status, ParseStatus::complete);
  FieldLines lines;
  response_fields(parsed, head.data(), 200, lines);
  EXPECT_EQ(text_of(lines), ":status=200\ncontent-type=text/plain\nset-cookie=a=b!\n");
}

TEST(H2Fields, TurnASwitchOfProtocolsIntoA200) {
  const std::string head =
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
  ResponseHead parsed;
  ASSERT_EQ(parse_response_head(head, {}, parsed).status, ParseStatus::complete);
  FieldLines lines;
  response_fields(parsed, head.data(), 200, lines);
  EXPECT_EQ(text_of(lines), ":status=200\nsec-websocket-protocol=chat\n");
}

TEST(H2Fields, AreThoseOfARequest) {
  const std::string head =
      "POST /a?b HTTP/1.1\r\nHost: Example.com:8080\r\nConnection: TE\r\nTE: trailers\r\nAuthorization: x\r\n"
      "Content-Length: 3\r\n\r\n";
  RequestHead parsed;
  ASSERT_EQ(parse_request_head(head, {}, parsed).status, ParseStatus::complete);
  FieldLines lines;
  request_fields(parsed, head.data(), "https", false, lines);
  EXPECT_EQ(text_of(lines),
            ":method=POST\n:scheme=https\n:path=/a?b\n:authority=Example.com:8080\nte=trailers\nauthorization=x!\n"
            "content-length=3\n");
}

TEST(H2Fields, AreThoseOfTrailers) {
  FieldLines lines;
  trailer_fields("Grpc-Status: 0\r\ngrpc-message: \r\n", lines);
  EXPECT_EQ(text_of(lines), "grpc-status=0\ngrpc-message=\n");
  trailer_fields("", lines);
  EXPECT_EQ(lines.count, 0u);
}

}  // namespace
}  // namespace vipair::http::h2
