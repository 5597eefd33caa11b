#include "proxy/http/compression.h"

#include <gtest/gtest.h>

#include <string>

#include "proxy/http/head_parser.h"

namespace vipair::http {
namespace {

constexpr CodingsOffered kBoth{true, true};

TEST(Compression, TakesTheCodingThatTheClientPrefers) {
  EXPECT_EQ(preferred_coding("gzip, deflate, br", kBoth), Coding::brotli);
  EXPECT_EQ(preferred_coding("gzip, deflate, br", {true, false}), Coding::gzip);
  EXPECT_EQ(preferred_coding("br;q=0.5, gzip;q=0.8", kBoth), Coding::gzip);
  EXPECT_EQ(preferred_coding("GZIP;Q=1.000", kBoth), Coding::gzip);
  EXPECT_EQ(preferred_coding("x-gzip", kBoth), Coding::gzip);
  EXPECT_EQ(preferred_coding("*", {true, false}), Coding::gzip);
  EXPECT_EQ(preferred_coding("*;q=0.1, br;q=0", kBoth), Coding::gzip);
}

TEST(Compression, NobodyGetsWhatHeDidNotAskFor) {
  for (const char* value : {"", "identity", "deflate", "gzip;q=0, br;q=0", "*;q=0", "gzip;q=0.000", "gzip;q=2",
                            "gzip;q=0.1234", "gzip;q=x", "gzip;q=1.001", "gzipped"}) {
    EXPECT_EQ(preferred_coding(value, kBoth), Coding::identity) << value;
  }
  EXPECT_EQ(preferred_coding("gzip, br", {}), Coding::identity);
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
}

}  // namespace
}  // namespace vipair::http
