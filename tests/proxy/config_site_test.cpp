#include "proxy/config_site.h"

#include "tests/proxy/config_text.h"

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

const Mistake kMistakes[] = {
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
    {"site_cache", "", WITH_SITE("cache = { };"), "site.cache", "not supported by this version"},
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
};

EXPECT_MISTAKES(SiteConfigMistake, kMistakes);

TEST(SiteConfig, HostsAreComparedInOneForm) {
  auto config = parse(
      kListeners,
      SITE("\"WWW.Example.COM\", \"[2001:DB8:0::1]\", \"192.0.2.1\", \"a_b.example\", \"*\"", UPSTREAM, ROUTE, ""));
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_THAT(config->sites[0].hosts,
              ElementsAre("www.example.com", "[2001:db8::1]", "192.0.2.1", "a_b.example", "*"));
}

TEST(SiteConfig, SamePathMayBePrefixAndExact) {
  auto config = parse(kListeners, WITH_ROUTES(ROUTE ", { path = \"/\"; match = \"exact\"; upstream = \"u\"; }"));
  EXPECT_TRUE(config) << first_error(config);
}

}  // namespace
}  // namespace vipair::proxy
