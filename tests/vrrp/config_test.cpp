#include "vrrp/config.h"

#include "config_text.h"
#include "vrrp/config_reader.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class VrrpConfigFiles : public SecretFiles {};

TEST(VrrpConfig, SmallestFileHasTheDefaultsOfAPair) {
  const Config config = loaded(file_with(kAddresses, kPeer));
  EXPECT_EQ(config.node, "lb-a");
  ASSERT_TRUE(config.peer);
  EXPECT_EQ(config.peer->address_v4, IpAddress::parse("192.0.2.12"));
  EXPECT_EQ(config.peer->address_v6, std::nullopt);
  EXPECT_EQ(config.control_socket, "/run/vipair/vrrpd.sock");
  EXPECT_EQ(config.gate_socket, "/run/vipair/gate.sock");
  EXPECT_EQ(config.realtime_priority, 50);
  EXPECT_TRUE(config.lock_memory);
  EXPECT_EQ(config.hang_timeout, 200ms);
  EXPECT_EQ(config.drain_time, 10s);
  EXPECT_EQ(config.upstream_delay, 5s);
  EXPECT_THAT(config.warnings, ElementsAre(HasSubstr("advertisements are not authenticated")));
  EXPECT_THAT(config.pair_keys, IsEmpty());
  EXPECT_THAT(config.peer_paths, IsEmpty());
  EXPECT_EQ(config.peer_priority, std::nullopt);
  EXPECT_THAT(config.checks, IsEmpty());
  EXPECT_EQ(config.notify, NotifyConfig{});
  ASSERT_EQ(config.virtual_routers.size(), 1u);
  const VirtualRouterConfig& router = config.virtual_routers[0];
  EXPECT_EQ(router.name, "web");
  EXPECT_EQ(router.interface, "eth0");
  EXPECT_EQ(router.vrid, 51);
  EXPECT_EQ(router.priority, 100);
  EXPECT_EQ(router.advertisement_interval, 100ms);
  EXPECT_FALSE(router.preempt);
  EXPECT_EQ(router.preempt_delay, 0s);
  EXPECT_EQ(router.join_hold, 1s);
  EXPECT_THAT(router.addresses, ElementsAre(*IpPrefix::parse("192.0.2.100/24")));
  EXPECT_THAT(router.excluded_addresses, IsEmpty());
  EXPECT_TRUE(router.unicast);
  EXPECT_TRUE(router.track_proxy);
  EXPECT_EQ(router.upstream_weight, 253);
  EXPECT_EQ(router.checksum, ChecksumForm::rfc5798);
  EXPECT_EQ(router.version, 3);
  EXPECT_EQ(router.password, "");
  EXPECT_FALSE(router.virtual_mac);
  EXPECT_TRUE(router.accept);
  EXPECT_EQ(router.sync_group, "");
  EXPECT_THAT(router.track, IsEmpty());
}

TEST_F(VrrpConfigFiles, EverySettingOfTheNodeArrives) {
  write("pair.key", std::string(64, 'a') + "\n" + std::string(62, '0') + "Ff\n");
  auto config = load(R"(
    node = "lb-b";
    peer = { address = "192.0.2.11"; address_ipv6 = "fe80::11"; key_file = "pair.key"; priority = 200;
             paths = ( { interface = "eth1"; address = "198.51.100.11"; },
                       { interface = "eth2"; address = "fe80::11"; } ); };
    control_socket = "/tmp/c"; gate_socket = "/tmp/g";
    realtime_priority = 0; lock_memory = false; hang_timeout = "1s"; drain_time = "0s"; track_proxy = false; upstream_delay = "0s";
    notify = [ "/bin/true", "one two" ]; notify_user = "root"; notify_timeout = "2s"; notify_fifo = "events";
    virtual_routers = ( { name = "in"; interface = "eth0"; vrid = 255; addresses = "10.0.0.1/8"; } );)");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->peer->address_v4, IpAddress::parse("192.0.2.11"));
  EXPECT_EQ(config->peer->address_v6, IpAddress::parse("fe80::11"));
  EXPECT_EQ(config->peer_priority, 200);
  ASSERT_EQ(config->pair_keys.size(), 2u);
  EXPECT_EQ(config->pair_keys[0][0], 0xAA);
  EXPECT_EQ(config->pair_keys[1][31], 0xFF);
  EXPECT_THAT(config->peer_paths, ElementsAre(PeerPath{"eth1", *IpAddress::parse("198.51.100.11")},
                                              PeerPath{"eth2", *IpAddress::parse("fe80::11")}));
  EXPECT_EQ(config->control_socket, "/tmp/c");
  EXPECT_EQ(config->gate_socket, "/tmp/g");
  EXPECT_EQ(config->realtime_priority, 0);
  EXPECT_FALSE(config->lock_memory);
  EXPECT_EQ(config->hang_timeout, 1s);
  EXPECT_EQ(config->drain_time, 0s);
  EXPECT_EQ(config->upstream_delay, 0s);
  EXPECT_FALSE(config->virtual_routers[0].track_proxy) << "the file's default";
  EXPECT_THAT(config->notify.command, ElementsAre("/bin/true", "one two"));
  EXPECT_EQ(config->notify.user, "root");
  EXPECT_EQ(config->notify.timeout, 2s);
  EXPECT_EQ(config->notify.fifo, folder_ / "events");
  EXPECT_THAT(config->warnings, IsEmpty());
}

