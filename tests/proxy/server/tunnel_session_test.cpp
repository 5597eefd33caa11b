#include "proxy/server/tunnel_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/conversation.h"

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;
using testing::Conversation;
using testing::simple_config;
using testing::Wire;

constexpr const char* kAddress = "192.0.2.100:5432";

// A service with servers 10.0.1.1:5432 and 10.0.1.2:5432 at kAddress.
Config tcp_config() {
  Config config = simple_config();
  TcpService service;
  service.name = "db";
  service.addresses = {*IpEndpoint::parse(kAddress)};
  Upstream upstream;
  upstream.name = "db";
  for (const char* server : {"10.0.1.1:5432", "10.0.1.2:5432"}) {
    upstream.servers.push_back({server, *IpEndpoint::parse(server)});
  }
  upstream.connect_timeout = 5s;
  service.upstreams = {upstream};
  service.upstream = 0;
  service.idle_timeout = 60s;
  config.tcp = {service};
  return config;
}

// a.example goes to 10.0.2.1:443, *.b.example to 10.0.2.2:443, nobody else anywhere.
Config sni_config() {
  Config config = tcp_config();
  TcpService& service = config.tcp[0];
  service.upstreams.clear();
  for (const char* server : {"10.0.2.1:443", "10.0.2.2:443"}) {
    Upstream upstream;
    upstream.name = server;
    upstream.servers = {{server, *IpEndpoint::parse(server)}};
    upstream.connect_timeout = 5s;
    service.upstreams.push_back(upstream);
  }
  service.sni = {{{"a.example"}, 0}, {{"*.b.example"}, 1}};
  service.upstream.reset();
  return config;
}

std::string sized(const std::string& text) {
  return std::string{static_cast<char>(text.size() >> 8), static_cast<char>(text.size())} + text;
}
std::string hello(const std::string& name) {
  const std::string zero(1, '\0');
  const std::string extension = zero + zero + sized(sized(zero + sized(name)));
  const std::string body = "\x03\x03" + std::string(32, 'r') + zero + sized("\x13\x01") + "\x01" + zero +
                           sized(name.empty() ? "" : extension);
  return "\x16\x03\x01" + sized("\x01" + zero + sized(body));
}

struct Talk : Conversation {
  explicit Talk(Config config = tcp_config()) : Conversation(std::move(config)), peer(connect_to(kAddress)) {
    run();
  }
  void sends(std::string_view bytes) {
    peer->send(bytes);
    run();
  }
  std::shared_ptr<Wire> peer;
};

TEST(TunnelSession, JoinsAClientWithAServer) {
  Talk talk;
  ASSERT_EQ(talk.connections(), 1u) << "a server may be the first to speak";
  EXPECT_EQ(talk.server_of(0).to_string(), "10.0.1.1:5432");
  talk.origin_sends("welcome");
  EXPECT_EQ(talk.peer->take(), "welcome");
  talk.sends("query");
  EXPECT_EQ(talk.origin_gets(), "query");
  talk.peer->half_close();
  talk.run();
  EXPECT_TRUE(talk.origin().ended());
  talk.origin_sends("result");
  talk.origin().half_close();
  talk.run();
  EXPECT_EQ(talk.peer->take(), "result");
  EXPECT_TRUE(talk.peer->is_closed());
  EXPECT_FALSE(talk.peer->was_aborted());
  EXPECT_EQ(talk.worker().counters.tunnels.connections.get(), 1u);
  EXPECT_EQ(talk.worker().counters.tunnels.running.get(), 0u);
  EXPECT_EQ(talk.worker().counters.bytes_from_clients.get(), 5u);
  EXPECT_EQ(talk.worker().counters.bytes_to_clients.get(), 13u);
}

TEST(TunnelSession, TriesAnotherServer) {
  Conversation talk(tcp_config());
  talk.on_connect({Conversation::Connect::refuse});
  auto peer = talk.connect_to(kAddress);
  talk.run();
  ASSERT_EQ(talk.connections(), 2u);
  EXPECT_EQ(talk.server_of(1).to_string(), "10.0.1.2:5432");
  talk.origin_sends("welcome");
  EXPECT_EQ(peer->take(), "welcome");
  EXPECT_EQ(talk.worker().counters.retries.get(), 1u);
}

TEST(TunnelSession, ResetsAClientThatNobodyTakes) {
  for (auto outcome : {Conversation::Connect::refuse, Conversation::Connect::hang}) {
    Conversation talk(tcp_config());
    talk.on_connect({outcome, outcome});
    auto peer = talk.connect_to(kAddress);
    talk.run();
    talk.pass(11s);
    EXPECT_EQ(talk.connections(), 2u);
    EXPECT_TRUE(peer->is_closed());
    EXPECT_TRUE(peer->was_aborted());
  }
}

