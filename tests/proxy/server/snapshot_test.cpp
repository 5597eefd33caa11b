#include "proxy/server/snapshot.h"

#include <gtest/gtest.h>

#include "tests/support/conversation.h"

namespace vipair::proxy {
namespace {

using testing::simple_config;

TEST(Snapshot, NumbersUpstreamsOverAllSites) {
  Config config = simple_config();
  Site second = config.sites[0];
  second.name = "b.example";
  second.hosts = {"b.example"};
  second.upstreams.push_back(second.upstreams[0]);
  second.upstreams[1].name = "other";
  Route other;
  other.path = "/other";
  other.upstream = 1;
  second.routes.push_back(other);
  config.sites.push_back(second);
  const auto snapshot = make_snapshot(config, 2, nullptr);
  ASSERT_EQ(snapshot->upstreams.size(), 3u);
  const auto site = snapshot->router.find_site("b.example");
  ASSERT_TRUE(site);
  const auto route = snapshot->router.find_route(*site, "/other/x", [](std::size_t) { return true; });
  ASSERT_TRUE(route);
  EXPECT_EQ(snapshot->sites[*site].routes[*route].upstream, 2u);
  EXPECT_EQ(snapshot->upstreams[2].config->name, "other");
}

TEST(Snapshot, KeepsWhatWasCountedAgainstLimits) {
  Config config = simple_config();
  EXPECT_EQ(make_snapshot(config, 1, nullptr)->limit_tables, nullptr) << "no memory without a limit";
  config.sites[0].protection.rate_limits = {{}};
  const auto first = make_snapshot(config, 1, nullptr);
  ASSERT_NE(first->limit_tables, nullptr);
  EXPECT_EQ(make_snapshot(simple_config(), 1, first.get())->limit_tables, first->limit_tables)
      << "connections may still be counted there";
}

TEST(Snapshot, KeepsTheServersThatStay) {
  const auto first = make_snapshot(simple_config(2), 2, nullptr);
  const auto second = make_snapshot(simple_config(3), 2, first.get());
  EXPECT_EQ(second->generation, first->generation + 1);
  EXPECT_EQ(second->upstreams[0].servers[0], first->upstreams[0].servers[0]);
  EXPECT_EQ(second->upstreams[0].servers[1], first->upstreams[0].servers[1]);
  EXPECT_EQ(second->upstreams[0].servers[2]->text, "10.0.0.3:80");
}

TEST(Snapshot, SharesTheConnectionLimitAmongWorkers) {
  Config config = simple_config();
  config.limits.connections = 10;
  EXPECT_EQ(make_snapshot(config, 4, nullptr)->connections_per_worker, 2u);
  EXPECT_EQ(make_snapshot(config, 100, nullptr)->connections_per_worker, 1u);
}

TEST(Snapshot, LeavesADescriptorForEachClientsUpstream) {
  Config config = simple_config();  // one listener
  config.limits.connections = 1000;
  EXPECT_EQ(connection_limit(config, 2, 1 << 20), 1000u);
  EXPECT_EQ(connection_limit(config, 2, 1024), (1024u - 64 - 2 * (3 + 64)) / 2);
  EXPECT_EQ(connection_limit(config, 2, 20), 1u);
}

TEST(Snapshot, TrustsTheNetworksItIsTold) {
  Config config = simple_config();
  config.trusted_proxies = {*IpPrefix::parse("10.0.0.0/8"), *IpPrefix::parse("2001:db8::/32")};
  const auto snapshot = make_snapshot(config, 1, nullptr);
  EXPECT_TRUE(snapshot->trusts(*IpAddress::parse("10.1.2.3")));
  EXPECT_TRUE(snapshot->trusts(*IpAddress::parse("2001:db8::1")));
  EXPECT_FALSE(snapshot->trusts(*IpAddress::parse("11.0.0.1")));
}

}  // namespace
}  // namespace vipair::proxy
