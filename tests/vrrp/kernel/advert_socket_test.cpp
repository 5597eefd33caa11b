#include "vrrp/kernel/advert_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "tests/support/network.h"

namespace vipair::vrrp {
namespace {

using test::In;
using test::in_new_network;
using test::Namespace;
using test::run;
using testing::HasSubstr;

constexpr const char* kHere = "fe80::ff:fe00:1";
constexpr const char* kThere = "fe80::ff:fe00:2";

IpAddress ip(const char* text) { return *IpAddress::parse(text); }
int index_of(const char* name) { return static_cast<int>(::if_nametoindex(name)); }

struct Heard {
  DatagramInfo info;
  Bytes message;
};

// Two nodes on one link: v0 here, v1 in the other namespace.
struct Link {
  Link() {
    run("ip link add v0 address 02:00:00:00:00:01 type veth peer name v1 address 02:00:00:00:00:02 netns " +
        there.path());
    run("ip link set v0 addrgenmode none && ip link set v0 up && ip addr add 192.0.2.1/24 dev v0 && ip addr add " +
        std::string(kHere) + "/64 dev v0 nodad");
    here_index = index_of("v0");
    In in(there);
    run("ip link set v1 addrgenmode none && ip link set v1 up && ip addr add 192.0.2.2/24 dev v1 && ip addr add " +
        std::string(kThere) + "/64 dev v1 nodad");
    there_index = index_of("v1");
  }
  void open(AdvertSockets& sockets, const char* name, int index) {
    for (IpFamily family : {IpFamily::ipv4, IpFamily::ipv6}) {
      auto opened = sockets.open(index, name, family);
      ASSERT_TRUE(opened) << opened.error().text;
    }
  }
  Namespace there;
  int here_index = 0, there_index = 0;
};

std::vector<Heard> listen(AdvertSockets& sockets, std::size_t count) {
  std::vector<Heard> heard;
  for (int i = 0; i < 200 && heard.size() < count; ++i) {
    pollfd waiting{sockets.poll_fd(), POLLIN, 0};
    (void)::poll(&waiting, 1, 10);
    sockets.drain([&](const DatagramInfo& info, ByteView message) {
      heard.push_back({info, Bytes(message.begin(), message.end())});
    });
  }
  return heard;
}

TEST(AdvertSockets, CarryMessagesOfBothFamiliesWithTtlAndAddresses) {
  in_new_network([] {
    Link link;
    AdvertSockets here, there;
    link.open(here, "v0", link.here_index);
    {
      In in(link.there);
      link.open(there, "v1", link.there_index);
    }
    const struct {
      const char *source, *destination;
    } cases[] = {{"192.0.2.1", "224.0.0.18"}, {"192.0.2.1", "192.0.2.2"}, {kHere, "ff02::12"}, {kHere, kThere}};
    for (const auto& each : cases) {
      const Bytes message = {0x31, 51, 100, 1, 0, 10, 0xAB, 0xCD, 192, 0, 2, 100};
      auto sent = here.send({link.here_index, ip(each.source), ip(each.destination), message});
      ASSERT_TRUE(sent) << sent.error().text;
      here.flush();
      const auto heard = listen(there, 1);
      ASSERT_EQ(heard.size(), 1u) << each.destination;
      EXPECT_EQ(heard[0].message, message) << "as it was sent, no header, no checksum by the kernel";
      EXPECT_EQ(heard[0].info.interface_index, link.there_index);
      EXPECT_EQ(heard[0].info.source, ip(each.source));
      EXPECT_EQ(heard[0].info.destination, ip(each.destination));
      EXPECT_EQ(heard[0].info.ttl, 255);
    }
    EXPECT_EQ(listen(here, 1).size(), 0u) << "no loopback of what was sent";
  });
}

TEST(AdvertSockets, TellTheTtlOfAForgedPacket) {
  in_new_network([] {
    Link link;
    AdvertSockets here;
    link.open(here, "v0", link.here_index);
    In in(link.there);
    UniqueFd raw(::socket(AF_INET, SOCK_RAW, 112));
    const int ttl = 254;
    ASSERT_EQ(::setsockopt(raw.get(), IPPROTO_IP, IP_TTL, &ttl, sizeof ttl), 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(0xC0000201u);
    ASSERT_EQ(::sendto(raw.get(), "x", 1, 0, reinterpret_cast<sockaddr*>(&to), sizeof to), 1);
    const auto heard = listen(here, 1);
    ASSERT_EQ(heard.size(), 1u);
    EXPECT_EQ(heard[0].info.ttl, 254);
    EXPECT_EQ(heard[0].message, Bytes{'x'});
  });
}

TEST(AdvertSockets, HearTheirOwnInterfaceOnly) {
  in_new_network([] {
    Link link;
    run("ip link add w0 type veth peer name w1 netns " + link.there.path() + " && ip link set w0 up");
    run("ip addr add 198.51.100.1/24 dev w0");
    AdvertSockets here, there;
    link.open(here, "v0", link.here_index);
    {
      In in(link.there);
      run("ip link set w1 up && ip addr add 198.51.100.2/24 dev w1");
      ASSERT_TRUE(there.open(index_of("w1"), "w1", IpFamily::ipv4));
      ASSERT_TRUE(there.send({index_of("w1"), ip("198.51.100.2"), ip("224.0.0.18"), {1, 2, 3}}));
      ASSERT_TRUE(there.open(link.there_index, "v1", IpFamily::ipv4));
      ASSERT_TRUE(there.send({link.there_index, ip("192.0.2.2"), ip("224.0.0.18"), {4, 5, 6}}));
      there.flush();
    }
    const auto heard = listen(here, 2);
    ASSERT_EQ(heard.size(), 1u);
    EXPECT_EQ(heard[0].message, (Bytes{4, 5, 6}));
  });
}

TEST(AdvertSockets, TakeManyDatagramsAndCutWhatIsTooLong) {
  in_new_network([] {
    Link link;
    AdvertSockets here, there;
    link.open(here, "v0", link.here_index);
    In in(link.there);
    link.open(there, "v1", link.there_index);
    for (std::uint8_t i = 0; i < 100; ++i)
      ASSERT_TRUE(there.send({link.there_index, ip("192.0.2.2"), ip("192.0.2.1"), {i}}));
    ASSERT_TRUE(there.send({link.there_index, ip(kThere), ip(kHere), Bytes(9000, 1)}));
    EXPECT_EQ(listen(here, 1).size(), 0u) << "they wait";
    there.flush();
    const auto heard = listen(here, 101);
    ASSERT_EQ(heard.size(), 101u);
    std::size_t longest = 0;
    for (const Heard& each : heard) longest = std::max(longest, each.message.size());
    EXPECT_EQ(longest, AdvertSockets::kMessageMax);
  });
}

TEST(AdvertSockets, SayWhatIsWrong) {
  in_new_network([] {
    Link link;
    AdvertSockets sockets;
    auto missing = sockets.open(4711, "nowhere", IpFamily::ipv4);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().kind, HostError::Kind::no_interface);
    EXPECT_THAT(missing.error().text, HasSubstr("cannot listen for IPv4 advertisements on nowhere"));
    auto unopened = sockets.send({link.here_index, ip("192.0.2.1"), ip("224.0.0.18"), {1}});
    ASSERT_FALSE(unopened);
    EXPECT_EQ(unopened.error().kind, HostError::Kind::no_interface);

    link.open(sockets, "v0", link.here_index);
    EXPECT_TRUE(sockets.open(link.here_index, "v0", IpFamily::ipv4)) << "open is open";
    run("ip link set v0 down");
    EXPECT_TRUE(sockets.send({link.here_index, ip("192.0.2.1"), ip("192.0.2.2"), {1}}));
    sockets.flush();
    auto down = sockets.send({link.here_index, ip("192.0.2.1"), ip("192.0.2.2"), {1}});
    ASSERT_FALSE(down) << "the earlier one";
    EXPECT_TRUE(sockets.send({link.here_index, ip("192.0.2.1"), ip("192.0.2.2"), {1}})) << "told once";
    EXPECT_THAT(down.error().text, HasSubstr("from 192.0.2.1 to 192.0.2.2 on v0: "));
    sockets.close(link.here_index);
    EXPECT_FALSE(sockets.is_open(link.here_index, IpFamily::ipv4));
    EXPECT_FALSE(sockets.is_open(link.here_index, IpFamily::ipv6));

    ASSERT_EQ(::setresuid(65534, 65534, 65534), 0);
    auto forbidden = sockets.open(link.here_index, "v0", IpFamily::ipv4);
    ASSERT_FALSE(forbidden);
    EXPECT_EQ(forbidden.error().kind, HostError::Kind::not_permitted);
    EXPECT_THAT(forbidden.error().text, HasSubstr("CAP_NET_RAW"));
  });
}

}  // namespace
}  // namespace vipair::vrrp
