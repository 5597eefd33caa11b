#include "proxy/config_names.h"

#include "tests/proxy/config_text.h"

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;

TEST(HostAndPort, IsANameOfTheDnsAndAPort) {
  auto parsed = parse_host_and_port("App-1.internal.:8080");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->host, "app-1.internal");
  EXPECT_EQ(parsed->port, 8080);
  EXPECT_TRUE(parse_host_and_port("localhost:1"));
  EXPECT_TRUE(parse_host_and_port("_app.internal:65535"));
  const std::string label(63, 'a'), long_label(64, 'a'), long_name(127, 'a');
  EXPECT_TRUE(parse_host_and_port(label + ".b:80"));
  EXPECT_FALSE(parse_host_and_port(long_label + ":80"));
  EXPECT_FALSE(parse_host_and_port(long_name + ".b"));
  for (const char* text : {"", "app", ":80", "app:", "app:0", "app:65536", "app:http", "a..b:80", ".a:80", "a..:80",
                           "-a:80", "a-:80", "a b:80", "10.0.0.1:80", "10.0.0.256:80", "[::1]:80", "a/b:80"})
    EXPECT_FALSE(parse_host_and_port(text)) << text;
}

TEST(ResolverConfig, HasDefaults) {
  auto config = parse(kListeners);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->resolver, ResolverSettings{});
  EXPECT_EQ(config->resolver.min_ttl, 1s);
  EXPECT_EQ(config->resolver.max_ttl, 1h);
}

TEST(ResolverConfig, EverySettingArrives) {
  auto config = parse(
      "resolver = { servers = [ \"10.0.0.53\", \"10.0.0.54:5353\", \"2001:db8::53\" ]; min_ttl = \"5s\"; "
      "max_ttl = \"1m\"; timeout = \"500ms\"; attempts = 2; };" +
      kListeners);
  ASSERT_TRUE(config) << first_error(config);
  ResolverSettings expected;
  expected.servers = {*IpEndpoint::parse("10.0.0.53:53"), *IpEndpoint::parse("10.0.0.54:5353"),
                      *IpEndpoint::parse("[2001:db8::53]:53")};
  expected.min_ttl = 5s;
  expected.max_ttl = 1min;
  expected.timeout = 500ms;
  expected.attempts = 2;
  EXPECT_EQ(config->resolver, expected);
}

const Mistake kMistakes[] = {
    {"server", "resolver = { servers = [ \"dns.internal\" ]; };", nullptr, "resolver.servers[0]",
     "is not the address of a name server"},
    {"server_port", "resolver = { servers = [ \"10.0.0.1:0\" ]; };", nullptr, "resolver.servers[0]", "is not"},
    {"min_ttl", "resolver = { min_ttl = \"0s\"; };", nullptr, "resolver.min_ttl", "out of range"},
    {"min_over_max", "resolver = { min_ttl = \"2m\"; max_ttl = \"1m\"; };", nullptr, "resolver.min_ttl",
     "is longer than max_ttl, 1m"},
    {"timeout", "resolver = { timeout = \"1h\"; };", nullptr, "resolver.timeout", "out of range"},
    {"attempts", "resolver = { attempts = 0; };", nullptr, "resolver.attempts", "expected 1 to 10"},
    {"unknown", "resolver = { ttl = \"1s\"; };", nullptr, "resolver.ttl", "is not a known setting"},
};

EXPECT_MISTAKES(ResolverConfigMistake, kMistakes);

}  // namespace
}  // namespace vipair::proxy
