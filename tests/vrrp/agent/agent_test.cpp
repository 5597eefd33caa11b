// The agent from outside: what operators and peers see of it.

#include "vrrp/agent/agent.h"

#include "tests/vrrp/agent/simulated_lan.h"
#include "vrrp/agent/virtual_router.h"
#include "vrrp/core/advertisement.h"
#include "vrrp/core/announcement.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const IpAddress kPeer = SimulatedLan::v4_of(12), kStranger = SimulatedLan::v4_of(99);
const IpAddress kGroup = multicast_group(IpFamily::ipv4);

IpPrefix prefix(std::string_view text) { return *IpPrefix::parse(text); }

// One agent, number 11, priority 200, 192.0.2.100 on vrid 51.
class AgentTest : public testing::Test {
 protected:
  AgentTest() : lan_(1), node_(lan_.add(11)) { node_.config.virtual_routers = {web_router(200)}; }
  ~AgentTest() override { EXPECT_THAT(lan_.violations(), IsEmpty()); }

  VirtualRouterConfig& router() { return node_.config.virtual_routers.at(0); }
  void with_peer() {
    node_.config.peer = PeerConfig{kPeer, std::nullopt};
    router().unicast = true;
  }
  void start() { lan_.start(node_); }
  void start_active() {
    start();
    lan_.run_for(1050ms);
    ASSERT_EQ(state(), "active");
    node_.host->forget();
    take_texts();
  }
  Agent& agent() { return *node_.agent; }
  SimulatedHost& host() { return *node_.host; }

  RouterStatus status(std::size_t at = 0) { return agent().status(lan_.now()).routers.at(at); }
  std::string state(std::size_t at = 0) { return status(at).state; }
  std::uint64_t counter(const std::string& name, std::size_t at = 0) {
    return counter_of(status(at).counters, name);
  }
  std::uint64_t agent_counter(const std::string& name) {
    return counter_of(agent().status(lan_.now()).counters, name);
  }
  std::vector<std::string> take_texts(const std::string& event = "") {
    std::vector<std::string> texts;
    for (const JournalEntry& entry : agent().take_journal()) {
      if (event.empty() || entry.event == event) texts.push_back(entry.text);
    }
    return texts;
  }

  static Bytes advert(int priority, const IpAddress& source, const IpAddress& destination = kGroup,
                      std::vector<IpAddress> addresses = {*IpAddress::parse("192.0.2.100")},
                      std::uint8_t vrid = 51) {
    return encode({vrid, static_cast<std::uint8_t>(priority), Centiseconds(10), std::move(addresses)}, source,
                  destination, ChecksumKind::pseudo_header);
  }
  void hear(const Bytes& message, const IpAddress& source = kPeer, int ttl = 255,
            const IpAddress& destination = kGroup) {
    lan_.inject(node_, {node_.interface.index, source, destination, ttl}, message);
  }
  void hear_priority(int priority, const IpAddress& source = kPeer) { hear(advert(priority, source), source); }

  SimulatedLan lan_;
  SimulatedLan::Node& node_;
};

// ---- election ----

TEST_F(AgentTest, TakesTheAddressesWhenNobodyIsThere) {
  start();
  EXPECT_EQ(state(), "backup");
  EXPECT_EQ(agent().role(), NodeRole::standby);
  lan_.run_for(999ms);
  EXPECT_EQ(state(), "backup") << "the join hold is a second";
  lan_.run_for(30ms);
  EXPECT_EQ(state(), "active");
  EXPECT_EQ(status().reason, "active_down_timer");
  EXPECT_EQ(agent().role(), NodeRole::active);
  EXPECT_THAT(host().calls, ElementsAre("claim 192.0.2.100/24", "send 200", "announce 1"));
  EXPECT_THAT(host().held, ElementsAre(prefix("192.0.2.100/24")));
}

TEST_F(AgentTest, AdvertisesToTheGroupAmongStrangersAndToThePeerInAPair) {
  start_active();
  lan_.run_for(110ms);
  EXPECT_EQ(host().sent.back().destination, kGroup);
  EXPECT_EQ(host().sent.back().source, SimulatedLan::v4_of(11));
  with_peer();
  lan_.reload(node_, node_.config);
  EXPECT_EQ(host().sent.back().destination, kPeer);
}

TEST_F(AgentTest, VirtualMacIsTheSourceOfAdvertisementsAndAnnouncements) {
  router().virtual_mac = true;
  router().accept = false;
  start_active();
  lan_.run_for(110ms);
  const MacAddress mac = virtual_mac_address(IpFamily::ipv4, 51);
  EXPECT_EQ(host().sent.back().source_mac, mac);
  ASSERT_FALSE(host().last_frames.empty());
  EXPECT_TRUE(std::equal(mac.bytes.begin(), mac.bytes.end(), host().last_frames.back().frame.begin() + 6));
  ASSERT_EQ(host().will.releases.size(), 1u);
  EXPECT_EQ(host().will.releases[0].set.vrid, 51);
  EXPECT_TRUE(host().will.releases[0].set.virtual_mac);
  EXPECT_FALSE(host().will.releases[0].set.accept);
  with_peer();
  lan_.reload(node_, node_.config);
  EXPECT_EQ(host().sent.back().source_mac, std::nullopt) << "unicast goes the way of every packet";
}

TEST_F(AgentTest, ReloadOfTheVirtualMacMovesTheAddressesAndOfAcceptClaimsThemAgain) {
  start_active();
  router().virtual_mac = true;
  lan_.reload(node_, node_.config);
  EXPECT_EQ(state(), "active");
  EXPECT_THAT(host().calls,
              testing::IsSupersetOf({"release 192.0.2.100/24", "claim 192.0.2.100/24", "announce 1"}));
  EXPECT_TRUE(host().will.releases.at(0).set.virtual_mac);
  host().forget();
  router().accept = false;
  lan_.reload(node_, node_.config);
  EXPECT_THAT(host().calls, Contains("claim 192.0.2.100/24"));
  EXPECT_THAT(host().calls, Not(Contains("release 192.0.2.100/24")));
  EXPECT_FALSE(host().will.releases.at(0).set.accept);
}

