#include "proxy/server/h2_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/conversation.h"
#include "tests/support/h2_peer.h"

namespace vipair::proxy {
namespace {

using http::h2::ErrorCode;
using http::h2::FrameType;
using http::h2::Setting;
using testing::body_of;
using testing::Conversation;
using testing::data;
using testing::field;
using testing::Fields;
using testing::first_line;
using testing::Frame;
using testing::frame;
using testing::get;
using testing::H2Peer;
using ::testing::HasSubstr;
using testing::headers;
using testing::post;
using testing::settings;
using testing::u32;

constexpr const char* kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

struct Http2 {
  Conversation talk;
  std::shared_ptr<testing::Wire> wire = talk.connect_http2();
  H2Peer peer{*wire};

  explicit Http2(std::string_view our_settings = {}) {
    peer.send_preface(our_settings);
    talk.run();
    (void)peer.frames();
  }
  void send(std::string_view bytes) {
    peer.send(bytes);
    talk.run();
  }
};

// ---- messages --------------------------------------------------------------------------------

TEST(H2Session, ServesOneRequestAfterTheOther) {
  Http2 http2;
  for (std::uint32_t stream = 1; stream < 21; stream += 2) {
    http2.send(headers(stream, get("/" + std::to_string(stream))));
    const std::string request = http2.talk.origin_gets();
    EXPECT_EQ(first_line(request), "GET /" + std::to_string(stream) + " HTTP/1.1");
    EXPECT_EQ(field(request, "Host"), "a");
    http2.talk.origin_sends(kOk);
    const auto frames = http2.peer.messages();
    ASSERT_EQ(frames.size(), 2u);
    EXPECT_EQ(frames[0].field(":status"), "200");
    EXPECT_EQ(frames[0].field("content-length"), "2");
    EXPECT_EQ(frames[1].payload, "ok");
    EXPECT_TRUE(frames[1].ends_stream());
  }
  EXPECT_EQ(http2.talk.connections(), 1u) << "the upstream's connection is kept";
  EXPECT_EQ(http2.talk.worker().counters.requests.get(), 10u);
  EXPECT_EQ(http2.talk.worker().counters.connections.get(), 2u) << "the first client of the test and this one";
}

TEST(H2Session, ServesManyRequestsAtOnceInOneWritePerTurn) {
  Http2 http2;
  std::string requests;
  for (std::uint32_t i = 0; i < 50; ++i) requests += headers(2 * i + 1, get("/" + std::to_string(i)));
  http2.send(requests);
  ASSERT_EQ(http2.talk.connections(), 50u);
  for (std::size_t i = 0; i < 50; ++i) {
    EXPECT_EQ(first_line(http2.talk.origin(i).take()), "GET /" + std::to_string(i) + " HTTP/1.1");
    http2.talk.origin(i).send(kOk);
  }
  const std::size_t before = http2.wire->writes;
  http2.talk.run();
  EXPECT_EQ(http2.peer.messages().size(), 100u);
  EXPECT_LE(http2.wire->writes - before, 2u);
}

TEST(H2Session, PassesBodiesAndTrailersBothWays) {
  Http2 http2;
  Fields request = post();
  request.emplace_back("te", "trailers");
  http2.send(headers(1, request, false) + data(1, "hel"));
  http2.send(data(1, "lo") + headers(1, {{"checksum", "1"}}));
  const std::string received = http2.talk.origin_gets();
  EXPECT_EQ(field(received, "TE"), "trailers");
  EXPECT_THAT(received, HasSubstr("3\r\nhel\r\n2\r\nlo\r\n0\r\nchecksum: 1\r\n\r\n"));
  http2.talk.origin_sends(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nworld\r\n0\r\nGrpc-Status: 0\r\n\r\n");
  const auto frames = http2.peer.messages();
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[0].field("transfer-encoding"), "");
  EXPECT_EQ(frames[1].payload, "world");
  EXPECT_FALSE(frames[1].ends_stream());
  EXPECT_EQ(frames[2].field("grpc-status"), "0");
  EXPECT_TRUE(frames[2].ends_stream());
}

TEST(H2Session, PutsTheEndOnTheLastData) {
  Http2 http2;
  http2.send(headers(1, get()));
  http2.talk.origin_sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nworld\r\n0\r\n\r\n");
  const auto frames = http2.peer.messages();
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_TRUE(frames[1].ends_stream());
}

TEST(H2Session, EndsResponsesWithoutABodyAtOnce) {
  Http2 http2;
  Fields head = get();
  head[0].second = "HEAD";
  const std::pair<Fields, std::string> cases[] = {
      {head, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
      {get(), "HTTP/1.1 204 No Content\r\n\r\n"},
      {get(), "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"},
      {get(), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
  };
  std::uint32_t stream = 1;
  for (const auto& [request, response] : cases) {
    http2.send(headers(stream, request));
    http2.talk.origin_sends(response);
    const auto frames = http2.peer.messages();
    ASSERT_EQ(frames.size(), 1u) << response;
    EXPECT_TRUE(frames[0].ends_stream()) << response;
    stream += 2;
  }
}

TEST(H2Session, PassesInterimResponses) {
  Http2 http2;
  http2.send(headers(1, get()));
  http2.talk.origin_sends("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
  auto frames = http2.peer.messages();
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].field(":status"), "103");
  EXPECT_EQ(frames[0].field("link"), "</a.css>");
  EXPECT_FALSE(frames[0].ends_stream());
  http2.talk.origin_sends(kOk);
  EXPECT_EQ(http2.peer.messages()[0].field(":status"), "200");
}

// ---- WebSockets (RFC 8441) -------------------------------------------------------------------

Config with_websockets() {
  Config config = testing::simple_config();
  config.sites[0].routes[0].upgrades = {"websocket"};
  return config;
}
const Fields kWebSocket = {{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "https"},
                           {":path", "/chat"},     {":authority", "a"},        {"sec-websocket-version", "13"}};
constexpr const char* kSwitch =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Accept: x\r\n\r\n";

TEST(H2Session, OffersWebSockets) {
  Conversation talk;
  auto wire = talk.connect_http2();
  H2Peer peer(*wire);
  peer.send_preface();
  talk.run();
  const auto frames = peer.frames();
  ASSERT_FALSE(frames.empty());
  EXPECT_THAT(frames[0].payload, HasSubstr(std::string("\0\x8\0\0\0\1", 6))) << "SETTINGS_ENABLE_CONNECT_PROTOCOL";
}

TEST(H2Session, JoinsAWebSocketWithItsServer) {
  Http2 http2;
  http2.talk.reload(with_websockets());
  http2.send(headers(1, kWebSocket, false) + data(1, "early"));
  const std::string request = http2.talk.origin_gets();
  EXPECT_EQ(first_line(request), "GET /chat HTTP/1.1");
  EXPECT_EQ(field(request, "Upgrade"), "websocket");
  EXPECT_EQ(field(request, "Sec-WebSocket-Version"), "13");
  EXPECT_EQ(field(request, "Sec-WebSocket-Key").size(), 24u);
  http2.talk.origin_sends(kSwitch + std::string("welcome"));
  auto frames = http2.peer.messages();
  ASSERT_GE(frames.size(), 2u);
  EXPECT_EQ(frames[0].field(":status"), "200");
  EXPECT_EQ(frames[0].field("sec-websocket-accept"), "");
  EXPECT_FALSE(frames[0].ends_stream());
  EXPECT_EQ(H2Peer::body(frames, 1), "welcome");
  EXPECT_EQ(http2.talk.origin_gets(), "early");
  http2.send(data(1, "hello"));
  EXPECT_EQ(http2.talk.origin_gets(), "hello");
  EXPECT_EQ(http2.talk.worker().counters.tunnels.running.get(), 1u);
  http2.send(headers(3, get("/other")));
  http2.talk.origin_sends(kOk);
  EXPECT_EQ(H2Peer::body(http2.peer.messages(), 3), "ok") << "beside it";
  http2.talk.origin(0).half_close();
  http2.send(data(1, "", true));
  frames = http2.peer.messages();
  ASSERT_FALSE(frames.empty());
  EXPECT_TRUE(frames.back().ends_stream());
  EXPECT_EQ(http2.talk.worker().counters.tunnels.running.get(), 0u);
  EXPECT_FALSE(http2.wire->is_closed());
}

TEST(H2Session, RefusesAWebSocketAsTheServerDoes) {
  for (const auto& [answer, status] :
       {std::pair("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", "403"), {kOk, "502"}}) {
    Http2 http2;
    http2.talk.reload(with_websockets());
    http2.send(headers(1, kWebSocket, false));
    http2.talk.origin_sends(answer);
    const auto frames = http2.peer.messages();
    ASSERT_FALSE(frames.empty());
    EXPECT_EQ(frames[0].field(":status"), status);
    http2.send(headers(3, get("/other")));
    http2.talk.origin_sends(kOk);
    EXPECT_EQ(H2Peer::body(http2.peer.messages(), 3), "ok");
  }
}

TEST(H2Session, AnswersWithPagesOfItsOwn) {
  Http2 http2;
  http2.talk.on_connect({Conversation::Connect::refuse, Conversation::Connect::refuse});
  http2.send(headers(1, get()));
  auto frames = http2.peer.messages();
  EXPECT_EQ(frames[0].field(":status"), "502");
  EXPECT_EQ(frames[0].field("connection"), "");
  EXPECT_TRUE(frames.back().ends_stream());
  http2.send(headers(3, {{":method", "CONNECT"}, {":authority", "a:443"}}, false));
  frames = http2.peer.messages();
  EXPECT_EQ(frames[0].field(":status"), "405");
  const std::size_t before = http2.talk.connections();
  http2.send(data(3, "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(http2.talk.connections(), before) << "what follows a CONNECT is no request";
}

TEST(H2Session, ResetsWhatItCannotComplete) {
  Http2 http2;
  http2.send(headers(1, get()));
  http2.talk.origin_sends("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
  http2.talk.origin().half_close();
  http2.talk.run();
  const auto frames = http2.peer.messages();
  ASSERT_EQ(frames.back().type, FrameType::rst_stream);
  EXPECT_EQ(frames.back().code(), ErrorCode::internal_error);
  http2.send(headers(3, get("/alive")));
  EXPECT_EQ(first_line(http2.talk.origin_gets()), "GET /alive HTTP/1.1") << "the connection lives";
}

TEST(H2Session, SaysNoErrorWhenItNeedsNoMoreOfARequest) {
  Http2 http2;
  http2.send(headers(1, post(), false) + data(1, "some"));
  http2.talk.origin_sends("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
  const auto frames = http2.peer.messages();
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0].field(":status"), "413");
  EXPECT_TRUE(frames[0].ends_stream());
  EXPECT_EQ(frames[1].code(), ErrorCode::no_error);
}

TEST(H2Session, UsesAStreamsSessionAgainWhenTheEndOfTheRequestComesLate) {
  Http2 http2;
  for (std::uint32_t stream = 1; stream < 600; stream += 2) {
    Fields request = post();
    request.emplace_back("content-length", "2");
    http2.send(headers(stream, request, false) + data(stream, "hi"));
    http2.talk.origin_sends(kOk);
    EXPECT_EQ(H2Peer::body(http2.peer.messages(), stream), "ok");
    http2.send(data(stream, "", true));
  }
  EXPECT_TRUE(http2.peer.messages().empty());
  EXPECT_EQ(http2.talk.connections(), 1u);
}

TEST(H2Session, StopsTheWorkForACancelledStream) {
  Http2 http2;
  http2.send(headers(1, get()));
  ASSERT_EQ(http2.talk.connections(), 1u);
  http2.send(frame(FrameType::rst_stream, 0, 1, u32(8)));
  EXPECT_TRUE(http2.talk.origin().is_closed());
  EXPECT_TRUE(http2.peer.messages().empty());
}

// ---- flow control ----------------------------------------------------------------------------

TEST(H2Session, KeepsToTheClientsWindows) {
  Http2 http2(settings({{Setting::initial_window_size, 10}}));
  http2.send(headers(1, get()));
  http2.talk.origin_sends("HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\nabcdefghijklmnopqrstuvwxyz");
  EXPECT_EQ(H2Peer::body(http2.peer.messages(), 1), "abcdefghij");
  http2.send(frame(FrameType::window_update, 0, 1, u32(5)));
  EXPECT_EQ(H2Peer::body(http2.peer.messages(), 1), "klmno");
  http2.send(settings({{Setting::initial_window_size, 5}}));
  http2.send(frame(FrameType::window_update, 0, 1, u32(5)));
  EXPECT_EQ(H2Peer::body(http2.peer.messages(), 1), "") << "the window was below zero (section 6.9.2)";
  http2.send(frame(FrameType::window_update, 0, 1, u32(100)));
  const auto frames = http2.peer.messages();
  EXPECT_EQ(H2Peer::body(frames, 1), "pqrstuvwxyz");
  EXPECT_TRUE(frames.back().ends_stream());
}

TEST(H2Session, SharesTheConnectionsWindow) {
  Http2 http2(settings({{Setting::initial_window_size, 1000000}}));
  const std::string body(100000, 'x');
  http2.send(headers(1, get()) + headers(3, get()));
  for (std::size_t i = 0; i < 2; ++i) {
    http2.talk.origin(i).send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + body);
  }
  http2.talk.run();
  std::size_t received[2] = {};
  auto count = [&] {
    const auto frames = http2.peer.messages();
    received[0] += H2Peer::body(frames, 1).size();
    received[1] += H2Peer::body(frames, 3).size();
  };
  count();
  EXPECT_EQ(received[0] + received[1], 65535u);
  for (int i = 0; i < 20; ++i) {
    http2.send(frame(FrameType::window_update, 0, 0, u32(10000)));
    count();
  }
  EXPECT_EQ(received[0], 100000u);
  EXPECT_EQ(received[1], 100000u);
}

TEST(H2Session, OpensTheWindowOnlyAsTheUpstreamTakesBytes) {
  Http2 http2;
  http2.send(headers(1, post(), false));
  http2.talk.origin().limit_room(0);
  std::uint32_t regained = 0;
  auto send = [&](int frames) {
    for (int i = 0; i < frames; ++i) http2.send(data(1, std::string(16000, 'x')));
    for (const Frame& each : http2.peer.frames())
      if (each.type == FrameType::window_update && each.stream == 1) regained += each.number();
  };
  send(4);
  EXPECT_LE(regained, 65536u);
  const std::uint32_t before = regained;
  send(0);
  EXPECT_EQ(regained, before) << "nothing moves while the upstream takes nothing";
  http2.talk.origin().make_room(testing::kAnySize);
  http2.talk.run();
  send(0);
  EXPECT_GT(regained, before);
}

TEST(H2Session, ReadsNothingWhileItsOutputIsNotTaken) {
  Http2 http2;
  http2.wire->limit_room(0);
  http2.send(frame(FrameType::ping, 0, 0, "12345678"));
  http2.talk.pass(std::chrono::seconds(31));
  EXPECT_TRUE(http2.wire->is_closed());
  EXPECT_EQ(http2.talk.worker().counters.h2.stalled.get(), 1u);
}

TEST(H2Session, MovesLargeBodiesInAnyPieces) {
  std::string body;
  for (int i = 0; i < 300000; ++i) body += static_cast<char>('a' + i % 26);
  for (const std::size_t at_once : {std::size_t{7}, std::size_t{4096}, testing::kAnySize}) {
    if (at_once == 7) body.resize(30000);
    Conversation talk;
    talk.use_pieces([at_once] { return at_once; });
    auto wire = talk.connect_http2();
    H2Peer peer(*wire);
    peer.send_preface();
    Fields request = post();
    peer.send(headers(1, request, false));
    talk.run();
    std::size_t sent = 0, window = 65535;
    std::string received, response;
    while (sent < body.size()) {
      const std::size_t size = std::min({body.size() - sent, window, std::size_t{16384}});
      peer.send(data(1, std::string_view(body).substr(sent, size), sent + size == body.size()));
      sent += size;
      window -= size;
      talk.run();
      received += talk.origin_gets();
      for (const Frame& each : peer.frames())
        if (each.type == FrameType::window_update && each.stream == 1) window += each.number();
      ASSERT_GT(window, 0u);
    }
    http::BodyDecoder decoder({http::Framing::chunked, 0});
    std::string payload;
    for (std::string_view rest = std::string_view(received).substr(received.find("\r\n\r\n") + 4); !rest.empty();) {
      const auto step = decoder.decode(rest);
      ASSERT_FALSE(step.error);
      payload += step.payload;
      if (step.consumed == 0) break;
      rest.remove_prefix(step.consumed);
    }
    EXPECT_TRUE(decoder.is_complete());
    EXPECT_EQ(payload, body);

    talk.origin_sends("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    bool ended = false;
    for (int i = 0; i < 100 && !ended; ++i) {
      const auto frames = peer.messages();
      response += H2Peer::body(frames, 1);
      ended = !frames.empty() && frames.back().ends_stream();
      peer.send(frame(FrameType::window_update, 0, 0, u32(30000)) +
                frame(FrameType::window_update, 0, 1, u32(30000)));
      talk.run();
    }
    EXPECT_EQ(response, body);
  }
}

// ---- the end ---------------------------------------------------------------------------------

TEST(H2Session, ClosesAfterIdling) {
  Http2 http2;
  http2.send(headers(1, get()));
  http2.talk.pass(std::chrono::seconds(50));
  http2.talk.origin_sends(kOk);
  http2.talk.pass(std::chrono::seconds(50));
  EXPECT_FALSE(http2.wire->ended()) << "idle since the end of the request";
  (void)http2.peer.messages();
  http2.talk.pass(std::chrono::seconds(11));
  const auto frames = http2.peer.messages();
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].code(), ErrorCode::no_error);
  EXPECT_EQ(frames[0].number(), 1u);
  EXPECT_TRUE(http2.wire->ended());
}

TEST(H2Session, LeavesInTwoSteps) {
  Http2 http2;
  http2.send(headers(1, get()));
  http2.talk.drain();
  auto frames = http2.peer.messages();
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].number(), 0x7fffffffu) << "the announcement";
  http2.send(headers(3, get()));
  EXPECT_EQ(http2.talk.connections(), 2u) << "what was under way is served";
  http2.talk.pass(std::chrono::milliseconds(1100));
  frames = http2.peer.messages();
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].number(), 3u);
  EXPECT_EQ(frames[0].code(), ErrorCode::no_error);
  http2.send(headers(5, get()));
  EXPECT_EQ(http2.talk.connections(), 2u) << "what comes behind it is not";
  EXPECT_TRUE(http2.peer.messages().empty());
  http2.talk.origin(0).send(kOk);
  http2.talk.origin(1).send(kOk);
  http2.talk.run();
  EXPECT_EQ(http2.peer.messages().size(), 4u) << "both answers arrive";
  EXPECT_TRUE(http2.wire->ended());
  http2.wire->half_close();
  http2.talk.pass(std::chrono::seconds(2));
  EXPECT_EQ(http2.talk.sessions(), 0u);
}