TEST(VrrpConfig, RelativePathsAreRelativeToTheFile) {
  auto config = parse_config(file_with(kAddresses, "control_socket = \"c.sock\";"), "/etc/vipair/node.conf");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->control_socket, "/etc/vipair/c.sock");
}

TEST_F(VrrpConfigFiles, APathOverAnInterfaceOfVirtualRoutersIsAWarning) {
  write("pair.key", std::string(64, 'a'));
  auto config = load(file_with(kAddresses,
                               "peer = { address = \"192.0.2.12\"; key_file = \"pair.key\"; paths = ( { "
                               "interface = \"eth0\"; address = \"10.0.0.2\"; } ); };"));
  ASSERT_TRUE(config);
  EXPECT_THAT(config->warnings, ElementsAre(HasSubstr("peer.paths[0]: eth0 carries virtual routers too")));
}

TEST_F(VrrpConfigFiles, TheSameLinkLocalAddressOnAnotherLinkIsAnotherPath) {
  write("pair.key", std::string(64, 'a'));
  EXPECT_EQ(errors(file_with(kAddresses,
                             "peer = { address = \"fe80::12\"; key_file = \"pair.key\"; paths = ( { "
                             "interface = \"eth1\"; address = \"fe80::12\"; } ); };")),
            "");
}

TEST(VrrpConfig, ANotifierThatIsNotThereYetIsAWarning) {
  EXPECT_THAT(
      loaded(file_with(kAddresses, "notify = \"/nonexistent/notify\"; notify_user = \"no.such.user\";")).warnings,
      ElementsAre(HasSubstr("notify: \"/nonexistent/notify\" cannot be run"),
                  HasSubstr("notify_user: there is no user \"no.such.user\"")));
}

// A pair with a further path; the missing key file is a mistake of its own.
std::string paths(const std::string& list) {
  return file_with(kAddresses, "peer = { address = \"192.0.2.12\"; key_file = \"/nonexistent/key\"; paths = ( " +
                                   list + " ); };");
}
std::string many_paths(int count) {
  std::string list;
  for (int i = 1; i <= count; ++i)
    list += (list.empty() ? "" : ", ") + std::string("{ interface = \"eth1\"; address = \"10.0.0.") +
            std::to_string(i) + "\"; }";
  return list;
}

class VrrpConfigMistake : public testing::TestWithParam<Mistake> {};

TEST_P(VrrpConfigMistake, IsRefusedWithItsPlaceAndTheRemedy) {
  EXPECT_THAT(errors_of(GetParam().text), HasSubstr(GetParam().expected));
}

