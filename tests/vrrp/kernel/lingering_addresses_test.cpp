#include "vrrp/kernel/lingering_addresses.h"

#include <gtest/gtest.h>
#include <linux/ip.h>
#include <net/if.h>

#include <memory>

#include "tests/support/network.h"

namespace vipair::vrrp {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::Connection;
using test::In;
using test::in_new_network;
using test::Namespace;
using test::output_of;
using test::run;
using test::succeeds;

constexpr Duration kDrainTime = seconds(10);
constexpr TimePoint kStart{seconds(1000)};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
std::string addresses_of(const char* interface) {
  return output_of(std::string("ip -o addr show dev ") + interface);
}
std::string setting(const char* name) { return output_of(std::string("cat /proc/sys/net/ipv4/conf/v0/") + name); }

std::vector<InterfaceSetting> settings_of(int interface_index, int arp_ignore, int arp_announce) {
  return {{interface_index, IPV4_DEVCONF_ARP_IGNORE, arp_ignore},
          {interface_index, IPV4_DEVCONF_ARP_ANNOUNCE, arp_announce}};
}

// The node in the test's own namespace; a neighbour on the other end of its cable.
class Node {
 public:
  Node() {
    run("ip link add v0 type veth peer name v1 netns " + neighbour.path());
    run("ip link set v0 up && ip addr add 10.7.0.1/24 dev v0 && ip addr add fd07::1/64 dev v0 nodad");
    const In in(neighbour);
    run("ip link set v1 up && ip addr add 10.7.0.2/24 dev v1 && ip addr add fd07::2/64 dev v1 nodad");
  }
  // An address that the node holds, as the agent would.
  AddressSet hold(std::vector<std::string> prefixes) const {
    AddressSet set{"v0", static_cast<int>(::if_nametoindex("v0")), {}};
    for (const std::string& prefix : prefixes) {
      const bool is_v6 = has(prefix, ":");
      run("ip addr add " + prefix + " dev v0" + (is_v6 ? " nodad" : ""));
      set.addresses.push_back(*IpPrefix::parse(prefix));
    }
    return set;
  }
  // Does the neighbour get an answer on the link to who has the address?
  bool answers_for(const std::string& address) const {
    const In in(neighbour);
    run("ip neigh flush dev v1");
    (void)succeeds((has(address, ":") ? "ping -6 -c 1 -W 1 " : "ping -4 -c 1 -W 1 ") + address);
    return has(output_of("ip neigh show " + address + " dev v1"), "lladdr");
  }
  Namespace neighbour;
};

TEST(LingeringAddresses, MoveToLoAndAnswerNobodyOnTheLink) {
  in_new_network([] {
    const Node node;
    const AddressSet set = node.hold({"10.7.0.100/24", "fd07::100/64"});
    ASSERT_TRUE(node.answers_for("10.7.0.100")) << "or the test proves nothing";
    ASSERT_TRUE(node.answers_for("fd07::100"));
    LingeringAddresses lingering(kDrainTime, nullptr);
    const auto started = lingering.start(kStart, set);
    ASSERT_TRUE(started) << started.error();
    EXPECT_FALSE(has(addresses_of("v0"), "10.7.0.100")) << addresses_of("v0");
    EXPECT_FALSE(has(addresses_of("v0"), "fd07::100"));
    EXPECT_TRUE(has(addresses_of("lo"), "10.7.0.100/32"));
    EXPECT_TRUE(has(addresses_of("lo"), "fd07::100/128"));
    EXPECT_FALSE(node.answers_for("10.7.0.100"));
    EXPECT_FALSE(node.answers_for("fd07::100"));
    EXPECT_TRUE(node.answers_for("10.7.0.1")) << "the node's own address is not affected";
    EXPECT_TRUE(node.answers_for("fd07::1"));
  });
}

TEST(LingeringAddresses, EndWithTheDrainTimeAndRestoreTheInterface) {
  in_new_network([] {
    const Node node;
    const AddressSet set = node.hold({"10.7.0.100/24"});
    const Connection connection("10.7.0.100");
    LingeringAddresses lingering(kDrainTime, nullptr);
    ASSERT_TRUE(lingering.start(kStart, set));
    EXPECT_EQ(setting("arp_ignore"), "1\n");
    EXPECT_EQ(setting("arp_announce"), "2\n");
    TimePoint now = kStart;
    while (*lingering.next_deadline() < kStart + kDrainTime) {
      EXPECT_GT(*lingering.next_deadline(), now) << "no deadline lies in the past";
      now = *lingering.next_deadline();
      lingering.on_time(now);
      ASSERT_FALSE(lingering.is_idle()) << "a connection is left";
    }
    lingering.on_time(kStart + kDrainTime);
    EXPECT_TRUE(lingering.is_idle());
    EXPECT_EQ(lingering.next_deadline(), std::nullopt);
    EXPECT_FALSE(has(addresses_of("lo"), "10.7.0.100"));
    EXPECT_EQ(setting("arp_ignore"), "0\n");
    EXPECT_EQ(setting("arp_announce"), "0\n");
  });
}

TEST(LingeringAddresses, EndWhenNoConnectionIsLeft) {
  in_new_network([] {
    const Node node;
    const AddressSet busy = node.hold({"10.7.0.100/24"});
    const AddressSet idle = node.hold({"10.7.0.101/24"});
    auto connection = std::make_unique<Connection>("10.7.0.100");
    LingeringAddresses lingering(kDrainTime, nullptr);
    ASSERT_TRUE(lingering.start(kStart, busy));
    ASSERT_TRUE(lingering.start(kStart, idle));
    const TimePoint first_look = kStart + LingeringAddresses::kLookInterval;
    EXPECT_EQ(lingering.next_deadline(), first_look);
    lingering.on_time(first_look);
    EXPECT_TRUE(has(addresses_of("lo"), "10.7.0.100"));
    EXPECT_FALSE(has(addresses_of("lo"), "10.7.0.101"));
    EXPECT_EQ(setting("arp_ignore"), "1\n") << "still in use";
    EXPECT_EQ(lingering.connections(busy).size(), 1u);
    EXPECT_TRUE(lingering.connections(idle).empty());
    connection.reset();
    lingering.on_time(first_look + LingeringAddresses::kLookInterval);
    EXPECT_TRUE(lingering.is_idle());
    EXPECT_FALSE(has(addresses_of("lo"), "10.7.0.100"));
    EXPECT_EQ(setting("arp_ignore"), "0\n");
  });
}

TEST(LingeringAddresses, LeaveStricterSettingsAsTheyAre) {
  in_new_network([] {
    const Node node;
    run("sysctl -qw net.ipv4.conf.v0.arp_ignore=2 net.ipv4.conf.v0.arp_announce=1");
    LingeringAddresses lingering(kDrainTime, nullptr);
    ASSERT_TRUE(lingering.start(kStart, node.hold({"10.7.0.100/24"})));
    EXPECT_EQ(setting("arp_ignore"), "2\n");
    EXPECT_EQ(setting("arp_announce"), "2\n");
    lingering.stop();
    EXPECT_EQ(setting("arp_ignore"), "2\n");
    EXPECT_EQ(setting("arp_announce"), "1\n");
  });
}

TEST(LingeringAddresses, GoBackToAnInterfaceThatIsActiveAgain) {
  in_new_network([] {
    const Node node;
    const AddressSet set = node.hold({"10.7.0.100/24", "fd07::100/64"});
    LingeringAddresses lingering(kDrainTime, nullptr);
    ASSERT_TRUE(lingering.start(kStart, set));
    (void)node.hold({"10.7.0.100/24", "fd07::100/64"});
    lingering.cancel(set);
    EXPECT_TRUE(lingering.is_idle());
    EXPECT_TRUE(has(addresses_of("v0"), "10.7.0.100/24"));
    EXPECT_FALSE(has(addresses_of("lo"), "10.7.0.100"));
    EXPECT_FALSE(has(addresses_of("lo"), "fd07::100"));
    EXPECT_TRUE(node.answers_for("10.7.0.100"));
    EXPECT_TRUE(node.answers_for("fd07::100"));
    EXPECT_EQ(setting("arp_ignore"), "0\n");
    lingering.cancel(set);  // unknown is fine
  });
}

TEST(LingeringAddresses, AreInTheStateBeforeTheyAreMade) {
  in_new_network([] {
    const Node node;
    const AddressSet set = node.hold({"10.7.0.100/24", "fd07::100/64"});
    std::vector<LingeringState> told;
    std::vector<bool> was_on_lo;
    {
      LingeringAddresses* self = nullptr;
      LingeringAddresses lingering(kDrainTime, [&] {
        told.push_back(self->state());
        was_on_lo.push_back(has(addresses_of("lo"), "10.7.0.100"));
      });
      self = &lingering;
      ASSERT_TRUE(lingering.start(kStart, set));
    }
    ASSERT_EQ(told.size(), 2u);
    EXPECT_EQ(was_on_lo, (std::vector<bool>{false, false})) << "told before it begins, and after it ended";
    ASSERT_EQ(told[0].entries.size(), 1u);
    EXPECT_EQ(told[0].entries[0].set.interface_index, set.interface_index);
    EXPECT_EQ(told[0].entries[0].set.addresses, set.addresses);
    EXPECT_EQ(told[0].entries[0].until, kStart + kDrainTime);
    EXPECT_EQ(told[0].settings, settings_of(set.interface_index, 0, 0));
    EXPECT_EQ(told[0].drain_time, kDrainTime);
    EXPECT_TRUE(told[1].entries.empty());
    EXPECT_TRUE(told[1].settings.empty());
  });
}

TEST(LingeringAddresses, SayWhatWouldLingerAsWell) {
  in_new_network([] {
    const Node node;
    run("sysctl -qw net.ipv4.conf.v0.arp_announce=1");
    const AddressSet both = node.hold({"10.7.0.100/24", "fd07::100/64"});
    const AddressSet v6 = node.hold({"fd07::101/64"});
    LingeringAddresses lingering(kDrainTime, nullptr);
    EXPECT_TRUE(lingering.state({v6}).settings.empty()) << "neighbour discovery needs none";

    const LingeringState before = lingering.state({both, v6});
    ASSERT_EQ(before.entries.size(), 2u);
    EXPECT_EQ(before.entries[0].until, std::nullopt);
    EXPECT_EQ(before.settings, settings_of(both.interface_index, 0, 1));
    EXPECT_TRUE(lingering.is_idle()) << "only asked";
    constexpr int kNoInterface = 4711;
    EXPECT_EQ(lingering.state({{"v9", kNoInterface, both.addresses}}).settings, settings_of(kNoInterface, 0, 0))
        << "what cannot be read is taken for the default";
    EXPECT_TRUE(has(addresses_of("v0"), "10.7.0.100"));

    ASSERT_TRUE(lingering.start(kStart, both));
    const LingeringState during = lingering.state({both});
    ASSERT_EQ(during.entries.size(), 1u) << "it does already";
    EXPECT_EQ(during.entries[0].until, kStart + kDrainTime);
    EXPECT_EQ(during.settings, settings_of(both.interface_index, 0, 1)) << "as they were, not as they are";
  });
}

TEST(LingeringAddresses, ChangeHandsAndEndWithTheirSecondOwner) {
  in_new_network([] {
    const Node node;
    run("sysctl -qw net.ipv4.conf.v0.arp_announce=1");
    const AddressSet set = node.hold({"10.7.0.100/24", "fd07::100/64"});
    const Connection connection("10.7.0.100");
    LingeringAddresses second(seconds(1), nullptr);
    {
      LingeringAddresses first(kDrainTime, nullptr);
      ASSERT_TRUE(first.start(kStart, set));
      int told = 0;
      LingeringAddresses other(seconds(1), [&] { ++told; });
      other.adopt(kStart, {});
      EXPECT_EQ(told, 0) << "nothing changed";
      second.adopt(kStart + seconds(5), first.state());
      first.forget();
      EXPECT_TRUE(first.is_idle());
    }
    EXPECT_TRUE(has(addresses_of("lo"), "10.7.0.100")) << "the end of the first is not the end of it";
    EXPECT_EQ(setting("arp_ignore"), "1\n");
    EXPECT_TRUE(second.lingers(*IpAddress::parse("10.7.0.100")));
    EXPECT_FALSE(second.lingers(*IpAddress::parse("10.7.0.101")));
    EXPECT_EQ(second.connections(set).size(), 1u);
    second.on_time(kStart + kDrainTime - milliseconds(1));
    EXPECT_FALSE(second.is_idle());
    second.on_time(kStart + kDrainTime);
    EXPECT_TRUE(second.is_idle()) << "the time that was left, and not another drain time";
    EXPECT_FALSE(has(addresses_of("lo"), "10.7.0.100"));
    EXPECT_FALSE(has(addresses_of("lo"), "fd07::100"));
    EXPECT_EQ(setting("arp_ignore"), "0\n");
    EXPECT_EQ(setting("arp_announce"), "1\n");
  });
}

TEST(LingeringAddresses, AdoptedOnesBeginWithAWholeDrainTimeWhenTheirOwnerDiedHoldingThem) {
  in_new_network([] {
    const Node node;
    const AddressSet set = node.hold({"10.7.0.100/24"});
    const Connection connection("10.7.0.100");
    LingeringState left = LingeringAddresses(kDrainTime, nullptr).state({set});
    run("ip addr add 10.7.0.100/32 dev lo && ip addr del 10.7.0.100/24 dev v0");
    LingeringAddresses lingering(Duration::zero(), nullptr);
    lingering.adopt(kStart, left);
    lingering.adopt(kStart + seconds(5), left);  // once is enough
    lingering.on_time(kStart + kDrainTime - milliseconds(1));
    EXPECT_TRUE(has(addresses_of("lo"), "10.7.0.100"));
    lingering.on_time(kStart + kDrainTime);
    EXPECT_FALSE(has(addresses_of("lo"), "10.7.0.100"));
  });
}

TEST(LingeringAddresses, AdoptedOnesGoBackToAnInterfaceThatIsActiveAgain) {
  in_new_network([] {
    const Node node;
    const AddressSet set = node.hold({"10.7.0.100/24", "fd07::100/64"});
    LingeringAddresses first(kDrainTime, nullptr);
    ASSERT_TRUE(first.start(kStart, set));
    LingeringAddresses second(kDrainTime, nullptr);
    second.adopt(kStart, first.state());
    first.forget();
    (void)node.hold({"10.7.0.100/24", "fd07::100/64"});
    second.cancel(set);
    EXPECT_TRUE(second.is_idle());
    EXPECT_FALSE(has(addresses_of("lo"), "10.7.0.100"));
    EXPECT_EQ(setting("arp_ignore"), "0\n");
    EXPECT_TRUE(node.answers_for("10.7.0.100"));
    EXPECT_TRUE(node.answers_for("fd07::100"));
  });
}

TEST(LingeringAddresses, SurviveTheLossOfTheInterface) {
  in_new_network([] {
    const Node node;
    LingeringAddresses lingering(kDrainTime, nullptr);
    ASSERT_TRUE(lingering.start(kStart, node.hold({"10.7.0.100/24"})));
    run("ip link del v0");
    lingering.on_time(kStart + kDrainTime);
    EXPECT_TRUE(lingering.is_idle());
    EXPECT_FALSE(has(addresses_of("lo"), "10.7.0.100"));
  });
}

TEST(LingeringAddresses, SayWhatFailedWithoutPermission) {
  in_new_network([] {
    const Node node;
    const AddressSet set = node.hold({"10.7.0.100/24"});
    LingeringAddresses lingering(kDrainTime, nullptr);
    ASSERT_EQ(::seteuid(65534), 0);
    const auto started = lingering.start(kStart, set);
    ASSERT_FALSE(started);
    EXPECT_TRUE(has(started.error(), "v0")) << started.error();
    EXPECT_TRUE(lingering.is_idle());
  });
}

TEST(LingeringAddresses, BeginAnewWhenTheyLingerAlready) {
  in_new_network([] {
    const Node node;
    const AddressSet set = node.hold({"10.7.0.100/24"});
    const Connection connection("10.7.0.100");
    LingeringAddresses lingering(kDrainTime, nullptr);
    ASSERT_TRUE(lingering.start(kStart, set));
    (void)node.hold({"10.7.0.100/24"});
    ASSERT_TRUE(lingering.start(kStart + seconds(5), set));
    lingering.on_time(kStart + kDrainTime);
    EXPECT_FALSE(lingering.is_idle());
    EXPECT_TRUE(has(addresses_of("lo"), "10.7.0.100"));
    EXPECT_FALSE(has(addresses_of("v0"), "10.7.0.100"));
    lingering.stop();
    EXPECT_EQ(setting("arp_ignore"), "0\n") << "what was saved first is what is restored";
  });
}

TEST(TcpConnections, AreReadUntilTheCallerHasEnough) {
  in_new_network([] {
    const Connection first("127.0.0.2");
    const Connection second("127.0.0.3");
    std::vector<TcpConnection> all;
    EXPECT_TRUE(for_each_tcp_connection([&](const TcpConnection& connection) {
      all.push_back(connection);
      return true;
    }));
    EXPECT_EQ(all.size(), 4u) << "both ends of both, and no listening socket";
    int read = 0;
    EXPECT_TRUE(for_each_tcp_connection([&](const TcpConnection&) { return ++read < 2; }));
    EXPECT_EQ(read, 2);
  });
}

}  // namespace
}  // namespace vipair::vrrp
