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

constexpr TimePoint kUntil{std::chrono::seconds(2000)};
constexpr Duration kDrainTime = std::chrono::seconds(10);

struct Written {
  KernelWill will;
  Bytes encoded;
};

// On its interface the node holds .100 and ::100, to withdraw, and .102 and ::102, to linger; .101 lingers already.
Written a_will(int interface_index) {
  Written written;
  const Bytes message = {0x31, 51, 0, 1, 0, 10, 0, 0, 10, 8, 0, 100};
  written.will.resignations = {
      {interface_index, *IpAddress::parse("10.8.0.1"), *IpAddress::parse("224.0.0.18"), message},
      {interface_index, *IpAddress::parse("fe80::1"), *IpAddress::parse("ff02::12"), message},
      {interface_index, *IpAddress::parse("10.8.0.1"), *IpAddress::parse("10.8.0.2"), message},
  };
  written.will.withdrawn = {
      {"v0", interface_index, {*IpPrefix::parse("10.8.0.100/24"), *IpPrefix::parse("2001:db8::100/64")}}};
  LingeringState& lingering = written.will.lingering;
  lingering.entries = {
      {{"v0", interface_index, {*IpPrefix::parse("10.8.0.101/24")}}, kUntil},
      {{"v0", interface_index, {*IpPrefix::parse("10.8.0.102/24"), *IpPrefix::parse("2001:db8::102/64")}}, {}}};
  lingering.settings = {{interface_index, IPV4_DEVCONF_ARP_IGNORE, 0},
                        {interface_index, IPV4_DEVCONF_ARP_ANNOUNCE, 1}};
  lingering.drain_time = kDrainTime;
  encode_last_will(written.will, written.encoded);
  return written;
}

int make_interface() {
  run("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up");
  run("ip addr add 10.8.0.1/24 dev v0 && ip addr add 10.8.0.100/24 dev v0 && ip addr add 10.8.0.102/24 dev v0");
  run("ip addr add fe80::1/64 dev v0 nodad && ip addr add 2001:db8::100/64 dev v0 nodad && "
      "ip addr add 2001:db8::102/64 dev v0 nodad");
  run("ip addr add 10.8.0.101/32 dev lo && sysctl -qw net.ipv4.conf.v0.arp_ignore=1");
  run("ip neigh add 10.8.0.2 lladdr 02:00:00:00:00:02 dev v0");
  return static_cast<int>(::if_nametoindex("v0"));
}

std::string addresses_on(const char* interface) {
  return output_of(std::string("ip -o addr show dev ") + interface);
}
std::string setting(const char* name) { return output_of(std::string("cat /proc/sys/net/ipv4/conf/v0/") + name); }

TEST(LastWill, ResignsAndLetsGoOfTheAddressesEachInItsWay) {
  in_new_network([] {
    const Written written = a_will(make_interface());
    LastWillExecutor executor;
    const LastWillExecutor::Result result = executor.execute(written.encoded);
    EXPECT_EQ(result.advertisements_sent, 3);
    EXPECT_EQ(result.advertisements_failed, 0);
    EXPECT_EQ(result.addresses_withdrawn, 2);
    EXPECT_EQ(result.addresses_lingering, 3);
    EXPECT_EQ(result.error, 0);
    const std::string on_interface = addresses_on("v0");
    EXPECT_EQ(on_interface.find("10.8.0.10"), std::string::npos) << on_interface;
    EXPECT_EQ(on_interface.find("2001:db8"), std::string::npos) << on_interface;
    EXPECT_NE(on_interface.find("10.8.0.1/24"), std::string::npos) << on_interface;
    const std::string on_lo = addresses_on("lo");
    for (const char* lingering : {"10.8.0.101/32", "10.8.0.102/32", "2001:db8::102/128"})
      EXPECT_NE(on_lo.find(lingering), std::string::npos) << on_lo;
    EXPECT_EQ(on_lo.find("::100"), std::string::npos) << on_lo;
    EXPECT_EQ(on_lo.find(".100"), std::string::npos) << on_lo;
    EXPECT_EQ(setting("arp_ignore"), "1\n");
    EXPECT_EQ(setting("arp_announce"), "2\n");
  });
}

TEST(LastWill, TakesDownTheInterfacesThatOnlyCarriedTheAddresses) {
  in_new_network([] {
    const int index = make_interface();
    KernelWill will;
    will.withdrawn = {{"v0", index, {*IpPrefix::parse("10.8.0.100/24")}}};
    will.taken_down = {index, 4711};
    Bytes encoded;
    encode_last_will(will, encoded);
    const LastWillExecutor::Result result = LastWillExecutor().execute(encoded);
    EXPECT_EQ(result.error, 0) << "one that is gone is down";
    EXPECT_EQ(addresses_on("v0").find("10.8.0.100"), std::string::npos);
    EXPECT_NE(output_of("ip -o link show dev v0").find("state DOWN"), std::string::npos);
  });
}

TEST(LastWill, SaysWhatLingersOnceItIsCarriedOut) {
  const Written written = a_will(7);
  const LingeringState left = decode_lingering(written.encoded);
  ASSERT_EQ(left.entries.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    const LingeringState::Entry& entry = written.will.lingering.entries[i];
    EXPECT_EQ(left.entries[i].set.interface, "v0");
    EXPECT_EQ(left.entries[i].set.interface_index, 7);
    EXPECT_EQ(left.entries[i].set.addresses, entry.set.addresses);
    EXPECT_EQ(left.entries[i].until, entry.until);
  }
  EXPECT_EQ(left.settings, written.will.lingering.settings);
  EXPECT_EQ(left.drain_time, kDrainTime);
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
    EXPECT_EQ(addresses_on("v0").find("10.8.0.10"), std::string::npos);
    EXPECT_NE(addresses_on("lo").find("10.8.0.102"), std::string::npos);
  });
}

TEST(LastWill, AnEmptyOneDoesNothing) {
  LastWillExecutor executor;
  for (const bool is_encoded : {false, true}) {
    Bytes encoded;
    if (is_encoded) encode_last_will({}, encoded);
    const LastWillExecutor::Result result = executor.execute(encoded);
    EXPECT_EQ(result.advertisements_sent + result.advertisements_failed + result.addresses_withdrawn +
                  result.addresses_lingering,
              0);
    EXPECT_TRUE(decode_lingering(encoded).entries.empty());
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
      EXPECT_LE(result.addresses_withdrawn, 2) << size;
      EXPECT_LE(result.addresses_lingering, 3) << size;
      EXPECT_LE(decode_lingering(ByteView(written.encoded).first(size)).entries.size(), 2u) << size;
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
      EXPECT_LE(result.addresses_withdrawn + result.addresses_lingering, static_cast<int>(damaged.size()));
      LingeringAddresses next(Duration::zero(), nullptr);
      next.adopt(kUntil, decode_lingering(damaged));
      EXPECT_TRUE(next.is_idle() || next.next_deadline() > TimePoint{});
      next.stop();
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