TEST_F(AgentTest, AnOwnerAcceptsWhateverIsConfigured) {
  router().accept = false;
  router().priority = 255;
  start();
  lan_.run_for(1ms);
  ASSERT_EQ(state(), "active");
  EXPECT_TRUE(host().will.releases.at(0).set.accept);
}

TEST_F(AgentTest, SendsTheConfiguredChecksumForm) {
  auto kind_sent = [&] {
    const OutgoingAdvertisement& last = host().sent.back();
    return decode({last.source, last.destination, 255, last.message})->checksum;
  };
  start_active();
  lan_.run_for(110ms);
  EXPECT_EQ(kind_sent(), ChecksumKind::pseudo_header);
  router().checksum = ChecksumForm::rfc9568;
  lan_.reload(node_, node_.config);
  EXPECT_EQ(kind_sent(), ChecksumKind::message_only);
  router().checksum = ChecksumForm::automatic;
  lan_.reload(node_, node_.config);
  EXPECT_EQ(kind_sent(), ChecksumKind::pseudo_header);
  const Advertisement lower{51, 1, Centiseconds(10), {*IpAddress::parse("192.0.2.100")}};
  hear(encode(lower, kPeer, kGroup, ChecksumKind::message_only));
  EXPECT_EQ(kind_sent(), ChecksumKind::message_only) << "as the neighbour speaks";
  EXPECT_EQ(counter("received_checksums_message_only"), 1u);
}

TEST_F(AgentTest, BackupTellsWhomItHears) {
  start();
  hear_priority(100);
  lan_.run_for(40ms);
  const auto peer = status().peer;
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->address, "192.0.2.12");
  EXPECT_EQ(peer->priority, 100);
  EXPECT_EQ(lan_.now() - peer->heard, 40ms);
  EXPECT_THAT(take_texts("peer_seen"), ElementsAre("192.0.2.12 is heard with priority 100"));
}

TEST_F(AgentTest, EachChangeOfStateSaysWhyInASentence) {
  start();
  EXPECT_THAT(take_texts("state"), ElementsAre("initialize → backup: takes part as a Backup"));
  lan_.run_for(1030ms);
  EXPECT_THAT(take_texts("state"), ElementsAre("backup → active: nobody was ever heard"));
  hear_priority(250);
  EXPECT_THAT(take_texts("state"),
              ElementsAre("active → backup: 192.0.2.12 has the higher priority 250, ours is 200"));
  lan_.run_for(400ms);
  EXPECT_THAT(take_texts("state"),
              ElementsAre(HasSubstr("the last advertisement came from 192.0.2.12 321 ms ago")));
}

TEST_F(AgentTest, EachChangeOfRoleIsToldAsAValue) {
  start();
  hear_priority(250);
  lan_.run_for(400ms);
  lan_.set_link(node_, false);
  std::vector<RoleChange> changes;
  for (const JournalEntry& entry : agent().take_journal()) {
    if (entry.change) changes.push_back(*entry.change);
  }
  ASSERT_EQ(changes.size(), 3u);
  const RoleChange& active = changes[1];
  EXPECT_EQ(active.router, "web");
  EXPECT_EQ(active.family, IpFamily::ipv4);
  EXPECT_EQ(active.interface, "eth0");
  EXPECT_EQ(active.vrid, 51);
  EXPECT_EQ(active.from + " " + active.to, "backup active");
  EXPECT_EQ(active.reason, "active_down_timer");
  EXPECT_THAT(active.text, HasSubstr("the last advertisement came from 192.0.2.12"));
  EXPECT_EQ(active.phase, "post_acquire");
  EXPECT_THAT(active.addresses, ElementsAre("192.0.2.100/24"));
  ASSERT_TRUE(active.peer);
  EXPECT_EQ(active.peer->priority, 250);
  EXPECT_EQ(changes[2].from + " " + changes[2].to, "active fault");
  EXPECT_EQ(changes[2].phase, "change");
  EXPECT_THAT(changes[2].text, HasSubstr("eth0"));
}

TEST_F(AgentTest, Ipv6InstanceClaimsItsLinkLocalAddressFirst) {
  router().addresses = {prefix("2001:db8::100/64")};
  start();
  lan_.run_for(1030ms);
  EXPECT_EQ(host().calls.at(0), "claim fe80::200:5eff:fe00:233/64 2001:db8::100/64");
  EXPECT_EQ(host().sent.at(0).destination.to_string(), "ff02::12");
  EXPECT_EQ(host().sent.at(0).source, SimulatedLan::v6_of(11));
  EXPECT_EQ(host().announced.size(), 2u);
}

// ---- malformed and foreign input: the role never changes, every refusal is counted ----

struct BadInput {
  std::string name;
  std::string counter;
  std::function<void(Bytes&, int& ttl)> spoil;
};

void PrintTo(const BadInput& input, std::ostream* out) { *out << input.name; }

class AgentRefuses : public AgentTest, public testing::WithParamInterface<BadInput> {};

Bytes fix_checksum(Bytes message) {
  for (std::uint32_t value = 0; value <= 0xFFFF; ++value) {
    message[6] = static_cast<std::uint8_t>(value >> 8);
    message[7] = static_cast<std::uint8_t>(value);
    const auto decoded = decode({kPeer, kGroup, 255, message});
    if (decoded || decoded.error() != DropReason::checksum) break;
  }
  return message;
}

TEST_P(AgentRefuses, InEveryState) {
  Bytes message = advert(255, kPeer);  // would win every election
  int ttl = 255;
  GetParam().spoil(message, ttl);

  start();
  hear(message, kPeer, ttl);
  EXPECT_EQ(counter(GetParam().counter), 1u);
  EXPECT_EQ(counter("received_advertisements"), 0u);
  EXPECT_FALSE(status().peer);
  lan_.run_for(1030ms);
  ASSERT_EQ(state(), "active") << "it did not even postpone the election";
  const auto sent = host().sent.size();
  hear(message, kPeer, ttl);
  EXPECT_EQ(state(), "active");
  EXPECT_EQ(host().sent.size(), sent) << "nor is it answered";
  EXPECT_EQ(counter(GetParam().counter), 2u);
}

