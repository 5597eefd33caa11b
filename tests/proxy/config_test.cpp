#include "proxy/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kSite = R"(
site = {
  hosts = [ "blog.example" ];
  upstreams = ( { name = "blog"; servers = [ "10.0.0.11:80" ]; } );
  routes = ( { path = "/"; upstream = "blog"; } );
};
)";
constexpr const char* kListeners = "listeners = ( { address = \"0.0.0.0:80\"; } );\n";

// A folder of configuration files that is gone after the test.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vipair-config-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    path_ = pattern;
    write("node.conf", "node = \"lb-a\";\n");
  }
  ~Folder() { std::filesystem::remove_all(path_); }

  Folder& write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << text;
    return *this;
  }
  std::string path(const std::string& name) const { return (path_ / name).string(); }
  Expected<Config, ConfigErrors> load() const { return load_config(path("proxy.conf")); }

  // "proxy.conf:1: listeners: …" with the folder's own path taken out.
  std::vector<std::string> errors() const {
    std::vector<std::string> texts;
    auto config = load();
    if (config) return texts;
    for (const ConfigError& error : config.error()) {
      std::string text = error.to_string();
      for (std::size_t at; (at = text.find(path_.string() + "/")) != std::string::npos;)
        text.erase(at, path_.string().size() + 1);
      texts.push_back(text);
    }
    return texts;
  }

 private:
  std::filesystem::path path_;
};

// proxy.conf with one site inside; `site` are further settings of that site, `top` of the file.
Expected<Config, ConfigErrors> parse(const std::string& top, const std::string& site = kSite) {
  return parse_config("node_file = \"/dev/null\";\n" + top + site, "/etc/vipair/proxy.conf");
}

std::string first_error(const Expected<Config, ConfigErrors>& config) {
  return config ? "no error" : config.error().front().to_string();
}

TEST(ProxyConfig, SmallestFileGetsTheDocumentedDefaults) {
  Folder folder;
  folder.write("proxy.conf", std::string(kListeners) + "include = \"sites.d/*.conf\";\n")
      .write("sites.d/blog.conf", kSite);
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
             response_head = "9s"; handover = "0s"; stop = "1m"; worker_hang = "500ms"; };
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
  EXPECT_EQ(config->access_log, (AccessLog{AccessLogFormat::json, folder.path("log/access.log")}));
  EXPECT_EQ(config->control_socket, folder.path("run/proxyd.sock"));
  EXPECT_EQ(config->gate_socket, "/run/other/gate.sock");
  EXPECT_EQ(config->admin->to_string(), "127.0.0.1:9180");
  EXPECT_TRUE(config->trusted_proxies[0].contains(*IpAddress::parse("192.0.2.77")));
  EXPECT_EQ(config->trusted_proxies[1].length, 128);
  EXPECT_EQ(config->limits, (Limits{16384, 4096, 50, 10u << 20, 32768, 0, 500}));
  EXPECT_EQ(config->timeouts, (Timeouts{3s, 15s, 4s, 6s, 700ms, 9s, 0s, 1min, 500ms}));
  ASSERT_EQ(config->sites.size(), 3u);  // the file that two patterns name is read once
  const Site& a = config->sites[0];
  EXPECT_THAT(a.hosts, ElementsAre("a.example", "*.a.example"));
  EXPECT_EQ(a.request_body_max, kUnlimited);
  EXPECT_EQ(a.upstreams[0].connect_timeout, 700ms);
  EXPECT_EQ(a.upstreams[1].servers[0].to_string(), "[2001:db8::2]:83");
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
  upstreams = ( { name = "a"; servers = [ "backend:80" ]; balance = "random"; } );
  routes = ( { path = "/"; upstream = "a"; } );
};
)");
  EXPECT_THAT(
      folder.errors(),
      testing::UnorderedElementsAre(
          "proxy.conf:1: workers: 1000 is out of range, expected 0 to 256",
          "proxy.conf:3: listeners[1].address: \"0.0.0.0:80\" is listened on already, at proxy.conf:2",
          "proxy.conf:4: inclde: is not a known setting, did you mean \"include\"?",
          HasSubstr("proxy.conf:6: timeouts.connect: \"5\" is not a duration"),
          HasSubstr("sites.d/a.conf:3: site.upstreams[0].servers: is empty"),
          "sites.d/a.conf:4: site.routes[0].path: \"x\" does not start with \"/\"",
          "sites.d/a.conf:5: site.routes[1].upstream: this site has no upstream \"b\", expected \"a\"",
          "sites.d/b.conf:3: site.hosts[1]: \"one.example\" is served already, at sites.d/a.conf:2",
          HasSubstr(
              "sites.d/b.conf:4: site.upstreams[0].servers[0]: \"backend:80\": resolving names is not supported"),
          HasSubstr("sites.d/b.conf:4: site.upstreams[0].balance: not supported by this version")));
}

