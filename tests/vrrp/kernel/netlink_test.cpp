#include "vrrp/kernel/netlink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_addr.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>

#include <cerrno>

#include "tests/support/network.h"

namespace vipair::vrrp {
namespace {

using test::in_new_network;
using test::output_of;
using test::run;
using testing::HasSubstr;
using testing::Not;

IpPrefix prefix(const std::string& text) { return *IpPrefix::parse(text); }

NetlinkSocket open_socket() {
  auto socket = NetlinkSocket::open();
  EXPECT_TRUE(socket) << socket.error();
  return std::move(*socket);
}

int index_of(const char* name) { return static_cast<int>(::if_nametoindex(name)); }

std::vector<NetlinkMessage> add_all(int index, const std::vector<IpPrefix>& prefixes) {
  std::vector<NetlinkMessage> requests;
  for (const IpPrefix& each : prefixes) requests.push_back(new_address_request(index, each));
  return requests;
}

TEST(Netlink, AddsAddressesWithOurMarkAndTheRightFlags) {
  in_new_network([] {
    run("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up");
    run("ip addr add 192.0.2.11/24 dev v0");
    NetlinkSocket socket = open_socket();
    const int index = index_of("v0");
    for (const NetlinkAnswer& answer : socket.execute(
             add_all(index, {prefix("192.0.2.100/24"), prefix("2001:db8::100/64"), prefix("fe80::100/64")})))
      EXPECT_EQ(answer.error, 0) << answer.text;
    auto addresses = list_addresses(socket);
    ASSERT_TRUE(addresses) << addresses.error();
    int seen = 0;
    for (const KernelAddress& address : *addresses) {
      if (address.prefix == prefix("192.0.2.100/24")) {
        ++seen;
        EXPECT_EQ(address.interface_index, index);
        EXPECT_TRUE(address.flags & IFA_F_SECONDARY) << "never a source beside the node's own";
      } else if (address.prefix == prefix("2001:db8::100/64") || address.prefix == prefix("fe80::100/64")) {
        ++seen;
        EXPECT_FALSE(address.flags & IFA_F_TENTATIVE) << "usable at once";
        EXPECT_TRUE(address.flags & IFA_F_DEPRECATED) << "never a source of new connections";
      } else {
        EXPECT_NE(address.protocol, kAddressProtocol) << address.prefix.to_string();
        continue;
      }
      EXPECT_EQ(address.protocol, kAddressProtocol) << address.prefix.to_string();
    }
    EXPECT_EQ(seen, 3);
  });
}

TEST(Netlink, AnswersEveryRequestOfABatchInItsPlace) {
  in_new_network([] {
    NetlinkSocket socket = open_socket();
    auto answers =
        socket.execute(add_all(1, {prefix("10.0.0.1/32"), prefix("10.0.0.1/32"), prefix("10.0.0.2/32")}));
    EXPECT_EQ(answers[0].error, 0);
    EXPECT_EQ(answers[1].error, EEXIST);
    EXPECT_EQ(answers[2].error, 0);
    answers = socket.execute(add_all(4711, {prefix("10.0.0.3/32")}));
    EXPECT_EQ(answers[0].error, ENODEV);
    std::vector<NetlinkMessage> removal;
    removal.push_back(delete_address_request(1, prefix("10.0.0.9/32")));
    removal.push_back(delete_address_request(1, prefix("10.0.0.2/32")));
    answers = socket.execute(removal);
    EXPECT_EQ(answers[0].error, EADDRNOTAVAIL);
    EXPECT_EQ(answers[1].error, 0);
  });
}

TEST(Netlink, TellsTheKernelsOwnWords) {
  in_new_network([] {
    NetlinkSocket socket = open_socket();
    std::vector<NetlinkMessage> request;
    request.push_back(new_address_request(1, IpPrefix{*IpAddress::parse("10.0.0.1"), 99}));
    const auto answers = socket.execute(request);
    EXPECT_EQ(answers[0].error, EINVAL);
    EXPECT_FALSE(answers[0].text.empty());
  });
}

TEST(Netlink, ThousandsOfAddressesFitThroughTheAnswers) {
  in_new_network([] {
    NetlinkSocket socket = open_socket();
    std::vector<IpPrefix> many;
    for (std::uint32_t i = 0; i < 2000; ++i) many.push_back({IpAddress::v4(0x0A000001u + i), 32});
    for (const NetlinkAnswer& answer : socket.execute(add_all(1, many))) ASSERT_EQ(answer.error, 0) << answer.text;
    auto addresses = list_addresses(socket);
    ASSERT_TRUE(addresses) << addresses.error();
    EXPECT_GE(addresses->size(), many.size());
  });
}

TEST(Netlink, SaysNotPermittedWithoutTheCapability) {
  in_new_network([] {
    NetlinkSocket socket = open_socket();
    ASSERT_EQ(::setresuid(65534, 65534, 65534), 0);
    EXPECT_EQ(socket.execute(add_all(1, {prefix("10.0.0.1/32")}))[0].error, EPERM);
  });
}

TEST(Netlink, ChangesAnIpv4SettingOfOneInterface) {
  in_new_network([] {
    run("ip link add v0 type veth peer name v1");
    NetlinkSocket socket = open_socket();
    for (const char* value : {"1", "0"}) {
      std::vector<NetlinkMessage> request;
      request.push_back(ipv4_setting_request(index_of("v0"), IPV4_DEVCONF_PROMOTE_SECONDARIES,
                                             static_cast<std::uint32_t>(value[0] - '0')));
      EXPECT_EQ(socket.execute(request)[0].error, 0);
      EXPECT_EQ(
          output_of(
              "unshare -m sh -c 'mount -t proc none /proc && cat /proc/sys/net/ipv4/conf/v0/promote_secondaries'"),
          std::string(value) + "\n");
    }
  });
}

TEST(Netlink, IgnoresWhatItDoesNotKnow) {
  nlmsghdr header{};
  header.nlmsg_len = sizeof header;
  for (int type : std::initializer_list<int>{RTM_NEWADDR, RTM_NEWLINK, RTM_NEWNETCONF, RTM_NEWROUTE, 0}) {
    header.nlmsg_type = static_cast<std::uint16_t>(type);
    EXPECT_FALSE(parse_address(header)) << "too short for a family header";
    EXPECT_FALSE(parse_link(header));
    EXPECT_FALSE(parse_ipv6_forwarding(header));
  }
}

}  // namespace
}  // namespace vipair::vrrp
