#include "proxy/config_upstream.h"

#include "tests/proxy/config_text.h"

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;

const Mistake kMistakes[] = {
    {"weight", "", WITH_SERVERS("( { address = \"10.0.0.1:80\"; weight = 0; } )"),
     "site.upstreams[0].servers[0].weight", "out of range"},
    {"backups_only", "", WITH_SERVERS("( { address = \"10.0.0.1:80\"; backup = true; } )"),
     "site.upstreams[0].servers", "are all backups"},
    {"names_only_backups", "", WITH_SERVERS("( { address = \"app.internal:80\"; backup = true; } )"),
     "site.upstreams[0].servers", "are all backups"},
    {"weight_of_a_service", "", WITH_SERVERS("( { srv = \"_http._tcp.app.internal\"; weight = 2; } )"),
     "site.upstreams[0].servers[0].weight", "the records of the service"},
    {"max_connections", "", WITH_SERVERS("( { address = \"10.0.0.1:80\"; max_connections = -2; } )"),
     "site.upstreams[0].servers[0].max_connections", "out of range"},
    {"queue_without_limit", "", WITH_UPSTREAM("queue = { length = 5; };"), "site.upstreams[0].queue",
     "would never be used: no server has max_connections"},
    {"protocol", "", WITH_UPSTREAM("protocol = \"h3\";"), "site.upstreams[0].protocol", "\"h2\""},
    {"no_upstreams", "", "site = { hosts = [ \"a.example\" ]; routes = ( ); upstreams = ( ); };", "site.routes",
     "is empty"},
    {"unnamed_upstream", "", SITE(HOSTS, UPSTREAM ", { servers = [ \"10.0.0.2:80\" ]; }", ROUTE, ""),
     "site.upstreams[1].name", "is missing"},
    {"bad_upstream_name", "",
     SITE(HOSTS, UPSTREAM ", { name = \"a b\"; servers = [ \"10.0.0.2:80\" ]; }", ROUTE, ""),
     "site.upstreams[1].name", "is not a name"},
    {"upstream_twice", "", SITE(HOSTS, UPSTREAM ", " UPSTREAM, ROUTE, ""), "site.upstreams[1].name",
     "is defined already, at /etc/vipair/proxy.conf:"},
    {"no_server", "", WITH_SERVERS("[ ]"), "site.upstreams[0].servers", "is empty"},
    {"missing_servers", "", SITE(HOSTS, "{ name = \"u\"; }", ROUTE, ""), "site.upstreams[0].servers", "is missing"},
    {"server_without_port", "", WITH_SERVERS("[ \"10.0.0.1\" ]"), "site.upstreams[0].servers[0]",
     "is neither an address with a port nor a name with one"},
    {"server_port_zero", "", WITH_SERVERS("[ \"10.0.0.1:0\" ]"), "site.upstreams[0].servers[0]", "has port 0"},
    {"name_without_port", "", WITH_SERVERS("[ \"app.internal\" ]"), "site.upstreams[0].servers[0]",
     "is neither an address with a port nor a name with one"},
    {"name_with_port_zero", "", WITH_SERVERS("[ \"app.internal:0\" ]"), "site.upstreams[0].servers[0]",
     "is neither"},
    {"wrong_address", "", WITH_SERVERS("[ \"10.0.0.256:80\" ]"), "site.upstreams[0].servers[0]", "is neither"},
    {"name_twice", "", WITH_SERVERS("[ \"app.internal:80\", \"APP.internal.:80\" ]"),
     "site.upstreams[0].servers[1]", "is a server already"},
    {"no_service", "", WITH_SERVERS("( { srv = \"app.internal\"; } )"), "site.upstreams[0].servers[0].srv",
     "expected for example \"_http._tcp.app.internal\""},
    {"service_and_address", "", WITH_SERVERS("( { srv = \"_http._tcp.a.b\"; address = \"10.0.0.1:80\"; } )"),
     "site.upstreams[0].servers[0].srv", "exclude each other"},
    {"unspecified_server", "", WITH_SERVERS("[ \"0.0.0.0:80\" ]"), "site.upstreams[0].servers[0]",
     "is not the address of a server"},
    {"multicast_server", "", WITH_SERVERS("[ \"224.0.0.18:80\" ]"), "site.upstreams[0].servers[0]",
     "is a multicast address"},
    {"link_local_server", "", WITH_SERVERS("[ \"[fe80::1]:80\" ]"), "site.upstreams[0].servers[0]",
     "means another host on every interface"},
    {"server_twice", "", WITH_SERVERS("[ \"10.0.0.1:80\", \"10.0.0.1:80\" ]"), "site.upstreams[0].servers[1]",
     "is a server already"},
    {"server_without_address", "", WITH_SERVERS("( { } )"), "site.upstreams[0].servers[0].address", "is missing"},
    {"unknown_server_setting", "", WITH_SERVERS("( { address = \"10.0.0.1:80\"; wait = 1; } )"),
     "site.upstreams[0].servers[0].wait", "is not a known setting"},
    {"idle_connections", "", WITH_UPSTREAM("keep_alive = { idle_connections = -1; };"),
     "site.upstreams[0].keep_alive.idle_connections", "out of range"},
};