struct Mistake {
  const char* name;
  const char* top;   // of proxy.conf, beside a listener on 0.0.0.0:80
  const char* site;  // nullptr: a good one
  const char* setting;
  const char* message;  // part of it
};

void PrintTo(const Mistake& mistake, std::ostream* out) { *out << mistake.name; }

class ProxyConfigMistake : public testing::TestWithParam<Mistake> {};

TEST_P(ProxyConfigMistake, IsTheOnlyOneReported) {
  const Mistake& mistake = GetParam();
  std::string top = mistake.top;
  if (top.find("listeners") == std::string::npos) top = kListeners + top;
  auto config = parse(top, mistake.site ? mistake.site : kSite);
  ASSERT_FALSE(config);
  ASSERT_EQ(config.error().size(), 1u) << config.error()[0].to_string() << "\n" << config.error()[1].to_string();
  EXPECT_EQ(config.error()[0].setting, mistake.setting);
  EXPECT_THAT(config.error()[0].message, HasSubstr(mistake.message));
  EXPECT_EQ(config.error()[0].file, "/etc/vipair/proxy.conf");
  EXPECT_GT(config.error()[0].line, 0);
}

#define SITE(hosts, upstreams, routes, more) \
  "site = { hosts = [ " hosts " ]; upstreams = ( " upstreams " ); routes = ( " routes " ); " more " };"
#define HOSTS "\"a.example\""
#define UPSTREAM "{ name = \"u\"; servers = [ \"10.0.0.1:80\" ]; }"
#define ROUTE "{ path = \"/\"; upstream = \"u\"; }"
#define WITH_HOST(host) SITE("\"" host "\"", UPSTREAM, ROUTE, "")
#define WITH_SERVERS(servers) SITE(HOSTS, "{ name = \"u\"; servers = " servers "; }", ROUTE, "")
#define WITH_UPSTREAM(more) SITE(HOSTS, "{ name = \"u\"; servers = [ \"10.0.0.1:80\" ]; " more " }", ROUTE, "")
#define WITH_ROUTES(routes) SITE(HOSTS, UPSTREAM, routes, "")
#define WITH_SITE(more) SITE(HOSTS, UPSTREAM, ROUTE, more)
#define SET(name, value) "request_headers = { set = ( [ \"" name "\", \"" value "\" ] ); };"