INSTANTIATE_TEST_SUITE_P(
    MalformedAdvertisement, AgentRefuses,
    testing::Values(BadInput{"bad checksum", "checksum_errors", [](Bytes& m, int&) { m[7] ^= 1; }},
                    BadInput{"TTL 254", "ip_ttl_errors", [](Bytes&, int& ttl) { ttl = 254; }},
                    BadInput{"two addresses for one", "packet_length_errors", [](Bytes& m, int&) { m[3] = 2; }},
                    BadInput{"count 0", "packet_length_errors", [](Bytes& m, int&) { m[3] = 0; }},
                    BadInput{"count 0 and no address", "address_count_errors",
                             [](Bytes& m, int&) {
                               m.resize(8);
                               m[3] = 0;
                               m = fix_checksum(m);
                             }},
                    BadInput{"interval 0", "adv_interval_errors",
                             [](Bytes& m, int&) {
                               m[4] = m[5] = 0;
                               m = fix_checksum(m);
                             }},
                    BadInput{"interval 0 behind reserved bits", "adv_interval_errors",
                             [](Bytes& m, int&) {
                               m[4] = 0xF0;
                               m[5] = 0;
                               m = fix_checksum(m);
                             }},
                    BadInput{"8 trailing bytes", "packet_length_errors",
                             [](Bytes& m, int&) { m.resize(m.size() + 8); }},
                    BadInput{"type 2", "invalid_type_packets", [](Bytes& m, int&) { m[0] = 0x32; }},
                    BadInput{"a v2 packet", "version_2_packets", [](Bytes& m, int&) { m[0] = 0x21; }},
                    BadInput{"version 4", "version_errors", [](Bytes& m, int&) { m[0] = 0x41; }},
                    BadInput{"short", "too_short_errors", [](Bytes& m, int&) { m.resize(7); }}));

TEST_F(AgentTest, ReservedBitsDoNotMatter) {  // FRR 8.4.4 stays Backup for 40 s
  Bytes message = advert(255, kPeer);
  message[4] |= 0xF0;
  start();
  hear(fix_checksum(message));
  EXPECT_EQ(counter("received_advertisements"), 1u);
  lan_.run_for(400ms);
  EXPECT_EQ(state(), "active") << "the interval is 100 ms, not 61 s";
}

TEST_F(AgentTest, OtherAddressesInTheListAreAcceptedCountedAndTold) {
  start();
  hear(advert(255, kPeer, kGroup, {IpAddress::v4(1), IpAddress::v4(2)}));
  EXPECT_EQ(counter("received_advertisements"), 1u);
  EXPECT_EQ(counter("address_list_errors"), 1u);
  EXPECT_THAT(agent().status(lan_.now()).warnings, ElementsAre(HasSubstr("advertises other addresses")));
  hear_priority(255);
  EXPECT_EQ(counter("address_list_errors"), 1u);
  EXPECT_THAT(agent().status(lan_.now()).warnings, IsEmpty());
}

TEST_F(AgentTest, RandomBytesLeaveTheRoleUnchangedAndAreCounted) {
  start_active();
  auto refusals = [&] {
    std::uint64_t refused = 0;
    for (std::size_t i = 0; i < kDropReasons; ++i) {
      const char* name = counter_name(static_cast<DropReason>(i));
      refused += counter(name);
      if (i <= static_cast<std::size_t>(DropReason::unknown_router)) refused += agent_counter(name);
    }
    return refused;
  };
  const std::uint64_t before = refusals();
  std::uint64_t sent = 0;
  for (int i = 0; i < 10'000; ++i) {
    Bytes message(lan_.random(80));
    for (auto& byte : message) byte = static_cast<std::uint8_t>(lan_.random(256));
    if (message.size() > 1 && i % 2 == 0) {  // half of them for us, and almost right
      message[0] = 0x31;
      message[1] = 51;
    }
    hear(message);
    ++sent;
  }
  EXPECT_EQ(state(), "active");
  EXPECT_EQ(refusals() - before, sent);
  EXPECT_LE(agent().take_journal().size(), 2 * kDropReasons) << "strangers cannot fill the log";
}

TEST_F(AgentTest, RefusalsAreToldOnceThenAtMostEveryTenSeconds) {
  start();
  take_texts();
  for (int i = 0; i < 100; ++i) hear_priority(255, kStranger), hear(advert(255, kPeer), kPeer, 1);
  EXPECT_THAT(take_texts("refused"), ElementsAre(HasSubstr("TTL is not 255")));
  lan_.run_for(10s);
  hear(advert(255, kPeer), kPeer, 1);
  EXPECT_THAT(take_texts("refused"),
              Contains(HasSubstr("TTL is not 255: it was forwarded by a router (and 99 more")));
}

TEST_F(AgentTest, UnknownRoutersInterfacesAndFamiliesAreCounted) {
  start_active();
  hear(advert(255, kPeer, kGroup, {IpAddress::v4(1)}, 52));
  lan_.inject(node_, {7, kPeer, kGroup, 255}, advert(255, kPeer));
  const IpAddress v6 = SimulatedLan::v6_of(12), group = multicast_group(IpFamily::ipv6);
  hear(encode({51, 255, Centiseconds(10), {v6}}, v6, group, ChecksumKind::pseudo_header), v6, 255, group);
  EXPECT_EQ(agent_counter("vrid_errors"), 3u);
  EXPECT_EQ(state(), "active");
}

TEST_F(AgentTest, OwnAdvertisementLoopedBackIsIgnored) {
  start_active();
  hear_priority(255, SimulatedLan::v4_of(11));
  EXPECT_EQ(state(), "active");
  EXPECT_GE(counter("own_advertisements"), 1u);
}

TEST_F(AgentTest, PairHearsItsPeerAlone) {
  with_peer();
  start_active();
  hear_priority(255, kStranger);
  hear_priority(0, kStranger);
  EXPECT_EQ(state(), "active");
  EXPECT_EQ(counter("not_the_peer_errors"), 2u);
  hear_priority(255, kPeer);  // by multicast, which is fine
  EXPECT_EQ(state(), "backup");
}

