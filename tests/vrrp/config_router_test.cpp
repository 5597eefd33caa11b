#include "vrrp/config_router.h"

#include <cstdio>

#include "config_text.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class VirtualRouterConfigs : public SecretFiles {};

IpPrefix prefix(const char* text) { return *IpPrefix::parse(text); }

TEST_F(VirtualRouterConfigs, EverySettingArrives) {
  write("v2", "secret\n");
  auto config = load(R"(
    node = "lb-b";
    peer = { address = "192.0.2.11"; };
    track_proxy = false; upstream_weight = 50;
    checks = ( { name = "gateway"; type = "ping"; address = "192.0.2.1"; weight = 20; } );
    virtual_routers = (
      { name = "web"; interface = "eth0"; vrid = 255; priority = 254; advertisement_interval = "40950ms";
        preempt = true; preempt_delay = "5s"; join_hold = "0s"; unicast = false; checksum = "auto"; track_proxy = true;
        upstream_weight = 60;
        addresses = [ "fe80::100/64", "2001:db8::100/64", "192.0.2.100/24" ]; excluded_addresses = "192.0.2.101";
        version = 3; virtual_mac = true; sync_group = "edge"; track = [ "gateway" ]; },
      { name = "in"; interface = "eth1"; vrid = 255; peer = { address = "10.0.0.11"; }; priority = 254;
        advertisement_interval = "40950ms"; preempt = true; preempt_delay = "5s"; sync_group = "edge";
        accept = false; track = "gateway"; addresses = "10.0.0.1/8"; },
      { name = "old"; interface = "eth1"; vrid = 2; version = 2; authentication = { type = "pass"; password_file = "v2"; };
        addresses = "10.0.0.2/8"; } );)");
  ASSERT_TRUE(config);
  ASSERT_EQ(config->virtual_routers.size(), 3u);
  const VirtualRouterConfig& web = config->virtual_routers[0];
  EXPECT_EQ(web.vrid, 255);
  EXPECT_EQ(web.priority, 254);
  EXPECT_EQ(web.advertisement_interval, Centiseconds(4095));
  EXPECT_TRUE(web.preempt);
  EXPECT_EQ(web.preempt_delay, 5s);
  EXPECT_EQ(web.join_hold, 0s);
  EXPECT_FALSE(web.unicast);
  EXPECT_TRUE(web.track_proxy);
  EXPECT_EQ(web.upstream_weight, 60);
  EXPECT_EQ(web.checksum, ChecksumForm::automatic);
  EXPECT_THAT(web.addresses,
              ElementsAre(prefix("fe80::100/64"), prefix("2001:db8::100/64"), prefix("192.0.2.100/24")));
  EXPECT_THAT(web.excluded_addresses, ElementsAre(prefix("192.0.2.101/32")));
  EXPECT_FALSE(web.peer);
  EXPECT_TRUE(web.virtual_mac);
  EXPECT_EQ(web.sync_group, "edge");
  EXPECT_THAT(web.track, ElementsAre("gateway"));
  const VirtualRouterConfig& in = config->virtual_routers[1];
  EXPECT_FALSE(in.track_proxy) << "the file's default";
  EXPECT_EQ(in.upstream_weight, 0) << "nothing without the proxy";
  EXPECT_FALSE(in.accept);
  ASSERT_TRUE(in.peer);
  EXPECT_EQ(in.peer->address_v4, IpAddress::parse("10.0.0.11"));
  const VirtualRouterConfig& old = config->virtual_routers[2];
  EXPECT_EQ(old.version, 2);
  EXPECT_EQ(old.advertisement_interval, 1s) << "version 2 has no shorter one";
  EXPECT_EQ(old.password, "secret");
}

TEST(VirtualRouterConfig, WithoutAPeerAdvertisementsAreMulticast) {
  EXPECT_FALSE(loaded(file_with(kAddresses)).virtual_routers[0].unicast);
}

TEST(VirtualRouterConfig, AnAddressOwnerPreempts) {
  EXPECT_TRUE(loaded(file_with(std::string(kAddresses) + "priority = 255;")).virtual_routers[0].preempt);
}

