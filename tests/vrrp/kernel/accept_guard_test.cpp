#include "vrrp/kernel/accept_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>

#include "tests/support/network.h"

namespace vipair::vrrp {
namespace {

using test::In;
using test::in_new_network;
using test::Namespace;
using test::output_of;
using test::run;
using test::succeeds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// A node with two virtual addresses of each family, and a neighbour.
struct Node {
  Node() {
    run("ip link add v0 type veth peer name v1 netns " + neighbour.path());
    run("ip link set v0 up && ip addr add 10.7.0.1/24 dev v0 && ip addr add fd07::1/64 dev v0 nodad");
    for (const char* number : {"100", "101"})
      run(std::string("ip addr add 10.7.0.") + number + "/24 dev v0 && ip addr add fd07::" + number +
          "/64 dev v0 nodad");
    const In in(neighbour);
    run("ip link set v1 up && ip addr add 10.7.0.2/24 dev v1 && ip addr add fd07::2/64 dev v1 nodad");
  }
  AddressSet set(std::initializer_list<const char*> texts, bool accept = false) const {
    AddressSet set{"v0", static_cast<int>(::if_nametoindex("v0")), {}, 51, false, accept};
    for (const char* text : texts) set.addresses.push_back(*IpPrefix::parse(text));
    return set;
  }
  bool answers_pings(const std::string& address) const {
    const In in(neighbour);
    return succeeds("ping -c 1 -W 1 " + address);
  }
  bool is_resolved(const std::string& address) const {
    const In in(neighbour);
    return output_of("ip neigh show " + address + " dev v1").find("lladdr") != std::string::npos;
  }
  static std::string tables() { return output_of("nft list tables 2>/dev/null"); }
  Namespace neighbour;
};

TEST(AcceptGuard, RefusesWhatIsSentToTheAddressesButAnswersWhoHasThem) {
  in_new_network([] {
    Node node;
    AcceptGuard guard;
    for (const auto& set : {node.set({"10.7.0.100/24"}), node.set({"fd07::100/64"})}) {
      const auto applied = guard.apply(set);
      ASSERT_TRUE(applied) << applied.error();
    }
    for (const char* address : {"10.7.0.100", "fd07::100"}) {
      EXPECT_FALSE(node.answers_pings(address)) << address;
      EXPECT_TRUE(node.is_resolved(address)) << address;
    }
    for (const char* address : {"10.7.0.101", "fd07::101", "10.7.0.1", "fd07::1"})
      EXPECT_TRUE(node.answers_pings(address)) << address;
    EXPECT_THAT(Node::tables(), HasSubstr("vipair-guard-"));
  });
}

TEST(AcceptGuard, GrowsAndShrinksWithTheAddresses) {
  in_new_network([] {
    Node node;
    AcceptGuard guard;
    ASSERT_TRUE(guard.apply(node.set({"10.7.0.100/24"})));
    ASSERT_TRUE(guard.apply(node.set({"10.7.0.100/24", "10.7.0.101/24"})));
    EXPECT_FALSE(node.answers_pings("10.7.0.100"));
    EXPECT_FALSE(node.answers_pings("10.7.0.101"));
    guard.remove(node.set({"10.7.0.100/24"}));
    EXPECT_TRUE(node.answers_pings("10.7.0.100"));
    EXPECT_FALSE(node.answers_pings("10.7.0.101"));
    guard.remove(node.set({"10.7.0.101/24"}));
    EXPECT_TRUE(node.answers_pings("10.7.0.101"));
    EXPECT_THAT(Node::tables(), IsEmpty());
    guard.remove(node.set({"10.7.0.101/24"}));
  });
}

TEST(AcceptGuard, EndsWhenTheModeIsAnother) {
  in_new_network([] {
    Node node;
    AcceptGuard guard;
    ASSERT_TRUE(guard.apply(node.set({"10.7.0.100/24", "10.7.0.101/24"})));
    ASSERT_TRUE(guard.apply(node.set({"10.7.0.100/24", "10.7.0.101/24"}, true)));
    EXPECT_TRUE(node.answers_pings("10.7.0.100"));
    EXPECT_THAT(Node::tables(), IsEmpty());
  });
}

TEST(AcceptGuard, DiesWithItsProcess) {
  in_new_network([] {
    Node node;
    {
      AcceptGuard guard;
      ASSERT_TRUE(guard.apply(node.set({"10.7.0.100/24"})));
    }
    EXPECT_THAT(Node::tables(), IsEmpty());
  });
}

TEST(AcceptGuard, SaysWhatIsMissing) {
  in_new_network([] {
    Node node;
    ASSERT_EQ(::setresuid(65534, 65534, 65534), 0);
    AcceptGuard guard;
    const auto applied = guard.apply(node.set({"10.7.0.100/24"}));
    ASSERT_FALSE(applied);
    EXPECT_THAT(applied.error(), HasSubstr("accept = false"));
    EXPECT_THAT(applied.error(), HasSubstr("CAP_NET_ADMIN"));
  });
}

}  // namespace
}  // namespace vipair::vrrp
