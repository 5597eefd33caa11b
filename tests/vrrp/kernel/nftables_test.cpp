#include "vrrp/kernel/nftables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include <cerrno>
#include <thread>

#include "tests/support/network.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using test::in_new_network;
using test::output_of;
using testing::ContainsRegex;

RelayRules rules(IpFamily family) {
  RelayRules result;
  result.family = family;
  result.table = "relay-test";
  result.input_index = result.interface_index = 1;
  result.connections_max = 1000;
  const bool is_v4 = family == IpFamily::ipv4;
  result.addresses = {*IpAddress::parse(is_v4 ? "192.0.2.100" : "2001:db8::100")};
  result.old_active = *IpAddress::parse(is_v4 ? "192.0.2.2" : "2001:db8::2");
  return result;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// nft(8) reads back what the kernel understood.
TEST(Nftables, MakesTheIpv4TableThatNftShows) {
  in_new_network([] {
    const UniqueFd socket = open_nftables();
    const auto made = transact(socket.get(), encode_relay_table(rules(IpFamily::ipv4)));
    ASSERT_TRUE(made) << made.error();
    const std::string shown = output_of("nft list ruleset");
    EXPECT_TRUE(has(shown, "table ip relay-test")) << shown;
    EXPECT_TRUE(has(shown, "flags owner")) << shown;
    EXPECT_TRUE(has(shown, "elements = { 192.0.2.100 }")) << shown;
    EXPECT_TRUE(has(shown, "type filter hook prerouting priority raw; policy accept;")) << shown;
    EXPECT_TRUE(
        has(shown,
            "iif \"lo\" ip daddr @addresses tcp flags syn / syn,ack add @opened_here { ip saddr . tcp sport . "
            "ip daddr . tcp dport } accept"))
        << shown;
    EXPECT_TRUE(
        has(shown,
            "iif \"lo\" ip daddr @addresses ip saddr . tcp sport . ip daddr . tcp dport != @opened_here ip ttl "
            "set 2 dup to 192.0.2.2 device \"lo\" drop"))
        << shown;
  });
}

TEST(Nftables, MakesTheIpv6TableThatNftShows) {
  in_new_network([] {
    const UniqueFd socket = open_nftables();
    const auto made = transact(socket.get(), encode_relay_table(rules(IpFamily::ipv6)));
    ASSERT_TRUE(made) << made.error();
    const std::string shown = output_of("nft list ruleset");
    EXPECT_TRUE(has(shown, "table ip6 relay-test")) << shown;
    EXPECT_TRUE(has(shown, "elements = { 2001:db8::100 }")) << shown;
    EXPECT_TRUE(
        has(shown,
            "iif \"lo\" ip6 daddr @addresses tcp flags syn / syn,ack add @opened_here { ip6 saddr . tcp sport . "
            "ip6 daddr . tcp dport } accept"))
        << shown;
    EXPECT_TRUE(
        has(shown,
            "iif \"lo\" ip6 daddr @addresses ip6 saddr . tcp sport . ip6 daddr . tcp dport != @opened_here ip6 "
            "hoplimit set 2 dup to 2001:db8::2 device \"lo\" drop"))
        << shown;
  });
}

TEST(Nftables, FillsInConnectionsThatAreHereAlready) {
  in_new_network([] {
    const UniqueFd socket = open_nftables();
    std::vector<TcpConnection> own;
    for (std::uint16_t port = 1; port <= 2000; ++port) {
      own.push_back({*IpEndpoint::parse("192.0.2.100:80"), IpEndpoint{*IpAddress::parse("198.51.100.7"), port}});
    }
    RelayRules with_own = rules(IpFamily::ipv4);
    with_own.connections_max = 5000;
    with_own.own = own;
    const auto made = transact(socket.get(), encode_relay_table(with_own));
    ASSERT_TRUE(made) << made.error();
    const std::string shown = output_of("nft -n list set ip relay-test opened_here");
    EXPECT_TRUE(has(shown, "198.51.100.7 . 1 . 192.0.2.100 . 80")) << shown;
    EXPECT_TRUE(has(shown, "198.51.100.7 . 2000 . 192.0.2.100 . 80")) << shown;
  });
}

TEST(Nftables, RemovesATable) {
  in_new_network([] {
    const UniqueFd socket = open_nftables();
    ASSERT_TRUE(transact(socket.get(), encode_relay_table(rules(IpFamily::ipv4))));
    EXPECT_TRUE(transact(socket.get(), encode_table_removal(IpFamily::ipv4, "relay-test")));
    EXPECT_EQ(output_of("nft list ruleset"), "");
  });
}

TEST(Nftables, LeavesNothingOfATrial) {
  in_new_network([] {
    const UniqueFd socket = open_nftables();
    for (const IpFamily family : {IpFamily::ipv4, IpFamily::ipv6}) {
      const auto tried = transact(socket.get(), encode_relay_trial(rules(family)));
      EXPECT_TRUE(tried) << tried.error();
    }
    EXPECT_EQ(output_of("nft list ruleset"), "");
  });
}

TEST(Nftables, ALeaseIsRenewedInEachWayThatAKernelKnows) {
  in_new_network([] {
    const UniqueFd socket = open_nftables();
    const std::vector<IpAddress> addresses = {*IpAddress::parse("192.0.2.100")};
    ASSERT_TRUE(transact(socket.get(), encode_lease_table(IpFamily::ipv4, addresses, 20s)));
    const auto expires = [] { return output_of("nft list set arp vipair-lease lease"); };
    const auto renew = [&](Duration duration, LeaseRenewal how) {
      return transact(socket.get(), encode_lease_renewal(IpFamily::ipv4, duration, how)).has_value();
    };
    EXPECT_TRUE(renew(40s, LeaseRenewal::replacing));
    EXPECT_THAT(expires(), ContainsRegex("expires (39|40)s"));
    EXPECT_TRUE(renew(60s, LeaseRenewal::adding));
    utsname system{};
    ASSERT_EQ(::uname(&system), 0);
    if (!renews_elements(system.release)) return;
    EXPECT_TRUE(renew(100s, LeaseRenewal::in_place));
    EXPECT_THAT(expires(), ContainsRegex("expires 1m(38|39|40)s"));
    std::this_thread::sleep_for(3100ms);
    EXPECT_TRUE(renew(100s, LeaseRenewal::in_place));
    EXPECT_THAT(expires(), ContainsRegex("expires 1m(38|39|40)s")) << "by as long as before, too";
    EXPECT_TRUE(renew(10ms, LeaseRenewal::in_place));
    std::this_thread::sleep_for(100ms);
    EXPECT_TRUE(renew(60s, LeaseRenewal::in_place)) << "one that has expired";
    EXPECT_THAT(expires(), ContainsRegex("expires (59|1m)"));
  });
}

TEST(Nftables, KernelsAreToldApartByTheirRelease) {
  for (const char* release : {"6.12.0", "6.12.3-amd64", "6.18.44-fc-v657", "7.0", "10.1"})
    EXPECT_TRUE(renews_elements(release)) << release;
  for (const char* release : {"6.11.9", "6.1.0-28-amd64", "5.14.0-427.el9.x86_64", "", "6", "six.12"})
    EXPECT_FALSE(renews_elements(release)) << release;
}

TEST(Nftables, IsAllOrNothing) {
  in_new_network([] {
    const UniqueFd socket = open_nftables();
    RelayRules wrong = rules(IpFamily::ipv4);
    wrong.connections_max = 1;
    const std::vector<TcpConnection> own = {
        {*IpEndpoint::parse("192.0.2.100:80"), *IpEndpoint::parse("198.51.100.7:1")},
        {*IpEndpoint::parse("192.0.2.100:80"), *IpEndpoint::parse("198.51.100.7:2")}};
    wrong.own = own;
    const auto made = transact(socket.get(), encode_relay_table(wrong));
    EXPECT_FALSE(made);
    EXPECT_EQ(output_of("nft list ruleset"), "");
    // and the socket is fit for the next one
    EXPECT_TRUE(transact(socket.get(), encode_relay_table(rules(IpFamily::ipv4))));
  });
}

TEST(Nftables, NamesTheMissingPermission) {
  in_new_network([] {
    ASSERT_EQ(::setuid(65534), 0);
    const UniqueFd socket = open_nftables();
    const auto made = transact(socket.get(), encode_relay_table(rules(IpFamily::ipv4)));
    ASSERT_FALSE(made);
    EXPECT_TRUE(has(made.error(), "CAP_NET_ADMIN")) << made.error();
  });
}

TEST(Nftables, NamesTheMissingKernelPart) {
  in_new_network([] {
    const UniqueFd socket = open_nftables();
    const auto removed = transact(socket.get(), encode_table_removal(IpFamily::ipv4, "not-there"));
    ASSERT_FALSE(removed);
    EXPECT_TRUE(has(removed.error(), "nf_tables")) << removed.error();
  });
}

TEST(Nftables, ReportsAClosedSocket) {
  const auto made = transact(-1, encode_relay_table(rules(IpFamily::ipv4)));
  ASSERT_FALSE(made);
  EXPECT_TRUE(has(made.error(), "Bad file descriptor")) << made.error();
}

}  // namespace
}  // namespace vipair::vrrp