TEST_F(AgentTest, Ipv6IsHeardFromLinkLocalAddressesOnly) {
  router().addresses = {prefix("2001:db8::100/64")};
  start_active();
  const IpAddress global = *IpAddress::parse("2001:db8::12"), group = multicast_group(IpFamily::ipv6);
  hear(encode({51, 255, Centiseconds(10), {global}}, global, group, ChecksumKind::pseudo_header), global, 255,
       group);
  EXPECT_EQ(state(), "active");
  EXPECT_EQ(counter("source_errors"), 1u);
}

// ---- version 2 (RFC 3768) ----

class Version2Test : public AgentTest {
 protected:
  Version2Test() {
    router().version = 2;
    router().advertisement_interval = Centiseconds(100);
  }
  void start_active() {
    start();
    lan_.run_for(4s);
    ASSERT_EQ(state(), "active");
    take_texts();
  }
  static Bytes advert_v2(int priority, std::string_view password = "", int seconds = 1) {
    Advertisement advertisement{51, static_cast<std::uint8_t>(priority), std::chrono::seconds(seconds), {}};
    advertisement.addresses = {*IpAddress::parse("192.0.2.100")};
    advertisement.version = 2;
    if (!password.empty()) advertisement.password = authentication_data(password);
    return encode(advertisement, kPeer, kGroup, ChecksumKind::message_only);
  }
  static Advertisement decoded(const OutgoingAdvertisement& sent) {
    return decode({sent.source, sent.destination, kTtl, sent.message}, 2)->advertisement;
  }
  std::vector<std::string> warnings() { return agent().status(lan_.now()).warnings; }
};

TEST_F(Version2Test, IsSpokenAndHeard) {
  start_active();
  EXPECT_EQ(status().version, 2);
  EXPECT_EQ(decoded(host().sent.back()).max_advertise_interval, Centiseconds(100));
  EXPECT_EQ(decoded(host().sent.back()).password, std::nullopt);
  hear(advert_v2(255));
  EXPECT_EQ(state(), "backup");
  EXPECT_THAT(warnings(), IsEmpty());
}

TEST_F(Version2Test, LastWillResignsInVersion2) {
  router().password = "secret";
  start_active();
  ASSERT_EQ(host().will.resignations.size(), 1u);
  const Advertisement last_words = decoded(host().will.resignations.front());
  EXPECT_EQ(last_words.priority, 0);
  EXPECT_EQ(last_words.password, authentication_data("secret"));
}

TEST_F(Version2Test, Ipv6StaysWithVersion3) {
  router().addresses.push_back(prefix("2001:db8::100/64"));
  start();
  EXPECT_EQ(status(0).version, 2);
  EXPECT_EQ(status(1).version, 3);
}

// RFC 3768 section 7.1
TEST_F(Version2Test, WhatIsConfiguredDifferentlyIsRefusedAndTheStatusSaysWhatToDo) {
  router().password = "secret";
  start_active();
  struct {
    const char* counter;
    Bytes message;
    const char* advice;
  } cases[] = {{"adv_interval_mismatches", advert_v2(255, "secret", 2), "same advertisement_interval"},
               {"auth_type_mismatches", advert_v2(255), "set a password on both"},
               {"auth_failures", advert_v2(255, "Secret"), "set the same password"},
               {"version_3_packets", advert(255, kPeer), "set version = 3 here"}};
  for (const auto& wrong : cases) {
    hear(wrong.message);
    EXPECT_EQ(state(), "active") << wrong.counter;
    EXPECT_EQ(counter(wrong.counter), 1u);
    EXPECT_THAT(warnings(), ElementsAre(HasSubstr(wrong.advice)));
    EXPECT_THAT(take_texts("refused"), ElementsAre(HasSubstr(wrong.advice)));
  }
  hear(advert_v2(255, "secret"));
  EXPECT_EQ(state(), "backup");
  EXPECT_THAT(warnings(), IsEmpty()) << "they agree now";
}

TEST_F(Version2Test, PasswordThatIsNotExpectedIsRefused) {
  start_active();
  hear(advert_v2(255, "secret"));
  EXPECT_EQ(counter("auth_type_mismatches"), 1u);
  EXPECT_EQ(state(), "active");
}

TEST_F(Version2Test, PasswordIsNeverTold) {
  router().password = "secret";
  start();
  hear(advert_v2(255, "otherpw"));
  hear(advert_v2(100));
  lan_.run_for(4s);
  std::vector<std::string> texts = take_texts();
  for (const std::string& warning : warnings()) texts.push_back(warning);
  ASSERT_FALSE(texts.empty());
  for (const std::string& text : texts) {
    EXPECT_THAT(text, Not(HasSubstr("secret")));
    EXPECT_THAT(text, Not(HasSubstr("otherpw")));
  }
}

TEST_F(AgentTest, Version2OfANeighbourIsToldForAMinute) {
  start_active();
  Bytes message = advert(255, kPeer);
  message[0] = 0x21;
  hear(message);
  EXPECT_THAT(agent().status(lan_.now()).warnings, ElementsAre(HasSubstr("set version = 2 here")));
  lan_.run_for(kDisagreementRemembered + 1s);
  EXPECT_THAT(agent().status(lan_.now()).warnings, IsEmpty());
}

// RFC 9568 section 7.1
TEST_F(AgentTest, AnotherIntervalIsLearnedCountedAndTold) {
  start();
  hear(encode({51, 255, Centiseconds(20), {*IpAddress::parse("192.0.2.100")}}, kPeer, kGroup,
              ChecksumKind::pseudo_header));
  EXPECT_EQ(counter("received_advertisements"), 1u);
  EXPECT_EQ(counter("adv_interval_mismatches"), 1u);
  EXPECT_THAT(take_texts("interval"), ElementsAre(HasSubstr("every 200 ms, this node every 100 ms")));
  EXPECT_THAT(agent().status(lan_.now()).warnings, ElementsAre(HasSubstr("this node every 100 ms")));
  hear_priority(255);
  EXPECT_EQ(counter("adv_interval_mismatches"), 1u);
  EXPECT_THAT(agent().status(lan_.now()).warnings, IsEmpty());
}

