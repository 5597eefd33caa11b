// Conformance: what RFC 9113 says of frames that are wrong, late or too many. Each case is a new connection.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/server/h2_session.h"
#include "tests/support/conversation.h"
#include "tests/support/h2_peer.h"

namespace vipair::proxy {
namespace {

using http::h2::ErrorCode;
using http::h2::Flood;
using http::h2::FrameType;
using http::h2::HeadFault;
using http::h2::Setting;
using testing::block;
using testing::Conversation;
using testing::data;
using testing::Fields;
using testing::first_line;
using testing::Frame;
using testing::frame;
using testing::get;
using testing::H2Peer;
using testing::headers;
using testing::post;
using testing::settings;
using testing::u32;

constexpr const char* kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
constexpr unsigned kEnd = http::h2::kEndStream, kEndHeaders = http::h2::kEndHeaders;

// One client that speaks HTTP/2 with the proxy.
struct Http2 {
  Conversation talk;
  std::shared_ptr<testing::Wire> wire = talk.connect_http2();
  H2Peer peer{*wire};

  explicit Http2(bool with_preface = true) {
    if (!with_preface) return;
    peer.send_preface();
    talk.run();
    (void)peer.frames();
  }
  void send(std::string_view bytes) {
    peer.send(bytes);
    talk.run();
  }
  const H2Counters& counters() { return talk.worker().counters.h2; }
};

// What ended the connection; nullopt: nothing did.
std::optional<ErrorCode> goaway_in(const std::vector<Frame>& frames) {
  for (const Frame& each : frames)
    if (each.type == FrameType::goaway) return each.code();
  return {};
}
std::optional<ErrorCode> reset_in(const std::vector<Frame>& frames, std::uint32_t stream) {
  for (const Frame& each : frames)
    if (each.type == FrameType::rst_stream && each.stream == stream) return each.code();
  return {};
}

struct Case {
  const char* what;
  std::string bytes;
  ErrorCode code;
};

void expect_connection_errors(const std::vector<Case>& cases) {
  for (const Case& each : cases) {
    Http2 http2;
    http2.send(each.bytes);
    const auto code = goaway_in(http2.peer.frames());
    ASSERT_TRUE(code) << each.what;
    EXPECT_STREQ(to_string(*code), to_string(each.code)) << each.what;
    http2.wire->half_close();
    http2.talk.run();
    EXPECT_TRUE(http2.wire->is_closed()) << each.what;
    EXPECT_EQ(http2.counters().goaways[static_cast<std::size_t>(each.code)].get(), 1u) << each.what;
  }
}

void expect_stream_errors(std::uint32_t stream, const std::vector<Case>& cases) {
  for (const Case& each : cases) {
    Http2 http2;
    http2.send(each.bytes);
    const auto frames = http2.peer.frames();
    EXPECT_FALSE(goaway_in(frames)) << each.what;
    const auto code = reset_in(frames, stream);
    ASSERT_TRUE(code) << each.what;
    EXPECT_STREQ(to_string(*code), to_string(each.code)) << each.what;
    // The connection lives.
    http2.send(headers(101, get("/alive")));
    EXPECT_EQ(first_line(http2.talk.origin_gets()), "GET /alive HTTP/1.1") << each.what;
  }
}

// ---- section 3.4 -----------------------------------------------------------------------------

TEST(H2Receive, WantsThePreface) {
  Http2 http2(false);
  http2.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(goaway_in(http2.peer.frames()), ErrorCode::protocol_error);
}

TEST(H2Receive, WantsSettingsFirst) {
  Http2 http2(false);
  http2.send(http::h2::kPreface);
  http2.send(frame(FrameType::ping, 0, 0, "12345678"));
  EXPECT_EQ(goaway_in(http2.peer.frames()), ErrorCode::protocol_error);
}

TEST(H2Receive, SendsSettingsFirstAndAcknowledgesTheClients) {
  Http2 http2(false);
  http2.peer.send_preface();
  http2.talk.run();
  const auto frames = http2.peer.frames();
  ASSERT_GE(frames.size(), 3u);
  EXPECT_EQ(frames[0].type, FrameType::settings);
  EXPECT_EQ(frames[0].flags, 0);
  EXPECT_EQ(frames.back().type, FrameType::settings);
  EXPECT_EQ(frames.back().flags, http::h2::kAck);
}

// ---- sections 4 and 5 ------------------------------------------------------------------------

TEST(H2Receive, RefusesFramesOfTheWrongSize) {
  expect_connection_errors({
      {"4.2 too large", frame(FrameType::data, 0, 1, std::string(16385, 'x')), ErrorCode::frame_size_error},
      {"6.4 RST_STREAM", headers(1, get(), false) + frame(FrameType::rst_stream, 0, 1, "123"),
       ErrorCode::frame_size_error},
      {"6.5 SETTINGS", frame(FrameType::settings, 0, 0, "12345"), ErrorCode::frame_size_error},
      {"6.5 SETTINGS ACK", frame(FrameType::settings, http::h2::kAck, 0, "123456"), ErrorCode::frame_size_error},
      {"6.7 PING", frame(FrameType::ping, 0, 0, "1234567"), ErrorCode::frame_size_error},
      {"6.8 GOAWAY", frame(FrameType::goaway, 0, 0, "1234567"), ErrorCode::frame_size_error},
      {"6.9 WINDOW_UPDATE", frame(FrameType::window_update, 0, 0, "123"), ErrorCode::frame_size_error},
      {"6.2 HEADERS", frame(FrameType::headers, kEndHeaders | http::h2::kPriority, 1, "1234"),
       ErrorCode::frame_size_error},
      {"6.1 DATA", headers(1, post(), false) + frame(FrameType::data, http::h2::kPadded, 1),
       ErrorCode::frame_size_error},
  });
  expect_stream_errors(1, {{"6.3 PRIORITY", headers(1, get(), false) + frame(FrameType::priority, 0, 1, "1234"),
                            ErrorCode::frame_size_error}});
}

TEST(H2Receive, RefusesFramesOfTheWrongStream) {
  expect_connection_errors({
      {"6.1 DATA", frame(FrameType::data, 0, 0, "x"), ErrorCode::protocol_error},
      {"6.2 HEADERS", headers(0, get()), ErrorCode::protocol_error},
      {"6.3 PRIORITY", frame(FrameType::priority, 0, 0, "12345"), ErrorCode::protocol_error},
      {"6.4 RST_STREAM", frame(FrameType::rst_stream, 0, 0, u32(8)), ErrorCode::protocol_error},
      {"6.5 SETTINGS", frame(FrameType::settings, 0, 1), ErrorCode::protocol_error},
      {"6.7 PING", frame(FrameType::ping, 0, 1, "12345678"), ErrorCode::protocol_error},
      {"6.8 GOAWAY", frame(FrameType::goaway, 0, 1, "12345678"), ErrorCode::protocol_error},
      {"6.10 CONTINUATION", frame(FrameType::continuation, kEndHeaders, 0, ""), ErrorCode::protocol_error},
      {"8.4 PUSH_PROMISE", frame(FrameType::push_promise, kEndHeaders, 1, u32(2)), ErrorCode::protocol_error},
      {"5.1.1 an even stream", headers(2, get()), ErrorCode::protocol_error},
      {"5.1.1 a lower stream", headers(5, get()) + headers(3, get()), ErrorCode::protocol_error},
  });
}

TEST(H2Receive, RefusesFramesOfIdleStreams) {  // section 5.1
  expect_connection_errors({
      {"DATA", data(1, "x"), ErrorCode::protocol_error},
      {"RST_STREAM", frame(FrameType::rst_stream, 0, 1, u32(8)), ErrorCode::protocol_error},
      {"WINDOW_UPDATE", frame(FrameType::window_update, 0, 1, u32(1)), ErrorCode::protocol_error},
      {"CONTINUATION", frame(FrameType::continuation, kEndHeaders, 1, block(get())), ErrorCode::protocol_error},
      {"WINDOW_UPDATE of ours", frame(FrameType::window_update, 0, 2, u32(1)), ErrorCode::protocol_error},
  });
}

TEST(H2Receive, RefusesFramesOfHalfClosedStreams) {  // section 5.1
  expect_stream_errors(1, {
                              {"DATA", headers(1, get()) + data(1, "x"), ErrorCode::stream_closed},
                              {"HEADERS", headers(1, get()) + headers(1, get()), ErrorCode::stream_closed},
                          });
  Http2 http2;
  http2.send(headers(1, get()) + frame(FrameType::window_update, 0, 1, u32(1)) +
             frame(FrameType::priority, 0, 1, "12345"));
  EXPECT_TRUE(http2.peer.messages().empty()) << "these may come";
}

TEST(H2Receive, RefusesFramesOfClosedStreams) {  // section 5.1; libnghttp2 forgets them
  for (const std::string& late :
       {data(1, "x"), headers(1, get()), frame(FrameType::continuation, kEndHeaders, 1, block(get()))}) {
    Http2 answered;
    answered.send(headers(1, get()));
    answered.talk.origin_sends(kOk);
    ASSERT_EQ(answered.peer.messages().back().ends_stream(), true);
    answered.send(late);
    const bool is_continuation = late[3] == static_cast<char>(FrameType::continuation);
    EXPECT_EQ(goaway_in(answered.peer.frames()),
              is_continuation ? ErrorCode::protocol_error : ErrorCode::stream_closed);

    Http2 cancelled;
    cancelled.send(headers(1, get()) + frame(FrameType::rst_stream, 0, 1, u32(8)));
    cancelled.send(late);
    EXPECT_EQ(goaway_in(cancelled.peer.frames()),
              is_continuation ? ErrorCode::protocol_error : ErrorCode::stream_closed);
  }
}

TEST(H2Receive, OverlooksWhatWasUnderWayWhenAStreamEnded) {
  Http2 http2;
  http2.send(headers(1, get()));
  http2.talk.origin_sends(kOk);
  (void)http2.peer.frames();
  http2.send(frame(FrameType::window_update, 0, 1, u32(1)) + frame(FrameType::rst_stream, 0, 1, u32(8)) +
             frame(FrameType::priority, 0, 1, "12345"));
  EXPECT_TRUE(http2.peer.messages().empty());
  // What a stream that we have reset still sends is decoded, counted and dropped.
  http2.send(headers(3, {{"x", "y"}}, false));
  EXPECT_EQ(reset_in(http2.peer.frames(), 3), ErrorCode::protocol_error);
  http2.send(data(3, "late") + headers(3, {{"trailer", "1"}}));
  EXPECT_TRUE(http2.peer.messages().empty());
}

TEST(H2Receive, RefusesWhatComesBetweenTheFramesOfABlock) {  // sections 4.3 and 6.10
  const std::string open = frame(FrameType::headers, kEnd, 1, block(get()));
  expect_connection_errors({
      {"DATA", open + data(1, "x"), ErrorCode::protocol_error},
      {"another stream", open + frame(FrameType::continuation, kEndHeaders, 3), ErrorCode::protocol_error},
      {"another HEADERS", open + headers(3, get()), ErrorCode::protocol_error},
      {"an unknown frame", open + frame(static_cast<FrameType>(0xfa), 0, 1), ErrorCode::protocol_error},
      {"a CONTINUATION too many", headers(1, get()) + frame(FrameType::continuation, kEndHeaders, 1),
       ErrorCode::protocol_error},
  });
}

TEST(H2Receive, RefusesBrokenBlocks) {  // section 4.3
  expect_connection_errors({
      {"an index of nothing", frame(FrameType::headers, kEndHeaders | kEnd, 1, "\xbf"),
       ErrorCode::compression_error},
      {"of a stream that nobody wants",
       headers(1, get()) + frame(FrameType::rst_stream, 0, 1, u32(8)) +
           frame(FrameType::headers, kEndHeaders | kEnd, 3, "\xbf"),
       ErrorCode::compression_error},
  });
}

TEST(H2Receive, RefusesPaddingThatDoesNotFit) {  // sections 6.1 and 6.2
  expect_connection_errors({
      {"DATA", headers(1, post(), false) + frame(FrameType::data, http::h2::kPadded, 1, "\x05xyz"),
       ErrorCode::protocol_error},
      {"HEADERS", frame(FrameType::headers, kEndHeaders | http::h2::kPadded, 1, "\x7fxyz"),
       ErrorCode::protocol_error},
  });
  Http2 http2;
  http2.send(frame(FrameType::headers, kEndHeaders | http::h2::kPadded | http::h2::kPriority, 1,
                   std::string("\x02") + u32(3) + "\x10" + block(post()) + "pp"));
  http2.send(frame(FrameType::data, http::h2::kPadded | kEnd, 1, std::string("\x03") + "body" + "ppp"));
  EXPECT_EQ(testing::body_of(http2.talk.origin_gets()), "4\r\nbody\r\n0\r\n\r\n");
}

TEST(H2Receive, RefusesBadSettings) {  // section 6.5.2
  expect_connection_errors({
      {"ENABLE_PUSH", settings({{Setting::enable_push, 2}}), ErrorCode::protocol_error},
      {"INITIAL_WINDOW_SIZE", settings({{Setting::initial_window_size, 0x80000000u}}),
       ErrorCode::flow_control_error},
      {"MAX_FRAME_SIZE below", settings({{Setting::max_frame_size, 16383}}), ErrorCode::protocol_error},
      {"MAX_FRAME_SIZE above", settings({{Setting::max_frame_size, 16777216}}), ErrorCode::protocol_error},
      {"ENABLE_CONNECT_PROTOCOL", settings({{Setting::enable_connect_protocol, 2}}), ErrorCode::protocol_error},
      {"6.9.2 a window grows too large",
       headers(1, get()) + frame(FrameType::window_update, 0, 1, u32(0x7fff0000u)) +
           settings({{Setting::initial_window_size, 0x7fffffffu}}),
       ErrorCode::flow_control_error},
  });
  Http2 http2;
  http2.send(settings({{static_cast<Setting>(99), 7}}));
  EXPECT_TRUE(http2.peer.messages().empty()) << "an unknown setting is ignored";
}

TEST(H2Receive, RefusesBadWindowUpdates) {  // section 6.9
  expect_connection_errors({
      {"zero", frame(FrameType::window_update, 0, 0, u32(0)), ErrorCode::protocol_error},
      {"overflow", frame(FrameType::window_update, 0, 0, u32(0x7fffffffu)), ErrorCode::flow_control_error},
  });
  expect_stream_errors(
      1, {
             {"zero", headers(1, get()) + frame(FrameType::window_update, 0, 1, u32(0)), ErrorCode::protocol_error},
             {"overflow", headers(1, get()) + frame(FrameType::window_update, 0, 1, u32(0x7fffffffu)),
              ErrorCode::flow_control_error},
         });
}

TEST(H2Receive, RefusesMoreDataThanItsWindows) {  // section 6.9.1
  Http2 http2;
  http2.talk.on_connect({Conversation::Connect::hang});
  http2.send(headers(1, post(), false));
  for (int i = 0; i < 4; ++i) http2.send(data(1, std::string(16384, 'x')));
  EXPECT_EQ(reset_in(http2.peer.frames(), 1), ErrorCode::flow_control_error) << "65,536 bytes into 65,535";
}

TEST(H2Receive, RefusesStreamsThatDependOnThemselves) {
  expect_stream_errors(
      1, {
             {"PRIORITY", headers(1, get(), false) + frame(FrameType::priority, 0, 1, u32(1) + "x"),
              ErrorCode::protocol_error},
             {"HEADERS",
              frame(FrameType::headers, kEndHeaders | kEnd | http::h2::kPriority, 1, u32(1) + "x" + block(get())),
              ErrorCode::protocol_error},
         });
}

TEST(H2Receive, IgnoresUnknownFramesAndFlags) {  // sections 4.1 and 5.5
  Http2 http2;
  http2.send(frame(static_cast<FrameType>(0xfa), 0xff, 7, "whatever") +
             frame(FrameType::ping, 0xf0, 0, "12345678"));
  const auto frames = http2.peer.frames();
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].type, FrameType::ping);
  EXPECT_EQ(frames[0].flags, http::h2::kAck);
  EXPECT_EQ(frames[0].payload, "12345678");
}

