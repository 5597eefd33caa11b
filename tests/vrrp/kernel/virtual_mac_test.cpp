#include "vrrp/kernel/virtual_mac.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>

#include "tests/support/network.h"

namespace vipair::vrrp {
namespace {

using test::in_new_network;
using test::output_of;
using test::run;
using test::succeeds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(VirtualMac, NameFitsAnInterface) {
  EXPECT_EQ(interface_name({2, IpFamily::ipv4, 51}), "vrrp4.51.2");
  EXPECT_EQ(interface_name({99999, IpFamily::ipv6, 255}), "vrrp6.255.99999");
  EXPECT_EQ(interface_name({0x7FFFFFFF, IpFamily::ipv6, 255}), "vr6.ff.7fffffff");
}

struct Node {
  Node() {
    run("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up");
    parent = static_cast<int>(::if_nametoindex("v0"));
    mac = {parent, IpFamily::ipv4, 51};
    name = interface_name(mac);
  }
  std::string setting(const char* path) const {
    return output_of("cat /proc/sys/net/" + std::string(path).replace(std::string(path).find('%'), 1, name));
  }
  std::string link() const { return output_of("ip -d -o link show dev " + name + " 2>/dev/null"); }
  NetlinkSocket netlink = std::move(*NetlinkSocket::open());
  VirtualMacs::Execute execute = [this](const std::vector<NetlinkMessage>& requests) {
    return netlink.execute(requests);
  };
  int parent = 0;
  VirtualMac mac;
  std::string name;
};

TEST(VirtualMac, IsAMacvlanThatIsUpOnlyWhenItIsNeeded) {
  in_new_network([] {
    Node node;
    {
      VirtualMacs macs(node.execute);
      macs.make_ready({node.mac});
      EXPECT_THAT(node.link(), HasSubstr("00:00:5e:00:01:33"));
      EXPECT_THAT(node.link(), HasSubstr("macvlan mode bridge"));
      EXPECT_THAT(node.link(), HasSubstr("alias vipair"));
      EXPECT_THAT(node.link(), HasSubstr("state DOWN"));
      EXPECT_FALSE(macs.is_up(node.mac));
      const auto index = macs.bring_up(node.mac);
      ASSERT_TRUE(index) << index.error().text;
      EXPECT_EQ(*index, static_cast<int>(::if_nametoindex(node.name.c_str())));
      EXPECT_THAT(node.link(), HasSubstr("state UP"));
      EXPECT_EQ(macs.at(*index), node.mac);
      EXPECT_EQ(macs.index_of(node.mac), *index);
      EXPECT_EQ(macs.at(node.parent), std::nullopt);
      ASSERT_TRUE(macs.bring_up(node.mac));
      macs.take_down(node.mac);
      EXPECT_THAT(node.link(), HasSubstr("state DOWN"));
      ASSERT_TRUE(macs.bring_up({node.parent, IpFamily::ipv4, 52})) << "made when it is needed at the latest";
    }
    EXPECT_THAT(node.link(), IsEmpty());
  });
}

TEST(VirtualMac, AnswersForItsOwnAddressesAndIsNoWayOut) {
  in_new_network([] {
    Node node;
    run("unshare -m sh -c 'mount -t proc none /proc && echo 1 > /proc/sys/net/ipv4/conf/v0/forwarding && "
        "echo 1 > /proc/sys/net/ipv6/conf/v0/forwarding'");
    VirtualMacs macs(node.execute);
    const VirtualMac six{node.parent, IpFamily::ipv6, 51};
    run("mount -t proc none /proc");
    ASSERT_TRUE(macs.bring_up(node.mac));
    EXPECT_EQ(node.setting("ipv4/conf/%/arp_ignore"), "1\n");
    EXPECT_EQ(node.setting("ipv4/conf/%/arp_announce"), "2\n");
    EXPECT_EQ(node.setting("ipv4/conf/%/rp_filter"), "2\n");
    EXPECT_EQ(node.setting("ipv4/conf/%/forwarding"), "1\n");
    EXPECT_EQ(node.setting("ipv6/conf/%/disable_ipv6"), "1\n");
    ASSERT_TRUE(macs.bring_up(six));
    node.name = interface_name(six);
    EXPECT_EQ(node.setting("ipv6/conf/%/accept_ra"), "0\n");
    EXPECT_EQ(node.setting("ipv6/conf/%/autoconf"), "0\n");
    EXPECT_EQ(node.setting("ipv6/conf/%/forwarding"), "1\n");
    EXPECT_THAT(output_of("ip -6 -o addr show dev " + node.name), IsEmpty()) << "no link-local one of its own";
  });
}

TEST(VirtualMac, ComesBackAfterItsParentOrItselfWasRemoved) {
  in_new_network([] {
    Node node;
    VirtualMacs macs(node.execute);
    ASSERT_TRUE(macs.bring_up(node.mac));
    run("ip link del " + node.name);
    const auto again = macs.bring_up(node.mac);
    ASSERT_TRUE(again) << again.error().text;
    EXPECT_THAT(node.link(), HasSubstr("state UP"));
    run("ip link del v0");
    const auto orphan = macs.bring_up(node.mac);
    ASSERT_FALSE(orphan);
    EXPECT_EQ(orphan.error().kind, HostError::Kind::no_interface);
    EXPECT_EQ(macs.index_of(node.mac), std::nullopt);
  });
}

TEST(VirtualMac, SaysWhoStandsInTheWay) {
  in_new_network([] {
    Node node;
    run("ip link add other link v0 address 00:00:5e:00:01:33 type macvlan mode bridge && ip link set other up");
    VirtualMacs macs(node.execute);
    const auto taken = macs.bring_up(node.mac);
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().kind, HostError::Kind::address_in_use);
    EXPECT_THAT(taken.error().text, HasSubstr("another VRRP implementation with the same VRID"));
    run("ip link del other && ip link add " + node.name + " type veth");
    VirtualMacs anew(node.execute);
    const auto named = anew.bring_up(node.mac);
    ASSERT_FALSE(named);
    EXPECT_THAT(named.error().text, HasSubstr("ip link del " + node.name));
    ASSERT_EQ(::setresuid(65534, 65534, 65534), 0);
    const auto forbidden = anew.bring_up(node.mac);
    ASSERT_FALSE(forbidden);
    EXPECT_THAT(forbidden.error().text, HasSubstr("CAP_NET_ADMIN"));
  });
}

TEST(VirtualMac, LeftoversAreKnownByTheirAlias) {
  in_new_network([] {
    Node node;
    run("ip link add mine link v0 type macvlan mode bridge");
    VirtualMacs macs(node.execute);
    ASSERT_TRUE(macs.bring_up(node.mac));
    const auto names = remove_virtual_mac_leftovers(node.netlink);
    ASSERT_TRUE(names) << names.error();
    EXPECT_THAT(*names, ElementsAre(node.name));
    EXPECT_THAT(node.link(), IsEmpty());
    EXPECT_TRUE(succeeds("ip link show mine"));
  });
}

}  // namespace
}  // namespace vipair::vrrp
