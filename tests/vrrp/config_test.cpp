#include "vrrp/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A whole file around the settings of one virtual router.
std::string file_with(const std::string& router, const std::string& top = "") {
  return "node = \"lb-a\";\n" + top + "\nvirtual_routers = ( { name = \"web\"; interface = \"eth0\"; vrid = 51; " +
         router + " } );\n";
}
constexpr const char* kAddresses = "addresses = [ \"192.0.2.100/24\" ]; ";
constexpr const char* kPeer = "peer = { address = \"192.0.2.12\"; };";

std::string errors_of(const std::string& text) {
  auto config = parse_config(text, "node.conf");
  if (config) return "";
  std::string errors;
  for (const ConfigError& error : config.error()) errors += error.to_string() + "\n";
  return errors;
}

Config loaded(const std::string& text) {
  auto config = parse_config(text, "node.conf");
  EXPECT_TRUE(config) << errors_of(text);
  return config ? *config : Config{};
}

IpPrefix prefix(const char* text) { return *IpPrefix::parse(text); }

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
  EXPECT_EQ(config.hang_timeout, 250ms);
  EXPECT_EQ(config.drain_time, 10s);
  EXPECT_THAT(config.warnings, IsEmpty());
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
  EXPECT_THAT(router.addresses, ElementsAre(prefix("192.0.2.100/24")));
  EXPECT_THAT(router.excluded_addresses, IsEmpty());
  EXPECT_TRUE(router.unicast);
  EXPECT_TRUE(router.track_proxy);
  EXPECT_EQ(router.checksum, ChecksumForm::rfc5798);
}

TEST(VrrpConfig, EverySettingArrives) {
  const Config config = loaded(R"(
    node = "lb-b";
    peer = { address = "192.0.2.11"; address_ipv6 = "fe80::11"; };
    control_socket = "/tmp/c"; gate_socket = "/tmp/g";
    realtime_priority = 0; lock_memory = false; hang_timeout = "1s"; drain_time = "0s"; track_proxy = false;
    virtual_routers = (
      { name = "web"; interface = "eth0"; vrid = 255; priority = 254; advertisement_interval = "40950ms";
        preempt = true; preempt_delay = "5s"; join_hold = "0s"; unicast = false; checksum = "auto"; track_proxy = true;
        addresses = [ "fe80::100/64", "2001:db8::100/64", "192.0.2.100/24" ]; excluded_addresses = "192.0.2.101";
        version = 3; virtual_mac = false; accept = true; },
      { name = "in"; interface = "eth1"; vrid = 255; peer = { address = "10.0.0.11"; };
        addresses = "10.0.0.1/8"; } );)");
  EXPECT_EQ(config.peer->address_v4, IpAddress::parse("192.0.2.11"));
  EXPECT_EQ(config.peer->address_v6, IpAddress::parse("fe80::11"));
  EXPECT_EQ(config.control_socket, "/tmp/c");
  EXPECT_EQ(config.gate_socket, "/tmp/g");
  EXPECT_EQ(config.realtime_priority, 0);
  EXPECT_FALSE(config.lock_memory);
  EXPECT_EQ(config.hang_timeout, 1s);
  EXPECT_EQ(config.drain_time, 0s);
  ASSERT_EQ(config.virtual_routers.size(), 2u);
  const VirtualRouterConfig& web = config.virtual_routers[0];
  EXPECT_EQ(web.vrid, 255);
  EXPECT_EQ(web.priority, 254);
  EXPECT_EQ(web.advertisement_interval, Centiseconds(4095));
  EXPECT_TRUE(web.preempt);
  EXPECT_EQ(web.preempt_delay, 5s);
  EXPECT_EQ(web.join_hold, 0s);
  EXPECT_FALSE(web.unicast);
  EXPECT_TRUE(web.track_proxy);
  EXPECT_EQ(web.checksum, ChecksumForm::automatic);
  EXPECT_THAT(web.addresses,
              ElementsAre(prefix("fe80::100/64"), prefix("2001:db8::100/64"), prefix("192.0.2.100/24")));
  EXPECT_THAT(web.excluded_addresses, ElementsAre(prefix("192.0.2.101/32")));
  EXPECT_FALSE(web.peer);
  const VirtualRouterConfig& in = config.virtual_routers[1];
  EXPECT_FALSE(in.track_proxy) << "the file's default";
  ASSERT_TRUE(in.peer);
  EXPECT_EQ(in.peer->address_v4, IpAddress::parse("10.0.0.11"));
}