const Mistake kMistakes[] = {
    // proxy.conf
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
    {"tls_listener", "listeners = ( { address = \"0.0.0.0:443\"; tls = true; } );", nullptr, "listeners[0].tls",
     "not supported by this version"},
    {"negative_workers", "workers = -1;", nullptr, "workers", "out of range"},
    {"cache", "cache = { };", nullptr, "cache", "not supported by this version"},
    {"access_log_without_path", "access_log = { format = \"json\"; };", nullptr, "access_log.path", "is missing"},
    {"access_log_format", "access_log = { path = \"/x\"; format = \"common\"; };", nullptr, "access_log.format",
     "is not known, expected one of \"off\", \"combined\", \"json\""},
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
    {"too_many_fields", "limits = { request_fields = 101; };", nullptr, "limits.request_fields",
     "expected 1 to 100"},
    {"head_over_maximum", "limits = { request_head = \"2MiB\"; };", nullptr, "limits.request_head", "out of range"},
    {"target_over_head", "limits = { request_head = \"8KiB\"; request_target = \"9KiB\"; };", nullptr,
     "limits.request_target", "do not fit into request_head, 8192 bytes"},
    {"size_without_unit", "limits = { request_body = \"100\"; };", nullptr, "limits.request_body", "is not a size"},
    {"size_as_number", "limits = { request_body = 100; };", nullptr, "limits.request_body",
     "found the integer 100"},
    {"timeout_zero", "timeouts = { connect = \"0s\"; };", nullptr, "timeouts.connect", "out of range"},
    {"unknown_limit", "limits = { request_heads = \"1KiB\"; };", nullptr, "limits.request_heads",
     "did you mean \"request_head\"?"},
    {"include_of_nothing", "include = \"/nonexistent/site.conf\";", nullptr, "include", "does not exist"},
    {"include_of_no_folder", "include = \"/nonexistent/*.conf\";", nullptr, "include", "No such file or directory"},
    // hosts
    {"no_host", "", SITE("", UPSTREAM, ROUTE, ""), "site.hosts", "is empty"},
    {"missing_hosts", "", "site = { upstreams = ( " UPSTREAM " ); routes = ( " ROUTE " ); };", "site.hosts",
     "is missing"},
    {"host_with_port", "", WITH_HOST("a.example:80"), "site.hosts[0]", "has a port"},
    {"host_with_scheme", "", WITH_HOST("http://a.example"), "site.hosts[0]", "is not a host name"},
    {"host_with_path", "", WITH_HOST("a.example/x"), "site.hosts[0]", "is not a host name"},
    {"host_with_dot", "", WITH_HOST("a.example."), "site.hosts[0]", "ends in a dot"},
    {"empty_host", "", WITH_HOST(""), "site.hosts[0]", "is not a host name"},
    {"empty_label", "", WITH_HOST("a..example"), "site.hosts[0]", "is not a host name"},
    {"wildcard_in_the_middle", "", WITH_HOST("a.*.example"), "site.hosts[0]", "has a * elsewhere"},
    {"wildcard_part", "", WITH_HOST("a*.example"), "site.hosts[0]", "has a * elsewhere"},
    {"wildcard_of_nothing", "", WITH_HOST("*."), "site.hosts[0]", "is not a host name"},
    {"wildcard_of_an_address", "", WITH_HOST("*.192.0.2.1"), "site.hosts[0]", "wildcard of an address"},
    {"international_host", "", WITH_HOST("bücher.example"), "site.hosts[0]", "xn--"},
    {"ipv6_host_with_port", "", WITH_HOST("[2001:db8::1]:80"), "site.hosts[0]", "has a port"},
    {"ipv6_host_without_brackets", "", WITH_HOST("2001:db8::1"), "site.hosts[0]", "is not a host name"},
    {"host_twice", "", SITE("\"a.example\", \"A.EXAMPLE\"", UPSTREAM, ROUTE, ""), "site.hosts[1]",
     "is served already, at /etc/vipair/proxy.conf:"},
    // sites of later versions
    {"https", "", WITH_SITE("https = \"redirect\";"), "site.https",
     "not supported by this version, expected \"off\""},
    {"certificate", "", WITH_SITE("certificate = { };"), "site.certificate", "not supported by this version"},
    {"site_cache", "", WITH_SITE("cache = { };"), "site.cache", "not supported by this version"},
    {"sticky", "", WITH_UPSTREAM("sticky = { };"), "site.upstreams[0].sticky", "not supported by this version"},
    {"health", "", WITH_UPSTREAM("health = { };"), "site.upstreams[0].health", "not supported by this version"},
    {"balance", "", WITH_UPSTREAM("balance = \"hash\";"), "site.upstreams[0].balance",
     "not supported by this version"},
    {"weight", "", WITH_SERVERS("( { address = \"10.0.0.1:80\"; weight = 2; } )"),
     "site.upstreams[0].servers[0].weight", "not supported by this version"},
    {"backup", "", WITH_SERVERS("( { address = \"10.0.0.1:80\"; backup = true; } )"),
     "site.upstreams[0].servers[0].backup", "not supported by this version"},
    {"max_connections", "", WITH_SERVERS("( { address = \"10.0.0.1:80\"; max_connections = 2; } )"),
     "site.upstreams[0].servers[0].max_connections", "not supported by this version"},
    {"regex", "", WITH_ROUTES("{ path = \"/\"; match = \"regex\"; upstream = \"u\"; }"), "site.routes[0].match",
     "not supported by this version"},
    // upstreams
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
     "is not an address with a port"},
    {"server_port_zero", "", WITH_SERVERS("[ \"10.0.0.1:0\" ]"), "site.upstreams[0].servers[0]", "has port 0"},
    {"server_by_name", "", WITH_SERVERS("[ \"app.internal:80\" ]"), "site.upstreams[0].servers[0]",
     "resolving names is not supported by this version"},
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
    // routes
    {"no_routes", "", WITH_ROUTES(""), "site.routes", "is empty"},
    {"route_without_path", "", WITH_ROUTES("{ upstream = \"u\"; }"), "site.routes[0].path", "is missing"},
    {"route_without_upstream", "", WITH_ROUTES("{ path = \"/\"; }"), "site.routes[0].upstream", "is missing"},
    {"relative_path", "", WITH_ROUTES("{ path = \"a\"; upstream = \"u\"; }"), "site.routes[0].path",
     "does not start with \"/\""},
    {"path_with_query", "", WITH_ROUTES("{ path = \"/a?b\"; upstream = \"u\"; }"), "site.routes[0].path",
     "has a query"},
    {"path_with_space", "", WITH_ROUTES("{ path = \"/a b\"; upstream = \"u\"; }"), "site.routes[0].path",
     "is not a path of a URL"},
    {"path_not_canonical", "", WITH_ROUTES("{ path = \"/a/../%62\"; upstream = \"u\"; }"), "site.routes[0].path",
     "expected its canonical form \"/b\""},
    {"path_with_broken_encoding", "", WITH_ROUTES("{ path = \"/%zz\"; upstream = \"u\"; }"), "site.routes[0].path",
     "is not a path of a URL"},
    {"path_not_ascii", "", WITH_ROUTES("{ path = \"/café\"; upstream = \"u\"; }"), "site.routes[0].path",
     "is not a path of a URL"},
    {"path_twice", "", WITH_ROUTES(ROUTE ", " ROUTE), "site.routes[1].path", "is routed already"},
    {"dangling_upstream", "", WITH_ROUTES("{ path = \"/\"; upstream = \"v\"; }"), "site.routes[0].upstream",
     "no upstream \"v\", expected \"u\""},
    // header rules
    {"header_line_end", "", WITH_SITE(SET("X-A", "a\\r\\nX-B: b")), "site.request_headers.set[0][1]", "line ends"},
    {"header_lone_lf", "", WITH_SITE(SET("X-A", "a\\nb")), "site.request_headers.set[0][1]", "line ends"},
    {"header_delete", "", WITH_SITE(SET("X-A", "a\\x7f")), "site.request_headers.set[0][1]", "control characters"},
    {"header_space", "", WITH_SITE(SET("X-A", " a")), "site.request_headers.set[0][1]", "white space"},
    {"header_name_colon", "", WITH_SITE(SET("X-A:", "a")), "site.request_headers.set[0][0]", "is not a field name"},
    {"header_name_empty", "", WITH_SITE(SET("", "a")), "site.request_headers.set[0][0]", "is not a field name"},
    {"header_name_line_end", "", WITH_SITE(SET("X\\r\\nY", "a")), "site.request_headers.set[0][0]",
     "is not a field name"},
    {"header_content_length", "", WITH_SITE(SET("content-length", "1")), "site.request_headers.set[0][0]",
     "cannot be changed"},
    {"header_transfer_encoding", "", WITH_SITE(SET("Transfer-Encoding", "chunked")),
     "site.request_headers.set[0][0]", "cannot be changed"},
    {"header_connection", "", WITH_SITE("response_headers = { add = ( [ \"Connection\", \"close\" ] ); };"),
     "site.response_headers.add[0][0]", "cannot be changed"},
    {"header_remove_upgrade", "", WITH_SITE("response_headers = { remove = [ \"Upgrade\" ]; };"),
     "site.response_headers.remove[0]", "cannot be changed"},
    {"header_remove_host", "", WITH_SITE("request_headers = { remove = [ \"host\" ]; };"),
     "site.request_headers.remove[0]", "exactly one Host"},
    {"header_set_twice", "", WITH_SITE("request_headers = { set = ( [ \"X-A\", \"1\" ], [ \"x-a\", \"2\" ] ); };"),
     "site.request_headers.set[1][0]", "is set twice"},
    {"header_variable", "", WITH_SITE(SET("X-A", "${client_adress}")), "site.request_headers.set[0][1]",
     "did you mean ${client_address}?"},
    {"header_open_brace", "", WITH_SITE(SET("X-A", "${node")), "site.request_headers.set[0][1]", "without its"},
    {"header_dollar", "", WITH_SITE(SET("X-A", "5 $")), "site.request_headers.set[0][1]", "write \"$$\""},
    {"header_host_variable", "", WITH_SITE(SET("Host", "${query}")), "site.request_headers.set[0][1]",
     "is not a host"},
    {"header_host_list", "", WITH_SITE(SET("Host", "a.example b.example")), "site.request_headers.set[0][1]",
     "is not a host"},
    {"header_pair", "", WITH_SITE("request_headers = { set = ( [ \"X-A\" ] ); };"), "site.request_headers.set[0]",
     "expected a pair of texts"},
    {"header_unknown_verb", "", WITH_SITE("request_headers = { replace = ( ); };"), "site.request_headers.replace",
     "is not a known setting"},
    {"header_of_a_route", "",
     WITH_ROUTES("{ path = \"/\"; upstream = \"u\"; request_headers = { remove = [ \"a b\" ]; }; }"),
     "site.routes[0].request_headers.remove[0]", "is not a field name"},
    {"header_of_the_proxy", "response_headers = { remove = [ \"a b\" ]; };", nullptr, "response_headers.remove[0]",
     "is not a field name"},
};

