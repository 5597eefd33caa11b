#include "vrrp/kernel/answer_lease.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>

#include <thread>

#include "tests/support/network.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using test::In;
using test::in_new_network;
using test::Namespace;
using test::output_of;
using test::run;
using test::succeeds;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Duration kLong = 20s, kShort = 20ms;

struct Node {
  Node() {
    run("ip link add v0 type veth peer name v1 netns " + neighbour.path());
    run("ip link set v0 up && ip addr add 10.7.0.1/24 dev v0 && ip addr add 10.7.0.100/24 dev v0");
    run("ip addr add fd07::1/64 dev v0 nodad && ip addr add fd07::100/64 dev v0 nodad");
    const In in(neighbour);
    run("ip link set v1 up && ip addr add 10.7.0.2/24 dev v1 && ip addr add fd07::2/64 dev v1 nodad");
  }
  static AddressSet set(const char* text) {
    return {"v0", static_cast<int>(::if_nametoindex("v0")), {*IpPrefix::parse(text)}};
  }
  bool is_resolved(const std::string& address) const {
    const In in(neighbour);
    run("ip neigh flush dev v1");
    (void)succeeds("ping -c 1 -W 1 " + address);
    return output_of("ip neigh show " + address + " dev v1").find("lladdr") != std::string::npos;
  }
  static std::string tables() { return output_of("nft list tables 2>/dev/null"); }
  Namespace neighbour;
};

TEST(AnswerLease, WhileItRunsTheAddressesAreAnsweredFor) {
  in_new_network([] {
    Node node;
    AnswerLease lease;
    lease.set_duration(kLong);
    for (const char* prefix : {"10.7.0.100/24", "fd07::100/64"}) {
      const auto covered = lease.cover(Node::set(prefix));
      ASSERT_TRUE(covered) << covered.error();
    }
    for (const char* address : {"10.7.0.100", "fd07::100", "10.7.0.1", "fd07::1"})
      EXPECT_TRUE(node.is_resolved(address)) << address;
  });
}

TEST(AnswerLease, WhenItExpiredNobodyAnswersForTheAddressesAndOnlyForThose) {
  in_new_network([] {
    Node node;
    AnswerLease lease;
    lease.set_duration(kShort);
    for (const char* prefix : {"10.7.0.100/24", "fd07::100/64"}) ASSERT_TRUE(lease.cover(Node::set(prefix)));
    std::this_thread::sleep_for(10 * kShort);
    for (const char* address : {"10.7.0.100", "fd07::100"}) EXPECT_FALSE(node.is_resolved(address)) << address;
    for (const char* address : {"10.7.0.1", "fd07::1"}) EXPECT_TRUE(node.is_resolved(address)) << address;
    for (const char* prefix : {"10.7.0.100/24", "fd07::100/64"}) lease.uncover(Node::set(prefix));
    for (const char* address : {"10.7.0.100", "fd07::100"}) EXPECT_TRUE(node.is_resolved(address)) << address;
    EXPECT_THAT(Node::tables(), IsEmpty()) << "nothing is held, nothing is in the way";
  });
}

TEST(LeaseKeeper, RenewsAndAfterAnAbsenceOnlyWhenAnotherLeaseIsOver) {
  in_new_network([] {
    Node node;
    AnswerLease lease;
    lease.set_duration(kLong);
    ASSERT_TRUE(lease.cover(Node::set("10.7.0.100/24")));
    const auto expires = [] { return output_of("nft list set arp vipair-lease lease"); };
    EXPECT_THAT(expires(), ContainsRegex("expires (19|20)s"));
    const TimePoint start(1000s);
    LeaseKeeper keeper;
    const std::uint32_t held = held_bit(IpFamily::ipv4);
    keeper.renew(start - 2 * kLong, kLong, 0);
    keeper.renew(start, kLong, held);
    keeper.renew(start + kLong / 5, 2 * kLong, held);
    EXPECT_THAT(expires(), ContainsRegex("expires (19|20)s")) << "not before a quarter is over";
    keeper.renew(start + kLong, 2 * kLong, held);
    EXPECT_THAT(expires(), ContainsRegex("expires (39|40)s"));

    const TimePoint away = start + 2 * kLong;
    keeper.renew(away, kShort, held);
    EXPECT_THAT(expires(), ContainsRegex("expires (39|40)s")) << "silence first";
    keeper.renew(away + kShort / 2, kShort, held);
    EXPECT_THAT(expires(), ContainsRegex("expires (39|40)s"));
    keeper.renew(away + kShort, kShort, held);
    std::this_thread::sleep_for(10 * kShort);
    EXPECT_FALSE(node.is_resolved("10.7.0.100"));
    keeper.renew(away + 2 * kShort, kLong, held);
    keeper.renew(away + kLong, kLong, held);
    EXPECT_TRUE(node.is_resolved("10.7.0.100")) << "one that expired can be renewed as well";
  });
}

TEST(AnswerLease, OutlivesItsProcessAndIsRemovedByTheNext) {
  in_new_network([] {
    Node node;
    const pid_t pid = ::fork();
    if (pid == 0) {
      AnswerLease lease;
      lease.set_duration(kShort);
      const bool is_covered = lease.cover(Node::set("10.7.0.100/24")).has_value();
      ::_exit(is_covered ? 0 : 1);
    }
    int status = 1;
    ::waitpid(pid, &status, 0);
    ASSERT_EQ(status, 0);
    std::this_thread::sleep_for(10 * kShort);
    EXPECT_FALSE(node.is_resolved("10.7.0.100"));
    {
      AnswerLease next;
      ASSERT_TRUE(next.remove_leftovers());
      EXPECT_THAT(Node::tables(), IsEmpty());
      EXPECT_TRUE(node.is_resolved("10.7.0.100"));
      ASSERT_TRUE(next.remove_leftovers()) << "also when there are none";
      ASSERT_TRUE(next.cover(Node::set("10.7.0.100/24")));
    }
    EXPECT_THAT(Node::tables(), IsEmpty()) << "the end in order";
  });
}

TEST(AnswerLease, SaysWhatIsMissing) {
  in_new_network([] {
    Node node;
    ASSERT_EQ(::setresuid(65534, 65534, 65534), 0);
    AnswerLease lease;
    const auto covered = lease.cover(Node::set("10.7.0.100/24"));
    ASSERT_FALSE(covered);
    EXPECT_THAT(covered.error(), HasSubstr("CAP_NET_ADMIN"));
  });
}

}  // namespace
}  // namespace vipair::vrrp
