#include "proxy/config_tunnels.h"

#include "tests/proxy/config_text.h"

namespace vipair::proxy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

#define TCP(text) "tcp = ( { " text " } );"
#define DB "name = \"db\"; address = \"0.0.0.0:5432\"; "
#define TWO                                                                                                       \
  "upstreams = ( { name = \"a\"; servers = [ \"10.0.0.1:1\" ]; }, { name = \"b\"; servers = [ \"10.0.0.1:2\" ]; " \
  "} ); "

const Mistake kMistakes[] = {
    {"no_protocol", "", WITH_SITE("upgrades = [ \"web socket\" ];"), "site.upgrades[0]",
     "is not a protocol's name"},
    {"empty_protocol", "", WITH_SITE("upgrades = [ \"\" ];"), "site.upgrades[0]", "is not a protocol's name"},
    {"empty_version", "", WITH_SITE("upgrades = [ \"irc/\" ];"), "site.upgrades[0]", "is not a protocol's name"},
    {"h2c", "", WITH_SITE("upgrades = [ \"websocket\", \"H2C\" ];"), "site.upgrades[1]", "past every rule"},
    {"http", "", WITH_ROUTES("{ path = \"/\"; upstream = \"u\"; upgrades = [ \"HTTP/2.0\" ]; }"),
     "site.routes[0].upgrades[0]", "past every rule"},
    {"tcp_without_name", TCP("address = \"0.0.0.0:5432\"; servers = [ \"10.0.0.1:5432\" ];"), nullptr,
     "tcp[0].name", "is missing"},
    {"tcp_bad_name", TCP("name = \"a b\"; address = \"0.0.0.0:5432\"; servers = [ \"10.0.0.1:5432\" ];"), nullptr,
     "tcp[0].name", "is not a name"},
    {"tcp_without_address", TCP("name = \"db\"; servers = [ \"10.0.0.1:5432\" ];"), nullptr, "tcp[0].address",
     "is missing"},
    {"tcp_bad_address", TCP("name = \"db\"; address = \"5432\"; servers = [ \"10.0.0.1:5432\" ];"), nullptr,
     "tcp[0].address", "is not an address with a port"},
    {"tcp_address_twice", TCP("name = \"db\"; address = \"0.0.0.0:80\"; servers = [ \"10.0.0.1:5432\" ];"), nullptr,
     "tcp[0].address", "is listened on already"},
    {"tcp_without_servers", TCP("name = \"db\"; address = \"0.0.0.0:5432\";"), nullptr, "tcp[0].servers",
     "is missing"},
    {"tcp_servers_and_upstreams", TCP(DB "servers = [ \"10.0.0.1:5432\" ]; " TWO "upstream = \"a\";"), nullptr,
     "tcp[0].servers", "stands beside upstreams"},
    {"tcp_upstream_twice",
     TCP(DB "upstreams = ( { name = \"a\"; servers = [ \"10.0.0.1:1\" ]; }, "
            "{ name = \"a\"; servers = [ \"10.0.0.1:2\" ]; } ); upstream = \"a\";"),
     nullptr, "tcp[0].upstreams[1].name", "is defined already"},
    {"tcp_no_choice", TCP(DB TWO), nullptr, "tcp[0].upstreams", "there are several"},
    {"tcp_dangling_upstream", TCP(DB TWO "upstream = \"c\";"), nullptr, "tcp[0].upstream", "has no upstream \"c\""},
    {"sni_without_hosts", TCP(DB TWO "sni = ( { upstream = \"a\"; } );"), nullptr, "tcp[0].sni[0].hosts",
     "is missing"},
    {"sni_empty_hosts", TCP(DB TWO "sni = ( { hosts = [ ]; upstream = \"a\"; } );"), nullptr, "tcp[0].sni[0].hosts",
     "is empty"},
    {"sni_bad_host", TCP(DB TWO "sni = ( { hosts = [ \"a:1\" ]; upstream = \"a\"; } );"), nullptr,
     "tcp[0].sni[0].hosts[0]", "has a port"},
    {"sni_any_host", TCP(DB TWO "sni = ( { hosts = [ \"*\" ]; upstream = \"a\"; } );"), nullptr,
     "tcp[0].sni[0].hosts[0]", "is no name"},
    {"sni_host_twice",
     TCP(DB TWO
         "sni = ( { hosts = [ \"a.b\" ]; upstream = \"a\"; }, { hosts = [ \"A.B\" ]; upstream = \"b\"; } );"),
     nullptr, "tcp[0].sni[1].hosts[0]", "is passed on already"},
    {"sni_without_upstream", TCP(DB TWO "sni = ( { hosts = [ \"a.b\" ]; } );"), nullptr, "tcp[0].sni[0].upstream",
     "is missing"},
    {"sni_dangling_upstream", TCP(DB TWO "sni = ( { hosts = [ \"a.b\" ]; upstream = \"c\"; } );"), nullptr,
     "tcp[0].sni[0].upstream", "has no upstream \"c\""},
    {"tcp_idle_timeout", TCP(DB "servers = [ \"10.0.0.1:1\" ]; idle_timeout = \"1ms\";"), nullptr,
     "tcp[0].idle_timeout", "10ms"},
    {"proxy_protocol_from_nobody", "tcp = ( { " DB "servers = [ \"10.0.0.1:1\" ]; proxy_protocol = true; } );",
     nullptr, "tcp[0].proxy_protocol", "needs trusted_proxies"},
    {"pooled_proxy_protocol", "",
     WITH_UPSTREAM("send_proxy_protocol = \"v1\"; keep_alive = { idle_connections = 3; };"),
     "site.upstreams[0].keep_alive", "has no use"},
    {"proxy_protocol_version", "", WITH_UPSTREAM("send_proxy_protocol = \"v3\";"),
     "site.upstreams[0].send_proxy_protocol", "v1"},
    {"tcp_tls", TCP(DB "servers = [ \"10.0.0.1:1\" ]; tls = { };"), nullptr, "tcp[0].tls", "has no use"},
    {"proxy_protocol_over_http2", "", WITH_UPSTREAM("send_proxy_protocol = \"v1\"; protocol = \"h2\";"),
     "site.upstreams[0].send_proxy_protocol", "contradicts protocol"},
    {"tcp_http2", TCP(DB "servers = [ \"10.0.0.1:1\" ]; protocol = \"h2\";"), nullptr, "tcp[0].protocol",
     "has no use"},
    {"tcp_hash_on", TCP(DB "servers = [ \"10.0.0.1:1\" ]; balance = \"hash\"; hash_on = \"path\";"), nullptr,
     "tcp[0].hash_on", "has no use"},
    {"tcp_unknown_key", TCP(DB "servers = [ \"10.0.0.1:1\" ]; idle_timeuot = \"1s\";"), nullptr,
     "tcp[0].idle_timeuot", "idle_timeout"},
};