TEST_F(AgentTest, LongIntervalOfAStrangerIsBoundedAndShown) {
  start();
  hear(encode({51, 255, Centiseconds(4095), {*IpAddress::parse("192.0.2.100")}}, kPeer, kGroup,
              ChecksumKind::pseudo_header));
  EXPECT_THAT(agent().status(lan_.now()).warnings, ElementsAre(HasSubstr("it counts as 5000 ms")));
  lan_.run_for(20s);
  EXPECT_EQ(state(), "active");
}

// ---- intervals ----

TEST_F(AgentTest, LongIntervalOfThePeerIsBoundedAndShown) {
  with_peer();
  start();
  hear(encode({51, 255, Centiseconds(4095), {*IpAddress::parse("192.0.2.100")}}, kPeer, kGroup,
              ChecksumKind::pseudo_header));
  EXPECT_THAT(agent().status(lan_.now()).warnings, ElementsAre(HasSubstr("more than ten times our own interval")));
  lan_.run_for(4s);
  EXPECT_EQ(state(), "active");
}

// ---- faults ----

TEST_F(AgentTest, InterfaceFaultsAreSaidAndClearThemselves) {
  const InterfaceInfo good = node_.interface;
  start();
  auto faults_with = [&](auto change) {
    InterfaceInfo bad = good;
    change(bad);
    agent().on_interface(lan_.now(), bad);
    EXPECT_EQ(state(), "fault");
    const auto faults = status().faults;
    agent().on_interface(lan_.now(), good);
    EXPECT_EQ(state(), "backup");
    return faults;
  };
  EXPECT_THAT(faults_with([](InterfaceInfo& i) { i.index = 0; }), ElementsAre("interface eth0: missing"));
  EXPECT_THAT(faults_with([](InterfaceInfo& i) { i.is_up = false; }),
              ElementsAre("interface eth0: down or no carrier"));
  EXPECT_THAT(faults_with([](InterfaceInfo& i) { i.primary_v4.reset(); }),
              ElementsAre("interface eth0: no IPv4 address to advertise from"));
}

TEST_F(AgentTest, WaitsForAnInterfaceThatIsNotThereYet) {
  node_.interface.index = 0;
  start();
  EXPECT_EQ(state(), "fault");
  EXPECT_THAT(status().faults, ElementsAre("interface eth0: missing"));
  EXPECT_THAT(take_texts("fault"), Contains("interface eth0: missing")) << "the log says it too";
  EXPECT_EQ(agent().next_deadline(), std::nullopt);
}

TEST_F(AgentTest, ProxyThatDoesNotServeIsAFaultUnlessUntracked) {
  node_.proxy = std::nullopt;
  start();
  EXPECT_THAT(status().faults, ElementsAre("proxy: not connected"));
  lan_.set_proxy(node_, ProxyReport{false, "starting"});
  EXPECT_THAT(status().faults, ElementsAre("proxy: starting"));
  const auto check = agent().status(lan_.now()).checks.at(0);
  EXPECT_EQ(check.name, "proxy");
  EXPECT_FALSE(check.up);
  EXPECT_EQ(check.reason, "starting");
  router().track_proxy = false;
  lan_.reload(node_, node_.config);
  EXPECT_EQ(state(), "backup");
}

TEST_F(AgentTest, DyingProxyHandsOverAtOnceAndKeepsTheAddressesUntilThePeerIsHeard) {
  with_peer();
  start_active();
  lan_.set_proxy(node_, std::nullopt);
  EXPECT_EQ(state(), "yielding");
  EXPECT_EQ(agent().role(), NodeRole::active) << "it still holds them";
  EXPECT_THAT(host().calls, ElementsAre("send 0"));
  hear_priority(100);
  EXPECT_EQ(state(), "fault");
  EXPECT_EQ(host().calls.back(), "linger 192.0.2.100/24");
  EXPECT_EQ(agent().role(), NodeRole::standby);
  EXPECT_THAT(take_texts("state"), ElementsAre("active → yielding: proxy: not connected",
                                               "yielding → fault: 192.0.2.12 is heard as the new Active"));
}

TEST_F(AgentTest, ReplacedInterfaceIsStartedAfresh) {
  start_active();
  node_.interface.index = 9;
  agent().on_interface(lan_.now(), node_.interface);
  EXPECT_EQ(state(), "backup");
  EXPECT_THAT(host().held, IsEmpty());
  lan_.run_for(1030ms);
  EXPECT_EQ(host().sent.back().interface_index, 9);
}

// ---- claims ----

TEST_F(AgentTest, FailedClaimResignsSaysWhyAndTriesAgainMoreAndMoreSlowly) {
  start();
  host().claim_error = HostError{HostError::Kind::address_in_use, "192.0.2.100 belongs to somebody else"};
  lan_.run_for(1030ms);
  EXPECT_EQ(state(), "fault");
  EXPECT_THAT(status().faults, ElementsAre("claim: 192.0.2.100 belongs to somebody else"));
  EXPECT_THAT(host().calls, ElementsAre("claim 192.0.2.100/24", "send 0")) << "never advertised, never announced";
  EXPECT_THAT(host().will.releases, IsEmpty());
  // each try waits for its back-off, then for the join hold
  lan_.run_for(1s + 1030ms);
  EXPECT_EQ(counter("claim_errors"), 2u);
  lan_.run_for(2s + 1030ms);
  EXPECT_EQ(counter("claim_errors"), 3u);
  host().claim_error.reset();
  lan_.run_for(4s + 1030ms);
  EXPECT_EQ(state(), "active");
  EXPECT_THAT(status().faults, IsEmpty());
}

TEST_F(AgentTest, WhatMayHaveCuredAClaimEndsItsBackOff) {
  start();
  host().refused_claims = 1;
  lan_.run_for(1030ms);
  ASSERT_EQ(state(), "fault");
  agent().on_address_removed(lan_.now(), 3, *IpAddress::parse("192.0.2.100"));
  EXPECT_EQ(state(), "backup");
}

