// An examination in a network of its own; the other end of the link is a node too.
#include "vrrp/kernel/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/support/network.h"
#include "vrrp/kernel/monitor.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using test::In;
using test::in_new_network;
using test::Namespace;
using test::run;
using test::wait_for_carrier;

// "eth0" with 192.0.2.12 here; the Active with 192.0.2.11 and 192.0.2.100 there.
struct Ward {
  Ward() {
    run("ip link add eth0 type veth peer name eth0 netns " + there.path());
    run("ip link set eth0 up; ip addr add 192.0.2.12/24 dev eth0");
    {
      In inside(there);
      run("ip link set eth0 up; ip addr add 192.0.2.11/24 dev eth0; ip addr add 192.0.2.100/32 dev eth0");
    }
    wait_for_carrier("eth0");
  }

  Doctor::Chart chart() {
    Doctor::Chart chart;
    chart.config.realtime_priority = 0;
    chart.config.lock_memory = false;
    VirtualRouterConfig router;
    router.name = "web";
    router.interface = "eth0";
    router.vrid = 51;
    router.addresses = {*IpPrefix::parse("192.0.2.100/24")};
    chart.config.virtual_routers = {router};
    RouterStatus status;
    status.interface = "eth0";
    status.vrid = 51;
    status.state = "backup";
    status.peer = RouterStatus::Peer{"192.0.2.11", 200, TimePoint{}};
    status.counters = {{"ip_ttl_errors", static_cast<std::uint64_t>(charts)}};
    chart.status.routers = {status};
    auto monitor = Monitor::open();
    EXPECT_TRUE(monitor && (*monitor)->drain());
    chart.interfaces = {(*monitor)->table().info("eth0")};
    charts += counter_step;
    return chart;
  }

  // The peer answers the first `answered` probes.
  std::vector<PathEvidence> probed() const {
    PathEvidence path;
    path.interface = "eth0";
    path.peer = *IpAddress::parse("192.0.2.11");
    path.own = IpPrefix::parse("192.0.2.12/24");
    path.probes_sent = 1;
    path.probes_answered = probings - 1 <= answered ? 1 : 0;
    path.peer_prefix_length = 24;
    path.peer_is_heard = true;
    return {path};
  }

  // Each finding's name, separated by blanks.
  std::string examine(int askers = 1) {
    boost::asio::io_context io;
    Doctor doctor(io, {[this] { ++probings; }, [this] { return probed(); }, [this] { return chart(); }});
    std::string names;
    for (int i = 0; i < askers; ++i)
      doctor.examine([&](const std::vector<Finding>& findings) {
        ++answers;
        names.clear();
        for (const Finding& finding : findings) names += (names.empty() ? "" : " ") + finding.what;
      });
    io.run();
    return names;
  }

  Namespace there;
  int probings = 0, answered = 1000, answers = 0, charts = 0, counter_step = 0;
};

TEST(Doctor, FindsNothingWhereNothingIsWrong) {
  in_new_network([] {
    Ward ward;
    EXPECT_EQ(ward.examine(3), "");
    EXPECT_EQ(ward.answers, 3) << "everybody who asked is answered";
    EXPECT_EQ(ward.probings, 1 + static_cast<int>(Doctor::kExaminationMin / Doctor::kRound))
        << "by one examination";
  });
}

TEST(Doctor, ProbesAreCountedOverTheRounds) {
  in_new_network([] {
    Ward ward;
    ward.answered = 2;
    EXPECT_EQ(ward.examine(), "loss");
    ward.probings = 0;
    ward.answered = -1;
    EXPECT_EQ(ward.examine(), "firewall");
  });
}

TEST(Doctor, SeesWhatTheLinkAndTheSettingsSay) {
  in_new_network([] {
    Ward ward;
    ward.counter_step = 1;
    run("sysctl -qw net.ipv4.conf.eth0.arp_ignore=8");
    {
      In inside(ward.there);
      run("ip addr del 192.0.2.100/32 dev eth0");
    }
    EXPECT_EQ(ward.examine(), "arp_ignore nobody answers forwarded advertisements");
  });
}

TEST(Doctor, InterfaceWithoutCarrierIsNotListenedTo) {
  in_new_network([] {
    Ward ward;
    run("ip link set eth0 down");
    EXPECT_EQ(ward.examine(), "no carrier");
    run("ip link del eth0");
    EXPECT_EQ(ward.examine(), "interface missing");
  });
}

TEST(Doctor, KnowsItsOwnPrivileges) {
  in_new_network([] {
    Config config;
    config.realtime_priority = 0;
    config.lock_memory = false;
    EXPECT_TRUE(own_privileges(config).net_admin && own_privileges(config).net_raw);
    EXPECT_TRUE(own_privileges(config).is_realtime && own_privileges(config).is_locked) << "not wanted, not missed";
    config.realtime_priority = 50;
    config.lock_memory = true;
    EXPECT_FALSE(own_privileges(config).is_realtime || own_privileges(config).is_locked);
    static char page[4096];
    // past the sanitizers, which make mlock() do nothing
    ASSERT_EQ(::syscall(SYS_mlock, page, sizeof page), 0);
    EXPECT_TRUE(own_privileges(config).is_locked);
    ASSERT_EQ(::setresuid(65534, 65534, 65534), 0);
    const PrivilegeEvidence none = own_privileges(config);
    EXPECT_FALSE(none.net_admin || none.net_raw || none.sys_nice);
  });
}

TEST(Doctor, PathsAreJudgedByTheirProbesAndTheInterface) {
  PathProbe probe;
  probe.interface = "eth0";
  probe.peer = *IpAddress::parse("192.0.2.11");
  probe.prefix_length = 24;
  probe.is_sent = probe.is_heard = probe.is_multicast_sent = true;
  probe.peer_prefix_length = 25;
  Doctor::Chart chart;
  VirtualRouterConfig router;
  router.name = "web";
  router.interface = "eth0";
  router.vrid = 51;
  router.addresses = {*IpPrefix::parse("192.0.2.100/24")};
  router.unicast = false;
  chart.config.virtual_routers = {router};
  chart.interfaces.emplace_back().name = "eth0";
  chart.interfaces[0].primary_v4 = *IpAddress::parse("192.0.2.12");
  PathProbe other = probe;
  other.interface = "eth1";
  other.is_heard = false;

  const auto paths = path_evidence({probe, other}, chart);
  ASSERT_EQ(paths.size(), 2u);
  EXPECT_EQ(paths[0].own, IpPrefix::parse("192.0.2.12/24"));
  EXPECT_EQ(paths[0].probes_answered, 1);
  EXPECT_TRUE(paths[0].multicast_needed) << "the virtual router is no unicast one";
  EXPECT_EQ(paths[0].peer_prefix_length, 25);
  EXPECT_EQ(paths[1].own, std::nullopt);
  EXPECT_EQ(paths[1].probes_sent, 1);
  EXPECT_EQ(paths[1].probes_answered, 0);
  EXPECT_FALSE(paths[1].multicast_needed) << "no virtual router is there";
}

}  // namespace
}  // namespace vipair::vrrp
