#include "proxy/http/persistence.h"

#include <gtest/gtest.h>

#include <string>

#include "proxy/http/head_parser.h"

namespace vipair::http {
namespace {

bool client_persists(std::string_view version, std::string_view connection) {
  std::string bytes = "GET / HTTP/" + std::string(version) + "\r\nHost: a\r\n" + std::string(connection) + "\r\n";
  RequestHead head;
  EXPECT_EQ(parse_request_head(bytes, {}, head).status, ParseStatus::complete) << bytes;
  return connection_persists(head);
}

bool upstream_persists(std::string_view version, std::string_view lines, Method method = Method::get) {
  std::string bytes = "HTTP/" + std::string(version) + " 200 OK\r\n" + std::string(lines) + "\r\n";
  ResponseHead head;
  EXPECT_EQ(parse_response_head(bytes, {}, head).status, ParseStatus::complete) << bytes;
  return connection_persists(head, method);
}

TEST(Persistence, OfAClientFollowsRfc9112Section9) {
  EXPECT_TRUE(client_persists("1.1", ""));
  EXPECT_TRUE(client_persists("1.1", "Connection: keep-alive\r\n"));
  EXPECT_FALSE(client_persists("1.1", "Connection: close\r\n"));
  EXPECT_FALSE(client_persists("1.1", "Connection: x, CLOSE\r\n"));
  EXPECT_FALSE(client_persists("1.1", "Connection: keep-alive\r\nConnection: close\r\n")) << "close wins";
  EXPECT_TRUE(client_persists("1.1", "Connection: closed\r\n"));
  EXPECT_FALSE(client_persists("1.0", ""));
  EXPECT_TRUE(client_persists("1.0", "Connection: Keep-Alive\r\n"));
  EXPECT_FALSE(client_persists("1.0", "Connection: keep-alive, close\r\n"));
  EXPECT_FALSE(client_persists("1.0", "Proxy-Connection: keep-alive\r\n")) << "not of this hop";
}

TEST(Persistence, OfAnUpstreamNeedsABodyWithAnEnd) {
  EXPECT_TRUE(upstream_persists("1.1", "Content-Length: 5\r\n"));
  EXPECT_TRUE(upstream_persists("1.1", "Transfer-Encoding: chunked\r\n"));
  EXPECT_FALSE(upstream_persists("1.1", ""));
  EXPECT_TRUE(upstream_persists("1.1", "", Method::head));
  EXPECT_FALSE(upstream_persists("1.1", "Content-Length: 5\r\nConnection: close\r\n"));
  EXPECT_FALSE(upstream_persists("1.0", "Content-Length: 5\r\n"));
  EXPECT_TRUE(upstream_persists("1.0", "Content-Length: 5\r\nConnection: keep-alive\r\n"));
  EXPECT_FALSE(upstream_persists("1.0", "Connection: keep-alive\r\n"));
}

}  // namespace
}  // namespace vipair::http
