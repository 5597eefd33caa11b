#include "proxy/config.h"

#include "tests/proxy/config_text.h"

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(ProxyConfig, SmallestFileGetsTheDocumentedDefaults) {
  Folder folder;
  folder.write("proxy.conf", kListeners + "include = \"sites.d/*.conf\";\n").write("sites.d/blog.conf", kSite);
  auto config = folder.load();
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_EQ(config->node, "lb-a");
  EXPECT_EQ(config->workers, 0);
  ASSERT_EQ(config->listeners.size(), 1u);
  EXPECT_EQ(config->listeners[0].address.to_string(), "0.0.0.0:80");
  EXPECT_EQ(config->limits.request_head, 65536u);
  EXPECT_EQ(config->limits.request_fields, 100u);
  EXPECT_EQ(config->limits.request_body, kUnlimited);
  EXPECT_EQ(config->limits.body_rate_min, 240u);
  EXPECT_EQ(config->timeouts.request_head, 10s);
  EXPECT_EQ(config->timeouts.keep_alive, 60s);
  EXPECT_EQ(config->timeouts.body_idle, 30s);
  EXPECT_EQ(config->timeouts.response_head, 60s);
  EXPECT_EQ(config->access_log.format, AccessLogFormat::off);
  EXPECT_FALSE(config->admin);
  EXPECT_EQ(config->control_socket, "/run/vipair/proxyd.sock");
  EXPECT_EQ(config->gate_socket, "/run/vipair/gate.sock");
  EXPECT_THAT(config->trusted_proxies, IsEmpty());
  ASSERT_EQ(config->sites.size(), 1u);
  const Site& site = config->sites[0];
  EXPECT_EQ(site.name, "blog.example");
  EXPECT_EQ(site.file, folder.path("sites.d/blog.conf"));
  EXPECT_EQ(site.line, 2);
  ASSERT_EQ(site.upstreams.size(), 1u);
  EXPECT_EQ(site.upstreams[0].servers.size(), 1u);
  EXPECT_EQ(site.upstreams[0].connect_timeout, 5s);
  EXPECT_EQ(site.upstreams[0].idle_timeout, 4s);
  ASSERT_EQ(site.routes.size(), 1u);
  EXPECT_EQ(site.routes[0].match, PathMatch::prefix);
  EXPECT_EQ(site.routes[0].upstream, 0u);
}