// ---- section 8 -------------------------------------------------------------------------------

TEST(H2Receive, ResetsMalformedRequests) {
  Fields upper = get();
  upper.emplace_back("X-Upper", "1");
  Fields smuggled = get();
  smuggled.emplace_back("x", "1\r\nevil: 2");
  Fields short_body = post();
  short_body.emplace_back("content-length", "5");
  expect_stream_errors(
      1, {
             {"8.2 upper case", headers(1, upper), ErrorCode::protocol_error},
             {"8.2.1 a line end", headers(1, smuggled), ErrorCode::protocol_error},
             {"8.1 trailers without the end", headers(1, post(), false) + headers(1, {{"x", "y"}}, false),
              ErrorCode::protocol_error},
             {"8.1 a pseudo-field in trailers", headers(1, post(), false) + headers(1, {{":path", "/"}}),
              ErrorCode::protocol_error},
             {"8.1.1 more than its length", headers(1, short_body, false) + data(1, "123456"),
              ErrorCode::protocol_error},
             {"8.1.1 less than its length", headers(1, short_body, false) + data(1, "1234", true),
              ErrorCode::protocol_error},
             {"8.1.1 no body", headers(1, short_body), ErrorCode::protocol_error},
         });
  Http2 http2;
  http2.send(headers(1, upper));
  EXPECT_EQ(http2.counters().malformed[static_cast<std::size_t>(HeadFault::bad_name)].get(), 1u);
  EXPECT_EQ(http2.talk.connections(), 0u) << "nothing of it reaches an origin";
}

