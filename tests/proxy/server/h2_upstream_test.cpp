#include "proxy/server/h2_upstream.h"

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
using testing::Fields;
using testing::first_line;
using testing::Frame;
using testing::frame;
using testing::H2Peer;
using ::testing::HasSubstr;
using testing::headers;
using testing::settings;
using testing::u32;

constexpr const char* kGet = "GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n";

Config h2_config() {
  Config config = testing::simple_config();
  config.sites[0].upstreams[0].protocol = UpstreamProtocol::h2;
  return config;
}

// A client that speaks HTTP/1.1 and an origin that speaks HTTP/2.
struct Origin {
  Conversation talk{h2_config()};
  std::unique_ptr<H2Peer> peer;

  // Takes the last connection.
  void accept(std::string_view origin_settings = {}) {
    peer = std::make_unique<H2Peer>(talk.origin());
    talk.origin().send(origin_settings.empty() ? settings() : origin_settings);
    talk.run();
  }
  void send(std::string_view bytes) {
    peer->send(bytes);
    talk.run();
  }
};

Fields ok(Fields more = {}) {
  Fields fields{{":status", "200"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

TEST(H2Upstream, CarriesARequestAndItsResponse) {
  Origin origin;
  origin.talk.client_sends(kGet);
  origin.accept();
  auto frames = origin.peer->messages();
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].stream, 1u);
  EXPECT_EQ(frames[0].field(":method"), "GET");
  EXPECT_EQ(frames[0].field(":scheme"), "http");
  EXPECT_EQ(frames[0].field(":path"), "/x");
  EXPECT_EQ(frames[0].field(":authority"), "a.example");
  EXPECT_EQ(frames[0].field("x-forwarded-for"), "192.0.2.7");
  EXPECT_TRUE(frames[0].ends_stream());
  origin.send(headers(1, ok({{"content-length", "5"}}), false) + data(1, "hello", true));
  EXPECT_EQ(body_of(origin.talk.client_gets()), "hello");
}

TEST(H2Upstream, SharesOneConnection) {
  Origin origin;
  auto second = origin.talk.connect();
  origin.talk.client_sends(kGet);
  origin.accept();
  second->send(kGet);
  origin.talk.run();
  EXPECT_EQ(origin.talk.connections(), 1u);
  EXPECT_EQ(origin.peer->messages().size(), 2u);
  origin.send(headers(3, ok(), false) + data(3, "three", true) + headers(1, ok(), false) + data(1, "one", true));
  EXPECT_THAT(second->take(), HasSubstr("three"));
  EXPECT_THAT(origin.talk.client_gets(), HasSubstr("one"));
  origin.talk.client_sends(kGet);
  EXPECT_EQ(origin.peer->messages().at(0).stream, 5u);
}

TEST(H2Upstream, PassesBodiesTrailersAndInterimResponses) {
  Conversation talk(h2_config());
  auto wire = talk.connect_http2();
  H2Peer client(*wire);
  client.send_preface();
  Fields request = testing::post("/pkg.Service/Call");
  request.emplace_back("te", "trailers");
  request.emplace_back("content-type", "application/grpc");
  client.send(headers(1, request, false) + data(1, "ping"));
  talk.run();
  (void)client.frames();
  H2Peer origin(talk.origin());
  origin.send(settings());
  talk.run();
  auto frames = origin.messages();
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0].field("te"), "trailers");
  EXPECT_EQ(frames[1].payload, "ping");
  origin.send(headers(1, {{":status", "103"}, {"link", "x"}}, false) + headers(1, ok(), false) + data(1, "pong"));
  talk.run();
  frames = client.messages();
  ASSERT_EQ(frames.size(), 3u) << "both directions run at once";
  EXPECT_EQ(frames[0].field(":status"), "103");
  EXPECT_EQ(frames[2].payload, "pong");
  client.send(data(1, "end", true));
  talk.run();
  EXPECT_EQ(H2Peer::body(origin.messages(), 1), "end");
  origin.send(headers(1, {{"grpc-status", "0"}}));
  talk.run();
  frames = client.messages();
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].field("grpc-status"), "0");
  EXPECT_TRUE(frames[0].ends_stream());
}