INSTANTIATE_TEST_SUITE_P(Table, ProxyConfigMistake, testing::ValuesIn(kMistakes),
                         [](const auto& mistake) { return std::string(mistake.param.name); });

TEST(ProxyConfig, HeaderRulesOfInnerLevelsReplaceThoseOfOuterOnes) {
  auto config = parse(R"(listeners = ( { address = "0.0.0.0:80"; } );
request_headers = { set = ( [ "X-Level", "proxy" ], [ "X-Node", "${node}" ] ); remove = [ "X-Debug" ]; };
response_headers = { add = ( [ "Link", "proxy" ] ); };
)",
                      R"(site = {
  hosts = [ "a.example" ];
  upstreams = ( { name = "u"; servers = [ "10.0.0.1:80" ]; } );
  routes = ( { path = "/"; upstream = "u"; request_headers = { remove = [ "x-node" ]; };
               response_headers = { set = ( [ "link", "route" ] ); }; },
             { path = "/plain"; upstream = "u"; } );
  request_headers = { set = ( [ "x-level", "site" ] ); };
  response_headers = { add = ( [ "Link", "site" ] ); };
};)");
  ASSERT_TRUE(config) << first_error(config);
  const Site& site = config->sites[0];
  EXPECT_EQ(site.routes[0].request_headers, (HeaderRules{{"X-Debug", "x-node"}, {{"x-level", "site"}}, {}}));
  EXPECT_EQ(site.routes[1].request_headers,
            (HeaderRules{{"X-Debug"}, {{"X-Node", "${node}"}, {"x-level", "site"}}, {}}));
  EXPECT_EQ(site.routes[0].response_headers, (HeaderRules{{}, {{"link", "route"}}, {}}));
  EXPECT_EQ(site.routes[1].response_headers, (HeaderRules{{}, {}, {{"Link", "proxy"}, {"Link", "site"}}}));
  EXPECT_EQ(site.response_headers, site.routes[1].response_headers);
  EXPECT_EQ(config->response_headers, (HeaderRules{{}, {}, {{"Link", "proxy"}}}));
}

