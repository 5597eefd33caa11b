#include "proxy/server/client_opening.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/conversation.h"
#include "tests/support/tls_peer.h"

namespace vipair::proxy {
namespace {

using testing::Authority;
using testing::Conversation;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using testing::Issued;
using testing::MemoryStream;
using ::testing::StartsWith;
using testing::TemporaryFolder;
using testing::TlsPeer;
using testing::Wire;
using namespace std::chrono_literals;

// A worker whose clients come over TLS to the site a.test.
struct Fixture {
  TemporaryFolder folder;
  Authority authority;
  Issued own = authority.issue("DNS:a.test");
  TicketKeys tickets{WallTime(std::chrono::seconds(std::time(nullptr)))};
  Conversation talk;

  explicit Fixture(std::size_t handshakes = 100) {
    Config config = testing::simple_config();
    config.listeners[0].tls = true;
    config.tls.handshakes = handshakes;
    config.certificates = {
        {{folder.write("own.pem", own.pem()), "", 0, ""}, {folder.write("own.key", own.key_pem()), "", 0, ""}, {}}};
    auto tls = TlsContexts::load(config, tickets, WallTime(std::chrono::seconds(std::time(nullptr))), nullptr);
    SnapshotFiles files;
    files.tls = std::move(tls).value();
    talk.worker().use(make_snapshot(config, 1, nullptr, std::move(files)));
  }
  struct Client {
    std::shared_ptr<Wire> wire = std::make_shared<Wire>();
    TlsPeer peer{wire};
  };
  std::unique_ptr<Client> connect() {
    auto client = std::make_unique<Client>();
    auto stream = std::make_unique<MemoryStream>(client->wire);
    client->wire->accept();
    const ClientInfo info(*IpEndpoint::parse("192.0.2.9:5000"), *IpEndpoint::parse("192.0.2.100:443"));
    auto opening = std::make_unique<ClientOpening>(talk.worker(), std::move(stream), info, false);
    talk.worker().sessions.push_back(*opening);
    opening.release()->start();
    return client;
  }
  bool shake_hands(Client& client) {
    for (int i = 0; i < 5; ++i) {
      client.peer.pump();
      talk.run();
    }
    return client.peer.handshake();
  }
};

TEST(ClientOpening, HandsOverToASessionThatServesHttps) {
  Fixture f;
  auto client = f.connect();
  EXPECT_EQ(f.talk.worker().opening_count, 1u);
  ASSERT_TRUE(f.shake_hands(*client));
  EXPECT_EQ(f.talk.worker().opening_count, 0u);
  EXPECT_EQ(f.talk.worker().counters.tls.full.get(), 1u);
  client->peer.send("GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n");
  f.talk.run();
  const std::string request = f.talk.origin_gets();
  EXPECT_THAT(request, StartsWith("GET /x HTTP/1.1\r\n"));
  EXPECT_THAT(request, HasSubstr("X-Forwarded-Proto: https\r\n"));
  EXPECT_THAT(request, HasSubstr("proto=https\r\n"));
  f.talk.origin_sends("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_THAT(client->peer.take(), EndsWith("\r\n\r\nhello"));
  EXPECT_EQ(f.talk.sessions(), 2u) << "this one, and the conversation's own";
  client->peer.close();
  f.talk.run();
  EXPECT_EQ(f.talk.sessions(), 1u);
}

TEST(ClientOpening, ARequestThatComesWithTheHandshakesEndIsServed) {
  Fixture f;
  auto client = f.connect();
  client->peer.pump();
  f.talk.run();
  client->peer.pump();  // the client is done, its last message is on its way
  client->peer.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
  f.talk.run();
  EXPECT_THAT(f.talk.origin_gets(), StartsWith("GET / HTTP/1.1\r\n"));
}

TEST(ClientOpening, HasATimeLimit) {
  Fixture f;
  auto client = f.connect();
  client->wire->send("\x16\x03\x01");
  f.talk.pass(9s);
  EXPECT_EQ(f.talk.worker().opening_count, 1u);
  f.talk.pass(2s);
  EXPECT_EQ(f.talk.worker().opening_count, 0u);
  EXPECT_TRUE(client->wire->is_closed());
  EXPECT_EQ(f.talk.worker().counters.tls.timed_out.get(), 1u);
}

TEST(ClientOpening, TheOldestGivesWay) {
  Fixture f(3);
  std::vector<std::unique_ptr<Fixture::Client>> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(f.connect());
  f.talk.run();
  EXPECT_EQ(f.talk.worker().opening_count, 3u);
  EXPECT_EQ(f.talk.worker().counters.tls.gave_way.get(), 2u);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(clients[i]->wire->is_closed(), i < 2) << i;
  EXPECT_TRUE(f.shake_hands(*clients[4]));
}

TEST(ClientOpening, PlainHttpAndAnEarlyEndAreCounted) {
  Fixture f;
  auto plain = f.connect();
  plain->wire->send("GET / HTTP/1.1\r\n\r\n");
  auto gone = f.connect();
  gone->wire->half_close();
  f.talk.run();
  EXPECT_EQ(f.talk.worker().counters.tls.failed.get(), 2u);
  EXPECT_EQ(f.talk.sessions(), 1u);
}

}  // namespace
}  // namespace vipair::proxy
