#include "vrrp/kernel/kernel_host.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/ip.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include "common/runtime/unique_fd.h"
#include "tests/support/network.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using test::In;
using test::in_new_network;
using test::Namespace;
using test::output_of;
using test::run;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

std::vector<IpPrefix> prefixes(std::initializer_list<const char*> texts) {
  std::vector<IpPrefix> list;
  for (const char* text : texts) list.push_back(*IpPrefix::parse(text));
  return list;
}

// A node with one interface whose other end is up as well, and a host that acts on it.
struct Node {
  Node() {
    run("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up && ip addr add "
        "192.0.2.11/24 dev v0");
    host = open();
  }
  std::unique_ptr<KernelHost> open(Duration drain_time = 0s) {
    auto opened = KernelHost::open(link, drain_time);
    EXPECT_TRUE(opened) << opened.error();
    return std::move(*opened);
  }
  AddressSet set(std::initializer_list<const char*> texts) const {
    return {"v0", static_cast<int>(::if_nametoindex("v0")), prefixes(texts)};
  }
  static bool has(const std::string& address, const char* interface = "v0") {
    return output_of(std::string("ip -o addr show dev ") + interface).find(" " + address + " ") !=
           std::string::npos;
  }
  SupervisorLink link;
  std::unique_ptr<KernelHost> host;
};

TEST(KernelHost, ClaimsAndReleasesBothFamilies) {
  in_new_network([] {
    Node node;
    const AddressSet v4 = node.set({"192.0.2.100/24", "192.0.2.101/32", "198.51.100.1/24"});
    const AddressSet v6 = node.set({"fe80::200:5eff:fe00:233/64", "2001:db8::100/64"});
    for (const AddressSet& set : {v4, v6}) {
      auto claimed = node.host->claim(set);
      ASSERT_TRUE(claimed) << claimed.error().text;
      for (const IpPrefix& prefix : set.addresses) EXPECT_TRUE(Node::has(prefix.to_string())) << prefix.to_string();
      EXPECT_TRUE(node.host->claim(set)) << "what is ours already counts as claimed";
    }
    EXPECT_EQ(node.host->held().size(), 5u);
    for (const AddressSet& set : {v4, v6}) {
      node.host->release(set, ReleaseMode::immediate);
      for (const IpPrefix& prefix : set.addresses)
        EXPECT_FALSE(Node::has(prefix.to_string())) << prefix.to_string();
    }
    EXPECT_THAT(node.host->held(), IsEmpty());
    EXPECT_TRUE(Node::has("192.0.2.11/24")) << "the node's own stays";
    node.host->release(v4, ReleaseMode::immediate);
  });
}