TEST(ProxyConfig, EverySettingArrivesWhereItBelongs) {
  Folder folder;
  folder.write("proxy.conf", R"(
workers = 3;
listeners = ( { address = "0.0.0.0:80"; tls = false; }, { address = "[::]:8080"; } );
include = [ "sites.d/*.conf", "sites.d/b.conf" ];
access_log = { path = "log/access.log"; format = "json"; };
control_socket = "run/proxyd.sock"; gate_socket = "/run/other/gate.sock";
admin = { address = "127.0.0.1:9180"; };
trusted_proxies = [ "192.0.2.0/24", "2001:db8::1" ];
limits = { request_head = "16KiB"; request_target = "4KiB"; request_fields = 50; request_body = "10MiB";
           response_head = "32KiB"; body_rate_min = "0B"; connections = 500; };
timeouts = { request_head = "3s"; keep_alive = "15s"; body_idle = "4s"; write_idle = "6s"; connect = "700ms";
             response_head = "9s"; handover = "0s"; stop = "1m"; worker_hang = "500ms";
             tunnel_idle = "2h"; tunnel_drain = "3s"; };
)");
  folder.write("sites.d/a.conf", R"(
sites = (
  { hosts = [ "A.example", "*.a.example" ]; https = "off";
    limits = { request_body = "unlimited"; };
    upstreams = ( { name = "one"; servers = [ "10.0.0.1:81", "10.0.0.2:82" ]; balance = "round_robin"; },
                  { name = "two"; servers = ( { address = "[2001:db8::2]:83"; } ); avoid_failed = "5s";
                    timeouts = { connect = "100ms"; response_head = "5m"; };
                    keep_alive = { idle_connections = 0; idle_timeout = "30s"; }; } );
    routes = ( { path = "/"; upstream = "two"; },
               { path = "/ping"; match = "exact"; upstream = "one"; } ); },
  { hosts = "*"; upstreams = { name = "one"; servers = "10.0.0.3:84"; }; routes = { path = "/"; upstream = "one"; }; }
);
)");
  folder.write("sites.d/b.conf", kSite);
  auto config = folder.load();
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_EQ(config->workers, 3);
  EXPECT_EQ(config->listeners[1].address.to_string(), "[::]:8080");
  EXPECT_EQ(config->access_log.format, AccessLogFormat::json);
  EXPECT_EQ(config->access_log.path, folder.path("log/access.log"));
  EXPECT_EQ(config->control_socket, folder.path("run/proxyd.sock"));
  EXPECT_EQ(config->gate_socket, "/run/other/gate.sock");
  EXPECT_EQ(config->admin->to_string(), "127.0.0.1:9180");
  EXPECT_TRUE(config->trusted_proxies[0].contains(*IpAddress::parse("192.0.2.77")));
  EXPECT_EQ(config->trusted_proxies[1].length, 128);
  EXPECT_EQ(config->limits, (Limits{16384, 4096, 50, 10u << 20, 32768, 0, 500}));
  EXPECT_EQ(config->timeouts, (Timeouts{3s, 15s, 4s, 6s, 700ms, 9s, 2h, 3s, 0s, 1min, 500ms}));
  ASSERT_EQ(config->sites.size(), 3u);  // the file that two patterns name is read once
  const Site& a = config->sites[0];
  EXPECT_THAT(a.hosts, ElementsAre("a.example", "*.a.example"));
  EXPECT_EQ(a.request_body_max, kUnlimited);
  EXPECT_EQ(a.upstreams[0].connect_timeout, 700ms);
  EXPECT_EQ(a.upstreams[1].servers[0].endpoint.to_string(), "[2001:db8::2]:83");
  EXPECT_EQ(a.upstreams[1].connect_timeout, 100ms);
  EXPECT_EQ(a.upstreams[1].response_head_timeout, 5min);
  EXPECT_EQ(a.upstreams[1].avoid_failed, 5s);
  EXPECT_EQ(a.upstreams[1].idle_connections, 0u);
  EXPECT_EQ(a.upstreams[1].idle_timeout, 30s);
  EXPECT_EQ(a.routes[0].upstream, 1u);
  EXPECT_EQ(a.routes[1].match, PathMatch::exact);
  EXPECT_EQ(a.routes[1].upstream, 0u);
  EXPECT_THAT(config->sites[1].hosts, ElementsAre("*"));
  EXPECT_EQ(config->sites[1].request_body_max, 10u << 20);
  EXPECT_EQ(config->sites[2].name, "blog.example");
}

TEST(ProxyConfig, SameFileGivesEqualValues) {
  auto one = parse(kListeners);
  auto two = parse(kListeners);
  auto other = parse("listeners = ( { address = \"0.0.0.0:81\"; } );\n");
  ASSERT_TRUE(one && two && other);
  EXPECT_EQ(*one, *two);
  EXPECT_NE(*one, *other);
}