std::string addresses(const std::string& list) { return file_with("addresses = [ " + list + " ]; ", kPeer); }
std::string many(const char* format, int count) {
  std::string list;
  for (int i = 1; i <= count; ++i) {
    char text[64];
    (void)std::snprintf(text, sizeof text, format, i / 250, i % 250 + 1);
    list += (list.empty() ? "\"" : ", \"") + std::string(text) + "\"";
  }
  return list;
}
std::string tracking(const std::string& settings, const std::string& peer = "") {
  return file_with(kAddresses + settings,
                   peer +
                       "checks = ( { name = \"gateway\"; type = \"ping\"; address = \"192.0.2.1\"; weight = 20; },"
                       "{ name = \"app\"; type = \"tcp\"; address = \"127.0.0.1:80\"; weight = 30; } );");
}
std::string synchronised(const std::string& first, const std::string& second) {
  return "node = \"n\"; virtual_routers = ( { name = \"a\"; interface = \"eth0\"; vrid = 1; addresses = "
         "\"10.0.0.1\"; "
         "sync_group = \"g\"; " +
         first +
         " }, { name = \"b\"; interface = \"eth1\"; vrid = 1; addresses = \"10.1.0.1\"; sync_group = \"g\"; " +
         second + " } );";
}

class VirtualRouterMistake : public testing::TestWithParam<Mistake> {};

TEST_P(VirtualRouterMistake, IsRefusedWithItsPlaceAndTheRemedy) {
  EXPECT_THAT(errors_of(GetParam().text), HasSubstr(GetParam().expected));
}