TEST(H2Receive, AnswersHeadsThatAreTooLargeWith431) {
  Http2 http2;
  Fields many = get();
  for (int i = 0; i < 200; ++i) many.emplace_back("x" + std::to_string(i), "y");
  http2.send(headers(1, many));
  const auto frames = http2.peer.messages();
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].field(":status"), "431");
  EXPECT_TRUE(frames[0].ends_stream());
}

// ---- floods ----------------------------------------------------------------------------------

TEST(H2Receive, EndsTheConnectionOfAFlood) {
  struct Flooding {
    Flood kind;
    std::string before, repeated;
  };
  const Flooding floods[] = {
      {Flood::pings, "", frame(FrameType::ping, 0, 0, "12345678")},
      {Flood::settings, "", settings()},
      {Flood::priorities, "", frame(FrameType::priority, 0, 3, "12345")},
      {Flood::priorities, "", frame(static_cast<FrameType>(0x10), 0, 0, "x")},
      {Flood::empty_frames, headers(1, post(), false), data(1, "")},
      {Flood::window_updates, "", frame(FrameType::window_update, 0, 0, u32(1))},
  };
  for (const Flooding& flood : floods) {
    Http2 http2;
    http2.send(flood.before);
    for (int i = 0; i < 10000; ++i) http2.peer.send(flood.repeated);
    http2.talk.run();
    EXPECT_EQ(goaway_in(http2.peer.frames()), ErrorCode::enhance_your_calm) << to_string(flood.kind);
    EXPECT_EQ(http2.counters().floods[static_cast<std::size_t>(flood.kind)].get(), 1u) << to_string(flood.kind);
  }
}