TEST_F(AgentTest, RemovedAddressIsClaimedAgainAtOnceAndSlowlyWhenFoughtOver) {
  start_active();
  lan_.remove_address(node_, prefix("192.0.2.100/24"));
  lan_.run_for(kReclaimDelay + 1ms);
  EXPECT_EQ(state(), "active");
  EXPECT_THAT(host().held, ElementsAre(prefix("192.0.2.100/24")));
  EXPECT_THAT(host().calls, Contains("claim 192.0.2.100/24"));
  EXPECT_EQ(counter("addresses_lost"), 1u);
  EXPECT_EQ(counter("active_transitions"), 1u) << "without an election";

  lan_.remove_address(node_, prefix("192.0.2.100/24"));
  lan_.run_for(900ms);
  EXPECT_THAT(host().held, IsEmpty());
  EXPECT_THAT(agent().status(lan_.now()).warnings, ElementsAre(HasSubstr("keeps removing our addresses")));
  lan_.run_for(200ms);
  EXPECT_THAT(host().held, ElementsAre(prefix("192.0.2.100/24")));

  lan_.run_for(kReclaimFightForgotten);
  lan_.remove_address(node_, prefix("192.0.2.100/24"));
  lan_.run_for(kReclaimDelay + 1ms);
  EXPECT_THAT(host().held, ElementsAre(prefix("192.0.2.100/24")));
}

TEST_F(AgentTest, AddressesOfOthersAreNotOurBusiness) {
  start_active();
  agent().on_address_removed(lan_.now(), 2, *IpAddress::parse("192.0.2.7"));
  agent().on_address_removed(lan_.now(), 3, *IpAddress::parse("192.0.2.100"));
  EXPECT_EQ(counter("addresses_lost"), 0u);
}

TEST_F(AgentTest, FailedSendIsCountedAndToldOnce) {
  start_active();
  host().send_error = HostError{HostError::Kind::not_permitted, "operation not permitted"};
  lan_.run_for(1s);
  EXPECT_EQ(state(), "active");
  EXPECT_EQ(counter("send_errors"), 10u);
  EXPECT_THAT(take_texts("send_failed"),
              ElementsAre("an advertisement could not be sent: operation not permitted"));
}

// ---- thousands of addresses ----

class SliceTest : public AgentTest {
 protected:
  SliceTest() {
    router().addresses.clear();
    for (int i = 0; i < kAddresses; ++i) {
      auto& list = i < 200 ? router().addresses : router().excluded_addresses;
      list.push_back({IpAddress::v4(0x0A000001u + static_cast<std::uint32_t>(i)), 16});
    }
    host().slice = 10;
  }
  std::size_t calls(const std::string& what) {
    return static_cast<std::size_t>(std::count_if(host().calls.begin(), host().calls.end(),
                                                  [&](const auto& call) { return call.rfind(what, 0) == 0; }));
  }
  static constexpr int kAddresses = 300;
  static constexpr Duration kAll = SimulatedLan::kSliceTime * (kAddresses / 10);
};

TEST_F(SliceTest, TakeoverFromTheDeadIsAdvertisedWithTheFirstSlice) {
  start();
  lan_.run_until(*agent().next_deadline());
  lan_.run_for(1us);
  EXPECT_EQ(calls("claim"), 1u);
  EXPECT_EQ(calls("send 200"), 1u);
  EXPECT_THAT(host().calls, ElementsAre(testing::StartsWith("claim 10.0.0.1/16"), "send 200", "announce 10"));
  EXPECT_EQ(host().will.releases.at(0).set.addresses.size(), std::size_t{kAddresses}) << "of all that may be there";
  lan_.run_for(kAll);
  EXPECT_EQ(host().held.size(), std::size_t{kAddresses});
  EXPECT_EQ(calls("claim"), std::size_t{kAddresses / 10});
}

TEST_F(SliceTest, TakeoverFromTheLivingIsAdvertisedWhenAllIsThere) {
  with_peer();
  start();
  hear_priority(100);
  hear_priority(0);
  ASSERT_EQ(state(), "active");
  lan_.run_for(kAll / 2);
  hear_priority(0);
  EXPECT_EQ(calls("relay"), 1u);
  EXPECT_EQ(calls("send"), 0u) << "the other one answers until it hears us";
  EXPECT_EQ(calls("announce"), 0u);
  lan_.run_for(kAll / 2);
  EXPECT_EQ(host().held.size(), std::size_t{kAddresses});
  EXPECT_EQ(calls("send 200"), 1u);
  EXPECT_GE(calls("announce"), 1u);
}

TEST_F(SliceTest, AdvertisementsGoOutWhileAddressesComeAndGo) {
  router().advertisement_interval = Centiseconds(1);
  router().excluded_addresses.clear();
  start_active();
  for (int i = 0; i < kAddresses; ++i)
    router().excluded_addresses.push_back({IpAddress::v4(0x0A010001u + static_cast<std::uint32_t>(i)), 16});
  lan_.reload(node_, node_.config);
  lan_.run_for(kAll);
  EXPECT_EQ(host().held.size(), 200u + kAddresses);
  EXPECT_GE(calls("send 200"), 3u);
  EXPECT_EQ(counter("active_transitions"), 1u);
  host().forget();
  router().excluded_addresses.clear();
  lan_.reload(node_, node_.config);
  lan_.run_for(kAll);
  EXPECT_EQ(host().held.size(), 200u);
  EXPECT_GE(calls("send 200"), 3u);
}

TEST_F(SliceTest, StopWaitsForTheLastSlice) {
  start_active();
  lan_.run_for(kAll);
  agent().shutdown(lan_.now());
  EXPECT_FALSE(agent().is_stopped());
  EXPECT_EQ(calls("release"), 1u);
  EXPECT_FALSE(host().will.releases.empty());
  lan_.run_for(kAll);
  EXPECT_TRUE(agent().is_stopped());
  EXPECT_THAT(host().held, IsEmpty());
  EXPECT_THAT(host().will.releases, IsEmpty());
}

TEST_F(SliceTest, FailureOfALaterSliceGivesEverythingBack) {
  start();
  lan_.run_until(*agent().next_deadline());
  lan_.run_for(SimulatedLan::kSliceTime * 5);
  ASSERT_EQ(state(), "active");
  host().refused_claims = 1;
  lan_.run_for(kAll);
  EXPECT_EQ(state(), "fault");
  EXPECT_EQ(calls("send 0"), 1u);
  EXPECT_THAT(host().held, IsEmpty());
}

