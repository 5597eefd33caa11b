#include "vrrp/kernel/interface_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/ip.h>
#include <net/if.h>

#include "tests/support/network.h"

namespace vipair::vrrp {
namespace {

using test::in_new_network;
using test::output_of;
using test::run;
using testing::ElementsAre;
using testing::IsEmpty;

std::string setting(const char* name) { return output_of(std::string("cat /proc/sys/net/ipv4/conf/v0/") + name); }

struct Node {
  Node() {
    run("ip link add v0 type veth peer name v1");
    index = static_cast<int>(::if_nametoindex("v0"));
  }
  int index = 0;
  std::vector<std::size_t> told;
  InterfaceSettings settings{[this] { told.push_back(settings.saved().size()); }};
};

TEST(InterfaceSettings, ChangeWhileSomebodyNeedsThemAndArePutBack) {
  in_new_network([] {
    Node node;
    node.settings.hold(node.index, InterfaceNeed::quiet);
    node.settings.hold(node.index, InterfaceNeed::quiet);
    EXPECT_EQ(setting("arp_ignore"), "1\n");
    EXPECT_EQ(setting("arp_announce"), "2\n");
    EXPECT_EQ(setting("promote_secondaries"), "0\n") << "another need";
    node.settings.hold(node.index, InterfaceNeed::lasting_secondaries);
    EXPECT_EQ(setting("promote_secondaries"), "1\n");
    node.settings.let_go(node.index, InterfaceNeed::quiet);
    EXPECT_EQ(setting("arp_ignore"), "1\n") << "one is left";
    node.settings.let_go(node.index, InterfaceNeed::quiet);
    EXPECT_EQ(setting("arp_ignore"), "0\n");
    EXPECT_EQ(setting("arp_announce"), "0\n");
    EXPECT_EQ(setting("promote_secondaries"), "1\n");
    node.settings.let_go(node.index, InterfaceNeed::lasting_secondaries);
    EXPECT_EQ(setting("promote_secondaries"), "0\n");
    EXPECT_THAT(node.told, ElementsAre(2u, 3u, 1u, 0u));
    node.settings.let_go(node.index, InterfaceNeed::quiet);  // of nobody
  });
}

TEST(InterfaceSettings, WhatIsEnoughAlreadyIsLeftAlone) {
  in_new_network([] {
    run("ip link add v0 type veth peer name v1");
    run("unshare -m sh -c 'mount -t proc none /proc && cd /proc/sys/net/ipv4/conf/v0 && echo 2 > arp_ignore && "
        "echo 1 > promote_secondaries'");
    const int index = static_cast<int>(::if_nametoindex("v0"));
    InterfaceSettings settings([] {});
    EXPECT_THAT(settings.to_change(index, InterfaceNeed::quiet),
                ElementsAre(InterfaceSetting{index, IPV4_DEVCONF_ARP_ANNOUNCE, 0}));
    EXPECT_THAT(settings.to_change(index, InterfaceNeed::lasting_secondaries), IsEmpty());
    settings.hold(index, InterfaceNeed::quiet);
    EXPECT_EQ(setting("arp_ignore"), "2\n");
    settings.let_go(index, InterfaceNeed::quiet);
    EXPECT_EQ(setting("arp_ignore"), "2\n");
  });
}

TEST(InterfaceSettings, ChangeHandsAndWhatNobodyNeedsIsPutBack) {
  in_new_network([] {
    Node before;
    before.settings.hold(before.index, InterfaceNeed::quiet);
    before.settings.hold(before.index, InterfaceNeed::lasting_secondaries);
    InterfaceSettings after([] {});
    after.adopt(before.settings.saved());
    before.settings.forget();
    after.hold(before.index, InterfaceNeed::quiet);
    after.restore_unneeded();
    EXPECT_EQ(setting("arp_ignore"), "1\n");
    EXPECT_EQ(setting("promote_secondaries"), "0\n");
    after.let_go(before.index, InterfaceNeed::quiet);
    EXPECT_EQ(setting("arp_ignore"), "0\n") << "what the first one found";
    EXPECT_THAT(after.saved(), IsEmpty());
  });
}

}  // namespace
}  // namespace vipair::vrrp