TEST(ProxyConfig, NamesTenMistakesOfThreeFilesWithTheirLines) {
  Folder folder;
  folder.write("proxy.conf", R"(workers = 1000;
listeners = ( { address = "0.0.0.0:80"; },
              { address = "0.0.0.0:80"; } );
inclde = "x";
include = "sites.d/*.conf";
timeouts = { connect = "5"; };
)");
  folder.write("sites.d/a.conf", R"(site = {
  hosts = [ "one.example" ];
  upstreams = ( { name = "a"; servers = [ ]; } );
  routes = ( { path = "x"; upstream = "a"; },
             { path = "/y"; upstream = "b"; } );
};
)");
  folder.write("sites.d/b.conf", R"(site = {
  hosts = [ "two.example",
            "ONE.example" ];
  upstreams = ( { name = "a"; servers = [ "backend" ]; balance = "fastest"; } );
  routes = ( { path = "/"; upstream = "a"; } );
};
)");
  EXPECT_THAT(folder.errors(),
              testing::UnorderedElementsAre(
                  "proxy.conf:1: workers: 1000 is out of range, expected 0 to 256",
                  "proxy.conf:3: listeners[1].address: \"0.0.0.0:80\" is listened on already, at proxy.conf:2",
                  "proxy.conf:4: inclde: is not a known setting, did you mean \"include\"?",
                  HasSubstr("proxy.conf:6: timeouts.connect: \"5\" is not a duration"),
                  HasSubstr("sites.d/a.conf:3: site.upstreams[0].servers: is empty"),
                  "sites.d/a.conf:4: site.routes[0].path: \"x\" does not start with \"/\"",
                  "sites.d/a.conf:5: site.routes[1].upstream: this site has no upstream \"b\", expected \"a\"",
                  "sites.d/b.conf:3: site.hosts[1]: \"one.example\" is served already, at sites.d/a.conf:2",
                  HasSubstr("sites.d/b.conf:4: site.upstreams[0].servers[0]: \"backend\" is neither an address "
                            "with a port nor a name"),
                  HasSubstr("sites.d/b.conf:4: site.upstreams[0].balance: \"fastest\" is not known")));
}

const Mistake kMistakes[] = {
    {"no_listener", "listeners = ( );", nullptr, "listeners", "is empty"},
    {"listener_without_port", "listeners = ( { address = \"0.0.0.0\"; } );", nullptr, "listeners[0].address",
     "is not an address with a port"},
    {"listener_by_name", "listeners = ( { address = \"localhost:80\"; } );", nullptr, "listeners[0].address",
     "is not an address with a port"},
    {"listener_port_zero", "listeners = ( { address = \"0.0.0.0:0\"; } );", nullptr, "listeners[0].address",
     "port 0"},
    {"listener_link_local", "listeners = ( { address = \"[fe80::1]:80\"; } );", nullptr, "listeners[0].address",
     "means another host on every interface"},
    {"listener_without_address", "listeners = ( { } );", nullptr, "listeners[0].address", "is missing"},
    {"negative_workers", "workers = -1;", nullptr, "workers", "out of range"},
    {"cache", "cache = { };", nullptr, "cache", "not supported by this version"},
    {"long_socket_path",
     "control_socket = "
     "\"/run/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaaaaaaaaaaaaa/p.sock\";",
     nullptr, "control_socket", "1 to 107 bytes"},
    {"one_socket_for_both", "control_socket = \"/run/vipair/gate.sock\";", nullptr, "control_socket",
     "gate socket"},
    {"admin_on_a_listener", "admin = { address = \"127.0.0.1:80\"; };", nullptr, "admin.address",
     "taken by the listener 0.0.0.0:80"},
    {"admin_without_address", "admin = { };", nullptr, "admin.address", "is missing"},
    {"trusted_proxy", "trusted_proxies = [ \"10.0.0.0/33\" ];", nullptr, "trusted_proxies[0]", "is not a network"},
    {"include_of_nothing", "include = \"/nonexistent/site.conf\";", nullptr, "include", "does not exist"},
    {"include_of_no_folder", "include = \"/nonexistent/*.conf\";", nullptr, "include", "No such file or directory"},
};

EXPECT_MISTAKES(ProxyConfigMistake, kMistakes);

TEST(ProxyConfig, UnreadableMainFileIsAnError) {
  auto config = load_config("/nonexistent/proxy.conf");
  ASSERT_FALSE(config);
  EXPECT_THAT(first_error(config), HasSubstr("/nonexistent/proxy.conf"));
  EXPECT_THAT(first_error(config), HasSubstr("No such file or directory"));
}