TEST(TunnelSession, PassesAResetOn) {
  {
    Talk talk;
    talk.peer->reset();
    talk.run();
    EXPECT_TRUE(talk.origin().was_aborted());
  }
  {
    Talk talk;
    talk.origin().reset();
    talk.run();
    EXPECT_TRUE(talk.peer->was_aborted());
    EXPECT_TRUE(talk.peer->is_closed());
  }
}

TEST(TunnelSession, EndsWhenNobodySaysAWordOrTheProxyStops) {
  {
    Talk talk;
    talk.pass(50s);
    talk.origin_sends("x");
    talk.pass(50s);
    EXPECT_FALSE(talk.peer->is_closed());
    talk.pass(11s);
    EXPECT_TRUE(talk.peer->is_closed());
  }
  {
    Talk talk;
    talk.drain();
    talk.pass(9s);
    EXPECT_FALSE(talk.peer->is_closed());
    talk.pass(2s);
    EXPECT_TRUE(talk.peer->is_closed());
  }
}

TEST(TunnelSession, OutlivesAReloadThatTakesItsServiceAway) {
  Talk talk;
  talk.reload(simple_config());
  talk.run();
  talk.sends("still here");
  EXPECT_EQ(talk.origin_gets(), "still here");
}

TEST(TunnelSession, WaitsUntilAServerHasRoom) {
  Config config = tcp_config();
  Upstream& upstream = config.tcp[0].upstreams[0];
  upstream.servers.resize(1);
  upstream.servers[0].max_connections = 1;
  Talk talk(config);
  auto second = talk.connect_to(kAddress, "192.0.2.7:50001");
  talk.run();
  EXPECT_EQ(talk.connections(), 1u);
  talk.reload(config);
  talk.reload(testing::simple_config());
  talk.peer->half_close();
  talk.origin(0).half_close();
  talk.run();
  ASSERT_EQ(talk.connections(), 2u) << "the first one has ended, though its upstream is gone since";
  talk.origin_sends("welcome");
  EXPECT_EQ(second->take(), "welcome");
}

TEST(TunnelSession, KeepsAClientsServerWithHashing) {
  Config config = tcp_config();
  config.tcp[0].upstreams[0].balancing.algorithm = policy::Algorithm::hash;
  Talk talk(config);
  for (int i = 0; i < 5; ++i) {
    auto again = talk.connect_to(kAddress);
    talk.run();
    EXPECT_EQ(talk.server_of(talk.connections() - 1), talk.server_of(0));
  }
}

TEST(TunnelSession, GoesWhereTheNameSays) {
  for (const auto& [name, server] : std::vector<std::pair<std::string, std::string>>{
           {"a.example", "10.0.2.1:443"}, {"A.EXAMPLE", "10.0.2.1:443"}, {"x.y.b.example", "10.0.2.2:443"}}) {
    Talk talk(sni_config());
    EXPECT_EQ(talk.connections(), 0u);
    const std::string first = hello(name);
    talk.sends(first.substr(0, 20));
    EXPECT_EQ(talk.connections(), 0u);
    talk.sends(first.substr(20) + "and more");
    ASSERT_EQ(talk.connections(), 1u) << name;
    EXPECT_EQ(talk.server_of(0).to_string(), server);
    EXPECT_EQ(talk.origin_gets(), first + "and more") << "nothing of it was taken or changed";
  }
}

TEST(TunnelSession, RefusesANameThatNobodyTakes) {
  for (const char* name : {"b.example", "other.example", ""}) {
    Talk talk(sni_config());
    talk.sends(hello(name));
    EXPECT_EQ(talk.connections(), 0u) << name;
    EXPECT_TRUE(talk.peer->is_closed());
    EXPECT_EQ(talk.worker().counters.tunnels.unknown_names.get(), 1u);
  }
  Config config = sni_config();
  config.tcp[0].upstream = 1;
  for (const std::string& first : {hello("other.example"), hello(""), std::string("SSH-2.0-x\r\n")}) {
    Talk talk(config);
    talk.sends(first);
    ASSERT_EQ(talk.connections(), 1u);
    EXPECT_EQ(talk.server_of(0).to_string(), "10.0.2.2:443");
    EXPECT_EQ(talk.origin_gets(), first);
  }
}

TEST(TunnelSession, RefusesWhatIsNoTlsClient) {
  Talk talk(sni_config());
  talk.sends("GET / HTTP/1.1\r\n");
  EXPECT_TRUE(talk.peer->is_closed());
  EXPECT_EQ(talk.connections(), 0u);
  const auto& refused = talk.worker().counters.tunnels.bad_hellos;
  EXPECT_EQ(refused[static_cast<std::size_t>(policy::ClientHelloError::not_tls)].get(), 1u);
}

TEST(TunnelSession, DoesNotWaitForAHelloForEver) {
  Talk talk(sni_config());
  talk.sends(hello("a.example").substr(0, 10));
  talk.pass(9s);
  EXPECT_FALSE(talk.peer->is_closed());
  talk.pass(2s);
  EXPECT_TRUE(talk.peer->is_closed());
}

}  // namespace
}  // namespace vipair::proxy