TEST(H2Receive, EndsTheConnectionOfARapidReset) {  // CVE-2023-44487
  Http2 http2;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    http2.peer.send(headers(2 * i + 1, get()) + frame(FrameType::rst_stream, 0, 2 * i + 1, u32(8)));
  }
  http2.talk.run();
  EXPECT_EQ(goaway_in(http2.peer.frames()), ErrorCode::enhance_your_calm);
  EXPECT_LE(http2.talk.connections(), 100u) << "a reset stream counts until its work has stopped";
}

TEST(H2Receive, EndsTheConnectionOfWhoHasUsResetStreams) {  // MadeYouReset, CVE-2025-8671
  Http2 http2;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    http2.send(headers(2 * i + 1, get()) + frame(FrameType::window_update, 0, 2 * i + 1, u32(0)));
  }
  EXPECT_EQ(goaway_in(http2.peer.frames()), ErrorCode::enhance_your_calm);
}

TEST(H2Receive, EndsTheConnectionOfEndlessHeads) {  // CONTINUATION flood, CVE-2024-27316; HPACK bomb
  Http2 many;
  many.send(frame(FrameType::headers, kEnd, 1, block(get())));
  for (int i = 0; i < 100; ++i) many.send(frame(FrameType::continuation, 0, 1, block({{"x", "y"}})));
  EXPECT_EQ(goaway_in(many.peer.frames()), ErrorCode::enhance_your_calm);

  Http2 bomb;
  std::string indexed = block(get());
  indexed += std::string("\x40\x01x\x7f\xa1\x1e", 6) + std::string(4000, 'v');  // into the table, 4,000 bytes
  bomb.send(
      frame(FrameType::headers, kEnd | kEndHeaders, 1, indexed + std::string(16000 - indexed.size(), '\xbe')));
  EXPECT_EQ(goaway_in(bomb.peer.frames()), ErrorCode::enhance_your_calm);
}

TEST(H2Receive, WaitsForABlockNoLongerThanForAHead) {
  Http2 http2;
  http2.send(frame(FrameType::headers, kEnd, 1, block(get())));
  http2.talk.pass(std::chrono::seconds(11));
  EXPECT_EQ(goaway_in(http2.peer.frames()), ErrorCode::enhance_your_calm);
}

TEST(H2Receive, RefusesMoreStreamsThanItAllows) {  // section 5.1.2
  Config config = testing::simple_config();
  config.limits.http2_streams = 2;
  Http2 http2(false);
  http2.talk.reload(config);
  http2.wire = http2.talk.connect_http2();
  H2Peer peer(*http2.wire);
  peer.send_preface();
  peer.send(headers(1, get()) + headers(3, get()) + headers(5, get()));
  http2.talk.run();
  EXPECT_EQ(reset_in(peer.frames(), 5), ErrorCode::refused_stream);
  EXPECT_EQ(http2.talk.connections(), 2u);
  EXPECT_EQ(http2.counters().refused_streams.get(), 1u);
}

}  // namespace
}  // namespace vipair::proxy