TEST(VrrpConfig, WithoutAPeerAdvertisementsAreMulticast) {
  EXPECT_FALSE(loaded(file_with(kAddresses)).virtual_routers[0].unicast);
}

TEST(VrrpConfig, AnAddressOwnerPreempts) {
  EXPECT_TRUE(loaded(file_with(std::string(kAddresses) + "priority = 255;")).virtual_routers[0].preempt);
}

TEST(VrrpConfig, RelativePathsAreRelativeToTheFile) {
  auto config = parse_config(file_with(kAddresses, "control_socket = \"c.sock\";"), "/etc/vipair/node.conf");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->control_socket, "/etc/vipair/c.sock");
}

struct Mistake {
  const char* what;
  std::string text;
  const char* expected;  // part of the error
};
void PrintTo(const Mistake& mistake, std::ostream* out) { *out << mistake.what; }

class VrrpConfigMistake : public testing::TestWithParam<Mistake> {};

TEST_P(VrrpConfigMistake, IsRefusedWithItsPlaceAndTheRemedy) {
  EXPECT_THAT(errors_of(GetParam().text), HasSubstr(GetParam().expected));
}

std::string router(const std::string& settings) { return file_with(kAddresses + settings); }
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

const Mistake kMistakes[] = {
    {"no node", "virtual_routers = ( { name = \"w\"; interface = \"e\"; vrid = 1; addresses = \"10.0.0.1\"; } );",
     "node"},
    {"a node with a space", "node = \"a b\";", "node.conf:1: node: \"a b\" is not a name"},
    {"an empty node", "node = \"\";", "\"\" is not a name"},
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
    {"too many IPv4 addresses", addresses(many("10.0.%d.%d/8", 256)), "256 ipv4 addresses do not fit"},
    {"too many IPv6 addresses", addresses(many("2001:db8::%d:%d/64", 90)), "90 ipv6 addresses do not fit"},
    {"too many addresses",
     file_with(std::string(kAddresses) + "excluded_addresses = [ " + many("10.0.%d.%d/8", 4096) + " ];"),
     "4097 addresses: expected at most 4096"},
    {"unicast without a peer", router("unicast = true;"), "unicast: true needs a peer"},
    {"an unknown checksum", router("checksum = \"none\";"), "checksum"},
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
    {"a router's peer alone", router("peer = { address = \"10.0.0.2\"; };"), "to the file's top level"},
    {"a missing key file",
     file_with(kAddresses, "peer = { address = \"192.0.2.12\"; key_file = \"/nonexistent/key\"; };"),
     "cannot read \"/nonexistent/key\""},
    {"a second path", file_with(kAddresses, "peer = { address = \"192.0.2.12\"; paths = ( ); };"),
     "peer.paths: a second path to the peer is not supported by this version of vipair"},
    {"version 2", router("version = 2;"), "VRRP version 2 is not supported by this version of vipair; expected 3"},
    {"version 4", router("version = 4;"), "version: 4 is out of range"},
    {"a virtual MAC", router("virtual_mac = true;"), "not supported by this version of vipair; expected false"},
    {"not accepting", router("accept = false;"), "not supported by this version of vipair; expected true"},
    {"authentication", router("authentication = { type = \"pass\"; };"),
     "authentication of version 2 neighbours is not supported"},
    {"a sync group", router("sync_group = \"edge\";"), "a sync group is not supported by this version"},
    {"tracking", router("track = [ \"app\" ];"), "tracking of checks is not supported by this version"},
    {"checks", file_with(kAddresses, "checks = ( );"),
     "checking anything but the proxy is not supported by this version"},
    {"notify", file_with(kAddresses, "notify = [ \"/bin/true\" ];"),
     "notification is not supported by this version"},
    {"one socket for both", file_with(kAddresses, "control_socket = \"/s\"; gate_socket = \"/s\";"),
     "gate_socket: is the control socket as well"},
    {"a long socket path", file_with(kAddresses, "gate_socket = \"/" + std::string(107, 'x') + "\";"),
     "the path is 108 bytes long: a Unix socket's path has at most 107"},
    {"an empty socket path", file_with(kAddresses, "gate_socket = \"\";"), "gate_socket: is empty"},
    {"a priority beyond real time", file_with(kAddresses, "realtime_priority = 100;"),
     "realtime_priority: 100 is out of range"},
    {"a hang timeout too short", file_with(kAddresses, "hang_timeout = \"10ms\";"), "hang_timeout"},
    {"a broken file", "node = ;", "node.conf:1"},
};
INSTANTIATE_TEST_SUITE_P(Table, VrrpConfigMistake, testing::ValuesIn(kMistakes));

