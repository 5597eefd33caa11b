#include "vrrp/kernel/diagnosis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr MacAddress kOurMac{{2, 0, 0, 0, 0, 1}}, kPeerMac{{2, 0, 0, 0, 0, 2}}, kOtherMac{{2, 0, 0, 0, 0, 3}};

IpAddress address(const char* text) { return *IpAddress::parse(text); }

// A pair in which all is well, seen from its Backup.
Evidence healthy() {
  Evidence evidence;
  evidence.config.node = "lb-b";
  evidence.config.peer = PeerConfig{address("192.0.2.11"), std::nullopt};
  VirtualRouterConfig router;
  router.name = "web";
  router.interface = "eth0";
  router.vrid = 51;
  router.addresses = {*IpPrefix::parse("192.0.2.100/24")};
  router.unicast = true;
  evidence.config.virtual_routers = {router};

  RouterStatus status;
  status.name = "web";
  status.interface = "eth0";
  status.vrid = 51;
  status.state = "backup";
  status.peer = RouterStatus::Peer{"192.0.2.11", 200, TimePoint{}};
  status.counters = {{"checksum_errors", 5}};
  evidence.before.routers = evidence.after.routers = {status};
  evidence.after.checks = {{"proxy", "proxy", true, ""}};

  InterfaceEvidence interface;
  interface.info.name = "eth0";
  interface.info.index = 2;
  interface.info.is_up = true;
  interface.info.mac = kOurMac;
  interface.info.primary_v4 = address("192.0.2.12");
  interface.uses_v4 = true;
  interface.asked = {address("192.0.2.100"), address("192.0.2.11")};
  interface.heard.answers = {{address("192.0.2.100"), kPeerMac}, {address("192.0.2.11"), kPeerMac}};
  interface.heard.advertisers = {{address("192.0.2.11"), 51, 3, false}, {address("192.0.2.66"), 52, 3, true}};
  evidence.interfaces = {interface};

  PathEvidence path;
  path.interface = "eth0";
  path.peer = address("192.0.2.11");
  path.own = IpPrefix::parse("192.0.2.12/24");
  path.peer_prefix_length = 24;
  path.probes_sent = path.probes_answered = 5;
  path.peer_is_heard = true;
  path.clock_offset = 1900ms;
  evidence.paths = {path};
  return evidence;
}

TEST(Diagnosis, NothingIsWrongWithAHealthyNode) {
  EXPECT_THAT(diagnose(healthy()), IsEmpty());
  Evidence active = healthy();
  active.after.routers[0].state = "active";
  active.interfaces[0].heard = {{{address("192.0.2.11"), kPeerMac}}, {}};
  EXPECT_THAT(diagnose(active), IsEmpty());
}