TEST(ProxyConfig, HostsAreComparedInOneForm) {
  auto config = parse(
      kListeners,
      SITE("\"WWW.Example.COM\", \"[2001:DB8:0::1]\", \"192.0.2.1\", \"a_b.example\", \"*\"", UPSTREAM, ROUTE, ""));
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_THAT(config->sites[0].hosts,
              ElementsAre("www.example.com", "[2001:db8::1]", "192.0.2.1", "a_b.example", "*"));
}

TEST(ProxyConfig, SameUpstreamNameInTwoSitesIsTwoUpstreams) {
  auto config = parse(kListeners, std::string(kSite) + R"(sites = ( { hosts = [ "other.example" ];
    upstreams = ( { name = "blog"; servers = [ "10.0.0.12:80" ]; } ); routes = ( { path = "/"; upstream = "blog"; } ); } );)");
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_EQ(config->sites.size(), 2u);
}

TEST(ProxyConfig, SamePathMayBePrefixAndExact) {
  auto config = parse(kListeners, WITH_ROUTES(ROUTE ", { path = \"/\"; match = \"exact\"; upstream = \"u\"; }"));
  EXPECT_TRUE(config) << first_error(config);
}

TEST(ProxyConfig, SmallHeadLimitBoundsTheTargetToo) {
  auto config = parse(std::string(kListeners) + "limits = { request_head = \"8KiB\"; };\n");
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_EQ(config->limits.request_target, 8192u);
}

