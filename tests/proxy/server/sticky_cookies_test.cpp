#include "proxy/server/sticky_cookies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/conversation.h"

namespace vipair::proxy {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<std::string> kServers = {"10.0.0.1:80", "10.0.0.2:80"};

Sticky settings_with(std::vector<std::uint8_t> keys) {
  Sticky settings;
  for (std::uint8_t byte : keys) {
    StickyKey key;
    key.fill(byte);
    settings.keys.push_back(key);
  }
  return settings;
}

std::string value_of(const StickyCookies& cookies, std::size_t server) {
  const std::string field(cookies.field(server, false));
  const std::size_t begin = field.find('=') + 1;
  return field.substr(begin, field.find(';') - begin);
}

TEST(StickyCookies, AreKnownToWhoeverHasTheKey) {
  const StickyCookies here(settings_with({1}), "a.example", "app", kServers);
  const std::vector<std::string> other_order = {kServers[1], kServers[0], "10.0.0.3:80"};
  const StickyCookies there(settings_with({1}), "a.example", "app", other_order);
  EXPECT_EQ(there.server_of(value_of(here, 0)), 1u) << "it names the server, not its place in a list";
  EXPECT_EQ(there.server_of(value_of(here, 1)), 0u);
  EXPECT_EQ(here.server_of(value_of(there, 2)), std::nullopt) << "a server that is gone";
  EXPECT_EQ(here.name(), there.name());
  EXPECT_EQ(value_of(here, 0).size(), 32u);
}

TEST(StickyCookies, OfOthersAreNotKnown) {
  const StickyCookies cookies(settings_with({1}), "a.example", "app", kServers);
  for (const StickyCookies& other : {StickyCookies(settings_with({2}), "a.example", "app", kServers),
                                     StickyCookies(settings_with({1}), "b.example", "app", kServers),
                                     StickyCookies(settings_with({1}), "a.example", "api", kServers)}) {
    EXPECT_EQ(cookies.server_of(value_of(other, 0)), std::nullopt);
    EXPECT_NE(cookies.name(), other.name()) << "two proxies in a row do not take each other's cookie";
  }
  EXPECT_EQ(cookies.server_of(""), std::nullopt);
  EXPECT_EQ(cookies.server_of("10.0.0.1:80"), std::nullopt);
}

TEST(StickyCookies, OutliveAChangeOfKeys) {
  const StickyCookies before(settings_with({1}), "a", "app", kServers);
  const StickyCookies both(settings_with({2, 1}), "a", "app", kServers);
  EXPECT_EQ(both.server_of(value_of(before, 1)), 1u);
  EXPECT_EQ(both.name(), before.name());
  EXPECT_NE(value_of(both, 1), value_of(before, 1)) << "the first key signs";
  Sticky named = settings_with({2});
  named.cookie = "app";
  const StickyCookies after(named, "a", "app", kServers);
  EXPECT_EQ(after.server_of(value_of(both, 1)), 1u);
}

TEST(StickyCookies, HaveTheAttributesTheyAreGiven) {
  const StickyCookies plain(settings_with({1}), "a", "app", kServers);
  EXPECT_THAT(std::string(plain.field(0, false)), EndsWith("; Path=/; HttpOnly; SameSite=Lax\r\n"));
  EXPECT_THAT(std::string(plain.field(0, true)), EndsWith("; Path=/; HttpOnly; SameSite=Lax; Secure\r\n"));
  Sticky settings = settings_with({1});
  settings.cookie = "app";
  settings.path = "/x";
  settings.domain = "example.com";
  settings.http_only = false;
  settings.secure = true;
  settings.same_site = SameSite::none;
  settings.max_age = std::chrono::minutes(2);
  const StickyCookies all(settings, "a", "app", kServers);
  EXPECT_EQ(std::string(all.field(1, false)),
            "Set-Cookie: app=" + value_of(all, 1) +
                "; Path=/x; Domain=example.com; Max-Age=120; SameSite=None; Secure\r\n");
  settings.secure = false;
  settings.same_site = SameSite::strict;
  EXPECT_THAT(std::string(StickyCookies(settings, "a", "app", kServers).field(1, true)), Not(HasSubstr("Secure")));
}

// ---- in conversation -------------------------------------------------------------------------

struct Talk : testing::Conversation {
  Talk() : Conversation(config()) {}
  static Config config() {
    Config config = testing::simple_config(2);
    Sticky sticky = settings_with({1});
    sticky.cookie = "app";
    config.sites[0].upstreams[0].sticky = sticky;
    return config;
  }
  // The answer to a new client's request with this Cookie field, and what the origin saw.
  std::string ask(const std::string& cookie, const char* response = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n") {
    auto client = connect();
    client->send("GET / HTTP/1.1\r\nHost: a\r\n" + (cookie.empty() ? "" : "Cookie: " + cookie + "\r\n") + "\r\n");
    run();
    seen = origin_gets();
    server = server_of(connections() - 1).to_string();
    origin_sends(std::string(response) + "Connection: close\r\n\r\n");
    return client->take();
  }
  static std::string pair_of(const std::string& answer) {
    const std::string set = testing::field(answer, "Set-Cookie");
    return set.substr(0, set.find(';'));
  }
  std::string seen, server;
};

TEST(StickySession, StaysAtItsServer) {
  Talk talk;
  const std::string cookie = Talk::pair_of(talk.ask(""));
  EXPECT_EQ(talk.server, "10.0.0.1:80");
  EXPECT_EQ(cookie.size(), 4u + 32u);
  for (int i = 0; i < 3; ++i) {
    const std::string answer = talk.ask("a=1; " + cookie + "; b=2");
    EXPECT_EQ(talk.server, "10.0.0.1:80");
    EXPECT_EQ(testing::field(answer, "Set-Cookie"), "") << "it has one";
    EXPECT_EQ(testing::field(talk.seen, "Cookie"), "a=1; b=2") << "ours is ours alone";
  }
  talk.ask(cookie);
  EXPECT_EQ(testing::field(talk.seen, "Cookie"), "");
}

TEST(StickySession, IsBegunByAnyResponse) {
  for (const char* response :
       {"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n", "HTTP/1.1 401 No\r\nContent-Length: 0\r\n",
        "HTTP/1.1 304 Not Modified\r\n", "HTTP/1.1 500 No\r\nContent-Length: 0\r\n"}) {
    Talk talk;
    EXPECT_THAT(Talk::pair_of(talk.ask("", response)), HasSubstr("app=")) << response;
  }
}

TEST(StickySession, IsBegunByASwitchOfProtocols) {
  Config config = Talk::config();
  config.sites[0].routes[0].upgrades = {"websocket"};
  testing::Conversation talk(config);
  talk.client_sends("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  talk.origin_sends("HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  EXPECT_THAT(Talk::pair_of(talk.client_gets()), HasSubstr("app="));
}

TEST(StickySession, MovesWhenItsServerIsGone) {
  Talk talk;
  const std::string cookie = Talk::pair_of(talk.ask(""));
  LocalUpstream& upstream = talk.worker().current().upstreams[0];
  Server& first = upstream.servers[0]->server();
  first.set_up(false, TimePoint{});
  const std::string moved = Talk::pair_of(talk.ask(cookie));
  EXPECT_EQ(talk.server, "10.0.0.2:80");
  EXPECT_NE(moved, cookie);
  first.set_up(true, TimePoint{});
  talk.ask(moved);
  EXPECT_EQ(talk.server, "10.0.0.2:80") << "and stays there";
  const std::string forged = talk.ask("app=" + std::string(32, '0'));
  EXPECT_THAT(Talk::pair_of(forged), HasSubstr("app="));
  EXPECT_EQ(upstream.line->slot().cookies_unknown.get(), 1u);
}

TEST(StickySession, StaysAtADrainingServerForAWhile) {
  Talk talk;
  const std::string cookie = Talk::pair_of(talk.ask(""));
  Server& first = talk.worker().current().upstreams[0].servers[0]->server();
  first.drain(talk.worker().scheduler.now() + std::chrono::seconds(10));
  talk.ask("");
  EXPECT_EQ(talk.server, "10.0.0.2:80");
  talk.ask("");
  EXPECT_EQ(talk.server, "10.0.0.2:80");
  talk.ask(cookie);
  EXPECT_EQ(talk.server, "10.0.0.1:80");
  talk.pass(std::chrono::seconds(11));
  const std::string moved = talk.ask(cookie);
  EXPECT_EQ(talk.server, "10.0.0.2:80");
  EXPECT_NE(Talk::pair_of(moved), "");
}

TEST(StickySession, IsRetriedElsewhereAndMovesThen) {
  Talk talk;
  const std::string cookie = Talk::pair_of(talk.ask(""));
  talk.on_connect({testing::Conversation::Connect::refuse});
  const std::string answer = talk.ask(cookie);
  EXPECT_EQ(talk.server, "10.0.0.2:80");
  EXPECT_NE(Talk::pair_of(answer), cookie);
  EXPECT_NE(Talk::pair_of(answer), "");
}

}  // namespace
}  // namespace vipair::proxy