TEST(H2Session, AnnouncesTheEndWhileItServesOn) {
  Http2 http2;
  http2.talk.worker().announces_close = true;
  http2.send(headers(1, get()));
  http2.talk.origin_sends(kOk);
  auto frames = http2.peer.messages();
  EXPECT_EQ(frames[0].type, FrameType::goaway);
  EXPECT_EQ(frames[0].number(), 0x7fffffffu);
  EXPECT_EQ(H2Peer::body(frames, 1), "ok");
  http2.send(headers(3, get()));
  http2.talk.origin_sends(kOk);
  EXPECT_EQ(H2Peer::body(http2.peer.messages(), 3), "ok");
}

TEST(H2Session, AnswersAClientThatHasSaidAll) {
  Http2 http2;
  http2.send(headers(1, get()));
  http2.wire->half_close();
  http2.talk.run();
  EXPECT_FALSE(http2.wire->ended());
  http2.talk.origin_sends(kOk);
  EXPECT_EQ(H2Peer::body(http2.peer.messages(), 1), "ok");
  EXPECT_TRUE(http2.wire->ended());
}

TEST(H2Session, EndsAllItsWorkWithTheConnection) {
  Http2 http2;
  http2.send(headers(1, get()) + headers(3, get()));
  http2.wire->reset();
  http2.talk.run();
  EXPECT_TRUE(http2.wire->is_closed());
  EXPECT_TRUE(http2.talk.origin(0).is_closed());
  EXPECT_TRUE(http2.talk.origin(1).is_closed());
  EXPECT_EQ(http2.talk.sessions(), 1u) << "the first client of the test";
}