TEST(H2Upstream, SendsWhatWasRefusedOnceMore) {
  Origin origin;
  origin.talk.client_sends("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
  origin.accept();
  EXPECT_EQ(H2Peer::body(origin.peer->messages(), 1), "hi");
  origin.send(frame(FrameType::rst_stream, 0, 1, u32(static_cast<std::uint32_t>(ErrorCode::refused_stream))));
  const auto frames = origin.peer->messages();
  ASSERT_FALSE(frames.empty());
  EXPECT_EQ(frames[0].stream, 3u);
  origin.send(frame(FrameType::rst_stream, 0, 3, u32(static_cast<std::uint32_t>(ErrorCode::refused_stream))));
  EXPECT_EQ(first_line(origin.talk.client_gets()), "HTTP/1.1 502 Bad Gateway") << "but not for ever";
}

TEST(H2Upstream, SendsWhatAGoawayExcludesOnANewConnection) {
  Origin origin;
  auto second = origin.talk.connect();
  origin.talk.client_sends(kGet);
  origin.accept();
  second->send(kGet);
  origin.talk.run();
  (void)origin.peer->messages();
  origin.send(frame(FrameType::goaway, 0, 0, u32(1) + u32(0)));
  EXPECT_EQ(origin.talk.connections(), 2u);
  origin.send(headers(1, ok(), false) + data(1, "one", true));
  EXPECT_THAT(origin.talk.client_gets(), HasSubstr("one")) << "the other one is completed";
  origin.accept();
  EXPECT_EQ(origin.peer->messages().at(0).field(":path"), "/x");
  origin.send(headers(1, ok(), false) + data(1, "two", true));
  EXPECT_THAT(second->take(), HasSubstr("two"));
}

TEST(H2Upstream, KeepsToTheStreamsTheServerAllows) {
  Origin origin;
  origin.talk.client_sends(kGet);
  origin.accept(settings({{Setting::max_concurrent_streams, 1}}));
  auto second = origin.talk.connect();
  second->send(kGet);
  origin.talk.run();
  EXPECT_EQ(origin.talk.connections(), 2u);
}

TEST(H2Upstream, TellsAClientOfABrokenResponse) {
  Origin origin;
  origin.talk.client_sends(kGet);
  origin.accept();
  origin.send(headers(1, ok({{"content-length", "100"}}), false) + data(1, "half"));
  origin.send(frame(FrameType::rst_stream, 0, 1, u32(2)));
  EXPECT_TRUE(origin.talk.client().was_aborted());

  Origin other;
  other.talk.client_sends(kGet);
  other.accept();
  other.send(headers(1, ok({{"content-length", "100"}}), false) + data(1, "half", true));
  EXPECT_TRUE(other.talk.client().was_aborted()) << "less than its length";
}

TEST(H2Upstream, RefusesMalformedResponses) {
  const std::vector<Fields> malformed = {{{"x", "y"}},
                                         {{":status", "200"}, {"Upper", "1"}},
                                         {{":status", "101"}},
                                         {{":status", "200"}, {"x", "1\r\nevil: 2"}}};
  for (const Fields& fields : malformed) {
    Origin origin;
    origin.talk.client_sends(kGet);
    origin.accept();
    origin.send(headers(1, fields));
    EXPECT_EQ(first_line(origin.talk.client_gets()), "HTTP/1.1 502 Bad Gateway");
  }
}

TEST(H2Upstream, SaysBadGatewayWhenNobodyListens) {
  Conversation talk(h2_config());
  talk.on_connect({Conversation::Connect::refuse, Conversation::Connect::refuse});
  talk.client_sends(kGet);
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 502 Bad Gateway");
}

TEST(H2Upstream, GivesUpOnAServerThatDoesNotAnswerTheConnect) {
  Conversation talk(h2_config());
  talk.on_connect({Conversation::Connect::hang, Conversation::Connect::hang});
  talk.client_sends(kGet);
  talk.pass(std::chrono::seconds(12));
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 504 Gateway Timeout");
}

TEST(H2Upstream, ClosesAnIdleConnection) {
  Origin origin;
  origin.talk.client_sends(kGet);
  origin.accept();
  origin.send(headers(1, ok(), false) + data(1, "one", true));
  origin.talk.pass(std::chrono::seconds(5));
  EXPECT_TRUE(origin.peer->messages().back().type == FrameType::goaway);
  origin.talk.client_sends(kGet);
  EXPECT_EQ(origin.talk.connections(), 2u);
}

TEST(H2Upstream, CancelsTheStreamOfAClientThatLeft) {
  Origin origin;
  origin.talk.client_sends(kGet);
  origin.accept();
  (void)origin.peer->messages();
  origin.talk.client().reset();
  origin.talk.run();
  const auto frames = origin.peer->messages();
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].code(), ErrorCode::cancel);
  EXPECT_FALSE(origin.talk.origin().is_closed());
}

}  // namespace
}  // namespace vipair::proxy