TEST(Diagnosis, EachAilmentHasItsName) {
  const struct {
    const char* what;
    const char* evidence;
    std::function<void(Evidence&)> inflict;
  } cases[] = {
      {"missing capability", "without CAP_NET_ADMIN", [](Evidence& e) { e.privileges.net_admin = false; }},
      {"missing capability", "without CAP_NET_RAW", [](Evidence& e) { e.privileges.net_raw = false; }},
      {"scheduling", "realtime_priority is 50, but the agent runs as any other process, without CAP_SYS_NICE",
       [](Evidence& e) { e.privileges.is_realtime = e.privileges.sys_nice = false; }},
      {"memory", "not locked", [](Evidence& e) { e.privileges.is_locked = false; }},
      {"interface missing", "there is no interface eth0", [](Evidence& e) { e.interfaces[0].info.index = 0; }},
      {"no carrier", "eth0 is down or has no carrier", [](Evidence& e) { e.interfaces[0].info.is_up = false; }},
      {"no address", "eth0 has no IPv4 address", [](Evidence& e) { e.interfaces[0].info.primary_v4.reset(); }},
      {"no address", "eth0 has no usable link-local", [](Evidence& e) { e.interfaces[0].uses_v6 = true; }},
      {"IPv6 disabled", "switched off on eth0",
       [](Evidence& e) { e.interfaces[0].uses_v6 = e.interfaces[0].ipv6_is_disabled = true; }},
      {"arp_ignore", "answers no ARP request", [](Evidence& e) { e.interfaces[0].arp_ignore = 8; }},
      {"promote_secondaries", "is 0 on eth0",
       [](Evidence& e) {
         e.interfaces[0].promotes_secondaries = false;
         e.after.routers[0].state = "active";
         e.interfaces[0].heard.answers.erase({address("192.0.2.100"), kPeerMac});
       }},
      {"VRID clash", "192.0.2.66 advertises VRID 51 on eth0 as well, and the peer is 192.0.2.11",
       [](Evidence& e) {
         e.interfaces[0].heard.advertisers.insert({address("192.0.2.66"), 51, 3, true});
       }},
      {"version", "192.0.2.11 advertises VRID 51 on eth0 in version 2, we speak 3",
       [](Evidence& e) {
         e.interfaces[0].heard.advertisers = {{address("192.0.2.11"), 51, 2, false}};
       }},
      {"duplicate address", "192.0.2.100 is answered by 02:00:00:00:00:02, 02:00:00:00:00:03 on eth0",
       [](Evidence& e) {
         e.interfaces[0].heard.answers.insert({address("192.0.2.100"), kOtherMac});
       }},
      {"duplicate address", "192.0.2.100 is answered by 02:00:00:00:00:02 on eth0, and it is ours now",
       [](Evidence& e) { e.after.routers[0].state = "active"; }},
      {"nobody answers", "no answer for 192.0.2.100 on eth0, though 192.0.2.11 advertises it",
       [](Evidence& e) {
         e.interfaces[0].heard.answers.erase({address("192.0.2.100"), kPeerMac});
       }},
      {"firewall", "0 of 5 probes to 192.0.2.11 over eth0 were answered, though it is heard",
       [](Evidence& e) { e.paths[0].probes_answered = 0; }},
      {"firewall", "nothing is heard from it, though it answers ARP",
       [](Evidence& e) {
         e.paths[0].probes_answered = 0;
         e.paths[0].peer_is_heard = false;
       }},
      {"loss", "4 of 5 probes", [](Evidence& e) { e.paths[0].probes_answered = 4; }},
      {"multicast filtered", "192.0.2.11 over eth0 answers by unicast",
       [](Evidence& e) { e.paths[0].multicast_needed = true; }},
      {"wrong mask", "our address on eth0 is 192.0.2.12/24, the peer's ends with /25",
       [](Evidence& e) { e.paths[0].peer_prefix_length = 25; }},
      {"wrong network", "the peer 192.0.2.11 is not in our network 192.0.2.12/32",
       [](Evidence& e) {
         e.paths[0].own = IpPrefix::parse("192.0.2.12/32");
         e.paths[0].peer_prefix_length = 32;
       }},
      {"clock", "the peer's clock is 3 s behind", [](Evidence& e) { e.paths[0].clock_offset = -3s; }},
      {"clock", "the peer's clock is 60 s ahead", [](Evidence& e) { e.paths[0].clock_offset = 60s; }},
      {"wrong checksum", "(checksum_errors grew by 2)",
       [](Evidence& e) {
         e.after.routers[0].counters = {{"checksum_errors", 7}};
       }},
      {"key mismatch", "(authentication_errors grew by 1)",
       [](Evidence& e) {
         e.after.routers[0].counters.push_back({"authentication_errors", 1});
       }},
      {"claim fails", "web/ipv4: not permitted",
       [](Evidence& e) { e.after.routers[0].faults = {"claim: not permitted"}; }},
      {"proxy", "not connected",
       [](Evidence& e) {
         e.after.checks = {{"proxy", "proxy", false, "not connected"}};
       }},
      {"check", "gateway is down: no answer",
       [](Evidence& e) {
         e.after.checks = {{"gateway", "ping", false, "no answer"}};
       }},
      {"no relay", "a planned move breaks connections: no nf_tables",
       [](Evidence& e) { e.relay_error = "no nf_tables"; }},
      {"not examined", "cannot listen", [](Evidence& e) { e.interfaces[0].listen_error = "cannot listen"; }},
  };
  for (const auto& each : cases) {
    Evidence evidence = healthy();
    each.inflict(evidence);
    const auto findings = diagnose(evidence);
    ASSERT_EQ(findings.size(), 1u) << each.what << "\n" << findings_json(findings);
    EXPECT_EQ(findings[0].what, each.what);
    EXPECT_THAT(findings[0].evidence, HasSubstr(each.evidence));
    EXPECT_FALSE(findings[0].advice.empty()) << each.what;
  }
}

TEST(Diagnosis, PeerThatAnswersNothingIsUnreachable) {
  Evidence evidence = healthy();
  evidence.paths[0].probes_answered = 0;
  evidence.paths[0].peer_is_heard = false;
  evidence.interfaces[0].heard.answers.erase({address("192.0.2.11"), kPeerMac});
  const auto findings = diagnose(evidence);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].what, "peer unreachable");
}

TEST(Diagnosis, AmongStrangersOneOtherActiveIsNormal) {
  Evidence evidence = healthy();
  evidence.config.peer.reset();
  evidence.config.virtual_routers[0].unicast = false;
  evidence.paths.clear();
  EXPECT_THAT(diagnose(evidence), IsEmpty());
  evidence.interfaces[0].heard.advertisers.insert({address("192.0.2.66"), 51, 3, true});
  auto findings = diagnose(evidence);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_THAT(findings[0].evidence, HasSubstr("192.0.2.11, 192.0.2.66 advertise VRID 51"));
}

TEST(Diagnosis, WithoutCarrierNothingElseIsJudged) {
  Evidence evidence = healthy();
  evidence.interfaces[0].info.is_up = false;
  evidence.interfaces[0].heard = {};
  evidence.paths[0].probes_answered = 0;
  evidence.paths[0].peer_is_heard = false;
  EXPECT_EQ(diagnose(evidence).size(), 1u);
}

TEST(Diagnosis, JsonHasTheThreePartsOfEachFinding) {
  EXPECT_EQ(findings_json({}), "[]");
  EXPECT_EQ(findings_json({{"clock", "3 s \"behind\"", "chrony"}}),
            R"([{"what":"clock","evidence":"3 s \"behind\"","advice":"chrony"}])");
}

}  // namespace
}  // namespace vipair::vrrp
