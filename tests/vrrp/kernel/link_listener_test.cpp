// Who answers and who advertises on a link, seen from one end of it; the other end is a node of its own.
#include "vrrp/kernel/link_listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <poll.h>

#include "tests/support/network.h"
#include "vrrp/kernel/advert_socket.h"
#include "vrrp/kernel/monitor.h"

namespace vipair::vrrp {
namespace {

using test::In;
using test::in_new_network;
using test::Namespace;
using test::run;
using test::wait_for_carrier;
using testing::HasSubstr;

constexpr const char* kOurMac = "02:00:00:00:00:01";
constexpr const char* kTheirMac = "02:00:00:00:00:02";

IpAddress address(const char* text) { return *IpAddress::parse(text); }

// v0 here, v1 with its addresses there.
struct Link {
  Link() {
    run("ip link add v0 address " + std::string(kOurMac) + " type veth peer name v1 address " + kTheirMac +
        " netns " + there.path());
    run("sysctl -qw net.ipv6.conf.v0.accept_dad=0; ip link set v0 up; ip addr add 192.0.2.1/24 dev v0");
    {
      In inside(there);
      run("sysctl -qw net.ipv6.conf.v1.accept_dad=0; ip link set v1 up; ip addr add 192.0.2.2/24 dev v1;"
          "ip addr add 192.0.2.100/32 dev v1; ip addr add 2001:db8::100/64 dev v1 nodad");
      wait_for_carrier("v1");
    }
    wait_for_carrier("v0");
  }
  static InterfaceInfo info(const char* name) {
    auto monitor = Monitor::open();
    EXPECT_TRUE(monitor);
    EXPECT_TRUE((*monitor)->drain());
    return (*monitor)->table().info(name);
  }
  Namespace there;
};

// Until something was heard, at most a second.
LinkListener::Heard hear(LinkListener& listener) {
  LinkListener::Heard heard;
  for (int i = 0; i < 100 && heard.answers.empty() && heard.advertisers.empty(); ++i) {
    ::poll(nullptr, 0, 10);
    heard = listener.take();
  }
  return heard;
}

std::string text(const LinkListener::Heard& heard) {
  std::string text;
  for (const auto& answer : heard.answers)
    text += answer.address.to_string() + " at " + answer.mac.to_string() + "\n";
  for (const auto& each : heard.advertisers)
    text += each.source.to_string() + " advertises " + std::to_string(each.vrid) + " version " +
            std::to_string(each.version) + (each.to_group ? " to the group\n" : " to a node\n");
  return text;
}

TEST(LinkListener, HearsWhoHasAnAddress) {
  in_new_network([] {
    Link link;
    const InterfaceInfo info = Link::info("v0");
    ASSERT_TRUE(info.link_local_v6);
    auto listener = LinkListener::open(info);
    ASSERT_TRUE(listener) << listener.error();
    for (const char* asked : {"192.0.2.100", "2001:db8::100"}) {
      EXPECT_TRUE(listener->ask(address(asked)));
      EXPECT_EQ(text(hear(*listener)), std::string(asked) + " at " + kTheirMac + "\n");
    }
    EXPECT_TRUE(listener->ask(address("192.0.2.1"))) << "our own: nobody else answers";
    EXPECT_TRUE(listener->ask(address("192.0.2.77")));
    ::poll(nullptr, 0, 50);
    EXPECT_EQ(text(listener->take()), "");
  });
}

TEST(LinkListener, AskingTeachesNobodyAnIpv4Address) {
  in_new_network([] {
    Link link;
    auto listener = LinkListener::open(Link::info("v0"));
    ASSERT_TRUE(listener) << listener.error();
    EXPECT_TRUE(listener->ask(address("192.0.2.100")));
    EXPECT_FALSE(hear(*listener).answers.empty());
    In inside(link.there);
    EXPECT_EQ(test::output_of("ip -4 neigh show dev v1"), "");
  });
}

TEST(LinkListener, HearsWhoAdvertisesAndNotItself) {
  in_new_network([] {
    Link link;
    const InterfaceInfo here = Link::info("v0");
    auto listener = LinkListener::open(here);
    ASSERT_TRUE(listener) << listener.error();
    AdvertSockets ours;
    ASSERT_TRUE(ours.open(here.index, "v0", IpFamily::ipv4));
    const OutgoingAdvertisement own{
        here.index, address("192.0.2.1"), address("224.0.0.18"), {0x31, 9, 0, 0, 0, 0, 0, 0}};
    EXPECT_TRUE(ours.send(own));
    ours.flush();
    {
      In inside(link.there);
      const InterfaceInfo info = Link::info("v1");
      AdvertSockets theirs;
      ASSERT_TRUE(theirs.open(info.index, "v1", IpFamily::ipv4));
      ASSERT_TRUE(theirs.open(info.index, "v1", IpFamily::ipv6));
      EXPECT_TRUE(
          theirs.send({info.index, address("192.0.2.2"), address("224.0.0.18"), {0x31, 51, 100, 1, 0, 100, 0, 0}}));
      EXPECT_TRUE(
          theirs.send({info.index, address("192.0.2.2"), address("192.0.2.1"), {0x21, 52, 100, 1, 0, 1, 0, 0}}));
      EXPECT_TRUE(
          theirs.send({info.index, *info.link_local_v6, address("ff02::12"), {0x31, 53, 100, 1, 0, 100, 0, 0}}));
      theirs.flush();
    }
    ::poll(nullptr, 0, 50);
    EXPECT_EQ(text(listener->take()),
              "192.0.2.2 advertises 51 version 3 to the group\n"
              "192.0.2.2 advertises 52 version 2 to a node\n"
              "fe80::ff:fe00:2 advertises 53 version 3 to the group\n");
  });
}

TEST(LinkListener, OtherTrafficIsNotRead) {
  in_new_network([] {
    Link link;
    auto listener = LinkListener::open(Link::info("v0"));
    ASSERT_TRUE(listener) << listener.error();
    run("ping -c 2 -i 0.01 -W 1 192.0.2.2 >/dev/null");
    EXPECT_TRUE(listener->take().advertisers.empty());
  });
}

TEST(LinkListener, SaysWhyItCannotListen) {
  in_new_network([] {
    InterfaceInfo gone;
    gone.name = "v9";
    gone.index = 4711;
    auto listener = LinkListener::open(gone);
    ASSERT_FALSE(listener);
    EXPECT_THAT(listener.error(), HasSubstr("cannot listen on v9"));
    ASSERT_EQ(::setresuid(65534, 65534, 65534), 0);
    listener = LinkListener::open(gone);
    ASSERT_FALSE(listener);
    EXPECT_THAT(listener.error(), HasSubstr("not permitted"));
  });
}

}  // namespace
}  // namespace vipair::vrrp