const Mistake kMistakes[] = {
    {"no virtual routers", "node = \"a\";", "virtual_routers"},
    {"an empty list", "node = \"a\"; virtual_routers = ( );", "holds no virtual router"},
    {"a misspelt key", router("prioritiy = 3;"), "did you mean \"priority\"?"},
    {"no name", "node = \"a\"; virtual_routers = ( { interface = \"e\"; vrid = 1; addresses = \"10.0.0.1\"; } );",
     "virtual_routers[0].name"},
    {"no interface", "node = \"a\"; virtual_routers = ( { name = \"w\"; vrid = 1; addresses = \"10.0.0.1\"; } );",
     "virtual_routers[0].interface"},
    {"no vrid",
     "node = \"a\"; virtual_routers = ( { name = \"w\"; interface = \"e\"; addresses = \"10.0.0.1\"; } );",
     "virtual_routers[0].vrid"},
    {"no addresses", "node = \"a\"; virtual_routers = ( { name = \"w\"; interface = \"e\"; vrid = 1; } );",
     "virtual_routers[0].addresses"},
    {"empty addresses", addresses(""), "addresses: is empty"},
    {"vrid 0", file_with("vrid = 0;"), "vrid"},
    {"priority 0", router("priority = 0;"), "priority: 0 is out of range, expected 1 to 255"},
    {"priority 256", router("priority = 256;"), "priority: 256 is out of range, expected 1 to 255"},
    {"a rounded interval", router("advertisement_interval = \"15ms\";"),
     "15ms is not a multiple of 10ms, the unit of a VRRPv3 interval; it is never rounded: write 10ms or 20ms"},
    {"an interval too short", router("advertisement_interval = \"5ms\";"), "advertisement_interval"},
    {"an interval too long", router("advertisement_interval = \"41s\";"), "advertisement_interval"},
    {"an owner that does not preempt", router("priority = 255; preempt = false;"),
     "false contradicts priority 255"},
    {"an owner that waits", router("priority = 255; preempt_delay = \"1s\";"), "contradicts priority 255"},
    {"a delay of nothing", router("preempt_delay = \"1s\";"), "has no effect without preempt = true"},
    {"the loopback", "node = \"a\"; virtual_routers = ( { name = \"w\"; interface = \"lo\"; } );",
     "\"lo\" cannot be used"},
    {"a long interface name", "node = \"a\"; virtual_routers = ( { interface = \"abcdefghijklmnop\"; } );",
     "\"abcdefghijklmnop\" cannot be used"},
    {"an interface with a slash", "node = \"a\"; virtual_routers = ( { interface = \"a/b\"; } );",
     "\"a/b\" cannot be used"},
    {"no address at all", addresses("\"web\""), "\"web\" is not an address"},
    {"a prefix too long", addresses("\"192.0.2.1/33\""), "\"192.0.2.1/33\" is not an address"},
    {"a multicast address", addresses("\"224.0.0.18/24\""), "is a multicast address"},
    {"a loopback address", addresses("\"127.0.0.1/8\""), "is a loopback address"},
    {"the unspecified address", addresses("\"::/0\""), "is the unspecified address"},
    {"the broadcast address", addresses("\"255.255.255.255/32\""), "is the broadcast address"},
    {"a network", addresses("\"192.0.2.0/24\""), "192.0.2.0/24 is the network's or broadcast address"},
    {"a network's broadcast", addresses("\"192.0.2.127/25\""),
     "192.0.2.127/25 is the network's or broadcast address"},
    {"the peer's address", addresses("\"192.0.2.12/24\""), "192.0.2.12 is the peer's own address"},
    {"an address twice", addresses("\"192.0.2.1/24\", \"192.0.2.1/32\""),
     "192.0.2.1 is listed twice: first at virtual_routers[0].addresses[0] (line 3)"},
    {"an excluded address again", router("excluded_addresses = \"192.0.2.100/24\";"),
     "192.0.2.100 is listed twice"},
    {"an excluded family", router("excluded_addresses = \"2001:db8::1\";"),
     "holds ipv6 addresses, but addresses holds none"},
    {"a late link-local", addresses("\"2001:db8::1/64\", \"fe80::1/64\""), "the link-local address comes first"},
    {"too many addresses",
     file_with(std::string(kAddresses) + "excluded_addresses = [ " + many("10.0.%d.%d/8", 8192) + " ];"),
     "8193 addresses: expected at most 8192"},
    {"unicast without a peer", router("unicast = true;"), "unicast: true needs a peer"},
    {"an unknown checksum", router("checksum = \"none\";"), "checksum"},
    {"a router's peer alone", router("peer = { address = \"10.0.0.2\"; };"), "to the file's top level"},
    {"version 4", router("version = 4;"), "version: 4 is out of range"},
    {"version 4", router("version = 4;"), "version: 4 is out of range, expected 2 to 3"},
    {"a fraction of a second in version 2", router("version = 2; advertisement_interval = \"1500ms\";"),
     "1500ms is not a multiple of 1s, the unit of a VRRPv2 interval; it is never rounded: write 1s or 2s"},
    {"less than a second in version 2", router("version = 2; advertisement_interval = \"100ms\";"),
     "it is never rounded: write 1s"},
    {"a long interval of version 2", router("advertisement_interval = \"60s\";"),
     "1m is out of range for version 3, expected 10ms to 40950ms"},
    {"IPv6 in version 2", file_with("version = 2; addresses = \"2001:db8::1/64\";"),
     "2001:db8::1 is an IPv6 address, which version 2 does not know"},
    {"a checksum in version 2", router("version = 2; checksum = \"auto\";"), "has no effect on version 2"},
    {"a password in version 3",
     router("authentication = { type = \"pass\"; password_file = \"/nonexistent/v2\"; };"),
     "only version 2 knows passwords"},
    {"an unknown authentication", router("version = 2; authentication = { type = \"ah\"; };"),
     "authentication.type: \"ah\" is not known, expected one of \"pass\""},
    {"a password in the file", router("version = 2; authentication = { type = \"pass\"; password = \"x\"; };"),
     "authentication.password_file: is missing"},
    {"an owner that accepts nothing", router("priority = 255; accept = false;"), "contradicts priority 255"},
    {"a sync group without a name", router("sync_group = \"\";"), "sync_group: \"\" is not a name"},
    {"an unknown check", tracking("track = [ \"gatway\" ];"),
     "track[0]: there is no check \"gatway\", did you mean \"gateway\"?"},
    {"an unknown check of another name", tracking("track = [ \"x\" ];"), "there is no check \"x\" in checks"},
    {"a check twice", tracking("track = [ \"gateway\", \"gateway\" ];"), "track[1]: \"gateway\" is listed twice"},
    {"a weight out of range", router("upstream_weight = 254;"), "expected 0 to 253"},
    {"a weight of an owner", router("priority = 255; upstream_weight = 10;"), "cannot lower the priority 255"},
    {"the upstreams as a check", tracking("track = [ \"upstreams\" ];"), "upstream_weight says how much"},
    {"the proxy as a check", tracking("track = [ \"proxy\" ];"), "track_proxy says whether it counts"},
    {"an owner with a weight", tracking("priority = 255; track = [ \"gateway\" ];"),
     "\"gateway\" has a weight, which cannot lower the priority 255"},
    {"a sync group of two priorities", synchronised("priority = 1;", "priority = 2;"),
     "virtual_routers[1].priority: differs from that of \"a\" in the same sync_group \"g\""},
    {"a sync group of two minds", synchronised("preempt = true;", ""), "virtual_routers[1].preempt: differs"},
    {"a sync group of two delays", synchronised("preempt = true; preempt_delay = \"1s\";", "preempt = true;"),
     "virtual_routers[1].preempt_delay: differs"},
    {"a sync group of two intervals", synchronised("", "advertisement_interval = \"1s\";"),
     "virtual_routers[1].advertisement_interval: differs"},
};
INSTANTIATE_TEST_SUITE_P(Table, VirtualRouterMistake, testing::ValuesIn(kMistakes));