TEST(ProxyConfig, SetHostOfRequestsIsAllowed) {
  for (const char* site : {WITH_SITE(SET("Host", "inner.example")), WITH_SITE(SET("host", "inner.example:8080")),
                           WITH_SITE(SET("Host", "${upstream_address}"))}) {
    auto config = parse(kListeners, site);
    EXPECT_TRUE(config) << first_error(config);
  }
}

TEST(ProxyConfig, UnreadableMainFileIsAnError) {
  auto config = load_config("/nonexistent/proxy.conf");
  ASSERT_FALSE(config);
  EXPECT_THAT(first_error(config), HasSubstr("/nonexistent/proxy.conf"));
  EXPECT_THAT(first_error(config), HasSubstr("No such file or directory"));
}

TEST(ProxyConfig, SyntaxErrorsOfSiteFilesDoNotHideOthers) {
  Folder folder;
  folder.write("proxy.conf", std::string(kListeners) + "include = \"sites.d/*.conf\";\n")
      .write("sites.d/a.conf", "site = {\n  hosts = \n};\n")
      .write("sites.d/b.conf", "site = { hosts = [ \"b.example\" ]; };\n")
      .write("sites.d/c.conf", "# nothing\n");
  EXPECT_THAT(
      folder.errors(),
      ElementsAre(HasSubstr("sites.d/a.conf:3: "), HasSubstr("sites.d/b.conf:1: site.upstreams: is missing"),
                  HasSubstr("sites.d/b.conf:1: site.routes: is missing"), HasSubstr("holds no site")));
}

TEST(ProxyConfig, ProxyWithoutAnySiteIsRefused) {
  Folder folder;
  folder.write("proxy.conf", std::string(kListeners) + "include = \"sites.d/*.conf\";\n").write("sites.d/x", "");
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
  folder.write("proxy.conf", std::string(kListeners) + kSite).write("node.conf", "\nnode = \"a\\r\\nb\";\n");
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