TEST(H2Session, KeepsFewSessionsWhileItIsIdle) {
  Http2 http2;
  auto sessions = [&] {
    std::size_t count = 0;
    http2.talk.worker().sessions.for_each([&](Session&) { ++count; });
    return count;
  };
  const std::size_t before = sessions();
  std::string requests;
  for (std::uint32_t i = 0; i < 100; ++i) requests += headers(2 * i + 1, get());
  http2.send(requests);
  EXPECT_EQ(sessions(), before + 100);
  for (std::size_t i = 0; i < 100; ++i) http2.talk.origin(i).send(kOk);
  http2.talk.run();
  EXPECT_EQ(http2.peer.messages().size(), 200u);
  EXPECT_EQ(sessions(), before + 8);
  http2.send(headers(201, get("/next")));
  http2.talk.origin_sends(kOk);
  EXPECT_EQ(H2Peer::body(http2.peer.messages(), 201).size(), 2u);
}

TEST(H2Session, OutlivesTheSessionsOfItsStreams) {
  Http2 http2;
  http2.send(headers(1, get()));
  http2.talk.origin_sends(kOk);
  (void)http2.peer.messages();
  for (std::uint32_t stream = 3; stream < 9; stream += 2) {
    http2.talk.pass(std::chrono::seconds(45));
    http2.send(headers(stream, get()));
    http2.talk.origin_sends(kOk);
    EXPECT_EQ(H2Peer::body(http2.peer.messages(), stream), "ok");
  }
}

}  // namespace
}  // namespace vipair::proxy