TEST(VrrpConfig, LimitsThemselvesAreAccepted) {
  EXPECT_EQ(errors_of(addresses(many("10.0.%d.%d/8", 255))), "");
  EXPECT_EQ(errors_of(addresses(many("2001:db8::%d:%d/64", 89))), "");
  EXPECT_EQ(errors_of(file_with(std::string(kAddresses) + "excluded_addresses = [ " + many("10.0.%d.%d/8", 4095) +
                                " ];")),
            "");
  EXPECT_EQ(errors_of(addresses("\"192.0.2.0/31\", \"192.0.2.255/32\"")), "");
  EXPECT_EQ(errors_of(file_with(kAddresses, "gate_socket = \"/" + std::string(106, 'x') + "\";")), "");
}

TEST(VrrpConfig, OneVridPerInterfaceAndFamily) {
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

TEST(VrrpConfig, NamesAndAddressesAreUsedOnce) {
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
    sync_group = "x"; } );
hang_timeout = 5;
)",
                             "node.conf");
  ASSERT_FALSE(config);
  std::vector<int> lines;
  for (const ConfigError& error : config.error()) lines.push_back(error.line);
  EXPECT_THAT(lines, ElementsAre(1, 2, 3, 6, 7, 8, 9, 10, 11));
}

// ---- key files ----

class KeyFile : public testing::Test {
 protected:
  KeyFile() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vipair-key-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    folder_ = pattern;
  }
  ~KeyFile() override { std::filesystem::remove_all(folder_); }

  Expected<Config, ConfigErrors> load(const std::string& keys, mode_t mode = 0600) {
    std::ofstream(folder_ / "pair.key") << keys;
    ::chmod((folder_ / "pair.key").c_str(), mode);
    std::ofstream(folder_ / "node.conf")
        << file_with(kAddresses, "peer = { address = \"192.0.2.12\"; key_file = \"pair.key\"; };");
    return load_config(folder_ / "node.conf");
  }
  std::filesystem::path folder_;
};

TEST_F(KeyFile, IsCheckedAndItsUselessnessIsTold) {
  auto config = load(std::string(64, 'a') + "\n" + std::string(64, 'F') + "\n");
  ASSERT_TRUE(config);
  EXPECT_THAT(config->warnings, ElementsAre(HasSubstr("does not authenticate advertisements")));
}

TEST_F(KeyFile, ReadableByOthersIsAWarning) {
  auto config = load(std::string(64, 'a'), 0644);
  ASSERT_TRUE(config);
  EXPECT_THAT(config->warnings, ElementsAre(HasSubstr("chmod 0600"), HasSubstr("does not authenticate")));
}

TEST_F(KeyFile, WithBadContentIsRefusedByLine) {
  for (const auto& [keys, expected] : std::vector<std::pair<std::string, std::string>>{
           {"", "holds no key"},
           {"\n\n", "holds no key"},
           {std::string(64, 'a') + "\n" + std::string(63, 'a') + "\n", "pair.key\" line 2 is not a key"},
           {std::string(65, 'a'), "pair.key\" line 1 is not a key"},
           {std::string(63, 'a') + "g", "pair.key\" line 1 is not a key"},
           {std::string(kKeyFileSizeMax + 1, 'a'), "is not a key file"}}) {
    auto config = load(keys);
    ASSERT_FALSE(config) << expected;
    EXPECT_THAT(config.error().at(0).message, HasSubstr(expected));
    EXPECT_EQ(config.error().at(0).message.find(std::string(63, 'a')), std::string::npos)
        << "secrets are not shown";
  }
}

TEST(VrrpConfig, MissingFileIsAnError) {
  auto config = load_config("/nonexistent/node.conf");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().at(0).file, "/nonexistent/node.conf");
}

}  // namespace
}  // namespace vipair::vrrp
