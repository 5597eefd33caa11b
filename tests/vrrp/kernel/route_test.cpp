#include "vrrp/kernel/route.h"

#include <gtest/gtest.h>
#include <net/if.h>

#include "tests/support/network.h"

namespace vipair::vrrp {
namespace {

using vipair::test::in_new_network;
using vipair::test::run;

IpAddress ip(const char* text) { return *IpAddress::parse(text); }

TEST(Route, NeighboursStrangersAndOurselvesAreToldApart) {
  in_new_network([] {
    run("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up && "
        "ip addr add 192.0.2.11/24 dev v0 && ip route add default via 192.0.2.1");
    const auto neighbour = find_route(ip("192.0.2.1"), 0);
    ASSERT_TRUE(neighbour) << neighbour.error();
    EXPECT_EQ(neighbour->interface_index, static_cast<int>(::if_nametoindex("v0")));
    EXPECT_EQ(neighbour->source, ip("192.0.2.11"));
    EXPECT_EQ(neighbour->gateway, std::nullopt);
    EXPECT_FALSE(neighbour->is_local);
    const auto stranger = find_route(ip("198.51.100.1"), 0);
    ASSERT_TRUE(stranger);
    EXPECT_EQ(stranger->gateway, ip("192.0.2.1"));
    const auto self = find_route(ip("192.0.2.11"), 0);
    ASSERT_TRUE(self);
    EXPECT_TRUE(self->is_local);
  });
}

TEST(Route, Ipv6AndTheInterfaceOfAZone) {
  in_new_network([] {
    run("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up && "
        "ip addr add 2001:db8::11/64 dev v0 nodad && ip addr add fe80::11/64 dev v1 nodad");
    const auto neighbour = find_route(ip("2001:db8::1"), 0);
    ASSERT_TRUE(neighbour) << neighbour.error();
    EXPECT_EQ(neighbour->gateway, std::nullopt);
    const int v1 = static_cast<int>(::if_nametoindex("v1"));
    const auto zoned = find_route(ip("fe80::1"), v1);
    ASSERT_TRUE(zoned) << zoned.error();
    EXPECT_EQ(zoned->interface_index, v1);
  });
}

TEST(Route, NoneIsExplained) {
  in_new_network([] { EXPECT_EQ(find_route(ip("192.0.2.1"), 0).error(), "Network is unreachable"); });
}

}  // namespace
}  // namespace vipair::vrrp
