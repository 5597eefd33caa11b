#include "vrrp/kernel/monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_addr.h>
#include <net/if.h>

#include <chrono>
#include <thread>

#include "tests/support/network.h"

namespace vipair::vrrp {
namespace {

using test::in_new_network;
using test::run;

IpAddress ip(const char* text) { return *IpAddress::parse(text); }
IpPrefix prefix(const char* text) { return *IpPrefix::parse(text); }

class Table : public testing::Test {
 protected:
  Table() { table.add(KernelLink{2, "eth0", MacAddress{{2, 0, 0, 0, 0, 1}}, true, false}); }
  void add(const char* text, std::uint32_t flags = 0, std::uint8_t protocol = 0) {
    table.add(KernelAddress{2, prefix(text), flags, protocol});
  }
  void remove(const char* text) { table.remove(KernelAddress{2, prefix(text), 0, 0}); }
  InterfaceInfo info() const { return table.info("eth0"); }
  InterfaceTable table;
};

TEST_F(Table, MissingInterfaceHasIndexZero) {
  EXPECT_EQ(table.info("eth1").index, 0);
  EXPECT_EQ(table.info("eth1").name, "eth1");
  table.remove_link(2);
  EXPECT_EQ(info().index, 0);
}

TEST_F(Table, FirstRealAddressIsTheSource) {
  EXPECT_EQ(info().primary_v4, std::nullopt);
  add("192.0.2.11/24");
  add("192.0.2.5/24", IFA_F_SECONDARY);
  EXPECT_EQ(info().primary_v4, ip("192.0.2.11"));
  EXPECT_EQ(info().primary_v4_length, 24);
  remove("192.0.2.11/24");
  EXPECT_EQ(info().primary_v4, ip("192.0.2.5")) << "better than none";
}

TEST_F(Table, SecondaryIsNotPreferredThoughItCameFirst) {
  add("192.0.2.5/24", IFA_F_SECONDARY);
  add("192.0.2.11/24");
  EXPECT_EQ(info().primary_v4, ip("192.0.2.11"));
}

TEST_F(Table, VirtualAddressIsNeverASource) {
  table.set_virtual({ip("192.0.2.100")});
  add("192.0.2.100/24");
  add("192.0.2.101/24", 0, kAddressProtocol);
  add("fe80::200:5eff:fe00:233/64");
  EXPECT_EQ(info().primary_v4, std::nullopt);
  EXPECT_EQ(info().link_local_v6, std::nullopt);
  EXPECT_FALSE(table.is_own(ip("192.0.2.100")));
  add("192.0.2.11/24", IFA_F_SECONDARY);
  EXPECT_EQ(info().primary_v4, ip("192.0.2.11"));
  EXPECT_TRUE(table.is_own(ip("192.0.2.11")));
}

TEST_F(Table, AddressInThePeersNetworkIsPreferred) {
  add("10.0.0.5/8");
  add("192.0.2.11/24");
  EXPECT_EQ(info().primary_v4, ip("10.0.0.5"));
  table.set_peers({ip("192.0.2.12")});
  EXPECT_EQ(info().primary_v4, ip("192.0.2.11"));
  EXPECT_TRUE(table.is_neighbour("eth0", ip("192.0.2.12")));
  EXPECT_FALSE(table.is_neighbour("eth0", ip("198.51.100.1")));
}

TEST_F(Table, LinkLocalCountsOnceItIsSettled) {
  add("2001:db8::1/64");
  add("fe80::1/64", IFA_F_TENTATIVE);
  EXPECT_EQ(info().link_local_v6, std::nullopt);
  const auto before = table.version();
  add("fe80::1/64");
  EXPECT_GT(table.version(), before);
  EXPECT_EQ(info().link_local_v6, ip("fe80::1"));
  add("fe80::1/64", IFA_F_DADFAILED);
  EXPECT_EQ(info().link_local_v6, std::nullopt);
}

TEST_F(Table, ForwardingSurvivesAMessageWithoutIt) {
  table.set_forwarding(2, true);
  table.add(KernelLink{2, "eth0", {}, false, std::nullopt});
  EXPECT_TRUE(info().forwards_v6);
  EXPECT_FALSE(info().is_up);
}

TEST_F(Table, RenamedInterfaceIsTheOldOneNoMore) {
  table.add(KernelLink{2, "wan", {}, true, false});
  EXPECT_EQ(info().index, 0);
  EXPECT_EQ(table.info("wan").index, 2);
}

TEST_F(Table, TellsWhatWasRemoved) {
  table.set_virtual({ip("192.0.2.100"), ip("192.0.2.101")});
  add("192.0.2.100/24");
  add("192.0.2.101/24", 0, kAddressProtocol);  // from here on the kernel is known to know marks
  add("192.0.2.11/24");
  remove("192.0.2.100/24");
  remove("192.0.2.101/24");
  remove("192.0.2.101/24");
  const auto removed = table.take_removed();
  ASSERT_EQ(removed.size(), 2u);
  EXPECT_EQ(removed[0].prefix, prefix("192.0.2.100/24"));
  EXPECT_TRUE(removed[0].was_foreign);
  EXPECT_FALSE(removed[1].was_foreign) << "our own";
  table.remove_link(2);
  EXPECT_EQ(table.take_removed().size(), 1u) << "addresses go with their interface";
  EXPECT_EQ(table.take_removed().size(), 0u);
}

// ---- the real thing ----

std::unique_ptr<Monitor> open_monitor() {
  auto monitor = Monitor::open();
  EXPECT_TRUE(monitor) << monitor.error();
  return std::move(*monitor);
}

// Some news (carrier, IPv6) comes a moment after its cause.
template <class Condition>
bool soon(Monitor& monitor, Condition condition) {
  for (int i = 0; i < 500; ++i) {
    EXPECT_TRUE(monitor.drain());
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

TEST(Monitor, ListsWhatIsThereAndFollowsWhatChanges) {
  in_new_network([] {
    run("ip link add v0 address 02:00:00:00:00:07 type veth peer name v1 && ip addr add 192.0.2.11/24 dev v0");
    auto monitor = open_monitor();
    auto info = [&] { return monitor->table().info("v0"); };
    EXPECT_NE(info().index, 0);
    EXPECT_FALSE(info().is_up);
    EXPECT_EQ(info().mac.to_string(), "02:00:00:00:00:07");
    EXPECT_EQ(info().primary_v4, ip("192.0.2.11"));

    run("ip link set v0 up && ip link set v1 up");
    EXPECT_TRUE(soon(*monitor, [&] { return info().is_up; })) << "carrier";
    EXPECT_TRUE(soon(*monitor, [&] { return info().link_local_v6 == ip("fe80::ff:fe00:7"); })) << "after DAD";
    run("ip link set v1 down");
    EXPECT_TRUE(soon(*monitor, [&] { return !info().is_up; })) << "no carrier";

    run("ip addr del 192.0.2.11/24 dev v0");
    EXPECT_TRUE(monitor->drain());
    EXPECT_EQ(info().primary_v4, std::nullopt);
    EXPECT_EQ(monitor->table().take_removed().back().prefix, prefix("192.0.2.11/24"));

    run("ip link add w0 type veth peer name w1");
    EXPECT_TRUE(monitor->drain());
    EXPECT_NE(monitor->table().info("w0").index, 0) << "an interface that comes later";
    run("ip link del v0");
    EXPECT_TRUE(soon(*monitor, [&] { return info().index == 0; }));
  });
}

TEST(Monitor, FollowsIpv6Forwarding) {
  in_new_network([] {
    run("ip link add w0 type veth peer name w1 && ip link set w0 up");
    auto monitor = open_monitor();
    EXPECT_FALSE(monitor->table().info("w0").forwards_v6);
    run("unshare -m sh -c 'mount -t proc none /proc && echo 1 > /proc/sys/net/ipv6/conf/w0/forwarding'");
    EXPECT_TRUE(soon(*monitor, [&] { return monitor->table().info("w0").forwards_v6; }));
    EXPECT_TRUE(open_monitor()->table().info("w0").forwards_v6) << "in the list as well";
  });
}

TEST(Monitor, ReadsTheFullListWhenEventsWereLost) {
  in_new_network([] {
    run("ip link add w0 type veth peer name w1 && ip addr add 10.9.9.9/32 dev w0");
    auto monitor = open_monitor();
    const int small = 4096;  // the events below do not fit
    ASSERT_EQ(::setsockopt(monitor->poll_fd(), SOL_SOCKET, SO_RCVBUFFORCE, &small, sizeof small), 0);
    auto socket = NetlinkSocket::open();
    std::vector<NetlinkMessage> requests;
    for (std::uint32_t i = 0; i < 500; ++i)
      requests.push_back(
          new_address_request(static_cast<int>(::if_nametoindex("w0")), {IpAddress::v4(0x0A000001u + i), 32}));
    socket->execute(requests);
    run("ip addr del 10.9.9.9/32 dev w0");
    EXPECT_TRUE(monitor->drain());
    EXPECT_GT(monitor->resyncs(), 0u);
    const int index = monitor->table().info("w0").index;
    EXPECT_TRUE(monitor->table().has(index, prefix("10.0.1.244/32"))) << "the last of them";
    EXPECT_FALSE(monitor->table().has(index, prefix("10.9.9.9/32")));
  });
}

}  // namespace
}  // namespace vipair::vrrp
