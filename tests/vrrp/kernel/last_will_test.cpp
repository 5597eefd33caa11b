#include "vrrp/kernel/last_will.h"

#include <gtest/gtest.h>
#include <linux/ip.h>
#include <net/if.h>

#include <cerrno>
#include <random>

#include "tests/support/network.h"

namespace vipair::vrrp {
namespace {

using test::in_new_network;
using test::output_of;
using test::run;

struct Written {
  LastWill will;
  LingeringState lingering;
  Bytes encoded;
};

Written a_will(int interface_index) {
  Written written;
  const Bytes message = {0x31, 51, 0, 1, 0, 10, 0, 0, 10, 8, 0, 100};
  written.will.resignations = {
      {interface_index, *IpAddress::parse("10.8.0.1"), *IpAddress::parse("224.0.0.18"), message},
      {interface_index, *IpAddress::parse("fe80::1"), *IpAddress::parse("ff02::12"), message},
      {interface_index, *IpAddress::parse("10.8.0.1"), *IpAddress::parse("10.8.0.2"), message},
  };
  written.will.addresses = {
      {"v0", interface_index, {*IpPrefix::parse("10.8.0.100/24"), *IpPrefix::parse("2001:db8::100/64")}}};
  written.lingering.addresses = {{"lo", 1, {*IpPrefix::parse("10.8.0.101/32")}}};
  written.lingering.settings = {{interface_index, IPV4_DEVCONF_ARP_IGNORE, 0}};
  encode_last_will(written.will, written.lingering, written.encoded);
  return written;
}

int make_interface() {
  run("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up");
  run("ip addr add 10.8.0.1/24 dev v0 && ip addr add 10.8.0.100/24 dev v0 && ip addr add 10.8.0.101/32 dev lo");
  run("ip addr add fe80::1/64 dev v0 nodad && ip addr add 2001:db8::100/64 dev v0 nodad");
  run("ip neigh add 10.8.0.2 lladdr 02:00:00:00:00:02 dev v0 && sysctl -qw net.ipv4.conf.v0.arp_ignore=1");
  return static_cast<int>(::if_nametoindex("v0"));
}

TEST(LastWill, ResignsThenWithdrawsThenRestores) {
  in_new_network([] {
    const Written written = a_will(make_interface());
    LastWillExecutor executor;
    const LastWillExecutor::Result result = executor.execute(written.encoded);
    EXPECT_EQ(result.advertisements_sent, 3);
    EXPECT_EQ(result.advertisements_failed, 0);
    EXPECT_EQ(result.addresses_withdrawn, 3);
    EXPECT_EQ(result.error, 0);
    const std::string left = output_of("ip -o addr show");
    EXPECT_EQ(left.find("10.8.0.10"), std::string::npos) << left;
    EXPECT_EQ(left.find("2001:db8::100"), std::string::npos) << left;
    EXPECT_NE(left.find("10.8.0.1/24"), std::string::npos) << left;
    EXPECT_EQ(output_of("cat /proc/sys/net/ipv4/conf/v0/arp_ignore"), "0\n");
  });
}

TEST(LastWill, WithdrawsEvenWhenNothingCanBeSent) {
  in_new_network([] {
    const Written written = a_will(make_interface());
    run("ip link set v0 down");
    LastWillExecutor executor;
    const LastWillExecutor::Result result = executor.execute(written.encoded);
    EXPECT_EQ(result.advertisements_sent, 0);
    EXPECT_EQ(result.advertisements_failed, 3);
    EXPECT_NE(result.error, 0);
    EXPECT_EQ(output_of("ip -o addr show").find("10.8.0.10"), std::string::npos);
  });
}

TEST(LastWill, AnEmptyOneDoesNothing) {
  LastWillExecutor executor;
  for (const bool is_encoded : {false, true}) {
    Bytes encoded;
    if (is_encoded) encode_last_will({}, {}, encoded);
    const LastWillExecutor::Result result = executor.execute(encoded);
    EXPECT_EQ(result.advertisements_sent + result.advertisements_failed + result.addresses_withdrawn, 0);
    EXPECT_EQ(result.error, 0);
  }
}

TEST(LastWill, IsCarriedOutAsFarAsItCanBeRead) {
  in_new_network([] {
    const Written written = a_will(make_interface());
    LastWillExecutor executor;
    int sent_before = 0;
    for (std::size_t size = 0; size < written.encoded.size(); ++size) {
      const LastWillExecutor::Result result = executor.execute(ByteView(written.encoded).first(size));
      EXPECT_GE(result.advertisements_sent, sent_before) << size;
      EXPECT_LE(result.addresses_withdrawn, 3) << size;
      sent_before = result.advertisements_sent;
    }
    EXPECT_EQ(sent_before, 3);
  });
}

TEST(LastWill, SurvivesDamage) {
  in_new_network([] {
    const Written written = a_will(make_interface());
    std::mt19937 random(51);
    LastWillExecutor executor;
    for (int round = 0; round < 2000; ++round) {
      Bytes damaged = written.encoded;
      for (int i = 0; i < 4; ++i) damaged[random() % damaged.size()] = static_cast<std::uint8_t>(random());
      const LastWillExecutor::Result result = executor.execute(damaged);
      EXPECT_LE(result.addresses_withdrawn, static_cast<int>(damaged.size()));
    }
  });
}

TEST(LastWill, SaysWhatIsMissingAndTriesAgain) {
  in_new_network([] {
    const Written written = a_will(make_interface());
    ASSERT_EQ(::seteuid(65534), 0);
    LastWillExecutor executor;
    EXPECT_EQ(executor.prepare(), EPERM);
    EXPECT_EQ(executor.execute(written.encoded).advertisements_failed, 3);
    ASSERT_EQ(::seteuid(0), 0);
    EXPECT_EQ(executor.prepare(), 0);
    EXPECT_EQ(executor.execute(written.encoded).advertisements_sent, 3);
  });
}

}  // namespace
}  // namespace vipair::vrrp
