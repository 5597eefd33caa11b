// A host with an interface in a network of its own, and an agent that is told of it.
#include "vrrp/kernel/interfaces.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>

#include "common/runtime/clock.h"
#include "tests/support/network.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using test::in_new_network;
using test::run;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Node {
  Node() {
    VirtualRouterConfig router;
    router.name = "web";
    router.interface = "v0";
    router.vrid = 51;
    router.priority = 200;
    router.join_hold = 0s;
    router.addresses = {*IpPrefix::parse("192.0.2.100/24")};
    router.track_proxy = false;
    config.virtual_routers = {router};
    auto opened = KernelHost::open(link, 0s);
    EXPECT_TRUE(opened) << opened.error();
    host = std::move(*opened);
    auto watched = Interfaces::open(*host);
    EXPECT_TRUE(watched) << watched.error();
    interfaces = std::move(*watched);
    agent = std::make_unique<Agent>(config, *host, monotonic_now());
    interfaces->use(config);
  }
  static void add_interface() {
    run("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up && ip addr add "
        "192.0.2.11/24 dev v0");
  }
  bool follow() {
    if (!interfaces->has_news()) return false;
    interfaces->tell(monotonic_now(), *agent);
    return true;
  }
  void use(const Config& changed) {
    config = changed;
    interfaces->use(config);
    follow();
    agent->reload(monotonic_now(), config);
    interfaces->leave_unused(monotonic_now(), *agent);
  }
  bool is_listening() const { return !host->sockets().interfaces().empty(); }
  InterfaceInfo known(const std::string& name) const {
    const auto found = interfaces->known().find(name);
    return found == interfaces->known().end() || !found->second ? InterfaceInfo{} : *found->second;
  }

  SupervisorLink link;
  Config config;
  std::unique_ptr<KernelHost> host;
  std::unique_ptr<Interfaces> interfaces;
  std::unique_ptr<Agent> agent;
};

TEST(Interfaces, AnInterfaceThatComesAndGoesIsFollowed) {
  in_new_network([] {
    Node node;
    EXPECT_TRUE(node.follow());
    EXPECT_FALSE(node.is_listening()) << "there is no interface yet";

    Node::add_interface();
    EXPECT_TRUE(node.follow());
    EXPECT_THAT(node.host->sockets().interfaces(), ElementsAre(static_cast<int>(::if_nametoindex("v0"))));
    EXPECT_EQ(node.known("v0").primary_v4, IpAddress::parse("192.0.2.11"));

    run("ip link del v0");
    EXPECT_TRUE(node.follow());
    EXPECT_FALSE(node.is_listening());
    EXPECT_EQ(node.known("v0").index, 0);
  });
}

TEST(Interfaces, AnInterfaceMadeAnewGetsASocketOfItsOwn) {
  in_new_network([] {
    Node::add_interface();
    Node node;
    node.follow();
    const int before = node.known("v0").index;
    run("ip link del v0; ip link add dummy0 type veth peer name dummy1");
    Node::add_interface();
    node.follow();
    EXPECT_NE(node.known("v0").index, before);
    EXPECT_THAT(node.host->sockets().interfaces(), ElementsAre(node.known("v0").index));
  });
}

TEST(Interfaces, AnInterfaceThatNobodyUsesAnyMoreIsLeft) {
  in_new_network([] {
    Node::add_interface();
    run("ip link add w0 type veth peer name w1; ip link set w0 up; ip link set w1 up");
    Node node;
    node.follow();
    Config config = node.config;
    config.virtual_routers[0].interface = "w0";
    node.use(config);
    EXPECT_THAT(node.host->sockets().interfaces(), ElementsAre(node.known("w0").index));
    EXPECT_FALSE(node.interfaces->known().contains("v0"));
  });
}

TEST(Interfaces, AnAddressThatSomebodyRemovesIsMissed) {
  in_new_network([] {
    Node::add_interface();
    Node node;
    node.follow();
    const AddressSet set{"v0", node.known("v0").index, node.config.virtual_routers[0].addresses};
    ASSERT_TRUE(node.host->claim(set));
    node.follow();
    EXPECT_EQ(node.host->held().size(), 1u) << "what is new on the interface is not lost";
    run("ip addr del 192.0.2.100/24 dev v0");
    node.follow();
    EXPECT_THAT(node.host->held(), IsEmpty());
  });
}

TEST(Interfaces, PeersThatCannotBeReachedThereAreWarnedOf) {
  in_new_network([] {
    Node::add_interface();
    Node node;
    node.follow();
    EXPECT_THAT(node.interfaces->warnings(), IsEmpty());
    Config config = node.config;
    config.peer = PeerConfig{IpAddress::parse("198.51.100.12"), std::nullopt};
    config.peer_paths = {{"v0", *IpAddress::parse("203.0.113.12")}};
    node.interfaces->use(config);
    EXPECT_THAT(node.interfaces->warnings(),
                ElementsAre(HasSubstr("web: the peer's address 198.51.100.12 is in no network of v0"),
                            HasSubstr("peer.paths: 203.0.113.12 is in no network of v0")));
    config.peer = PeerConfig{IpAddress::parse("192.0.2.11"), std::nullopt};
    config.peer_paths.clear();
    node.interfaces->use(config);
    EXPECT_THAT(node.interfaces->warnings(), ElementsAre(HasSubstr("192.0.2.11 is this node's own")));
  });
}

}  // namespace
}  // namespace vipair::vrrp
