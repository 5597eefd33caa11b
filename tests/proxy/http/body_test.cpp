#include "proxy/http/body.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>

#include "proxy/http/head_parser.h"

namespace vipair::http {
namespace {

struct Outcome {
  std::string payload;
  std::string trailers;
  std::string rest;  // what belongs to the next message
  std::string end;   // "complete", "open" or the error's name
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// Feeds the input in pieces as cut(bytes left) says, without keeping anything between the calls.
template <class Cut>
Outcome decode(BodyFraming framing, std::string_view input, Cut cut) {
  BodyDecoder decoder(framing);
  Outcome outcome;
  while (!input.empty() && !decoder.is_complete()) {
    std::string piece(input.substr(0, static_cast<std::size_t>(cut(input.size()))));
    std::string_view left = piece;
    for (;;) {
      auto step = decoder.decode(left);
      outcome.payload += step.payload;
      left.remove_prefix(step.consumed);
      EXPECT_EQ(step.is_complete, decoder.is_complete());
      if (step.error) {
        outcome.end = to_string(*step.error);
        return outcome;
      }
      if (step.consumed == 0 || step.is_complete) break;
    }
    input.remove_prefix(piece.size() - left.size());
  }
  EXPECT_EQ(decoder.payload_bytes(), outcome.payload.size());
  outcome.rest = std::string(input);
  outcome.trailers = decoder.trailers();
  outcome.end = decoder.is_complete() ? "complete" : "open";
  return outcome;
}

Outcome decode(BodyFraming framing, std::string_view input) {
  return decode(framing, input, [](std::size_t left) { return left; });
}

constexpr BodyFraming kChunked{Framing::chunked, 0};

TEST(BodyDecoder, CountsAContentLength) {
  EXPECT_EQ(decode({Framing::content_length, 5}, "helloGET /"), (Outcome{"hello", "", "GET /", "complete"}));
  EXPECT_EQ(decode({Framing::content_length, 5}, "hell"), (Outcome{"hell", "", "", "open"}));
  EXPECT_EQ(decode({}, "GET /"), (Outcome{"", "", "GET /", "complete"}));
  EXPECT_EQ(decode({Framing::content_length, 0}, "GET /"), (Outcome{"", "", "GET /", "complete"}));
}

TEST(BodyDecoder, ReadsUntilClose) {
  BodyDecoder decoder({Framing::until_close, 0});
  auto step = decoder.decode("hello");
  EXPECT_EQ(step.payload, "hello");
  EXPECT_FALSE(step.is_complete);
  EXPECT_TRUE(decoder.finish_at_close());
  EXPECT_TRUE(decoder.is_complete());
}

TEST(BodyDecoder, CallsACloseBeforeTheEndATruncation) {
  BodyDecoder counted({Framing::content_length, 5});
  counted.decode("hell");
  EXPECT_FALSE(counted.finish_at_close());
  BodyDecoder chunked(kChunked);
  chunked.decode("5\r\nhello\r\n0\r\n");
  EXPECT_FALSE(chunked.finish_at_close());
  chunked.decode("\r\n");
  EXPECT_TRUE(chunked.finish_at_close());
}

TEST(BodyDecoder, ReadsChunks) {
  EXPECT_EQ(decode(kChunked, "5\r\nhello\r\n06\r\n world\r\n0\r\n\r\nGET /"),
            (Outcome{"hello world", "", "GET /", "complete"}));
  EXPECT_EQ(decode(kChunked, "0\r\n\r\n"), (Outcome{"", "", "", "complete"}));
  EXPECT_EQ(decode(kChunked, "000\r\n\r\n"), (Outcome{"", "", "", "complete"}));
  EXPECT_EQ(decode(kChunked, "a;name=value;other=\"quoted\"\r\n0123456789\r\n0;x\r\n\r\n"),
            (Outcome{"0123456789", "", "", "complete"}));
  EXPECT_EQ(decode(kChunked, "1A\r\n" + std::string(26, 'x') + "\r\n0\r\n\r\n"),
            (Outcome{std::string(26, 'x'), "", "", "complete"}));
}

TEST(BodyDecoder, RefusesWhatIsNoChunk) {
  struct Case {
    std::string input;
    std::string_view error;
  };
  const Case cases[] = {
      {"\r\n", "bad_chunk_size"},
      {"g\r\n", "bad_chunk_size"},
      {" 5\r\n", "bad_chunk_size"},
      {"5 \r\n", "bad_chunk_size"},
      {"5\t;a\r\n", "bad_chunk_size"},
      {"0x5\r\n", "bad_chunk_size"},
      {"-5\r\n", "bad_chunk_size"},
      {"+5\r\n", "bad_chunk_size"},
      {";a\r\n", "bad_chunk_size"},
      {"0000000000000005\r\n", "bad_chunk_size"},  // 16 digits
      {"fffffffffffffffff\r\n", "bad_chunk_size"},
      {"5\rx", "bad_chunk_size"},
      {"5\n", "bare_lf"},
      {"5;a\n", "bare_lf"},
      {"5;a\rb\n", "bad_chunk_size"},
      {"5;a" + std::string(1, '\0') + "\r\n", "bad_chunk_extension"},
      {"5;a\x7f\r\n", "bad_chunk_extension"},
      {"5\r\nhello\n", "bare_lf"},
      {"5\r\nhellox", "bad_chunk_end"},
      {"5\r\nhello\rx", "bad_chunk_end"},
      {"5\r\nhello0\r\n\r\n", "bad_chunk_end"},
      {"0\r\n\n", "bare_lf"},
      {"0\r\nX: a\n\r\n", "bare_lf"},
      {"0\r\n\rx", "bad_trailer"},
      {"0\r\nX\r\n", "bad_trailer"},
      {"0\r\n: a\r\n", "bad_trailer"},
      {"0\r\nX : a\r\n", "bad_trailer"},
      {"0\r\nX: a\r\n b\r\n", "bad_trailer"},
      {"0\r\nX: a\x01\r\n", "bad_trailer"},
      {"0\r\nX: a\rb\r\n", "bad_trailer"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(decode(kChunked, c.input).end, c.error) << testing::PrintToString(c.input);
    auto bytewise = decode(kChunked, c.input, [](std::size_t) { return 1; });
    EXPECT_EQ(bytewise.end, c.error) << testing::PrintToString(c.input);
  }
}

TEST(BodyDecoder, StaysInError) {
  BodyDecoder decoder(kChunked);
  EXPECT_EQ(decoder.decode("x").error, BodyError::bad_chunk_size);
  auto step = decoder.decode("5\r\nhello\r\n0\r\n\r\n");
  EXPECT_EQ(step.error, BodyError::bad_chunk_size);
  EXPECT_EQ(step.consumed, 0U);
  EXPECT_FALSE(decoder.is_complete());
  EXPECT_FALSE(decoder.finish_at_close());
}

TEST(BodyDecoder, KeepsItsLimits) {
  const std::string digits(kChunkSizeDigitsMax, '0');
  EXPECT_EQ(decode(kChunked, digits + "\r\n\r\n").end, "complete");
  EXPECT_EQ(decode(kChunked, "f" + digits.substr(1) + "\r\n").end, "open") << "the largest size is no overflow";

  EXPECT_EQ(decode(kChunked, "0;" + std::string(kChunkExtensionMax, 'a') + "\r\n\r\n").end, "complete");
  EXPECT_EQ(decode(kChunked, "0;" + std::string(kChunkExtensionMax + 1, 'a')).end, "chunk_extension_too_long");

  const std::string chunk = "1;" + std::string(kChunkExtensionMax, 'a') + "\r\nx\r\n";
  std::string body;
  for (std::size_t i = 0; i < kChunkExtensionsMax / kChunkExtensionMax; ++i) body += chunk;
  EXPECT_EQ(decode(kChunked, body + "0\r\n\r\n").end, "complete");
  EXPECT_EQ(decode(kChunked, body + "0;aa\r\n\r\n").end, "chunk_extension_too_long")
      << "small chunks, large extensions";

  const std::string last = "0\r\nX: ";
  const std::size_t room = kTrailersMax - 3 - 2 - 2;  // "X: ", its line end, the empty line
  EXPECT_EQ(decode(kChunked, last + std::string(room, 'a') + "\r\n\r\n").end, "complete");
  EXPECT_EQ(decode(kChunked, last + std::string(room + 1, 'a') + "\r\n\r\n").end, "trailers_too_large");
}

TEST(BodyDecoder, KeepsTrailersThatMayBeOnes) {
  auto outcome = decode(kChunked,
                        "0\r\nX-Checksum:abc \r\nContent-Length: 5\r\nTRANSFER-ENCODING: chunked\r\nHost: b\r\n"
                        "Authorization: x\r\nSet-Cookie: a=b\r\nContent-Type: a/b\r\nX-Forwarded-For: 1.2.3.4\r\n"
                        "Content_Length: 5\r\nConnection: close\r\nEmpty:\r\nServer-Timing: a;dur=1\r\n\r\nrest");
  EXPECT_EQ(outcome.trailers, "X-Checksum: abc\r\nEmpty: \r\nServer-Timing: a;dur=1\r\n");
  EXPECT_EQ(outcome.rest, "rest");
}

TEST(BodyDecoder, DropsTheTrailersOfAMessageWhoseConnectionNamesFields) {
  for (const auto& [connection, kept] : {std::pair("close", "X-Sum: abc\r\n"), {"keep-alive, X-Sum", ""}}) {
    const std::string bytes =
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: " + std::string(connection) +
        "\r\n\r\n";
    RequestHead head;
    ASSERT_EQ(parse_request_head(bytes, {}, head).status, ParseStatus::complete);
    const auto outcome = decode(body_framing(head), "0\r\nX-Sum: abc\r\n\r\nrest");
    EXPECT_EQ(outcome.trailers, kept) << connection;
    EXPECT_EQ(outcome.rest, "rest");
  }
}

TEST(BodyDecoder, SaysTheSameForEveryCut) {
  std::mt19937 random(7);
  std::string body;
  for (int i = 0; i < 20; ++i) {
    std::string data(random() % 60 + 1, static_cast<char>('a' + i));
    char size[32];
    std::snprintf(size, sizeof size, "%zx%s\r\n", data.size(), i % 3 == 0 ? ";ext=1" : "");
    body += size + data + "\r\n";
  }
  body += "0\r\nA: 1\r\nB: 2\r\n\r\n";
  const Outcome whole = decode(kChunked, body + "next");
  ASSERT_EQ(whole.end, "complete");
  ASSERT_EQ(whole.rest, "next");
  ASSERT_EQ(whole.trailers, "A: 1\r\nB: 2\r\n");
  EXPECT_EQ(decode(kChunked, body + "next", [](std::size_t) { return std::size_t{1}; }), whole);
  for (int round = 0; round < 500; ++round) {
    EXPECT_EQ(decode(kChunked, body + "next", [&](std::size_t left) { return std::min(left, random() % 40 + 1); }),
              whole);
  }
}

TEST(BodyDecoder, EndsABodyInTheCallThatHasItsLastByte) {
  BodyDecoder decoder(kChunked);
  auto step = decoder.decode("5\r\nhello\r\n0\r\n\r\n");
  EXPECT_EQ(step.payload, "hello");
  EXPECT_TRUE(step.is_complete);
  EXPECT_EQ(step.consumed, 15U);
}

TEST(BodyFraming, OfARequestFollowsRfc9112Section6) {
  struct Case {
    std::string_view lines;
    Framing framing;
    std::uint64_t length;
  };
  for (const Case& c : {Case{"", Framing::none, 0}, Case{"Content-Length: 0\r\n", Framing::none, 0},
                        Case{"Content-Length: 12\r\n", Framing::content_length, 12},
                        Case{"Transfer-Encoding: chunked\r\n", Framing::chunked, 0}}) {
    for (std::string_view method : {"GET", "HEAD", "POST"}) {
      std::string bytes = std::string(method) + " / HTTP/1.1\r\nHost: a\r\n" + std::string(c.lines) + "\r\n";
      RequestHead head;
      ASSERT_EQ(parse_request_head(bytes, {}, head).status, ParseStatus::complete);
      EXPECT_EQ(body_framing(head).framing, c.framing) << bytes;
      EXPECT_EQ(body_framing(head).length, c.length) << bytes;
    }
  }
}

TEST(BodyFraming, OfAResponseFollowsRfc9112Section6) {
  struct Case {
    int status;
    std::string_view lines;
    Method method;
    Framing framing;
  };
  for (const Case& c : {
           Case{200, "Content-Length: 5\r\n", Method::get, Framing::content_length},
           Case{200, "Content-Length: 0\r\n", Method::get, Framing::none},
           Case{200, "Transfer-Encoding: chunked\r\n", Method::get, Framing::chunked},
           Case{200, "", Method::get, Framing::until_close},
           Case{500, "", Method::post, Framing::until_close},
           Case{200, "Content-Length: 5\r\n", Method::head, Framing::none},
           Case{200, "Transfer-Encoding: chunked\r\n", Method::head, Framing::none},
           Case{200, "", Method::head, Framing::none},
           Case{204, "Content-Length: 5\r\n", Method::get, Framing::none},
           Case{304, "Content-Length: 5\r\n", Method::get, Framing::none},
           Case{304, "Transfer-Encoding: chunked\r\n", Method::get, Framing::none},
           Case{100, "Content-Length: 5\r\n", Method::post, Framing::none},
           Case{103, "", Method::get, Framing::none},
           Case{200, "Content-Length: 5\r\n", Method::connect, Framing::none},
           Case{403, "Content-Length: 5\r\n", Method::connect, Framing::content_length},
       }) {
    std::string bytes = "HTTP/1.1 " + std::to_string(c.status) + " x\r\n" + std::string(c.lines) + "\r\n";
    ResponseHead head;
    ASSERT_EQ(parse_response_head(bytes, {}, head).status, ParseStatus::complete);
    EXPECT_EQ(body_framing(head, c.method).framing, c.framing) << bytes;
  }
}

TEST(BodyError, HasANameForEach) {
  for (std::size_t i = 0; i < kBodyErrors; ++i) EXPECT_STRNE(to_string(static_cast<BodyError>(i)), "unknown") << i;
}

}  // namespace
}  // namespace vipair::http