TEST(VirtualRouterConfig, LimitsThemselvesAreAccepted) {
  EXPECT_EQ(errors_of(addresses(many("10.0.%d.%d/8", 255))), "");
  EXPECT_EQ(errors_of(addresses(many("2001:db8::%d:%d/64", 87))), "");
  EXPECT_EQ(errors_of(file_with(std::string(kAddresses) + "excluded_addresses = [ " + many("10.0.%d.%d/8", 8191) +
                                " ];")),
            "");
  EXPECT_EQ(errors_of(addresses("\"192.0.2.0/31\", \"192.0.2.255/32\"")), "");
  EXPECT_EQ(errors_of(file_with(kAddresses, "gate_socket = \"/" + std::string(106, 'x') + "\";")), "");
}

TEST(VirtualRouterConfig, OneVridPerInterfaceAndFamily) {
  auto two = [](const char* interface, const char* address) {
    return "node = \"a\"; virtual_routers = (\n{ name = \"v4\"; interface = \"eth0\"; vrid = 7; addresses = "
           "\"10.0.0.1\"; },\n"
           "{ name = \"other\"; interface = \"" +
           std::string(interface) + "\"; vrid = 7; addresses = \"" + address + "\"; } );";
  };
  EXPECT_EQ(errors_of(two("eth1", "10.0.0.2")), "");
  EXPECT_EQ(errors_of(two("eth0", "2001:db8::1")), "");
  EXPECT_THAT(
      errors_of(two("eth0", "10.0.0.2")),
      HasSubstr(
          "node.conf:3: virtual_routers[1].vrid: 7 is used on eth0 for ipv4 by virtual router \"v4\" already"));
}

TEST(VirtualRouterConfig, NamesAndAddressesAreUsedOnce) {
  const std::string errors = errors_of(R"(node = "a"; virtual_routers = (
{ name = "w"; interface = "eth0"; vrid = 1; addresses = [ "fe80::1", "10.0.0.1" ]; },
{ name = "w"; interface = "eth1"; vrid = 2; addresses = [ "fe80::1", "10.0.0.1" ]; } );)");
  EXPECT_THAT(
      errors,
      HasSubstr(
          "node.conf:3: virtual_routers[1].name: \"w\" is used twice: first at virtual_routers[0].name (line 2)"));
  EXPECT_THAT(errors, HasSubstr("node.conf:3: virtual_routers[1].addresses[1]: 10.0.0.1 is listed twice"));
  EXPECT_THAT(errors, Not(HasSubstr("fe80::1"))) << "a link-local address belongs to its link";
}

TEST(VirtualRouterConfig, IntervalsReachAsFarAsTheVersionsDo) {
  EXPECT_EQ(loaded(router("advertisement_interval = \"10ms\";")).virtual_routers[0].advertisement_interval, 10ms);
  EXPECT_EQ(
      loaded(router("version = 2; advertisement_interval = \"255s\";")).virtual_routers[0].advertisement_interval,
      255s);
}