TEST_F(SliceTest, OneTurnClaimsNoMoreThanASliceOverAllRouters) {
  router().addresses.resize(1);
  router().excluded_addresses.clear();
  const VirtualRouterConfig first = router();
  for (int i = 1; i < 50; ++i) {
    VirtualRouterConfig next = first;
    next.name += std::to_string(i);
    next.vrid = static_cast<std::uint8_t>(51 + i);
    next.addresses = {{IpAddress::v4(0x0A020001u + static_cast<std::uint32_t>(i)), 16}};
    node_.config.virtual_routers.push_back(next);
  }
  start();
  lan_.run_until(*agent().next_deadline());
  lan_.run_for(1us);
  EXPECT_EQ(host().held.size(), 10u);
  EXPECT_EQ(host().will.releases.size(), 50u);
  lan_.run_for(5 * SimulatedLan::kSliceTime);
  EXPECT_EQ(host().held.size(), 50u);
  EXPECT_EQ(calls("send 200"), 50u);
}

// ---- the last will ----

TEST_F(AgentTest, LastWillNamesTheAddressesAndHoldsAReadyResignation) {
  with_peer();
  start_active();
  ASSERT_EQ(host().will.releases.size(), 1u);
  EXPECT_THAT(host().will.releases[0].set.addresses, ElementsAre(prefix("192.0.2.100/24")));
  EXPECT_EQ(host().will.releases[0].mode, ReleaseMode::lingering) << "the peer will relay";
  ASSERT_EQ(host().will.resignations.size(), 1u);
  const OutgoingAdvertisement& last_words = host().will.resignations[0];
  const auto decoded = decode({last_words.source, last_words.destination, 255, last_words.message});
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->advertisement.priority, 0);
  EXPECT_EQ(last_words.destination, kPeer);
  hear_priority(255);
  EXPECT_THAT(host().will.releases, IsEmpty());
  EXPECT_THAT(host().will.resignations, IsEmpty());
}

TEST_F(AgentTest, LastWillFollowsTheSourceAddress) {
  start_active();
  EXPECT_EQ(host().will.releases.at(0).mode, ReleaseMode::immediate) << "strangers do not relay";
  node_.interface.primary_v4 = SimulatedLan::v4_of(77);
  agent().on_interface(lan_.now(), node_.interface);
  EXPECT_EQ(host().will.resignations.at(0).source, SimulatedLan::v4_of(77));
  EXPECT_EQ(host().sent.back().source, SimulatedLan::v4_of(77));
}

TEST_F(AgentTest, NewMacAddressIsAnnounced) {
  start_active();
  node_.interface.mac.bytes[5] = 0x77;
  agent().on_interface(lan_.now(), node_.interface);
  EXPECT_THAT(host().calls, ElementsAre("send 200", "announce 1"));
}

// ---- reload ----

TEST_F(AgentTest, ReloadOfTheSameConfigurationTouchesNothing) {
  start_active();
  lan_.reload(node_, node_.config);
  EXPECT_THAT(host().calls, IsEmpty());
  EXPECT_EQ(counter("active_transitions"), 1u);
}

TEST_F(AgentTest, ReloadOfAPriorityIsAdvertisedAtOnceAndCountersSurvive) {
  start_active();
  const auto sent = counter("sent_advertisements");
  router().priority = 50;
  lan_.reload(node_, node_.config);
  EXPECT_THAT(host().calls, ElementsAre("send 50"));
  EXPECT_EQ(counter("sent_advertisements"), sent + 1);
  EXPECT_EQ(status().priority, 50);
}

TEST_F(AgentTest, ReloadTouchesOnlyTheAddressesThatDiffer) {
  router().addresses = {prefix("192.0.2.100/24"), prefix("192.0.2.101/24")};
  start_active();
  router().addresses = {prefix("192.0.2.101/24"), prefix("192.0.2.102/24")};
  lan_.reload(node_, node_.config);
  EXPECT_THAT(host().calls,
              ElementsAre("send 200", "release 192.0.2.100/24", "claim 192.0.2.102/24", "announce 2"));
  EXPECT_THAT(host().held, ElementsAre(prefix("192.0.2.101/24"), prefix("192.0.2.102/24")));
  EXPECT_THAT(host().will.releases.at(0).set.addresses,
              ElementsAre(prefix("192.0.2.101/24"), prefix("192.0.2.102/24")));
}

TEST_F(AgentTest, AddedAddressThatCannotBeHadIsAFault) {
  start_active();
  host().refused_claims = 1;
  router().addresses.push_back(prefix("192.0.2.102/24"));
  lan_.reload(node_, node_.config);
  EXPECT_EQ(state(), "fault");
  EXPECT_THAT(host().held, IsEmpty());
}

TEST_F(AgentTest, RemovedRouterResignsAndIsForgotten) {
  with_peer();
  start_active();
  Config none = node_.config;
  none.virtual_routers.clear();
  lan_.reload(node_, none);
  EXPECT_EQ(state(), "yielding");
  hear_priority(100);
  EXPECT_THAT(agent().status(lan_.now()).routers, IsEmpty());
  EXPECT_THAT(host().held, IsEmpty());
}

TEST_F(AgentTest, RouterThatComesBackWhileItYieldsIsTheSameOne) {
  with_peer();
  start_active();
  const Config config = node_.config;
  Config none = config;
  none.virtual_routers.clear();
  lan_.reload(node_, none);
  lan_.reload(node_, config);
  EXPECT_EQ(state(), "backup");
  EXPECT_EQ(counter("active_transitions"), 1u);
}

TEST_F(AgentTest, AddressesStayWhenTheirVridChanges) {
  with_peer();
  router().join_hold = 0s;
  start_active();
  router().vrid = 61;
  lan_.reload(node_, node_.config);
  EXPECT_EQ(agent().status(lan_.now()).routers.size(), 2u) << "the old one yields";
  lan_.run_for(400ms);
  EXPECT_EQ(agent().status(lan_.now()).routers.size(), 1u);
  EXPECT_EQ(state(), "active");
  EXPECT_THAT(host().held, ElementsAre(prefix("192.0.2.100/24")));
}

// ---- stop ----

