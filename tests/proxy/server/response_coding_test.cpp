#include "proxy/server/response_coding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "tests/support/conversation.h"
#include "tests/support/decoding.h"

namespace vipair::proxy {
namespace {

using testing::body_of;
using testing::Conversation;
using testing::decode;
using testing::Decoded;
using ::testing::EndsWith;
using testing::field;
using testing::first_line;
using ::testing::HasSubstr;
using testing::unchunk;

Config compressing_config() {
  Config config = testing::simple_config();
  config.sites[0].compression.is_on = true;
  return config;
}

std::string request(const std::string& fields, const std::string& line = "GET /page HTTP/1.1") {
  return line + "\r\nHost: www.example.com\r\n" + fields + "\r\n";
}
const std::string kGzip = "Accept-Encoding: gzip\r\n";
const std::string kBrotli = "Accept-Encoding: gzip, br\r\n";

std::string page(std::size_t lines) {
  std::string text;
  for (std::size_t i = 0; i < lines; ++i) text += "<li>line " + std::to_string(i) + " of a page</li>\n";
  return text;
}
std::string counted(const std::string& body, const std::string& fields = "") {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n" + fields +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// The body of the only response that this client got.
Decoded read(const std::string& response, http::Coding coding) {
  const Decoded chunks = unchunk(body_of(response));
  Decoded decoded = decode(coding, chunks.text);
  decoded.is_whole = decoded.is_whole && chunks.is_whole;
  return decoded;
}

TEST(ResponseCoding, CompressesForWhoAsks) {
  for (const http::Coding coding : {http::Coding::gzip, http::Coding::brotli}) {
    Conversation talk(compressing_config());
    talk.client_sends(request(coding == http::Coding::gzip ? kGzip : kBrotli));
    const std::string body = page(500);
    talk.origin_sends(counted(body, "ETag: \"v1\"\r\nAccept-Ranges: bytes\r\n"));
    const std::string response = talk.client_gets();
    EXPECT_EQ(first_line(response), "HTTP/1.1 200 OK");
    EXPECT_EQ(field(response, "Content-Encoding"), http::to_string(coding));
    EXPECT_EQ(field(response, "Vary"), "Accept-Encoding");
    EXPECT_EQ(field(response, "ETag"), "W/\"v1\"");
    EXPECT_EQ(field(response, "Content-Length"), "");
    EXPECT_EQ(field(response, "Accept-Ranges"), "");
    EXPECT_EQ(field(response, "Transfer-Encoding"), "chunked");
    const Decoded decoded = read(response, coding);
    EXPECT_EQ(decoded.text, body);
    EXPECT_TRUE(decoded.is_whole);
    EXPECT_LT(response.size(), body.size() / 2);
    EXPECT_EQ(talk.worker().counters.compression.responses[static_cast<std::size_t>(coding)].get(), 1u);
    EXPECT_EQ(talk.worker().counters.compression.bytes_in.get(), body.size());
    EXPECT_EQ(talk.worker().encoders.used(), 0u);
    const Traffic::Sum served = talk.worker().current().snapshot->sites[0].traffic->sum();
    EXPECT_EQ(served.response_bytes, unchunk(body_of(response)).text.size()) << "what the client was sent";

    talk.client_sends(request(""));
    talk.origin_sends(counted("x"));
    EXPECT_THAT(talk.client_gets(), EndsWith("\r\n\r\nx")) << "the connection goes on";
    EXPECT_EQ(talk.connections(), 1u);
  }
}

TEST(ResponseCoding, ASmallPageLeavesInOneWrite) {
  Conversation talk(compressing_config());
  talk.client_sends(request(kGzip));
  talk.client().writes = 0;
  talk.origin_sends(counted(page(200)));
  EXPECT_EQ(talk.client().writes, 1u);
  EXPECT_TRUE(read(talk.client_gets(), http::Coding::gzip).is_whole);
}

TEST(ResponseCoding, LeavesAloneWhatNobodyAskedFor) {
  const std::string body = page(500);
  struct Case {
    std::string request, response;
    const char* vary;
  };
  const std::string png = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 2000\r\n\r\n";
  const Case cases[] = {
      {request(""), counted(body), "Accept-Encoding"},
      {request("Accept-Encoding: zstd\r\n"), counted(body), "Accept-Encoding"},
      {request(kGzip + "Cache-Control: no-transform\r\n"), counted(body), "Accept-Encoding"},
      {request(kGzip), counted(body, "Cache-Control: no-transform\r\n"), ""},
      {request(kGzip), counted(body, "Content-Encoding: br\r\n"), ""},
      {request(kGzip), counted(page(2)), ""},
      {request(kGzip), png + std::string(2000, 'x'), ""},
      {request(kGzip), "HTTP/1.1 204 No Content\r\nContent-Type: text/html\r\n\r\n", ""},
      {request(kGzip + "Range: bytes=0-1\r\n"),
       "HTTP/1.1 206 Partial Content\r\nContent-Type: text/html\r\nContent-Range: bytes 0-1/5\r\n"
       "Content-Length: 2\r\n\r\nab",
       ""},
  };
  for (const Case& c : cases) {
    Conversation talk(compressing_config());
    talk.client_sends(c.request);
    talk.origin_sends(c.response);
    const std::string response = talk.client_gets();
    EXPECT_EQ(first_line(response), first_line(c.response));
    EXPECT_EQ(field(response, "Content-Encoding"), field(c.response, "Content-Encoding")) << c.response;
    EXPECT_EQ(field(response, "Content-Length"), field(c.response, "Content-Length")) << c.response;
    EXPECT_EQ(field(response, "Vary"), c.vary) << c.request << c.response;
    EXPECT_TRUE(body_of(response) == body_of(c.response));
  }
}

TEST(ResponseCoding, CostsNothingWhereItIsOff) {
  Conversation talk;
  talk.client_sends(request(kGzip));
  talk.origin_sends(counted(page(500)));
  const std::string response = talk.client_gets();
  EXPECT_EQ(field(response, "Vary"), "");
  EXPECT_TRUE(body_of(response) == page(500));
}

TEST(ResponseCoding, AnswersHeadAsItWouldGet) {
  Conversation talk(compressing_config());
  talk.client_sends(request(kGzip, "HEAD /page HTTP/1.1"));
  talk.origin_sends("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5000\r\nETag: \"v1\"\r\n\r\n");
  const std::string response = talk.client_gets();
  EXPECT_EQ(field(response, "Content-Encoding"), "gzip");
  EXPECT_EQ(field(response, "Content-Length"), "");
  EXPECT_EQ(field(response, "ETag"), "W/\"v1\"");
  EXPECT_THAT(response, EndsWith("\r\n\r\n"));
  talk.client_sends(request(""));
  EXPECT_EQ(talk.connections(), 1u) << "nothing follows that head";
}

// RFC 9110 section 15.4.5.
TEST(ResponseCoding, ConfirmsWhatTheClientHas) {
  Conversation talk(compressing_config());
  talk.client_sends(request(kGzip + "If-None-Match: W/\"v1\"\r\n"));
  EXPECT_EQ(field(talk.origin_gets(), "If-None-Match"), "W/\"v1\"");
  talk.origin_sends("HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n");
  const std::string response = talk.client_gets();
  EXPECT_EQ(field(response, "ETag"), "W/\"v1\"");
  EXPECT_EQ(field(response, "Vary"), "Accept-Encoding");
  EXPECT_EQ(field(response, "Content-Encoding"), "");
}

TEST(ResponseCoding, EndsWithTheConnectionForHttp10) {
  Conversation talk(compressing_config());
  talk.client_sends(request(kGzip + "Connection: keep-alive\r\n", "GET / HTTP/1.0"));
  talk.origin_sends(counted(page(500)));
  const std::string response = talk.client_gets();
  EXPECT_EQ(field(response, "Transfer-Encoding"), "");
  EXPECT_EQ(field(response, "Connection"), "close");
  const Decoded decoded = decode(http::Coding::gzip, body_of(response));
  EXPECT_EQ(decoded.text, page(500));
  EXPECT_TRUE(decoded.is_whole);
  EXPECT_TRUE(talk.client().is_closed());
  EXPECT_FALSE(talk.client().was_aborted());
}

// A server that says something now and then is heard at once.
TEST(ResponseCoding, EventsDoNotWaitForTheNextOne) {
  for (const http::Coding coding : {http::Coding::gzip, http::Coding::brotli}) {
    Config config = compressing_config();
    config.sites[0].compression.rules.types = {"text/event-stream"};
    Conversation talk(config);
    talk.client_sends(request(coding == http::Coding::gzip ? kGzip : kBrotli));
    talk.origin_sends("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
    EXPECT_EQ(field(talk.client().received(), "Content-Encoding"), http::to_string(coding)) << "nor does the head";
    std::string said;
    for (int i = 0; i < 20; ++i) {
      const std::string event = "data: " + std::to_string(i) + "\n\n";
      said += event;
      talk.origin_sends(event);
      EXPECT_EQ(read(talk.client().received(), coding).text, said);
    }
    talk.origin().half_close();
    talk.run();
    const Decoded decoded = read(talk.client_gets(), coding);
    EXPECT_EQ(decoded.text, said);
    EXPECT_TRUE(decoded.is_whole);
  }
}

TEST(ResponseCoding, ABodyThatBreaksOffBreaksTheClients) {
  Conversation talk(compressing_config());
  talk.client_sends(request(kGzip));
  talk.origin_sends(counted(page(500)).substr(0, 5000));
  EXPECT_EQ(first_line(talk.client().received()), "HTTP/1.1 200 OK");
  talk.origin().half_close();
  talk.run();
  EXPECT_TRUE(talk.client().was_aborted());
  EXPECT_TRUE(talk.client().is_closed());
  EXPECT_FALSE(read(talk.client_gets(), http::Coding::gzip).is_whole);
  EXPECT_EQ(talk.worker().encoders.used(), 0u);
}

TEST(ResponseCoding, AClientThatTakesNothingIsWaitedFor) {
  std::mt19937 random(3);
  std::string noise(2'000'000, '\0');
  for (char& byte : noise) byte = static_cast<char>('0' + random() % 64);
  Conversation talk(compressing_config());
  talk.client().limit_room(1000);
  talk.client_sends(request(kGzip));
  talk.origin_sends(counted(noise));
  EXPECT_TRUE(talk.origin().holds_unread());
  std::size_t largest = 0;
  for (int i = 0; i < 10000 && !read(talk.client().received(), http::Coding::gzip).is_whole; ++i) {
    const std::size_t before = talk.client().received().size();
    talk.client().make_room(100'000);
    talk.run();
    largest = std::max(largest, talk.client().received().size() - before);
  }
  EXPECT_LE(largest, 100'000u);
  EXPECT_TRUE(read(talk.client_gets(), http::Coding::gzip).text == noise);
  talk.pass(std::chrono::seconds(1));
  EXPECT_FALSE(talk.client().is_closed());
}

TEST(ResponseCoding, WhoStopsTakingIsTimedOut) {
  std::mt19937 random(3);
  std::string noise(500'000, '\0');
  for (char& byte : noise) byte = static_cast<char>(random());
  Conversation talk(compressing_config());
  talk.client().limit_room(1000);
  talk.client_sends(request(kGzip));
  talk.origin_sends(counted(noise));
  talk.pass(std::chrono::seconds(40));
  EXPECT_TRUE(talk.client().is_closed());
  EXPECT_TRUE(talk.client().was_aborted());
}

TEST(ResponseCoding, IsRightInPiecesOfEverySize) {
  std::mt19937 random(7);
  for (int round = 0; round < 60; ++round) {
    const http::Coding coding = round % 2 == 0 ? http::Coding::gzip : http::Coding::brotli;
    std::string body = page(random() % 3000);
    for (std::size_t i = random() % 3; i > 0; --i)
      body += std::string(random() % 100000, static_cast<char>(random()));
    Config config = compressing_config();
    config.sites[0].compression.rules.length_min = 0;
    Conversation talk(config);
    talk.use_pieces([&] { return random() % 3 == 0 ? random() % 10 + 1 : random() % 30000 + 1; });
    talk.client_sends(request(coding == http::Coding::gzip ? kGzip : kBrotli));
    if (round % 3 == 0) {
      talk.origin_sends(counted(body));
    } else {
      std::string bytes =
          "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n";
      for (std::size_t at = 0; at < body.size();) {
        const std::size_t size = std::min<std::size_t>(body.size() - at, random() % 20000 + 1);
        char line[20];
        bytes.append(line, static_cast<std::size_t>(std::snprintf(line, sizeof line, "%zx\r\n", size)));
        bytes += body.substr(at, size) + "\r\n";
        at += size;
      }
      bytes += "0\r\nX-Sum: 1\r\n\r\n";
      while (!bytes.empty()) {
        const std::size_t size = std::min<std::size_t>(bytes.size(), random() % 50000 + 1);
        talk.origin_sends(bytes.substr(0, size));
        bytes.erase(0, size);
      }
    }
    const std::string response = talk.client_gets();
    if (body.empty() && round % 3 == 0) continue;  // nothing to compress
    const Decoded decoded = read(response, coding);
    EXPECT_TRUE(decoded.text == body) << round;
    EXPECT_TRUE(decoded.is_whole) << round;
    if (round % 3 != 0) {
      EXPECT_THAT(response, EndsWith("\r\n0\r\nX-Sum: 1\r\n\r\n"));
    }
  }
}

TEST(ResponseCoding, WhenTooManyAreCompressedOthersAreNot) {
  Conversation talk(compressing_config());
  std::vector<EncoderPool::Encoder> taken;
  while (auto encoder = talk.worker().encoders.take(http::Coding::gzip, 1)) taken.push_back(std::move(encoder));
  talk.client_sends(request(kGzip));
  talk.origin_sends(counted(page(500)));
  const std::string response = talk.client_gets();
  EXPECT_EQ(field(response, "Content-Encoding"), "");
  EXPECT_EQ(field(response, "Vary"), "Accept-Encoding");
  EXPECT_TRUE(body_of(response) == page(500));
  EXPECT_EQ(talk.worker().counters.compression.unavailable.get(), 1u);
}

TEST(ResponseCoding, OthersRunWhileALargeBodyIsCompressed) {
  Conversation talk(compressing_config());
  auto other = talk.connect("192.0.2.8:50000");
  talk.client_sends(request(kGzip));
  talk.origin().send(counted(page(100'000)));
  other->send(request(""));
  for (int i = 0; i < 4; ++i) talk.turn();
  EXPECT_EQ(talk.connections(), 2u);
  EXPECT_THAT(talk.origin_gets(), HasSubstr("GET /page"));
  EXPECT_FALSE(read(talk.client().received(), http::Coding::gzip).is_whole) << "it is still at it";
  talk.run();
  EXPECT_TRUE(read(talk.client_gets(), http::Coding::gzip).is_whole);
}

}  // namespace
}  // namespace vipair::proxy
