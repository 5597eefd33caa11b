#include "proxy/names.h"

#include "tests/proxy/config_text.h"

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

NameTarget target(const char* address, std::uint16_t port = 0, std::uint16_t priority = 0,
                  std::uint16_t weight = 1) {
  return {*IpAddress::parse(address), port, priority, weight};
}

// "10.0.0.1:80 weight backup" of the one upstream.
std::vector<std::string> servers_of(const Config& config) {
  std::vector<std::string> lines;
  for (const UpstreamServer& server : config.sites.at(0).upstreams.at(0).servers) {
    lines.push_back(server.endpoint.to_string() + (server.weight == 1 ? "" : " " + std::to_string(server.weight)) +
                    (server.is_backup ? " backup" : ""));
  }
  return lines;
}

Config config_with(const char* servers) {
  auto config =
      parse(kListeners, SITE(HOSTS, "{ name = \"u\"; servers = " + std::string(servers) + "; }", ROUTE, ""));
  EXPECT_TRUE(config) << first_error(config);
  return std::move(config).value();
}

const NameQuery kApp{"app.internal", false};
const NameQuery kService{"_http._tcp.app.internal", true};

TEST(Names, EachAddressBecomesAServerBesideThoseOfTheFile) {
  Config config = config_with("[ \"10.0.0.9:80\", \"app.internal:8080\" ]");
  EXPECT_THAT(names_of(config), ElementsAre(kApp));
  EXPECT_TRUE(apply_names(config, {}));
  EXPECT_TRUE(config.sites[0].upstreams[0].is_resolving);
  EXPECT_TRUE(apply_names(config, {{kApp, {target("10.0.0.1"), target("2001:db8::1")}}}));
  EXPECT_FALSE(config.sites[0].upstreams[0].is_resolving);
  EXPECT_THAT(servers_of(config), ElementsAre("10.0.0.9:80", "10.0.0.1:8080", "[2001:db8::1]:8080"));
  EXPECT_EQ(config.sites[0].upstreams[0].servers[1].text, "app.internal:8080");
}

TEST(Names, ServersOfTcpServicesMayBeNames) {
  auto config =
      parse(kListeners +
            "tcp = ( { name = \"db\"; address = \"0.0.0.0:5432\"; servers = [ \"app.internal:5432\" ]; } );");
  ASSERT_TRUE(config) << first_error(config);
  EXPECT_THAT(names_of(*config), ElementsAre(kApp));
  EXPECT_TRUE(apply_names(*config, {{kApp, {target("10.0.0.1")}}}));
  EXPECT_EQ(config->tcp[0].upstreams[0].servers.at(0).endpoint.to_string(), "10.0.0.1:5432");
}

TEST(Names, KeepTheSettingsThatStandBesideThem) {
  Config config = config_with(
      "( { address = \"app.internal:80\"; weight = 3; }, { address = \"10.0.0.9:80\"; backup = true; } )");
  EXPECT_TRUE(apply_names(config, {}));
  EXPECT_THAT(servers_of(config), ElementsAre("10.0.0.9:80 backup")) << "until the name is known";
  EXPECT_TRUE(apply_names(config, {{kApp, {target("10.0.0.1"), target("10.0.0.2")}}}));
  EXPECT_THAT(servers_of(config), ElementsAre("10.0.0.1:80 3", "10.0.0.2:80 3", "10.0.0.9:80 backup"));
}

TEST(Names, LaterAnswersReplaceEarlierOnesAndTheSameOneChangesNothing) {
  Config config = config_with("[ \"app.internal:80\" ]");
  apply_names(config, {{kApp, {target("10.0.0.1"), target("10.0.0.2")}}});
  EXPECT_FALSE(apply_names(config, {{kApp, {target("10.0.0.1"), target("10.0.0.2")}}}));
  EXPECT_TRUE(apply_names(config, {{kApp, {target("10.0.0.2"), target("10.0.0.3")}}}));
  EXPECT_THAT(servers_of(config), ElementsAre("10.0.0.2:80", "10.0.0.3:80"));
}

TEST(Names, AnswerInVainLeavesNoServerAndIsNoLongerWaitedFor) {
  Config config = config_with("[ \"app.internal:80\" ]");
  EXPECT_TRUE(apply_names(config, {}));
  EXPECT_TRUE(apply_names(config, {{kApp, {}}}));
  EXPECT_FALSE(config.sites[0].upstreams[0].is_resolving);
  EXPECT_THAT(servers_of(config), ElementsAre());
}

TEST(Names, AddressThatIsAServerAlreadyIsNotASecondOne) {
  Config config = config_with("[ \"10.0.0.1:80\", \"app.internal:80\", \"app.internal:81\" ]");
  apply_names(config, {{kApp, {target("10.0.0.1")}}});
  EXPECT_THAT(servers_of(config), ElementsAre("10.0.0.1:80", "10.0.0.1:81"));
}

TEST(Names, ServicesBringPortsWeightsAndBackups) {
  Config config = config_with("( { srv = \"_http._tcp.app.internal\"; } )");
  EXPECT_THAT(names_of(config), ElementsAre(kService));
  apply_names(
      config,
      {{kService,
        {target("10.0.0.3", 8080, 20, 5), target("10.0.0.1", 8081, 10, 60), target("10.0.0.2", 8082, 10, 0)}}});
  EXPECT_THAT(servers_of(config), ElementsAre("10.0.0.1:8081 60", "10.0.0.2:8082", "10.0.0.3:8080 5 backup"));
  apply_names(config, {{kService, {target("10.0.0.1", 80, 0, 65535), target("10.0.0.2", 80, 0, 6554)}}});
  EXPECT_THAT(servers_of(config), ElementsAre("10.0.0.1:80 100", "10.0.0.2:80 10")) << "in proportion";
}

TEST(Names, UsableTargetsAreSortedUniqueBoundedAndSomebodys) {
  EXPECT_THAT(usable_targets({target("10.0.0.2"), target("10.0.0.1"), target("10.0.0.2"), target("0.0.0.0"),
                              target("224.0.0.1"), target("fe80::1"), target("127.0.0.1")}),
              ElementsAre(target("10.0.0.1"), target("10.0.0.2"), target("127.0.0.1")));
  std::vector<NameTarget> many;
  for (std::uint32_t i = 1; i <= 1000; ++i) many.push_back({IpAddress::v4(0x0A000000 + i), 0, 0, 1});
  EXPECT_EQ(usable_targets(many).size(), kTargetsPerNameMax);
}

TEST(Names, TtlsAreHonouredWithinBounds) {
  const ResolverSettings settings;
  EXPECT_EQ(until_next_lookup(settings, 30s, 0), 30s);
  EXPECT_EQ(until_next_lookup(settings, 0s, 0), 1s);
  EXPECT_EQ(until_next_lookup(settings, 48h, 0), 1h);
}

TEST(Names, FailuresAreTriedAgainLessAndLessOften) {
  const ResolverSettings settings;
  EXPECT_EQ(until_next_lookup(settings, {}, 1), 1s);
  EXPECT_EQ(until_next_lookup(settings, {}, 2), 2s);
  EXPECT_EQ(until_next_lookup(settings, {}, 5), 16s);
  EXPECT_EQ(until_next_lookup(settings, {}, 6), 30s);
  EXPECT_EQ(until_next_lookup(settings, {}, 1'000'000), 30s);
  ResolverSettings slow;
  slow.min_ttl = slow.max_ttl = 60s;
  EXPECT_EQ(until_next_lookup(slow, {}, 1), 60s);
}

}  // namespace
}  // namespace vipair::proxy