TEST_F(AgentTest, ShutdownAmongStrangersLeavesNothingBehindAtOnce) {
  start_active();
  EXPECT_FALSE(agent().is_stopped());
  agent().shutdown(lan_.now());
  EXPECT_TRUE(agent().is_stopped());
  EXPECT_THAT(host().calls, ElementsAre("send 0", "release 192.0.2.100/24"));
  EXPECT_THAT(host().will.releases, IsEmpty());
}

TEST_F(AgentTest, ShutdownInAPairWaitsForThePeerButNotForEver) {
  with_peer();
  start_active();
  agent().shutdown(lan_.now());
  EXPECT_FALSE(agent().is_stopped());
  lan_.run_for(201ms);
  EXPECT_TRUE(agent().is_stopped());
  EXPECT_EQ(host().calls.back(), "release 192.0.2.100/24");
  EXPECT_EQ(counter("sent_priority_zero"), 3u);
}

TEST_F(AgentTest, NothingStartsAgainAfterAShutdown) {
  start();
  agent().shutdown(lan_.now());
  lan_.set_link(node_, false);
  lan_.set_link(node_, true);
  lan_.reload(node_, node_.config);
  EXPECT_EQ(state(), "fault");
  EXPECT_TRUE(agent().is_stopped());
}

// ---- two nodes ----

class PairTest : public AgentTest {
 protected:
  PairTest() : other_(lan_.add(12)) {
    with_peer();
    other_.config = node_.config;
    other_.config.node = "n12";
    other_.config.peer = PeerConfig{SimulatedLan::v4_of(11), std::nullopt};
    other_.config.virtual_routers[0].priority = 100;
  }
  std::string other_state() { return other_.agent->status(lan_.now()).routers.at(0).state; }
  void start_both() {
    lan_.start(node_);
    lan_.start(other_);
    lan_.run_for(2s);
    ASSERT_EQ(state(), "active");
    ASSERT_EQ(other_state(), "backup");
    host().forget();
    other_.host->forget();
  }

  SimulatedLan::Node& other_;
};

TEST_F(PairTest, PlannedMoveTakesAMessageEachWay) {
  lan_.delay_max = 100us;
  start_both();
  agent().shutdown(lan_.now());
  lan_.run_for(200us + 1us);
  EXPECT_EQ(other_state(), "active");
  EXPECT_TRUE(agent().is_stopped());
  EXPECT_THAT(other_.host->calls,
              ElementsAre("relay 192.0.2.11", "claim 192.0.2.100/24", "send 100", "announce 1"));
  EXPECT_EQ(host().calls.back(), "linger 192.0.2.100/24");
}

TEST_F(PairTest, DeathWithALastWillIsAnsweredInOneMessage) {
  start_both();
  lan_.crash(node_, true);
  lan_.run_for(101us);
  EXPECT_EQ(other_state(), "active");
  EXPECT_EQ(other_.host->calls.at(0), "relay 192.0.2.11") << "its proxy lives";
}

TEST_F(PairTest, NodeWhoseInterfaceComesUpTellsItsPeerWhereItIs) {
  start_both();
  lan_.set_link(node_, false);
  host().forget();
  lan_.set_link(node_, true);
  EXPECT_THAT(host().calls, Contains("introduce 192.0.2.11")) << "the peer may know another MAC address";
  host().forget();
  lan_.run_for(10s);
  EXPECT_EQ(std::count(host().calls.begin(), host().calls.end(), "introduce 192.0.2.11"), 3) << "then it is known";
}

TEST_F(PairTest, PowerCutIsNoticedWithinActiveDownInterval) {
  start_both();
  lan_.crash(node_, false);
  lan_.run_for(362ms);
  EXPECT_EQ(other_state(), "active");
  EXPECT_EQ(other_.host->calls.at(0), "claim 192.0.2.100/24") << "a dead node is not relayed to";
}

TEST_F(PairTest, ReturningNodeChangesNothing) {
  start_both();
  lan_.crash(node_, true);
  lan_.run_for(1s);
  lan_.start(node_);
  lan_.run_for(10s);
  EXPECT_EQ(state(), "backup");
  EXPECT_EQ(other_state(), "active");
}

TEST_F(PairTest, ReturningNodeThatIsDeafStealsNothing) {
  start_both();
  lan_.crash(node_, true);
  lan_.run_for(1s);
  node_.is_deaf = true;
  lan_.start(node_);
  lan_.run_for(900ms);  // the network of a booting machine
  node_.is_deaf = false;
  lan_.run_for(5s);
  EXPECT_EQ(state(), "backup");
  EXPECT_EQ(other_state(), "active");
}

TEST_F(PairTest, PreemptionClaimsBeforeTheOtherLetsGo) {
  router().preempt = true;
  start_both();
  lan_.crash(node_, true);
  lan_.run_for(1s);
  other_.host->forget();
  lan_.start(node_);
  lan_.run_for(2s);
  EXPECT_EQ(state(), "active");
  EXPECT_THAT(host().calls, Contains("relay 192.0.2.12"));
  EXPECT_EQ(other_.host->calls.back(), "linger 192.0.2.100/24");
}

TEST_F(PairTest, SurvivorOfASplitAnnouncesAgain) {
  start_both();
  lan_.cut = {{0, 1}, {1, 0}};
  lan_.run_for(3s);
  ASSERT_EQ(other_state(), "active");
  host().forget();
  lan_.cut.clear();
  lan_.run_for(200ms);
  EXPECT_EQ(state(), "active");
  EXPECT_EQ(other_state(), "backup");
  EXPECT_THAT(host().calls, Contains("announce 1"));
}

TEST_F(PairTest, NodeThatWasPausedLeavesTheAddressesToItsPeer) {
  start_both();
  lan_.pause(node_);
  lan_.run_for(3s);
  ASSERT_EQ(other_state(), "active");
  node_.inbox.clear();  // not even what waited at its socket helps it
  lan_.resume(node_);
  lan_.run_for(2s);
  EXPECT_EQ(state(), "backup");
  EXPECT_EQ(other_state(), "active");
  EXPECT_EQ(counter("late_wakeups"), 1u);
}

}  // namespace
}  // namespace vipair::vrrp