EXPECT_MISTAKES(TunnelConfigMistake, kMistakes);

TEST(TunnelConfig, ARouteSaysWhatItsRequestsMaySwitchTo) {
  auto config =
      parse(kListeners, SITE(HOSTS, UPSTREAM,
                             "{ path = \"/\"; upstream = \"u\"; }, "
                             "{ path = \"/attach\"; upstream = \"u\"; upgrades = [ \"tcp\", \"irc/6.9\" ]; }, "
                             "{ path = \"/no\"; upstream = \"u\"; upgrades = [ ]; }",
                             ""));
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_THAT(config->sites[0].routes[0].upgrades, ElementsAre("websocket"));
  EXPECT_THAT(config->sites[0].routes[1].upgrades, ElementsAre("tcp", "irc/6.9"));
  EXPECT_THAT(config->sites[0].routes[2].upgrades, IsEmpty());
}

TEST(TunnelConfig, ASiteSaysItForItsRoutes) {
  auto config = parse(kListeners, WITH_SITE("upgrades = [ \"tcp\" ];"));
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_THAT(config->sites[0].routes[0].upgrades, ElementsAre("tcp"));
}

TEST(TunnelConfig, TheSmallestServiceIsAnAddressAndAServer) {
  auto config = parse(kListeners + TCP(DB "servers = [ \"10.0.0.1:5432\" ];"));
  ASSERT_TRUE(config) << first_error(config);
  ASSERT_EQ(config->tcp.size(), 1u);
  const TcpService& service = config->tcp[0];
  EXPECT_EQ(service.name, "db");
  EXPECT_THAT(service.addresses, ElementsAre(*IpEndpoint::parse("0.0.0.0:5432")));
  EXPECT_EQ(service.upstream, 0u);
  EXPECT_EQ(service.upstreams[0].servers[0].text, "10.0.0.1:5432");
  EXPECT_EQ(service.idle_timeout, std::chrono::hours(1));
  EXPECT_FALSE(service.proxy_protocol);
}

TEST(TunnelConfig, NamesChooseTheirServers) {
  auto config = parse(kListeners +
                      TCP("name = \"tls\"; address = [ \"0.0.0.0:443\", \"[::]:443\" ]; " TWO
                          "sni = ( { hosts = [ \"A.example\", \"*.b.example\" ]; upstream = \"b\"; } ); "
                          "proxy_protocol = true; idle_timeout = \"5m\";") +
                      "trusted_proxies = [ \"192.0.2.0/24\" ];");
  ASSERT_TRUE(config) << first_error(config);
  const TcpService& service = config->tcp[0];
  EXPECT_EQ(service.addresses.size(), 2u);
  EXPECT_EQ(service.upstream, std::nullopt);
  EXPECT_THAT(service.sni[0].hosts, ElementsAre("a.example", "*.b.example"));
  EXPECT_EQ(service.sni[0].upstream, 1u);
  EXPECT_TRUE(service.proxy_protocol);
  EXPECT_EQ(service.idle_timeout, std::chrono::minutes(5));
}

TEST(TunnelConfig, ServicesStandInSiteFilesTooAndNeedNoSite) {
  Folder folder;
  folder.write("proxy.conf", "include = \"sites.d/*.conf\";\n");
  folder.write("sites.d/db.conf", TCP(DB "servers = [ \"10.0.0.1:5432\" ];"));
  auto config = folder.load();
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_EQ(config->tcp.size(), 1u);
  EXPECT_TRUE(config->listeners.empty());
}

}  // namespace
}  // namespace vipair::proxy