TEST(ProxyConfig, SyntaxErrorsOfSiteFilesDoNotHideOthers) {
  Folder folder;
  folder.write("proxy.conf", kListeners + "include = \"sites.d/*.conf\";\n")
      .write("sites.d/a.conf", "site = {\n  hosts = \n};\n")
      .write("sites.d/b.conf", "site = { hosts = [ \"b.example\" ]; };\n")
      .write("sites.d/c.conf", "# nothing\n");
  EXPECT_THAT(folder.errors(),
              ElementsAre(HasSubstr("sites.d/a.conf:3: "), HasSubstr("sites.d/b.conf:1: site.routes: is missing"),
                          HasSubstr("holds no site")));
}

TEST(ProxyConfig, ProxyWithoutAnySiteIsRefused) {
  Folder folder;
  folder.write("proxy.conf", kListeners + "include = \"sites.d/*.conf\";\n").write("sites.d/x", "");
  EXPECT_THAT(folder.errors(), ElementsAre(HasSubstr("proxy.conf:2: include: there is no site")));
}

TEST(ProxyConfig, NodeNameComesFromNodeFileElseFromTheHost) {
  Folder folder;
  folder.write("proxy.conf", kListeners + std::string("node_file = \"other.conf\";\n") + kSite);
  folder.write("other.conf", "node = \"lb-b\"; peer = { address = \"192.0.2.1\"; };\n");
  ASSERT_TRUE(folder.load());
  EXPECT_EQ(folder.load()->node, "lb-b");
  folder.write("other.conf", "peer = { };\n");
  char host[256] = {};
  ASSERT_EQ(::gethostname(host, sizeof host - 1), 0);
  ASSERT_TRUE(folder.load()) << folder.errors()[0];
  EXPECT_EQ(folder.load()->node, host);
}

TEST(ProxyConfig, NodeNameThatCouldBreakAHeaderIsRefused) {
  Folder folder;
  folder.write("proxy.conf", kListeners + kSite).write("node.conf", "\nnode = \"a\\r\\nb\";\n");
  EXPECT_THAT(folder.errors(), ElementsAre(HasSubstr("node.conf:2: node: ")));
}

TEST(ProxyConfig, NamedNodeFileMustExist) {
  Folder folder;
  folder.write("proxy.conf", kListeners + std::string("node_file = \"absent.conf\";\n") + kSite);
  EXPECT_THAT(folder.errors(), ElementsAre(HasSubstr("absent.conf: cannot be opened: No such file or directory")));
}

TEST(ProxyConfig, ManySitesLoad) {
  std::string text = kListeners;
  text += "sites = (\n";
  for (int i = 0; i < 10000; ++i) {
    if (i) text += ",\n";
    text += "{ hosts = [ \"h" + std::to_string(i) +
            ".example\" ]; upstreams = ( " UPSTREAM " ); routes = ( " ROUTE " ); }";
  }
  auto config = parse(text + ");\n", "");
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_EQ(config->sites.size(), 10000u);
  EXPECT_EQ(config->sites.back().name, "h9999.example");
}

TEST(ProxyConfig, MoreThanTheMaximumIsRefusedByCount) {
  std::string servers;
  for (std::size_t i = 0; i <= kServersPerUpstreamMax; ++i)
    servers += std::string(i ? ", " : "") + "\"10.0." + std::to_string(i / 250) + "." +
               std::to_string(i % 250 + 1) + ":80\"";
  auto config = parse(kListeners, "site = { hosts = [ \"a.example\" ]; upstreams = ( { name = \"u\"; servers = [ " +
                                      servers + " ]; } ); routes = ( " ROUTE " ); };");
  EXPECT_THAT(first_error(config), HasSubstr("servers: 1001 entries, expected at most 1000"));
}

}  // namespace
}  // namespace vipair::proxy