// The kernel acknowledges an IPv6 address before it takes in packets for it.
TEST(KernelHost, ClaimedAddressesAreServedAtOnce) {
  in_new_network([] {
    Node node;
    run("ip addr add 2001:db8::11/64 dev v0 nodad");
    const UniqueFd served(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(8080);
    ASSERT_EQ(::bind(served.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    const UniqueFd client(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    constexpr int kAddresses = 64;
    for (int i = 0; i < kAddresses; ++i) {
      const std::string address = "2001:db8::1:" + std::to_string(i);
      ASSERT_EQ(::inet_pton(AF_INET6, address.c_str(), &to.sin6_addr), 1);
      ASSERT_TRUE(node.host->claim(node.set({(address + "/64").c_str()})));
      ASSERT_EQ(::sendto(client.get(), "", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to), 1);
      pollfd readable = {served.get(), POLLIN, 0};
      ASSERT_EQ(::poll(&readable, 1, 1000), 1) << address;
      char byte;
      ASSERT_EQ(::recv(served.get(), &byte, 1, 0), 1);
    }
  });
}

TEST(KernelHost, OpensItsEarsBeforeItClaims) {
  in_new_network([] {
    Node node;
    const AddressSet set = node.set({"192.0.2.100/24"});
    ASSERT_TRUE(node.host->claim(set));
    EXPECT_TRUE(node.host->sockets().is_open(set.interface_index, IpFamily::ipv4));
  });
}

TEST(KernelHost, AnotherRunsAddressIsRecognisedByItsMark) {
  in_new_network([] {
    Node node;
    const AddressSet v4 = node.set({"192.0.2.100/24"}), v6 = node.set({"2001:db8::100/64"});
    for (const AddressSet& set : {v4, v6}) ASSERT_TRUE(node.host->claim(set));
    const auto another = node.open();
    for (const AddressSet& set : {v4, v6}) EXPECT_TRUE(another->claim(set));
  });
}

TEST(KernelHost, AddressOfSomebodyElseIsRefusedWithTheRemedyAndNothingStays) {
  in_new_network([] {
    Node node;
    run("ip addr add 192.0.2.101/24 dev v0");
    auto claimed = node.host->claim(node.set({"192.0.2.100/24", "192.0.2.101/24", "192.0.2.102/24"}));
    ASSERT_FALSE(claimed);
    EXPECT_EQ(claimed.error().kind, HostError::Kind::address_in_use);
    EXPECT_THAT(claimed.error().text, HasSubstr("192.0.2.101 is on v0 already"));
    EXPECT_THAT(claimed.error().text, HasSubstr("ip address del 192.0.2.101/24 dev v0"));
    EXPECT_FALSE(Node::has("192.0.2.100/24"));
    EXPECT_FALSE(Node::has("192.0.2.102/24"));
    EXPECT_TRUE(Node::has("192.0.2.101/24")) << "and theirs is left alone";
    EXPECT_THAT(node.host->held(), IsEmpty());
    EXPECT_EQ(node.host->counters().claim_failures, 1u);
  });
}

TEST(KernelHost, RollBackKeepsWhatWasHeldBefore) {
  in_new_network([] {
    Node node;
    run("ip addr add 192.0.2.101/24 dev v0");
    ASSERT_TRUE(node.host->claim(node.set({"192.0.2.100/24"})));
    EXPECT_FALSE(node.host->claim(node.set({"192.0.2.100/24", "192.0.2.101/24"})));
    EXPECT_TRUE(Node::has("192.0.2.100/24"));
  });
}

TEST(KernelHost, ReleasingAnAddressThatCameFirstKeepsTheNodesOwn) {
  in_new_network([] {
    Node node;
    run("ip addr flush dev v0");
    ASSERT_TRUE(node.host->claim(node.set({"192.0.2.100/24"})));
    run("ip addr add 192.0.2.11/24 dev v0");  // becomes a secondary of the virtual one
    node.host->release(node.set({"192.0.2.100/24"}), ReleaseMode::immediate);
    EXPECT_TRUE(Node::has("192.0.2.11/24"));
    EXPECT_FALSE(Node::has("192.0.2.100/24"));
  });
}

TEST(KernelHost, SecondariesArePromotedWhileAnAddressIsHeldAndAsBeforeAfterwards) {
  in_new_network([] {
    Node node;
    KernelWill told;
    node.link.set_last_will = [&](const KernelWill& will) {
      told = will;
      return Expected<void, std::string>{};
    };
    const auto promotes = [] { return output_of("cat /proc/sys/net/ipv4/conf/v0/promote_secondaries"); };
    const AddressSet one = node.set({"192.0.2.100/24"}), other = node.set({"192.0.2.101/24"});
    ASSERT_TRUE(node.host->claim(one));
    ASSERT_TRUE(node.host->claim(other));
    EXPECT_EQ(promotes(), "1\n");
    ASSERT_EQ(told.lingering.settings.size(), 1u) << "the will knows how it was";
    EXPECT_EQ(told.lingering.settings[0].value, 0);
    node.host->release(one, ReleaseMode::immediate);
    EXPECT_EQ(promotes(), "1\n");
    node.host->release(other, ReleaseMode::immediate);
    EXPECT_EQ(promotes(), "0\n");
    EXPECT_THAT(told.lingering.settings, IsEmpty());
  });
}

// A node whose neighbour is elsewhere: what is asked on the link is answered, or not, by the node's interfaces.
struct NodeWithNeighbour {
  NodeWithNeighbour() {
    run("ip link add v0 type veth peer name v1 netns " + neighbour.path());
    run("ip link set v0 up && ip addr add 192.0.2.11/24 dev v0 && ip addr add 2001:db8::11/64 dev v0 nodad");
    {
      const In in(neighbour);
      run("ip link set v1 up && ip addr add 192.0.2.50/24 dev v1 && ip addr add 2001:db8::50/64 dev v1 nodad");
    }
    index = static_cast<int>(::if_nametoindex("v0"));
    host = open(0s);
  }
  std::unique_ptr<KernelHost> open(Duration drain_time) {
    auto opened = KernelHost::open(link, drain_time);
    EXPECT_TRUE(opened) << opened.error();
    (*opened)->set_lease_duration(60s);  // nobody renews it
    return std::move(*opened);
  }
  AddressSet set(std::initializer_list<const char*> texts, bool accept = true) const {
    return {"v0", index, prefixes(texts), 51, true, accept};
  }
  // The MAC address that the neighbour learns by asking; empty when nobody answers.
  std::string mac_of(const std::string& address) const {
    const In in(neighbour);
    run("ip neigh flush dev v1");
    (void)test::succeeds("ping -c 1 -W 1 " + address);
    const std::string entry = output_of("ip neigh show " + address + " dev v1");
    const std::size_t at = entry.find("lladdr ");
    return at == std::string::npos ? "" : entry.substr(at + 7, 17);
  }
  bool answers_pings(const std::string& address) const {
    const In in(neighbour);
    return test::succeeds("ping -c 1 -W 1 " + address);
  }
  static std::string own_mac() { return output_of("cat /sys/class/net/v0/address").substr(0, 17); }
  static std::string arp_ignore() { return output_of("cat /proc/sys/net/ipv4/conf/v0/arp_ignore"); }
  Namespace neighbour;
  int index = 0;
  SupervisorLink link;
  std::unique_ptr<KernelHost> host;
};

TEST(KernelHost, VirtualMacIsWhatTheNeighboursLearn) {
  in_new_network([] {
    run("mount -t sysfs none /sys");
    NodeWithNeighbour node;
    const AddressSet v4 = node.set({"192.0.2.100/24", "192.0.2.101/24"});
    const AddressSet v6 = node.set({"fe80::200:5eff:fe00:233/64", "2001:db8::100/64"});
    for (const AddressSet& set : {v4, v6}) {
      const auto claimed = node.host->claim(set);
      ASSERT_TRUE(claimed) << claimed.error().text;
      ASSERT_TRUE(node.host->claim(set)) << "what is ours already counts as claimed";
    }
    EXPECT_EQ(node.mac_of("192.0.2.100"), "00:00:5e:00:01:33");
    EXPECT_EQ(node.mac_of("192.0.2.101"), "00:00:5e:00:01:33");
    EXPECT_EQ(node.mac_of("2001:db8::100"), "00:00:5e:00:02:33");
    EXPECT_EQ(node.mac_of("192.0.2.11"), NodeWithNeighbour::own_mac());
    EXPECT_EQ(node.mac_of("2001:db8::11"), NodeWithNeighbour::own_mac());
    for (const char* address : {"192.0.2.100", "192.0.2.101", "2001:db8::100", "192.0.2.11", "2001:db8::11"})
      EXPECT_TRUE(node.answers_pings(address)) << address;
    EXPECT_EQ(output_of("ip route show 192.0.2.0/24 | grep -c vrrp"), "0\n") << "the way out is the parent";
    const std::string macvlan = interface_name(VirtualMac{node.index, IpFamily::ipv4, 51});
    EXPECT_EQ(node.host->agents_index(static_cast<int>(::if_nametoindex(macvlan.c_str()))), node.index);

    AddressSet first = v4;
    first.addresses.pop_back();
    node.host->release(first, ReleaseMode::immediate);
    EXPECT_EQ(node.mac_of("192.0.2.100"), "");
    EXPECT_EQ(node.mac_of("192.0.2.101"), "00:00:5e:00:01:33") << "one is still held";
    node.host->release(v4, ReleaseMode::immediate);
    node.host->release(v6, ReleaseMode::immediate);
    for (const char* address : {"192.0.2.101", "2001:db8::100"}) EXPECT_EQ(node.mac_of(address), "") << address;
    EXPECT_EQ(NodeWithNeighbour::arp_ignore(), "0\n");
    EXPECT_THAT(node.host->held(), IsEmpty());
  });
}

TEST(KernelHost, VirtualMacComesBackWhenSomebodyRemovedIt) {
  in_new_network([] {
    NodeWithNeighbour node;
    const AddressSet set = node.set({"192.0.2.100/24"});
    ASSERT_TRUE(node.host->claim(set));
    run("ip link del " + interface_name(VirtualMac{node.index, IpFamily::ipv4, 51}));
    ASSERT_EQ(node.host->held().size(), 1u);
    node.host->forget(*node.host->held().begin());
    ASSERT_TRUE(node.host->claim(set));
    EXPECT_EQ(node.mac_of("192.0.2.100"), "00:00:5e:00:01:33");
  });
}

TEST(KernelHost, VirtualMacAddressesLingerAndComeBack) {
  in_new_network([] {
    NodeWithNeighbour node;
    auto host = node.open(10s);
    const AddressSet set = node.set({"192.0.2.100/24"});
    ASSERT_TRUE(host->claim(set));
    host->release(set, ReleaseMode::lingering);
    EXPECT_TRUE(Node::has("192.0.2.100/32", "lo"));
    EXPECT_EQ(node.mac_of("192.0.2.100"), "");
    EXPECT_EQ(NodeWithNeighbour::arp_ignore(), "1\n");
    host->relay(set, *IpAddress::parse("192.0.2.50"));
    ASSERT_TRUE(host->claim(set));
    EXPECT_FALSE(Node::has("192.0.2.100/32", "lo"));
    EXPECT_EQ(NodeWithNeighbour::arp_ignore(), "1\n") << "still for the macvlan";
    EXPECT_EQ(node.mac_of("192.0.2.100"), "00:00:5e:00:01:33");
    host->release(set, ReleaseMode::lingering);
    host->stop_draining();
    EXPECT_EQ(NodeWithNeighbour::arp_ignore(), "0\n");
  });
}

TEST(KernelHost, LastWillNamesTheInterfaceOfTheVirtualMac) {
  in_new_network([] {
    NodeWithNeighbour node;
    KernelWill told;
    node.link.set_last_will = [&](const KernelWill& will) {
      told = will;
      return Expected<void, std::string>{};
    };
    auto host = node.open(10s);
    const AddressSet set = node.set({"192.0.2.100/24"});
    host->set_last_will({{}, {{set, ReleaseMode::lingering}}});
    ASSERT_TRUE(host->claim(set));
    const int macvlan =
        static_cast<int>(::if_nametoindex(interface_name(VirtualMac{node.index, IpFamily::ipv4, 51}).c_str()));
    ASSERT_EQ(told.withdrawn.size(), 1u);
    EXPECT_EQ(told.withdrawn[0].interface_index, macvlan);
    EXPECT_THAT(told.taken_down, testing::ElementsAre(macvlan));
    ASSERT_EQ(told.lingering.entries.size(), 1u) << "for the connections";
    EXPECT_EQ(told.lingering.entries[0].set.interface_index, node.index);
    EXPECT_EQ(told.lingering.settings.size(), 3u);

    Bytes encoded;
    encode_last_will(told, encoded);
    EXPECT_EQ(LastWillExecutor().execute(encoded).error, 0);
    EXPECT_EQ(node.mac_of("192.0.2.100"), "");
    EXPECT_TRUE(Node::has("192.0.2.100/32", "lo"));
  });
}

TEST(KernelHost, LeftoverVirtualMacsAreRemoved) {
  in_new_network([] {
    NodeWithNeighbour node;
    ASSERT_TRUE(node.host->claim(node.set({"192.0.2.100/24"})));
    auto leftovers = node.open(0s)->release_leftovers({});
    ASSERT_TRUE(leftovers) << leftovers.error();
    EXPECT_THAT(*leftovers, testing::ElementsAre(interface_name(VirtualMac{node.index, IpFamily::ipv4, 51})));
    EXPECT_EQ(node.mac_of("192.0.2.100"), "");
  });
}

TEST(KernelHost, WithoutAcceptModeTheAddressesAreKnownButNotServed) {
  in_new_network([] {
    NodeWithNeighbour node;
    auto host = node.open(10s);
    const AddressSet set = node.set({"192.0.2.100/24"}, false);
    ASSERT_TRUE(host->claim(set));
    EXPECT_EQ(node.mac_of("192.0.2.100"), "00:00:5e:00:01:33");
    EXPECT_FALSE(node.answers_pings("192.0.2.100"));
    EXPECT_TRUE(node.answers_pings("192.0.2.11"));
    ASSERT_TRUE(host->claim(node.set({"192.0.2.100/24"}, true)));
    EXPECT_TRUE(node.answers_pings("192.0.2.100")) << "after a reload with accept = true";
    ASSERT_TRUE(host->claim(set));
    EXPECT_FALSE(node.answers_pings("192.0.2.100"));
    host->release(set, ReleaseMode::lingering);
    EXPECT_FALSE(host->is_draining()) << "there are no connections to keep";
    EXPECT_EQ(output_of("nft list tables"), "");
  });
}

TEST(KernelHost, AnswersOnLease) {
  in_new_network([] {
    NodeWithNeighbour node;
    node.host->set_lease_duration(20ms);
    const AddressSet set{"v0", node.index, prefixes({"192.0.2.100/24"})};
    ASSERT_TRUE(node.host->claim(set));
    EXPECT_THAT(output_of("nft list table arp vipair-lease"), HasSubstr("192.0.2.100"));
    run("sleep 0.2");
    EXPECT_EQ(node.mac_of("192.0.2.100"), "") << "as if all processes were frozen";
    EXPECT_NE(node.mac_of("192.0.2.11"), "");
    node.host->release(set, ReleaseMode::immediate);
    EXPECT_EQ(output_of("nft list tables"), "");
  });
}

TEST(KernelHost, SaysWhatIsMissing) {
  in_new_network([] {
    Node node;
    auto gone = node.host->claim({"eth9", 4711, prefixes({"192.0.2.100/24"})});
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().kind, HostError::Kind::no_interface);

    const AddressSet set = node.set({"192.0.2.100/24"});
    ASSERT_TRUE(node.host->claim(set));
    node.host->release(set, ReleaseMode::immediate);
    run("unshare -m sh -c 'mount -t proc none /proc && echo 1 > /proc/sys/net/ipv6/conf/v0/disable_ipv6'");
    auto disabled = node.host->claim(node.set({"2001:db8::100/64"}));
    ASSERT_FALSE(disabled);
    EXPECT_THAT(disabled.error().text, HasSubstr("net.ipv6.conf.v0.disable_ipv6=0"));

    ASSERT_EQ(::setresuid(65534, 65534, 65534), 0);
    auto forbidden = node.host->claim(set);
    ASSERT_FALSE(forbidden);
    EXPECT_EQ(forbidden.error().kind, HostError::Kind::not_permitted);
    EXPECT_THAT(forbidden.error().text, HasSubstr("CAP_NET_ADMIN"));
    auto deaf = node.open()->claim(set);
    ASSERT_FALSE(deaf) << "a node that cannot listen must not claim";
    EXPECT_EQ(deaf.error().kind, HostError::Kind::not_permitted);
    EXPECT_THAT(deaf.error().text, HasSubstr("CAP_NET_RAW"));
  });
}

TEST(KernelHost, LeftoversOfACrashedRunAreRemovedAndNothingElse) {
  in_new_network([] {
    Node node;
    ASSERT_TRUE(node.host->claim(node.set({"192.0.2.100/24", "192.0.2.101/24"})));
    ASSERT_TRUE(node.host->claim({"lo", 1, prefixes({"192.0.2.102/32"})})) << "as lingering leaves them";
    run("ip addr add 192.0.2.103/24 dev v0");
    Config config;
    config.virtual_routers.push_back({});
    config.virtual_routers.back().interface = "v0";
    config.virtual_routers.back().addresses = prefixes({"192.0.2.100/24", "192.0.2.103/24"});
    auto next = node.open();
    auto leftovers = next->release_leftovers(config);
    ASSERT_TRUE(leftovers) << leftovers.error();
    EXPECT_THAT(*leftovers,
                UnorderedElementsAre("192.0.2.100/24 on v0", "192.0.2.101/24 on v0", "192.0.2.102/32 on lo"));
    EXPECT_FALSE(Node::has("192.0.2.100/24"));
    EXPECT_FALSE(Node::has("192.0.2.101/24"));
    EXPECT_FALSE(Node::has("192.0.2.102/32", "lo"));
    EXPECT_TRUE(Node::has("192.0.2.103/24")) << "an administrator's, though configured";
    EXPECT_TRUE(Node::has("192.0.2.11/24"));
    EXPECT_THAT(*next->release_leftovers(config), IsEmpty());
  });
}

TEST(KernelHost, LastWillReachesTheSupervisorAndTheHeartbeatGoesOn) {
  in_new_network([] {
    Node node;
    std::vector<std::size_t> wills;
    int beats = 0;
    node.link.set_last_will = [&](const KernelWill& will) {
      wills.push_back(will.withdrawn.size());
      return Expected<void, std::string>{};
    };
    node.link.heartbeat = [&] { ++beats; };
    node.host->set_last_will({{}, {{node.set({"192.0.2.100/24"}), ReleaseMode::immediate}}});
    node.host->set_last_will({});
    EXPECT_THAT(wills, testing::ElementsAre(1u, 0u));
    AddressSet many = node.set({});
    for (std::uint32_t i = 0; i < 1000; ++i) many.addresses.push_back({IpAddress::v4(0x0A000001u + i), 32});
    ASSERT_TRUE(node.host->claim(many));
    EXPECT_GE(beats, 1000 / static_cast<int>(NetlinkSocket::kBatchMax)) << "a long claim is no hang";
    node.host->release(many, ReleaseMode::immediate);
    EXPECT_FALSE(Node::has("10.0.0.1/32"));
  });
}

TEST(KernelHost, LastWillLetsLingerWhatTheDrainTimeAllows) {
  in_new_network([] {
    Node node;
    KernelWill told;
    node.link.set_last_will = [&](const KernelWill& will) {
      told = will;
      return Expected<void, std::string>{};
    };
    auto host = node.open(10s);
    const AddressSet pair = node.set({"192.0.2.100/24"}), rfc = node.set({"192.0.2.101/24"});
    host->set_last_will({{}, {{pair, ReleaseMode::lingering}, {rfc, ReleaseMode::immediate}}});
    ASSERT_EQ(told.withdrawn.size(), 1u);
    EXPECT_EQ(told.withdrawn[0].addresses, rfc.addresses);
    ASSERT_EQ(told.lingering.entries.size(), 1u);
    EXPECT_EQ(told.lingering.entries[0].set.addresses, pair.addresses);
    EXPECT_EQ(told.lingering.drain_time, 10s);
    EXPECT_EQ(told.lingering.settings.size(), 2u) << "the interface will have to be quiet, and to be restored";
    host->set_drain_time(0s);
    EXPECT_EQ(told.withdrawn.size(), 2u);
    EXPECT_THAT(told.lingering.entries, IsEmpty());
  });
}

TEST(KernelHost, AdoptsWhatLingersAndTakesItBackWithAClaim) {
  in_new_network([] {
    Node node;
    const AddressSet v4 = node.set({"192.0.2.100/24"}), v6 = node.set({"2001:db8::100/64"});
    std::vector<KernelWill> wills;
    auto ended = node.open(10s);
    for (const AddressSet& set : {v4, v6, node.set({"192.0.2.102/24"})}) ASSERT_TRUE(ended->claim(set));
    for (const AddressSet& set : {v4, v6}) ended->release(set, ReleaseMode::lingering);
    ASSERT_TRUE(Node::has("192.0.2.100/32", "lo"));
    node.link.set_last_will = [&](const KernelWill& will) {
      wills.push_back(will);
      return Expected<void, std::string>{};
    };
    node.link.inherited.entries = {{v4, std::nullopt}, {v6, std::nullopt}};
    node.link.inherited.settings = {{v4.interface_index, IPV4_DEVCONF_ARP_IGNORE, 0},
                                    {v4.interface_index, IPV4_DEVCONF_ARP_ANNOUNCE, 0}};
    node.link.inherited.drain_time = 10s;
    auto host = node.open(0s);
    ASSERT_EQ(wills.size(), 1u) << "its own will covers it at once";
    EXPECT_EQ(wills[0].lingering.entries.size(), 2u);
    EXPECT_TRUE(host->is_draining());
    EXPECT_THAT(*host->release_leftovers({}), testing::ElementsAre("192.0.2.102/24 on v0"));
    EXPECT_TRUE(Node::has("192.0.2.100/32", "lo"));
    EXPECT_TRUE(Node::has("2001:db8::100/128", "lo"));
    for (const AddressSet& set : {v4, v6}) ASSERT_TRUE(host->claim(set));
    EXPECT_FALSE(host->is_draining());
    EXPECT_FALSE(Node::has("192.0.2.100/32", "lo"));
    EXPECT_FALSE(Node::has("2001:db8::100/128", "lo"));
    EXPECT_TRUE(Node::has("192.0.2.100/24"));
    EXPECT_EQ(output_of("cat /proc/sys/net/ipv4/conf/v0/arp_ignore"), "0\n");
    EXPECT_THAT(wills.back().lingering.entries, IsEmpty());
  });
}

TEST(KernelHost, LingeringAddressLeavesTheInterface) {
  in_new_network([] {
    Node node;
    auto host = node.open(10s);
    const AddressSet set = node.set({"192.0.2.100/24"});
    ASSERT_TRUE(host->claim(set));
    host->release(set, ReleaseMode::lingering);
    EXPECT_FALSE(Node::has("192.0.2.100/24"));
    EXPECT_THAT(host->held(), IsEmpty());
    ASSERT_TRUE(host->claim(set)) << "and comes back";
    EXPECT_TRUE(Node::has("192.0.2.100/24"));
    EXPECT_FALSE(Node::has("192.0.2.100/32", "lo"));
    EXPECT_FALSE(host->is_draining());
    host->release(set, ReleaseMode::lingering);
    host->stop_draining();
    EXPECT_FALSE(host->is_draining());
    EXPECT_FALSE(Node::has("192.0.2.100/32", "lo"));
  });
}

// valid_lft of an address in seconds, -1 when it has none.
int lifetime_of(const std::string& address, const char* interface = "v0") {
  const std::string lines = output_of(std::string("ip -o addr show dev ") + interface + " to " + address);
  const std::size_t at = lines.find("valid_lft ");
  return at == std::string::npos || lines.compare(at + 10, 7, "forever") == 0 ? -1 : std::atoi(&lines[at + 10]);
}

TEST(KernelHost, AddressesHaveALifetimeThatIsRenewed) {
  in_new_network([] {
    Node node;
    const AddressSet v6 = node.set({"2001:db8::100/64"});
    AddressSet v4 = node.set({"192.0.2.100/24"});
    for (std::uint32_t i = 0; i < 200; ++i) v4.addresses.push_back({IpAddress::v4(0x0A000001u + i), 32});
    for (const AddressSet& set : {v4, v6}) ASSERT_TRUE(node.host->claim(set));
    EXPECT_EQ(node.host->counters().lease_errors, 0u);
    const auto first = node.host->next_deadline();
    ASSERT_TRUE(first);
    ::sleep(2);
    for (const char* address : {"192.0.2.100", "2001:db8::100", "10.0.0.200"}) {
      EXPECT_GT(lifetime_of(address), 0) << address;
      EXPECT_LT(lifetime_of(address), 30) << address;
    }
    run("ip addr del 10.0.0.7/32 dev v0");
    int rounds = 0;
    for (; node.host->next_deadline() == first && rounds < 10; ++rounds) node.host->on_time(*first);
    EXPECT_EQ(rounds, 4) << "64 at a time";
    EXPECT_EQ(node.host->next_deadline(), *first + KernelHost::kRenewInterval);
    for (const char* address : {"192.0.2.100", "2001:db8::100", "10.0.0.200", "10.0.0.7"})
      EXPECT_GE(lifetime_of(address), 29) << address;
    EXPECT_NE(output_of("ip -o addr show dev v0 to 2001:db8::100").find("deprecated"), std::string::npos);
    for (const AddressSet& set : {v4, v6}) node.host->release(set, ReleaseMode::immediate);
    EXPECT_FALSE(node.host->next_deadline());
  });
}

TEST(KernelHost, LingeringAddressesHaveALifetimeBeyondTheDrainTime) {
  in_new_network([] {
    Node node;
    auto host = node.open(10s);
    for (const char* prefix : {"192.0.2.100/24", "2001:db8::100/64"}) {
      ASSERT_TRUE(host->claim(node.set({prefix})));
      host->release(node.set({prefix}), ReleaseMode::lingering);
    }
    for (const char* address : {"192.0.2.100", "2001:db8::100"}) {
      EXPECT_GT(lifetime_of(address, "lo"), 10) << address;
      EXPECT_LE(lifetime_of(address, "lo"), 20) << address;
    }
  });
}

TEST(KernelHost, AnnouncesAndCounts) {
  in_new_network([] {
    Node node;
    const int index = node.set({}).interface_index;
    node.host->announce({{index, Bytes(60, 1)}, {4711, Bytes(60, 1)}});
    EXPECT_EQ(node.host->counters().frames_sent, 1u);
    EXPECT_EQ(node.host->counters().frames_lost, 1u);
  });
}

}  // namespace
}  // namespace vipair::vrrp