const Mistake kMistakes[] = {
    {"no node", "virtual_routers = ( { name = \"w\"; interface = \"e\"; vrid = 1; addresses = \"10.0.0.1\"; } );",
     "node"},
    {"a node with a space", "node = \"a b\";", "node.conf:1: node: \"a b\" is not a name"},
    {"an empty node", "node = \"\";", "\"\" is not a name"},
    {"a peer without address", file_with(kAddresses, "peer = { };"), "peer.address"},
    {"a peer that is a group", file_with(kAddresses, "peer = { address = \"224.0.0.18\"; };"),
     "is a multicast address"},
    {"a peer with a global IPv6 address", file_with(kAddresses, "peer = { address = \"2001:db8::1\"; };"),
     "2001:db8::1 is not link-local"},
    {"two IPv4 addresses of the peer",
     file_with(kAddresses, "peer = { address = \"192.0.2.12\"; address_ipv6 = \"192.0.2.13\"; };"),
     "is an IPv4 address"},
    {"two IPv6 addresses of the peer",
     file_with(kAddresses, "peer = { address = \"fe80::1\"; address_ipv6 = \"fe80::2\"; };"),
     "is an IPv6 address already"},
    {"one socket for both", file_with(kAddresses, "control_socket = \"/s\"; gate_socket = \"/s\";"),
     "gate_socket: is the control socket as well"},
    {"a long socket path", file_with(kAddresses, "gate_socket = \"/" + std::string(107, 'x') + "\";"),
     "the path is 108 bytes long: a Unix socket's path has at most 107"},
    {"an empty socket path", file_with(kAddresses, "gate_socket = \"\";"), "gate_socket: is empty"},
    {"a priority beyond real time", file_with(kAddresses, "realtime_priority = 100;"),
     "realtime_priority: 100 is out of range"},
    {"a hang timeout too short", file_with(kAddresses, "hang_timeout = \"10ms\";"), "hang_timeout"},
    {"a broken file", "node = ;", "node.conf:1"},
    {"a peer that takes no part", file_with(kAddresses, "peer = { address = \"192.0.2.12\"; priority = 0; };"),
     "peer.priority: 0 is out of range, expected 1 to 255"},
    {"paths without a key",
     file_with(
         kAddresses,
         "peer = { address = \"192.0.2.12\"; paths = ( { interface = \"eth1\"; address = \"10.0.0.2\"; } ); };"),
     "peer.paths: need peer.key_file"},
    {"a path without interface", paths("{ address = \"10.0.0.2\"; }"), "peer.paths[0].interface: is missing"},
    {"a path without address", paths("{ interface = \"eth1\"; }"), "peer.paths[0].address: is missing"},
    {"a path to a group", paths("{ interface = \"eth1\"; address = \"224.0.0.18\"; }"),
     "peer.paths[0].address: 224.0.0.18 is a multicast address: expected the peer's own address"},
    {"a path to a global IPv6 address", paths("{ interface = \"eth1\"; address = \"2001:db8::2\"; }"),
     "peer.paths[0].address: 2001:db8::2 is not link-local"},
    {"a path twice",
     paths("{ interface = \"eth1\"; address = \"10.0.0.2\"; }, { interface = \"eth1\"; address = \"10.0.0.2\"; }"),
     "peer.paths[1].address: 10.0.0.2 over eth1 is listed twice"},
    {"a path that is the first one", paths("{ interface = \"eth1\"; address = \"192.0.2.12\"; }"),
     "peer.paths[0].address: 192.0.2.12 is the way that the advertisements of \"web\" go already"},
    {"a path to a virtual address", paths("{ interface = \"eth1\"; address = \"192.0.2.100\"; }"),
     "192.0.2.100 is a virtual address, virtual_routers[0].addresses[0] (line 3)"},
    {"an unknown setting of a path", paths("{ interface = \"eth1\"; adress = \"10.0.0.2\"; }"),
     "did you mean \"address\"?"},
    {"too many paths", paths(many_paths(9)), "peer.paths: 9 paths: expected at most 8"},
    {"a notifier that a shell would find", file_with(kAddresses, "notify = [ \"notify\" ];"),
     "\"notify\" is not the absolute path of a program"},
    {"a notifier of nothing", file_with(kAddresses, "notify = [ ];"), "notify: is empty"},
    {"a user without a notifier", file_with(kAddresses, "notify_user = \"root\";"),
     "notify_user: has no effect without notify"},
    {"a time limit without a notifier", file_with(kAddresses, "notify_timeout = \"1s\";"),
     "notify_timeout: has no effect without notify"},
    {"a notifier that runs for ever", file_with(kAddresses, "notify = \"/bin/true\"; notify_timeout = \"1h\";"),
     "notify_timeout: \"1h\" is out of range"},
    {"a fifo without a name", file_with(kAddresses, "notify_fifo = \"\";"), "notify_fifo: expected a path"},
};
INSTANTIATE_TEST_SUITE_P(Table, VrrpConfigMistake, testing::ValuesIn(kMistakes));

TEST(VrrpConfig, TenMistakesAreAllNamedInTheOrderOfTheFile) {
  auto config = parse_config(R"(nod = "x";
node = "a b";
peer = { address = "192.0.2.300"; };
virtual_routers = (
  { name = "web"; interface = "eth0";
    vrid = 256;
    priority = 0;
    advertisement_interval = "15ms";
    addresses = [ "192.0.2.0/24" ];
    sync_group = "x y"; } );
hang_timeout = 5;
)",
                             "node.conf");
  ASSERT_FALSE(config);
  std::vector<int> lines;
  for (const ConfigError& error : config.error()) lines.push_back(error.line);
  EXPECT_THAT(lines, ElementsAre(1, 2, 3, 6, 7, 8, 9, 10, 11));
}

TEST(VrrpConfig, MissingFileIsAnError) {
  auto config = load_config("/nonexistent/node.conf");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().at(0).file, "/nonexistent/node.conf");
}

}  // namespace
}  // namespace vipair::vrrp
