#include "proxy/server/proxy_opening.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/conversation.h"

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;
using testing::Conversation;
using testing::field;
using testing::simple_config;
using ::testing::StartsWith;
using testing::Wire;

constexpr const char* kListener = "192.0.2.100:81";
constexpr const char* kTrusted = "10.9.0.1:4000";
const std::string kLine = "PROXY TCP4 203.0.113.9 198.51.100.1 50123 443\r\n";
const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

Config proxied_config() {
  Config config = simple_config();
  Listener listener;
  listener.address = *IpEndpoint::parse(kListener);
  listener.proxy_protocol = true;
  config.listeners.push_back(listener);
  config.trusted_proxies = {*IpPrefix::parse("10.9.0.0/24")};
  return config;
}

struct Talk : Conversation {
  explicit Talk(Config config = proxied_config(), const char* from = kTrusted)
      : Conversation(std::move(config)), peer(connect_to(kListener, from)) {
    run();
  }
  void sends(std::string_view bytes) {
    peer->send(bytes);
    run();
  }
  const ProxyHeaderCounters& counters() { return worker().counters.proxy_headers; }
  std::shared_ptr<Wire> peer;
};

TEST(ProxyOpening, TellsWhoTheClientIs) {
  Talk talk;
  talk.sends(kLine + kGet);
  const std::string request = talk.origin_gets();
  EXPECT_EQ(field(request, "X-Forwarded-For"), "203.0.113.9");
  talk.origin_sends("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_THAT(talk.peer->take(), StartsWith("HTTP/1.1 204"));
  EXPECT_EQ(talk.counters().accepted.get(), 1u);
  talk.sends(kGet);
  EXPECT_EQ(field(talk.origin_gets(), "X-Forwarded-For"), "203.0.113.9") << "for the whole connection";
}

TEST(ProxyOpening, DoesNotBelieveWhatThatClientSaysOfOthers) {
  Talk talk;
  talk.sends(kLine + "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n");
  EXPECT_EQ(field(talk.origin_gets(), "X-Forwarded-For"), "203.0.113.9");
}

TEST(ProxyOpening, ReadsAHeaderInPieces) {
  http::Buffer block;
  policy::append_proxy_header(block, policy::ProxyProtocol::v2,
                              {*IpEndpoint::parse("[2001:db8::9]:50123"), *IpEndpoint::parse("[2001:db8::1]:443")});
  for (const std::string& header : {kLine, std::string(block.view())}) {
    Talk talk;
    for (char byte : header + kGet) talk.sends({&byte, 1});
    EXPECT_THAT(field(talk.origin_gets(), "X-Forwarded-For"), ::testing::AnyOf("203.0.113.9", "2001:db8::9"));
  }
}

TEST(ProxyOpening, CountsConnectionsOfTheClientAndNotOfTheProxy) {
  Config config = proxied_config();
  config.limits.connections_per_address = 2;
  Talk talk(config);
  auto begin = [&](const std::string& client) {
    auto wire = talk.connect_to(kListener, kTrusted);
    wire->send("PROXY TCP4 " + client + " 198.51.100.1 50123 443\r\n");
    talk.run();
    return wire;
  };
  auto first = begin("203.0.113.9"), second = begin("203.0.113.9"), third = begin("203.0.113.9");
  EXPECT_FALSE(first->is_closed());
  EXPECT_FALSE(second->is_closed());
  EXPECT_TRUE(third->is_closed()) << "it has as many as it may have";
  EXPECT_EQ(talk.worker().counters.accept.too_many_of_address.get(), 1u);
  EXPECT_FALSE(begin("203.0.113.10")->is_closed());
  first->half_close();
  talk.run();
  EXPECT_FALSE(begin("203.0.113.9")->is_closed());
}

TEST(ProxyOpening, JudgesRequestsByTheClientsAddress) {
  Config config = proxied_config();
  config.protection.deny = {*IpPrefix::parse("203.0.113.0/24")};
  Talk talk(config);
  talk.sends(kLine + kGet);
  EXPECT_THAT(talk.peer->take(), StartsWith("HTTP/1.1 403 "));
  EXPECT_EQ(talk.connections(), 0u);
}

TEST(ProxyOpening, KeepsTheAddressOfAProxyThatSpeaksForItself) {
  for (const std::string& header :
       {std::string("PROXY UNKNOWN\r\n"), std::string("\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00", 16)}) {
    Talk talk;
    talk.sends(header + kGet);
    EXPECT_EQ(field(talk.origin_gets(), "X-Forwarded-For"), "10.9.0.1");
  }
}

TEST(ProxyOpening, RefusesWhoIsNotTrusted) {
  Talk talk(proxied_config(), "192.0.2.7:50000");
  talk.sends(kLine + kGet);
  EXPECT_TRUE(talk.peer->is_closed());
  EXPECT_TRUE(talk.peer->was_aborted());
  EXPECT_EQ(talk.connections(), 0u);
  EXPECT_EQ(talk.counters().untrusted.get(), 1u);
}

TEST(ProxyOpening, RefusesWhatIsNoHeader) {
  Talk talk;
  talk.sends(kGet);
  EXPECT_TRUE(talk.peer->is_closed());
  EXPECT_EQ(talk.connections(), 0u);
  const auto no_header = static_cast<std::size_t>(policy::ProxyHeaderError::no_header);
  EXPECT_EQ(talk.counters().refused[no_header].get(), 1u);
}

TEST(ProxyOpening, DoesNotWaitForEver) {
  Talk talk;
  talk.sends("PROXY TCP4");
  talk.pass(9s);
  EXPECT_FALSE(talk.peer->is_closed());
  talk.pass(2s);
  EXPECT_TRUE(talk.peer->is_closed());
  EXPECT_EQ(talk.counters().timed_out.get(), 1u);
  Talk other;
  other.sends("PROXY TCP4");
  other.peer->half_close();
  other.run();
  EXPECT_TRUE(other.peer->is_closed());
}

TEST(ProxyOpening, ServesTcpListenersToo) {
  Config config = proxied_config();
  TcpService service;
  service.name = "db";
  service.addresses = {*IpEndpoint::parse("192.0.2.100:5432")};
  service.upstreams = config.sites[0].upstreams;
  service.upstreams[0].send_proxy_protocol = policy::ProxyProtocol::v1;
  service.upstream = 0;
  service.proxy_protocol = true;
  service.idle_timeout = 1h;
  config.tcp = {service};
  Conversation talk(config);
  auto peer = talk.connect_to("192.0.2.100:5432", kTrusted);
  peer->send(kLine + "query");
  talk.run();
  EXPECT_EQ(talk.origin_gets(), kLine + "query") << "passed on in the next one's own words";
}

TEST(SendProxyProtocol, TellsTheServerBeforeTheFirstRequest) {
  Config config = simple_config();
  config.sites[0].upstreams[0].send_proxy_protocol = policy::ProxyProtocol::v1;
  config.sites[0].upstreams[0].idle_connections = 0;
  Conversation talk(config);
  auto peer = talk.connect_to("192.0.2.100:80");
  peer->send(kGet);
  talk.run();
  EXPECT_THAT(talk.origin_gets(), StartsWith("PROXY TCP4 192.0.2.7 192.0.2.100 50000 80\r\nGET / HTTP/1.1\r\n"));
  talk.origin_sends("HTTP/1.1 204 No Content\r\n\r\n");
  peer->send(kGet);
  talk.run();
  EXPECT_EQ(talk.connections(), 2u) << "a connection with a header is one client's, and here one request's";
  EXPECT_THAT(talk.origin_gets(), StartsWith("PROXY TCP4 "));
}

}  // namespace
}  // namespace vipair::proxy