EXPECT_MISTAKES(UpstreamConfigMistake, kMistakes);

TEST(UpstreamConfig, ServersMayBeNames) {
  auto config = parse(kListeners, WITH_SERVERS("[ \"App.internal.:8080\", \"10.0.0.1:80\", \"localhost:80\" ]"));
  ASSERT_TRUE(config) << first_error(config);
  const Upstream& upstream = config->sites[0].upstreams[0];
  ASSERT_EQ(upstream.servers.size(), 1u);
  ASSERT_EQ(upstream.names.size(), 2u);
  EXPECT_EQ(upstream.names[0].text, "App.internal.:8080");
  EXPECT_EQ(upstream.names[0].query, (NameQuery{"app.internal", false}));
  EXPECT_EQ(upstream.names[0].port, 8080);

  config = parse(kListeners,
                 WITH_SERVERS("( { srv = \"_http._tcp.app.internal\"; }, { address = \"db.internal:80\"; } )"));
  ASSERT_TRUE(config) << first_error(config);
  ASSERT_EQ(config->sites[0].upstreams[0].names.size(), 2u);
  EXPECT_EQ(config->sites[0].upstreams[0].names[0].query, (NameQuery{"_http._tcp.app.internal", true}));
}

TEST(UpstreamConfig, NamesSayMoreThanTheirAddressToo) {
  auto config = parse(kListeners, WITH_SERVERS(R"(( { address = "app.internal:80"; weight = 3; },
     { address = "10.0.0.1:80"; backup = true; }, { srv = "_http._tcp.b.internal"; max_connections = 20; } );
     queue = { length = 5; })"));
  ASSERT_TRUE(config) << first_error(config);
  const Upstream& upstream = config->sites[0].upstreams[0];
  ASSERT_EQ(upstream.names.size(), 2u);
  EXPECT_EQ(upstream.names[0].settings.weight, 3u);
  EXPECT_EQ(upstream.names[1].settings.max_connections, 20u);
  EXPECT_TRUE(upstream.servers[0].is_backup);
}

TEST(UpstreamConfig, SpeaksHttp2WhereItSaysSo) {
  auto config = parse(kListeners, WITH_UPSTREAM("protocol = \"h2\";"));
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_EQ(config->sites[0].upstreams[0].protocol, UpstreamProtocol::h2);
  EXPECT_EQ(parse(kListeners)->sites[0].upstreams[0].protocol, UpstreamProtocol::http1);
}

TEST(UpstreamConfig, ServersSayMoreThanTheirAddress) {
  auto config = parse(kListeners, WITH_SERVERS(R"(( { address = "10.0.0.1:80"; backup = true; },
    { address = "10.0.0.2:80"; weight = 3; max_connections = 20; }, { address = "10.0.0.3:80"; } ))"));
  ASSERT_TRUE(config) << first_error(config);
  const std::vector<UpstreamServer>& servers = config->sites[0].upstreams[0].servers;
  ASSERT_EQ(servers.size(), 3u);
  EXPECT_EQ(servers[0].text, "10.0.0.2:80");
  EXPECT_EQ(servers[0].weight, 3u);
  EXPECT_EQ(servers[0].max_connections, 20u);
  EXPECT_EQ(servers[1].weight, 1u);
  EXPECT_FALSE(servers[1].is_backup);
  EXPECT_TRUE(servers[2].is_backup) << "backups stand behind the others";
  EXPECT_EQ(servers[2].text, "10.0.0.1:80");
}

TEST(UpstreamConfig, SameUpstreamNameInTwoSitesIsTwoUpstreams) {
  auto config = parse(kListeners, kSite + R"(sites = ( { hosts = [ "other.example" ];
    upstreams = ( { name = "blog"; servers = [ "10.0.0.12:80" ]; } ); routes = ( { path = "/"; upstream = "blog"; } ); } );)");
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_EQ(config->sites.size(), 2u);
}

}  // namespace
}  // namespace vipair::proxy
