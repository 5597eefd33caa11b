#include "proxy/http/compression.h"

#include <gtest/gtest.h>

#include <string>

#include "proxy/http/head_parser.h"

namespace vipair::http {
namespace {

constexpr CodingsOffered kBoth{true, true};

// For a request with these fields.
Coding coding_for(const std::string& fields, CodingsOffered offered = kBoth) {
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
  RequestHead head;
  EXPECT_EQ(parse_request_head(text, {}, head).status, ParseStatus::complete) << text;
  return preferred_coding(head, text.data(), offered);
}
Coding preferred(const std::string& value, CodingsOffered offered = kBoth) {
  return coding_for("Accept-Encoding: " + value + "\r\n", offered);
}

TEST(Compression, TakesTheCodingThatTheClientPrefers) {
  EXPECT_EQ(preferred("gzip, deflate, br"), Coding::brotli);
  EXPECT_EQ(preferred("gzip, deflate, br", {true, false}), Coding::gzip);
  EXPECT_EQ(preferred("br;q=0.5, gzip;q=0.8"), Coding::gzip);
  EXPECT_EQ(preferred("GZIP;Q=1.000"), Coding::gzip);
  EXPECT_EQ(preferred("x-gzip"), Coding::gzip);
  EXPECT_EQ(preferred("*", {true, false}), Coding::gzip);
  EXPECT_EQ(preferred("*;q=0.1, br;q=0"), Coding::gzip);
}

TEST(Compression, NobodyGetsWhatHeDidNotAskFor) {
  for (const char* value : {"", "identity", "deflate", "gzip;q=0, br;q=0", "*;q=0", "gzip;q=0.000", "gzip;q=2",
                            "gzip;q=0.1234", "gzip;q=x", "gzip;q=1.001", "gzipped"}) {
    EXPECT_EQ(preferred(value), Coding::identity) << value;
  }
  EXPECT_EQ(preferred("gzip, br", {}), Coding::identity);
}

TEST(Compression, ListensToEveryFieldOfTheRequest) {
  EXPECT_EQ(coding_for(""), Coding::identity);
  EXPECT_EQ(coding_for("Accept-Encoding: br;q=0.5\r\nAccept-Encoding: gzip\r\n"), Coding::gzip);
  EXPECT_EQ(coding_for("Accept-Encoding: gzip\r\nCache-Control: no-transform\r\n"), Coding::identity);
}

bool compresses(const std::string& fields, int status = 200) {
  const std::string text = "HTTP/1.1 " + std::to_string(status) + " OK\r\n" + fields + "\r\n";
  ResponseHead head;
  EXPECT_EQ(parse_response_head(text, {}, head, 0).status, ParseStatus::complete) << text;
  const CompressionRules rules{{"text/*", "application/json"}, 1024};
  return is_compressible(head, text.data(), rules);
}

TEST(Compression, IsForTheTypesThatWereNamed) {
  EXPECT_TRUE(compresses("Content-Type: text/html; charset=utf-8\r\n"));
  EXPECT_TRUE(compresses("Content-Type: Application/JSON\r\nContent-Length: 1024\r\n"));
  EXPECT_TRUE(compresses("Content-Type: text/html\r\nContent-Length: 5000\r\n", 404));
  EXPECT_FALSE(compresses("Content-Type: image/png\r\n"));
  EXPECT_FALSE(compresses("Content-Type: textual/html\r\n"));
  EXPECT_FALSE(compresses("Content-Type: application/jsonp\r\n"));
  EXPECT_FALSE(compresses(""));
}

TEST(Compression, LeavesAloneWhatWouldNotGainOrMustNotChange) {
  EXPECT_FALSE(compresses("Content-Type: text/html\r\nContent-Length: 1023\r\n"));
  EXPECT_FALSE(compresses("Content-Type: text/html\r\nContent-Encoding: br\r\n"));
  EXPECT_FALSE(compresses("Content-Type: text/html\r\nCache-Control: max-age=1, No-Transform\r\n"));
  EXPECT_FALSE(compresses("Content-Type: text/html\r\nContent-Range: bytes 0-1/2\r\n"));
  for (const int status : {204, 206, 304}) EXPECT_FALSE(compresses("Content-Type: text/html\r\n", status));
  EXPECT_FALSE(compresses("Content-Type: text/html\r\nContent-Digest: sha-256=:x:\r\n"));
  const std::string empty = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n";
  ResponseHead head;
  ASSERT_EQ(parse_response_head(empty, {}, head, 0).status, ParseStatus::complete);
  EXPECT_FALSE(is_compressible(head, empty.data(), {{"text/*"}, 0})) << "nothing can be made smaller than that";
}

// RFC 9110 sections 8.8.3.2 and 15.4.5.
TEST(Compression, KnowsAClientThatHasItsOwnVersion) {
  auto confirms = [](const std::string& validators, const std::string& etag, int status = 304) {
    const std::string asked = "GET / HTTP/1.1\r\nHost: a\r\n" + validators + "\r\n";
    const std::string said = "HTTP/1.1 " + std::to_string(status) + " x\r\n" + etag + "\r\n";
    RequestHead request;
    ResponseHead response;
    EXPECT_EQ(parse_request_head(asked, {}, request).status, ParseStatus::complete);
    EXPECT_EQ(parse_response_head(said, {}, response, 0).status, ParseStatus::complete);
    return confirms_a_coded_response(request, asked.data(), response, said.data());
  };
  const std::string strong = "ETag: \"v1\"\r\n";
  EXPECT_TRUE(confirms("If-None-Match: W/\"v1\"\r\n", strong));
  EXPECT_TRUE(confirms("If-None-Match: \"v0\", W/\"v1\"\r\n", strong));
  EXPECT_FALSE(confirms("If-None-Match: \"v1\"\r\n", strong)) << "it has what the server sent";
  EXPECT_FALSE(confirms("If-None-Match: *\r\n", strong));
  EXPECT_FALSE(confirms("", strong));
  EXPECT_FALSE(confirms("If-None-Match: W/\"v1\"\r\n", "ETag: W/\"v1\"\r\n")) << "that is the server's own";
  EXPECT_FALSE(confirms("If-None-Match: W/\"v1\"\r\n", ""));
  EXPECT_FALSE(confirms("If-None-Match: W/\"v1\"\r\n", strong, 200));
}

}  // namespace
}  // namespace vipair::http
