#include "proxy/config_upstream.h"

#include "tests/proxy/config_text.h"

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;

const Mistake kMistakes[] = {
    {"sticky", "", WITH_UPSTREAM("sticky = { };"), "site.upstreams[0].sticky", "not supported by this version"},
    {"balance", "", WITH_UPSTREAM("balance = \"hash\";"), "site.upstreams[0].balance",
     "not supported by this version"},
    {"weight", "", WITH_SERVERS("( { address = \"10.0.0.1:80\"; weight = 2; } )"),
     "site.upstreams[0].servers[0].weight", "not supported by this version"},
    {"backup", "", WITH_SERVERS("( { address = \"10.0.0.1:80\"; backup = true; } )"),
     "site.upstreams[0].servers[0].backup", "not supported by this version"},
    {"max_connections", "", WITH_SERVERS("( { address = \"10.0.0.1:80\"; max_connections = 2; } )"),
     "site.upstreams[0].servers[0].max_connections", "not supported by this version"},
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

TEST(UpstreamConfig, SpeaksHttp2WhereItSaysSo) {
  auto config = parse(kListeners, WITH_UPSTREAM("protocol = \"h2\";"));
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_EQ(config->sites[0].upstreams[0].protocol, UpstreamProtocol::h2);
  EXPECT_EQ(parse(kListeners)->sites[0].upstreams[0].protocol, UpstreamProtocol::http1);
}

TEST(UpstreamConfig, SameUpstreamNameInTwoSitesIsTwoUpstreams) {
  auto config = parse(kListeners, kSite + R"(sites = ( { hosts = [ "other.example" ];
    upstreams = ( { name = "blog"; servers = [ "10.0.0.12:80" ]; } ); routes = ( { path = "/"; upstream = "blog"; } ); } );)");
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_EQ(config->sites.size(), 2u);
}

}  // namespace
}  // namespace vipair::proxy
