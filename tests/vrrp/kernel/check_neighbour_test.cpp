#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/network.h"
#include "tests/support/probing.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using test::look;
using testing::HasSubstr;
using testing::StartsWith;
using vipair::test::In;
using vipair::test::in_new_network;
using vipair::test::Namespace;
using vipair::test::run;

std::unique_ptr<Probe> probe_of(boost::asio::io_context& io, const char* address, const char* interface = "") {
  return make_neighbour_probe(io, {*IpAddress::parse(address), interface});
}

// This node's v0 and the gateway's v1.
struct Link {
  Link() {
    run("ip link add v0 type veth peer name v1 netns " + gateway.path());
    run("ip link set v0 up && ip addr add 192.0.2.11/24 dev v0 && ip addr add 2001:db8::11/64 dev v0 nodad && "
        "ip addr add fe80::11/64 dev v0 nodad");
    on_gateway(
        "ip link set v1 addrgenmode none && ip link set v1 address 02:00:00:00:00:01 && ip link set v1 up && "
        "ip addr add 192.0.2.1/24 dev v1 && ip addr add 2001:db8::1/64 dev v1 nodad && "
        "ip addr add fe80::1/64 dev v1 nodad");
  }
  void on_gateway(const std::string& command) const {
    In inside(gateway);
    run(command);
  }
  Namespace gateway;
};

TEST(NeighbourProbe, AnswersOfBothFamiliesAreHeard) {
  in_new_network([] {
    const Link link;
    boost::asio::io_context io;
    const auto v4 = probe_of(io, "192.0.2.1");
    EXPECT_EQ(look(io, *v4).reason, "192.0.2.1 answers on v0 at 02:00:00:00:00:01");
    EXPECT_TRUE(look(io, *v4).success) << "now asked at its own address";
    EXPECT_EQ(look(io, *probe_of(io, "2001:db8::1", "v0")).reason, "2001:db8::1 answers on v0");
    EXPECT_TRUE(look(io, *probe_of(io, "2001:db8::1")).success);
    EXPECT_TRUE(look(io, *probe_of(io, "fe80::1", "v0")).success);
  });
}

// The kernel would believe its neighbour table for up to half a minute.
TEST(NeighbourProbe, DeadGatewayIsNoticedInTheNextLook) {
  in_new_network([] {
    const Link link;
    boost::asio::io_context io;
    const auto v4 = probe_of(io, "192.0.2.1"), v6 = probe_of(io, "2001:db8::1");
    run("ping -q -c 1 -W 5 192.0.2.1 >/dev/null");
    EXPECT_TRUE(look(io, *v4).success);
    EXPECT_TRUE(look(io, *v6).success);
    link.on_gateway("ip addr flush dev v1");  // carrier stays
    EXPECT_EQ(look(io, *v4, 100ms).reason, "gave up: 192.0.2.1 does not answer on v0");
    EXPECT_EQ(look(io, *v6, 100ms).reason, "gave up: 2001:db8::1 does not answer on v0");
  });
}

// Another machine has taken the address over.
TEST(NeighbourProbe, NeighbourThatMovedIsFoundAgain) {
  in_new_network([] {
    const Link link;
    boost::asio::io_context io;
    const auto v4 = probe_of(io, "192.0.2.1");
    EXPECT_TRUE(look(io, *v4).success);
    link.on_gateway("ip link set v1 address 02:00:00:00:00:02");
    (void)look(io, *v4, 300ms);  // asked in the old place
    EXPECT_EQ(look(io, *v4).reason, "192.0.2.1 answers on v0 at 02:00:00:00:00:02");
  });
}

TEST(NeighbourProbe, ProblemsAreNamed) {
  in_new_network([] {
    const Link link;
    boost::asio::io_context io;
    run("ip route add default via 192.0.2.1");
    EXPECT_EQ(look(io, *probe_of(io, "198.51.100.1")).reason,
              "198.51.100.1 is in no network of this node: it is reached through 192.0.2.1");
    EXPECT_EQ(look(io, *probe_of(io, "192.0.2.11")).reason, "192.0.2.11 is this node's own address");
    EXPECT_EQ(look(io, *probe_of(io, "192.0.2.1", "nosuch0")).reason, "there is no interface nosuch0");
    run("ip link set v0 down");
    EXPECT_FALSE(look(io, *probe_of(io, "192.0.2.1", "v0"), 100ms).success);
  });
}

}  // namespace
}  // namespace vipair::vrrp