TEST(VirtualRouterConfig, WhatDoesNotFitIntoAnAdvertisementIsAWarning) {
  const Config config = loaded(
      file_with("addresses = [ " + many("10.0.%d.%d/8", 256) + ", " + many("2001:db8::%d:%d/64", 90) + " ];"));
  EXPECT_THAT(
      config.warnings,
      ElementsAre(HasSubstr("web: 256 ipv4 addresses do not fit into one advertisement: those after the first "
                            "255 move too"),
                  HasSubstr("90 ipv6 addresses do not fit into one advertisement: those after the first 87")));
}

TEST(VirtualRouterConfig, WhatSurprisesIsAWarning) {
  EXPECT_THAT(loaded(router("sync_group = \"g\";")).warnings,
              ElementsAre(HasSubstr("sync_group \"g\" has one member only")));
  EXPECT_THAT(loaded(router("accept = false;")).warnings, ElementsAre(HasSubstr("is track_proxy = false meant?")));
  EXPECT_THAT(loaded(router("accept = false; track_proxy = false;")).warnings, IsEmpty());
  EXPECT_THAT(loaded(router("virtual_mac = true;")).warnings, IsEmpty());
  EXPECT_THAT(loaded(file_with(std::string(kAddresses) + "virtual_mac = true;", kPeer)).warnings,
              ElementsAre(HasSubstr("not authenticated"), HasSubstr("consider unicast = false")));
  EXPECT_THAT(loaded(tracking("preempt = true; track = \"app\";")).warnings,
              ElementsAre(HasSubstr("check \"gateway\" decides nothing")));
}

std::vector<std::string> weight_warnings(const std::string& settings, const std::string& peer_priority) {
  const std::string peer = "peer = { address = \"192.0.2.12\"; " + peer_priority + " }; ";
  std::vector<std::string> found;
  for (const std::string& warning : loaded(tracking(settings, peer)).warnings)
    if (warning.find("weights of its checks") != std::string::npos) found.push_back(warning);
  return found;
}

TEST(VirtualRouterConfig, AWeightThatCanNeverFlipThePairIsAWarning) {
  const char* both = "priority = 200; track = [ \"gateway\", \"app\" ];";
  EXPECT_THAT(
      weight_warnings(both, "priority = 100;"),
      ElementsAre(HasSubstr("web: the weights of its checks (app, gateway) can never move it to the peer: with all "
                            "of them down the priority is 150, and the peer's is 100; weights of 101 and more "
                            "do")));
  EXPECT_THAT(weight_warnings(both, "priority = 150;"), testing::SizeIs(1)) << "equal is not lower";
  EXPECT_THAT(weight_warnings(both, "priority = 151;"), IsEmpty());
  EXPECT_THAT(weight_warnings(both, ""), IsEmpty()) << "nobody knows";
  EXPECT_THAT(weight_warnings("priority = 200;", "priority = 100;"), IsEmpty());
  EXPECT_THAT(weight_warnings("priority = 10; track = \"app\";", "priority = 1;"),
              ElementsAre(HasSubstr("the priority is 1, and the peer's is 1; raise the peer's priority")));
}

TEST(VirtualRouterConfig, TheWeightsOfASyncGroupAddUp) {
  const std::string text = R"(node = "n"; peer = { address = "192.0.2.12"; priority = 60; };
    checks = ( { name = "x"; type = "ping"; address = "10.0.0.9"; weight = 30; },
               { name = "y"; type = "ping"; address = "10.1.0.9"; weight = 30; } );
    virtual_routers = (
      { name = "a"; interface = "eth0"; vrid = 1; addresses = "10.0.0.1"; sync_group = "g"; track = "x"; },
      { name = "b"; interface = "eth1"; vrid = 1; addresses = "10.1.0.1"; SYNC track = "y"; } );)";
  auto warnings_with = [&](const std::string& sync) {
    std::string filled = text;
    return loaded(filled.replace(filled.find("SYNC"), 4, sync)).warnings;
  };
  EXPECT_THAT(warnings_with("sync_group = \"g\";"), ElementsAre(HasSubstr("not authenticated")));
  EXPECT_THAT(warnings_with(""), testing::IsSupersetOf({HasSubstr("a: the weights of its checks (x)"),
                                                        HasSubstr("b: the weights of its checks (y)")}));
}

}  // namespace
}  // namespace vipair::vrrp
