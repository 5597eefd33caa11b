#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/network.h"
#include "tests/support/probing.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using test::look;
using testing::HasSubstr;
using vipair::test::In;
using vipair::test::in_new_network;
using vipair::test::Namespace;
using vipair::test::run;

Observation ping(const char* address, const char* interface = "", std::chrono::milliseconds limit = 5s) {
  boost::asio::io_context io;
  const auto probe = make_ping_probe(io, {*IpAddress::parse(address), interface});
  return look(io, *probe, limit);
}

// v0 here, v1 there.
void connect(const Namespace& there) {
  run("ip link add v0 type veth peer name v1 netns " + there.path());
  run("ip link set v0 up && ip addr add 192.0.2.11/24 dev v0 && ip addr add 2001:db8::11/64 dev v0 nodad");
  In inside(there);
  run("ip link set v1 addrgenmode none && ip link set v1 up && ip addr add 192.0.2.1/24 dev v1 && "
      "ip addr add 2001:db8::1/64 dev v1 nodad && ip addr add fe80::1/64 dev v1 nodad");
}

TEST(PingProbe, AnswersOfBothFamiliesAreHeard) {
  in_new_network([] {
    const Namespace there;
    connect(there);
    EXPECT_EQ(ping("192.0.2.1").reason, "192.0.2.1 answers");
    EXPECT_TRUE(ping("192.0.2.1", "v0").success);
    EXPECT_TRUE(ping("2001:db8::1").success);
    boost::asio::io_context io;
    EXPECT_TRUE(test::soon(io, [] { return ping("fe80::1", "v0", 500ms).success; }))
        << "once our own link-local address is there";
  });
}

TEST(PingProbe, SilenceIsGivenUp) {
  in_new_network([] {
    const Namespace there;
    connect(there);
    {
      In inside(there);
      run("sysctl -qw net.ipv4.icmp_echo_ignore_all=1 net.ipv6.icmp.echo_ignore_all=1");
    }
    EXPECT_EQ(ping("192.0.2.1", "", 100ms).reason, "gave up: no answer from 192.0.2.1");
    EXPECT_EQ(ping("2001:db8::1", "", 100ms).reason, "gave up: no answer from 2001:db8::1");
  });
}

TEST(PingProbe, ProblemsAreNamed) {
  in_new_network([] {
    EXPECT_THAT(ping("192.0.2.1").reason, HasSubstr("Network is unreachable"));
    EXPECT_EQ(ping("192.0.2.1", "nosuch0").reason, "there is no interface nosuch0");
  });
}

// The answers of one probe are not those of another that asks the same host in the same moment.
TEST(PingProbe, ProbesAtOnceDoNotMixUp) {
  in_new_network([] {
    boost::asio::io_context io;
    const PingCheck check{*IpAddress::parse("127.0.0.1"), ""};
    const auto one = make_ping_probe(io, check), other = make_ping_probe(io, check);
    int answers = 0;
    for (int round = 1; round <= 10; ++round) {
      one->start([&](Observation result) { answers += result.success; });
      other->start([&](Observation result) { answers += result.success; });
      EXPECT_TRUE(test::soon(io, [&] { return answers == 2 * round; }));
    }
  });
}

}  // namespace
}  // namespace vipair::vrrp
