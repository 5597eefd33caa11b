#include "proxy/server/tunnel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/support/conversation.h"

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using testing::Conversation;
using ::testing::EndsWith;
using testing::field;
using testing::first_line;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::simple_config;
using ::testing::StartsWith;

const std::string kAsk =
    "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const std::string kSwitch =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    "HSmrc0sMlYUkAGmm5OPpG2HaGWk=\r\n\r\n";

struct Chat : Conversation {
  explicit Chat(Config config = simple_config()) : Conversation(std::move(config)) {
    client_sends(kAsk);
    origin_gets();
    origin_sends(kSwitch);
    client_gets();
  }
};

TEST(Tunnel, IsMadeByAnAnswerToWhatWasAsked) {
  Conversation talk;
  talk.client_sends(kAsk);
  const std::string request = talk.origin_gets();
  EXPECT_EQ(field(request, "Upgrade"), "websocket");
  EXPECT_EQ(field(request, "Connection"), "Upgrade");
  EXPECT_EQ(field(request, "Sec-WebSocket-Version"), "13");
  talk.origin_sends(kSwitch);
  const std::string response = talk.client_gets();
  EXPECT_EQ(first_line(response), "HTTP/1.1 101 Switching Protocols");
  EXPECT_EQ(field(response, "Upgrade"), "websocket");
  EXPECT_EQ(field(response, "Connection"), "Upgrade");
  EXPECT_EQ(field(response, "Sec-WebSocket-Accept"), "HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
  talk.client_sends("\x01ping");
  EXPECT_EQ(talk.origin_gets(), "\x01ping");
  talk.origin_sends("\x02pong");
  EXPECT_EQ(talk.client_gets(), "\x02pong");
  EXPECT_EQ(talk.worker().counters.tunnels.running.get(), 1u);
  EXPECT_EQ(talk.worker().counters.tunnels.upgrades.get(), 1u);
}

TEST(Tunnel, LosesNoByteThatCameWithAHead) {
  Conversation talk;
  talk.client_sends(kAsk + "early");
  EXPECT_THAT(talk.origin_gets(), EndsWith("\r\n\r\n"));
  talk.origin_sends(kSwitch + "hello");
  EXPECT_EQ(talk.origin_gets(), "early");
  EXPECT_THAT(talk.client_gets(), EndsWith("\r\n\r\nhello"));
}

TEST(Tunnel, ComesAfterABodyToo) {
  Config config = simple_config();
  config.sites[0].routes[0].upgrades = {"tcp"};
  Conversation talk(config);
  talk.client_sends(
      "POST /exec HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 4\r\n\r\nbo");
  talk.client_sends("dyrest");
  EXPECT_THAT(talk.origin_gets(), EndsWith("\r\n\r\nbody"));
  talk.origin_sends("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
  EXPECT_EQ(talk.origin_gets(), "rest");
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 101 UPGRADED");
}

TEST(Tunnel, IsNotOfferedWhereItIsNotAllowed) {
  struct Case {
    const char* what;
    std::string request;
  };
  const Case cases[] = {
      {"another protocol", "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"},
      {"h2c",
       "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
       "HTTP2-Settings: AAMAAABk\r\n\r\n"},
      {"not named by Connection", "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n"},
      {"HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"},
  };
  for (const Case& c : cases) {
    Conversation talk;
    talk.client_sends(c.request);
    const std::string request = talk.origin_gets();
    EXPECT_EQ(field(request, "Upgrade"), "") << c.what;
    EXPECT_EQ(field(request, "Connection"), "") << c.what;
    talk.origin_sends(kSwitch);
    EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 502 Bad Gateway") << c.what;
  }
}

TEST(Tunnel, IsAskedForByTheFirstProtocolThatIsAllowed) {
  Conversation talk;
  talk.client_sends(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c, WebSocket, other\r\nTE: trailers\r\n\r\n");
  const std::string request = talk.origin_gets();
  EXPECT_EQ(field(request, "Upgrade"), "WebSocket");
  EXPECT_EQ(field(request, "Connection"), "Upgrade, TE");
}

TEST(Tunnel, IsRefusedWhenTheAnswerIsAnother) {
  for (const char* answer : {
           "HTTP/1.1 101 x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
           "HTTP/1.1 101 x\r\nUpgrade: websocket, h2c\r\nConnection: Upgrade\r\n\r\n",
           "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
           "HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n",
           "HTTP/1.1 101 x\r\nConnection: Upgrade\r\n\r\n",
       }) {
    Conversation talk;
    talk.client_sends(kAsk);
    talk.origin_sends(answer);
    EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 502 Bad Gateway") << answer;
  }
}

TEST(Tunnel, IsNoTunnelWhenTheServerDeclines) {
  Conversation talk;
  talk.client_sends(kAsk);
  talk.origin_gets();
  talk.origin_sends("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_THAT(talk.client_gets(), EndsWith("no"));
  talk.client_sends("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(first_line(talk.origin_gets()), "GET /next HTTP/1.1");
  EXPECT_EQ(talk.worker().counters.tunnels.upgrades.get(), 0u);
}

TEST(Tunnel, KeepsAHalfThatIsStillOpen) {
  Chat talk;
  talk.client_sends("last words");
  talk.client().half_close();
  talk.run();
  EXPECT_EQ(talk.origin_gets(), "last words");
  EXPECT_TRUE(talk.origin().ended());
  EXPECT_FALSE(talk.client().ended());
  talk.origin_sends("answer");
  EXPECT_EQ(talk.client_gets(), "answer");
  talk.origin().half_close();
  talk.run();
  EXPECT_TRUE(talk.client().is_closed());
  EXPECT_FALSE(talk.client().was_aborted());
  EXPECT_EQ(talk.sessions(), 0u);
  EXPECT_EQ(talk.worker().counters.tunnels.running.get(), 0u);
}

TEST(Tunnel, PassesAResetOn) {
  {
    Chat talk;
    talk.client().reset();
    talk.run();
    EXPECT_TRUE(talk.origin().was_aborted());
    EXPECT_TRUE(talk.origin().is_closed());
    EXPECT_EQ(talk.sessions(), 0u);
  }
  {
    Chat talk;
    talk.origin().reset();
    talk.run();
    EXPECT_TRUE(talk.client().was_aborted());
    EXPECT_TRUE(talk.client().is_closed());
  }
}

TEST(Tunnel, TakesNoMoreThanTheOtherSideTakes) {
  Chat talk;
  talk.origin().limit_room(1000);
  talk.client_sends(std::string(300000, 'x'));
  EXPECT_TRUE(talk.client().holds_unread());
  EXPECT_EQ(talk.origin_gets().size(), 1000u);
  std::size_t got = 1000;
  while (got < 300000) {
    talk.origin().make_room(10000);
    talk.run();
    const std::size_t more = talk.origin_gets().size();
    ASSERT_GT(more, 0u);
    got += more;
  }
  EXPECT_EQ(got, 300000u);
}

TEST(Tunnel, EndsWhenNobodySaysAWord) {
  Config config = simple_config();
  config.timeouts.tunnel_idle = 60s;
  Chat talk(config);
  for (int i = 0; i < 5; ++i) {
    talk.pass(40s);
    if (i % 2 == 0) talk.client_sends("x");
    if (i % 2 == 1) talk.origin_sends("x");
    EXPECT_FALSE(talk.client().is_closed());
  }
  talk.pass(61s);
  EXPECT_TRUE(talk.client().is_closed());
  EXPECT_FALSE(talk.client().was_aborted());
  EXPECT_TRUE(talk.origin().is_closed());
}

TEST(Tunnel, LastsForAWhileWhenTheProxyStops) {
  Config config = simple_config();
  config.timeouts.tunnel_drain = 10s;
  Chat talk(config);
  talk.drain();
  talk.pass(8s);
  talk.client_sends("x");
  EXPECT_EQ(talk.origin_gets(), "x");
  talk.pass(4s);
  EXPECT_TRUE(talk.client().is_closed());
  EXPECT_EQ(talk.sessions(), 0u);
}

TEST(Tunnel, OutlivesAReload) {
  Chat talk;
  talk.reload(simple_config());
  talk.run();
  talk.client_sends("still here");
  EXPECT_EQ(talk.origin_gets(), "still here");
}

TEST(Tunnel, IsLoggedWithTheBytesOfBothSides) {
  Chat talk;
  talk.client_sends("12345");
  talk.origin_sends("123");
  talk.client().half_close();
  talk.origin().half_close();
  talk.run();
  EXPECT_EQ(talk.worker().counters.bytes_from_clients.get(), 5u);
  EXPECT_EQ(talk.worker().counters.bytes_to_clients.get(), 3u);
  EXPECT_EQ(talk.worker().counters.responses[1].get(), 1u);
}

TEST(Tunnel, HasTheSameBytesInWhateverPiecesTheyCome) {
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    Conversation talk;
    talk.use_pieces([&] { return 1 + random() % 5000; });
    talk.client_sends(kAsk);
    for (int i = 0; i < 50; ++i) talk.run();
    talk.origin_sends(kSwitch);
    talk.client_gets();
    std::string up, down;
    for (int i = 0; i < 40; ++i) {
      const std::string piece(random() % 20000, static_cast<char>('a' + i % 26));
      (i % 2 == 0 ? up : down) += piece;
      i % 2 == 0 ? talk.client_sends(piece) : talk.origin_sends(piece);
    }
    talk.client().half_close();
    talk.origin().half_close();
    talk.run();
    EXPECT_THAT(talk.origin_gets(), EndsWith(up));
    EXPECT_THAT(talk.client_gets(), EndsWith(down));
    EXPECT_EQ(talk.sessions(), 0u);
  }
}

}  // namespace
}  // namespace vipair::proxy
