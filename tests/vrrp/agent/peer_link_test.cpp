// Pairs that sign what they say, over one path and over two, on a LAN where somebody records, repeats and forges.

#include "vrrp/agent/peer_link.h"

#include "tests/support/fake_mac.h"
#include "tests/vrrp/agent/simulated_lan.h"
#include "vrrp/agent/virtual_router.h"
#include "vrrp/core/timers.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

IpPrefix prefix(std::string_view text) { return *IpPrefix::parse(text); }

constexpr Duration kSettled = 2s;     // the join hold, and an election
constexpr Duration kDownMax = 400ms;  // four advertisement intervals
constexpr Duration kMoved = 5ms;      // a planned move on the simulated LAN

class PeerLinkTest : public testing::Test {
 protected:
  PeerLinkTest() : lan_(7), a_(lan_.add(1)), b_(lan_.add(2)) {
    for (auto* node : {&a_, &b_}) {
      VirtualRouterConfig router = web_router(node == &a_ ? 200 : 100);
      router.unicast = true;
      node->config.virtual_routers = {router};
      node->config.peer = PeerConfig{SimulatedLan::v4_of(node == &a_ ? 2 : 1), std::nullopt};
      node->config.pair_keys = {key_of(1)};
      node->interface.primary_v4_length = 24;
    }
  }
  ~PeerLinkTest() override { EXPECT_THAT(lan_.violations(), IsEmpty()); }

  void with_two_paths() {
    lan_.add_second_path(a_, 2, {key_of(1)});
    lan_.add_second_path(b_, 1, {key_of(1)});
  }
  void with_keys(SimulatedLan::Node& node, std::vector<PairKey> keys) { node.config.pair_keys = std::move(keys); }
  void reload_keys(SimulatedLan::Node& node, std::vector<PairKey> keys) {
    Config config = node.config;
    config.pair_keys = std::move(keys);
    lan_.reload(node, std::move(config));
  }
  // a is Active, b its Backup.
  void start() {
    lan_.start(a_);
    lan_.run_for(kSettled);
    lan_.start(b_);
    lan_.run_for(kSettled);
    ASSERT_EQ(states(), "active backup");
    for (auto* node : {&a_, &b_}) node->agent->take_journal();
  }
  void record() {
    lan_.on_transmit = [this](std::size_t from, const OutgoingAdvertisement& sent) {
      if (&lan_.nodes()[from] == &a_) recorded_.push_back(sent);
    };
  }
  void repeat(const OutgoingAdvertisement& sent) {
    lan_.inject(b_, {sent.interface_index, sent.source, sent.destination, kTtl}, sent.message);
  }

  std::string state(SimulatedLan::Node& node) {
    return node.agent ? node.agent->status(lan_.now()).routers.at(0).state : "dead";
  }
  std::string states() { return state(a_) + " " + state(b_); }
  std::uint64_t counter(SimulatedLan::Node& node, const std::string& name) {
    const Status status = node.agent->status(lan_.now());
    CounterList all = status.routers.at(0).counters;
    all.insert(all.end(), status.counters.begin(), status.counters.end());
    return counter_of(all, name);
  }
  std::uint64_t transitions() { return counter(a_, "active_transitions") + counter(b_, "active_transitions"); }
  std::vector<std::string> warnings(SimulatedLan::Node& node) { return node.agent->status(lan_.now()).warnings; }
  std::vector<PathStatus> paths(SimulatedLan::Node& node) { return node.agent->status(lan_.now()).paths; }
  std::vector<std::string> texts(SimulatedLan::Node& node) {
    std::vector<std::string> all;
    for (const JournalEntry& entry : node.agent->take_journal()) all.push_back(entry.event + ": " + entry.text);
    return all;
  }
  // In the name of a, without its key.
  void forge(int priority) {
    const IpAddress source = SimulatedLan::v4_of(1), destination = SimulatedLan::v4_of(2);
    Bytes message =
        encode({51, static_cast<std::uint8_t>(priority), Centiseconds(10), {prefix("192.0.2.100").address}}, source,
               destination, ChecksumKind::pseudo_header);
    PairSession forger(99, fake_mac);
    forger.set_keys({key_of(77)});
    forger.seal(message, source, destination, name_hash("web"));
    lan_.inject(b_, {2, source, destination, kTtl}, message);
  }
  Duration time_to_take_over() {
    const TimePoint before = lan_.now();
    while (state(b_) != "active" && lan_.now() - before < 100s) lan_.run_for(1ms);
    return lan_.now() - before;
  }

  SimulatedLan lan_;
  SimulatedLan::Node &a_, &b_;
  std::vector<OutgoingAdvertisement> recorded_;
};

TEST(PathsOf, AreWhereTheVirtualRoutersArePlusTheFurtherOnes) {
  Config config;
  config.peer = PeerConfig{IpAddress::parse("192.0.2.12"), IpAddress::parse("fe80::12")};
  VirtualRouterConfig router;
  router.interface = "eth0";
  config.virtual_routers = {router, router};
  router.interface = "eth1";
  router.peer = PeerConfig{IpAddress::parse("198.51.100.12"), IpAddress::parse("2001:db8::12")};
  config.virtual_routers.push_back(router);
  config.peer_paths = {{"eth2", *IpAddress::parse("203.0.113.12")}};
  EXPECT_THAT(paths_of(config),
              ElementsAre(PathConfig{"eth0", IpFamily::ipv4, IpAddress::parse("192.0.2.12"), false},
                          PathConfig{"eth0", IpFamily::ipv6, IpAddress::parse("fe80::12"), false},
                          PathConfig{"eth1", IpFamily::ipv4, IpAddress::parse("198.51.100.12"), false},
                          PathConfig{"eth2", IpFamily::ipv4, IpAddress::parse("203.0.113.12"), true}));
}

TEST(PathsOf, PeerThatCannotBePinnedIsFoundByItsKeyIfThereIsOne) {
  Config config;
  config.peer = PeerConfig{std::nullopt, IpAddress::parse("2001:db8::12")};
  config.virtual_routers.emplace_back();
  EXPECT_THAT(paths_of(config), IsEmpty());
  config.pair_keys = {key_of(1)};
  EXPECT_THAT(paths_of(config), ElementsAre(PathConfig{"", IpFamily::ipv6, std::nullopt, false}));
}

// ---- who is believed ----

TEST_F(PeerLinkTest, PairProvesItselfAndSignsEverything) {
  start();
  for (auto* node : {&a_, &b_}) {
    EXPECT_THAT(warnings(*node), IsEmpty());
    ASSERT_EQ(paths(*node).size(), 1u);
    EXPECT_TRUE(paths(*node)[0].is_heard && paths(*node)[0].hears_us);
    EXPECT_EQ(counter(*node, "authentication_errors"), 0u);
    EXPECT_EQ(counter(*node, "replays"), 0u);
  }
  for (const auto* list : {&a_.host->sent, &a_.host->peer_messages}) {
    for (const OutgoingAdvertisement& sent : *list) EXPECT_TRUE(read_trailer(sent.message));
  }
}

TEST_F(PeerLinkTest, WithoutAKeyHellosGoUnsigned) {
  for (auto* node : {&a_, &b_}) with_keys(*node, {});
  start();
  EXPECT_TRUE(paths(b_)[0].is_heard && paths(b_)[0].hears_us);
  for (const OutgoingAdvertisement& sent : a_.host->peer_messages) EXPECT_FALSE(read_trailer(sent.message));
}

TEST_F(PeerLinkTest, RfcModeHasNoPathsAndSaysNothing) {
  a_.config.peer.reset();
  a_.config.pair_keys.clear();
  a_.config.virtual_routers[0].unicast = false;
  lan_.start(a_);
  lan_.run_for(5s);
  EXPECT_THAT(a_.host->peer_messages, IsEmpty());
  EXPECT_THAT(paths(a_), IsEmpty());
}

TEST_F(PeerLinkTest, WrongKeyIsAnAlarmAndNotADeath) {
  with_keys(b_, {key_of(2)});
  lan_.start(a_);
  lan_.run_for(kSettled);
  lan_.start(b_);
  lan_.run_for(60s);
  EXPECT_EQ(states(), "active backup");
  EXPECT_GT(counter(b_, "authentication_errors"), 500u);
  EXPECT_THAT(warnings(b_), Contains(HasSubstr("do not verify")));
  EXPECT_THAT(warnings(a_), Contains(HasSubstr("do not verify"))) << "it hears the hellos of the other";
  EXPECT_LT(texts(b_).size(), 20u) << "the log stays short";

  reload_keys(b_, {key_of(1)});
  lan_.run_for(2s);
  EXPECT_EQ(states(), "active backup");
  EXPECT_EQ(transitions(), 1u);
  EXPECT_THAT(warnings(b_), Not(Contains(HasSubstr("do not verify"))));
  EXPECT_GT(counter(b_, "received_advertisements"), 10u);
}

TEST_F(PeerLinkTest, UnsignedPeerIsAnAlarmAndNotADeath) {
  with_keys(a_, {});
  lan_.start(a_);
  lan_.run_for(kSettled);
  lan_.start(b_);
  lan_.run_for(10s);
  EXPECT_EQ(states(), "active backup");
  EXPECT_THAT(warnings(b_), Contains(HasSubstr("not signed")));
}

TEST_F(PeerLinkTest, PeerWithTheWrongKeyThatDiesIsReplaced) {
  with_keys(b_, {key_of(2)});
  lan_.start(a_);
  lan_.run_for(kSettled);
  lan_.start(b_);
  lan_.run_for(5s);
  lan_.crash(a_, false);
  EXPECT_LE(time_to_take_over(), kDownMax);
}

TEST_F(PeerLinkTest, KeysComeAndGoByReloadWithoutAChangeOfRole) {
  for (auto* node : {&a_, &b_}) with_keys(*node, {});
  start();
  const PairKey one = key_of(1), two = key_of(2);
  const std::vector<std::pair<SimulatedLan::Node*, std::vector<PairKey>>> steps = {
      {&a_, {one}}, {&b_, {one}}, {&a_, {one, two}}, {&b_, {two, one}}, {&a_, {two, one}}, {&a_, {two}},
      {&b_, {two}}, {&b_, {}},    {&a_, {}},         {&b_, {one}},      {&a_, {one}}};
  for (const auto& [node, keys] : steps) {
    reload_keys(*node, keys);
    lan_.run_for(3s);
    EXPECT_EQ(states(), "active backup");
  }
  EXPECT_EQ(transitions(), 1u);
  EXPECT_THAT(warnings(b_), Not(Contains(HasSubstr("does not verify"))));
}

TEST_F(PeerLinkTest, PeerThatIsNotPinnedIsKnownByItsKey) {
  for (auto* node : {&a_, &b_}) {
    node->config.virtual_routers[0].addresses = {prefix("2001:db8::100/64")};
    node->config.virtual_routers[0].unicast = false;
    node->config.peer = PeerConfig{std::nullopt, IpAddress::parse(node == &a_ ? "2001:db8::2" : "2001:db8::1")};
  }
  start();
  EXPECT_TRUE(paths(b_)[0].is_heard && paths(b_)[0].hears_us);
  EXPECT_GT(counter(b_, "received_advertisements"), 10u);

  // a stranger with a link-local address of its own does not hold anything up
  lan_.crash(a_, false);
  const IpAddress stranger = SimulatedLan::v6_of(9), group = multicast_group(IpFamily::ipv6);
  const Bytes message = encode({51, 255, Centiseconds(10), {prefix("fe80::1/64").address}}, stranger, group,
                               ChecksumKind::pseudo_header);
  const TimePoint died = lan_.now();
  while (state(b_) != "active" && lan_.now() - died < 10s) {
    lan_.inject(b_, {2, stranger, group, kTtl}, message);
    lan_.run_for(1ms);
  }
  EXPECT_LE(lan_.now() - died, kDownMax);
  EXPECT_GT(counter(b_, "authentication_errors"), 100u);
}

// ---- replays ----

TEST_F(PeerLinkTest, CapturedMessagesOfTheDeadDoNotKeepItAlive) {
  record();
  start();
  lan_.run_for(5s);
  lan_.crash(a_, false);
  const TimePoint died = lan_.now();
  while (state(b_) != "active" && lan_.now() - died < 10s) {
    for (const auto& sent : std::vector(recorded_.end() - 20, recorded_.end())) repeat(sent);
    lan_.run_for(5ms);
  }
  EXPECT_LE(lan_.now() - died, kDownMax);
  EXPECT_GT(counter(b_, "replays"), 100u);
}

TEST_F(PeerLinkTest, CapturedResignationMovesNothing) {
  with_two_paths();
  start();
  record();
  lan_.set_proxy(a_, std::nullopt);  // a resigns, b takes over
  lan_.run_for(1s);
  EXPECT_EQ(states(), "fault active");
  lan_.set_proxy(a_, ProxyReport{true, ""});
  lan_.run_for(kSettled);
  lan_.set_proxy(b_, std::nullopt);
  lan_.run_for(1s);
  lan_.set_proxy(b_, ProxyReport{true, ""});
  lan_.run_for(kSettled);
  ASSERT_EQ(states(), "active backup");
  const auto before = transitions();
  for (const auto& sent : std::vector(recorded_)) repeat(sent);
  lan_.run_for(1s);
  EXPECT_EQ(states(), "active backup");
  EXPECT_EQ(transitions(), before);
}

// After a restart of either node, and of both, nothing that was recorded before moves or delays anything for long.
TEST_F(PeerLinkTest, RecordingsFromBeforeARestartAreWorthNothing) {
  record();
  start();
  lan_.run_for(3s);
  for (const bool a_restarts : {true, false}) {
    for (const bool b_restarts : {true, false}) {
      const auto recording = recorded_;
      if (a_restarts) lan_.crash(a_, true);
      if (b_restarts) lan_.crash(b_, true);
      if (!a_.agent) lan_.start(a_);
      lan_.run_for(kSettled);
      if (!b_.agent) lan_.start(b_);
      lan_.run_for(kSettled);
      if (state(a_) != "active") {  // a is the one that is recorded
        lan_.set_proxy(b_, std::nullopt);
        lan_.run_for(1s);
        lan_.set_proxy(b_, ProxyReport{true, ""});
        lan_.run_for(kSettled);
      }
      ASSERT_EQ(states(), "active backup");
      const auto before = transitions();
      for (const auto& sent : recording) repeat(sent);
      lan_.run_for(1s);
      EXPECT_EQ(states(), "active backup");
      EXPECT_EQ(transitions(), before);
      lan_.crash(a_, false);
      EXPECT_LE(time_to_take_over(), kDownMax);
      lan_.start(a_);
      lan_.run_for(kSettled);
      lan_.set_proxy(b_, std::nullopt);
      lan_.run_for(1s);
      lan_.set_proxy(b_, ProxyReport{true, ""});
      lan_.run_for(kSettled);
    }
  }
}

TEST_F(PeerLinkTest, RecordingsOfADeadPeerHoldARestartedNodeForTheirOwnLengthAtMost) {
  record();
  start();
  lan_.run_for(1s);
  const auto recording = recorded_;
  lan_.crash(a_, false);
  lan_.crash(b_, false);
  lan_.start(b_);
  lan_.run_for(10ms);
  for (int round = 0; round < 3; ++round) {
    for (const auto& sent : recording) repeat(sent);
  }
  EXPECT_GT(counter(b_, "unproven"), 0u);
  EXPECT_GT(counter(b_, "replays"), 0u) << "the second time it is known";
  EXPECT_LE(time_to_take_over(), kSettled) << "all at once they count as one";
}

TEST_F(PeerLinkTest, LastWillIsBelievedOnceAndNotInTheNextLife) {
  record();
  start();
  const auto will = a_.host->will.resignations;
  ASSERT_EQ(will.size(), 1u);
  lan_.crash(a_, true);
  lan_.run_for(kMoved);
  EXPECT_EQ(state(b_), "active") << "the will is signed";
  repeat(will[0]);
  EXPECT_EQ(counter(b_, "replays"), 0u) << "the supervisor itself sends it twice";
  lan_.start(a_);
  lan_.run_for(kSettled);
  lan_.set_proxy(b_, std::nullopt);
  lan_.run_for(1s);
  lan_.set_proxy(b_, ProxyReport{true, ""});
  lan_.run_for(kSettled);
  ASSERT_EQ(states(), "active backup");
  for (int i = 0; i < 3; ++i) repeat(will[0]);
  lan_.run_for(1s);
  EXPECT_EQ(states(), "active backup");
}

TEST_F(PeerLinkTest, LastWillIsValidAfterARestartOfThePeer) {
  start();
  lan_.crash(b_, true);
  lan_.start(b_);
  lan_.run_for(kSettled);
  ASSERT_EQ(states(), "active backup");
  lan_.crash(a_, true);
  lan_.run_for(kMoved);
  EXPECT_EQ(state(b_), "active");
}

// ---- forgeries ----

TEST_F(PeerLinkTest, ForgedMessagesMoveNothing) {
  start();
  for (int i = 0; i < 1000; ++i) {
    forge(i % 3 == 0 ? 0 : i % 3 == 1 ? 255 : 1);
    lan_.run_for(1ms);
  }
  EXPECT_EQ(states(), "active backup");
  EXPECT_EQ(transitions(), 1u);
  EXPECT_THAT(warnings(b_), Contains(HasSubstr("somebody speaks in the peer's name")));
  EXPECT_THAT(texts(b_), Contains(HasSubstr("forgery")));
}

TEST_F(PeerLinkTest, ForgerDoesNotKeepADeadPeerAlive) {
  start();
  for (int i = 0; i < 200; ++i) {
    forge(200);
    lan_.run_for(1ms);
  }
  lan_.crash(a_, false);
  const TimePoint died = lan_.now();
  while (state(b_) != "active" && lan_.now() - died < 10s) {
    forge(200);
    lan_.run_for(1ms);
  }
  EXPECT_LE(lan_.now() - died, kDownMax);
}

TEST_F(PeerLinkTest, ForgedResignationOfAPeerThatDoesNotVerifyMovesNothing) {
  with_keys(b_, {key_of(2)});
  lan_.start(a_);
  lan_.run_for(kSettled);
  lan_.start(b_);
  lan_.run_for(5s);
  for (int i = 0; i < 50; ++i) {
    forge(0);
    lan_.run_for(10ms);
  }
  EXPECT_EQ(states(), "active backup");
}

// ---- paths ----

TEST_F(PeerLinkTest, PeerIsLostOnlyWhenItIsLostOnAllPaths) {
  with_two_paths();
  start();
  lan_.cut = {{0, 1}, {1, 0}};
  lan_.run_for(10s);
  EXPECT_EQ(states(), "active backup") << "it is heard over the other path";
  EXPECT_THAT(warnings(b_), Contains(HasSubstr("not on eth0")));
  lan_.cut.clear();
  lan_.back_cut = {{0, 1}, {1, 0}};
  lan_.run_for(10s);
  EXPECT_EQ(states(), "active backup");
  EXPECT_THAT(warnings(b_), Contains(HasSubstr("not on eth1")));
  EXPECT_EQ(transitions(), 1u);
  lan_.cut = {{0, 1}, {1, 0}};
  EXPECT_LE(time_to_take_over(), kDownMax);
}

TEST_F(PeerLinkTest, PulledServiceCableIsToldOverTheOtherPath) {
  with_two_paths();
  start();
  lan_.set_link(a_, false);
  lan_.run_for(kMoved);
  EXPECT_EQ(states(), "fault active");
  EXPECT_THAT(b_.host->calls, Contains("claim 192.0.2.100/24")) << "nothing is relayed to where nobody is reached";
  lan_.set_link(a_, true);
  lan_.run_for(kSettled);
  EXPECT_EQ(states(), "backup active");
}

TEST_F(PeerLinkTest, StopAndDeathAreToldOverTheOtherPathToo) {
  with_two_paths();
  start();
  lan_.cut = {{0, 1}, {1, 0}};
  lan_.run_for(1s);
  lan_.crash(a_, true);
  lan_.run_for(kMoved);
  EXPECT_EQ(state(b_), "active");
  lan_.start(a_);
  lan_.run_for(kSettled);
  ASSERT_EQ(states(), "backup active");
  b_.agent->shutdown(lan_.now());
  lan_.run_for(50ms);
  EXPECT_EQ(state(a_), "active");
  EXPECT_TRUE(b_.agent->is_stopped()) << "it heard who took over";
}

TEST_F(PeerLinkTest, OneWayPathIsTold) {
  with_two_paths();
  start();
  lan_.back_cut = {{1, 0}};  // b is not heard on eth1
  lan_.run_for(10s);
  EXPECT_EQ(states(), "active backup");
  EXPECT_THAT(warnings(b_), Contains(HasSubstr("does not hear this node on eth1")));
  EXPECT_THAT(texts(a_), Contains(HasSubstr("path_lost")));
  lan_.back_cut.clear();
  lan_.run_for(3s);
  EXPECT_THAT(warnings(b_), IsEmpty());
  EXPECT_THAT(texts(a_), Contains(HasSubstr("path_heard")));
}

TEST_F(PeerLinkTest, OlderCopyOverTheSlowerPathIsIgnored) {
  with_two_paths();
  start();
  std::optional<OutgoingAdvertisement> late;
  lan_.on_transmit = [&](std::size_t from, const OutgoingAdvertisement& sent) {
    if (from == 0 && sent.interface_index == 3 && sent.message[1] == 2 && !late) late = sent;
  };
  lan_.back_cut = {{0, 1}};  // it is under way for long
  lan_.run_for(150ms);
  ASSERT_TRUE(late);
  lan_.back_cut.clear();
  lan_.set_proxy(a_, std::nullopt);
  lan_.run_for(kMoved);
  ASSERT_EQ(states(), "fault active");
  repeat(*late);
  lan_.run_for(50ms);
  EXPECT_EQ(states(), "fault active");
}

TEST_F(PeerLinkTest, PathInterfaceMayComeLaterAndGo) {
  with_two_paths();
  b_.back->is_up = false;
  start();
  EXPECT_FALSE(paths(b_)[1].is_heard);
  lan_.set_back_link(b_, true);
  lan_.run_for(50ms);
  EXPECT_TRUE(paths(b_)[1].is_heard && paths(b_)[1].hears_us) << "a hello goes out at once";
  lan_.set_back_link(b_, false);
  lan_.run_for(10s);
  EXPECT_EQ(states(), "active backup");
}

// ---- hellos and probes ----

TEST_F(PeerLinkTest, HelloTellsOfEachInstanceAndOfChangesAtOnce) {
  start();
  const Subject web{name_hash("web"), IpFamily::ipv4, 51};
  Journal journal;
  PeerLink link(b_.config, {5, fake_mac}, {*b_.host, journal, [] { return std::vector<HelloEntry>(); }, [] {}},
                lan_.now());
  EXPECT_FALSE(link.report(web));
  link.on_interface(lan_.now(), b_.interface);

  PairSession peer(6, fake_mac);
  peer.set_keys({key_of(1)});
  Hello hello;
  hello.entries = {{web, PeerState::active, 180, 20, true}};
  Bytes message = encode(hello);
  const IpAddress source = SimulatedLan::v4_of(1), destination = SimulatedLan::v4_of(2);
  ReplayWindow window;
  link.on_time(lan_.now());
  const OutgoingAdvertisement first = b_.host->peer_messages.back();  // it tells the peer our epoch
  (void)peer.open(first.message, first.source, first.destination, window);
  peer.seal(message, source, destination, 0);
  const auto heard = link.on_message(lan_.now(), 2, {source, destination, kTtl, message});
  EXPECT_FALSE(heard.refused);
  const auto report = link.report(web);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->state, "active");
  EXPECT_EQ(report->effective_priority, 180);
  EXPECT_EQ(report->penalty, 20);
  EXPECT_TRUE(report->is_eligible);
  EXPECT_EQ(report->heard, lan_.now());
  EXPECT_EQ(link.on_message(lan_.now(), 2, {source, destination, kTtl, message}).refused, DropReason::replay);
  EXPECT_EQ(link.on_message(lan_.now(), 2, {source, destination, 254, message}).refused, DropReason::ttl);
  EXPECT_EQ(link.on_message(lan_.now(), 3, {source, destination, kTtl, message}).refused, DropReason::not_the_peer);
}

TEST_F(PeerLinkTest, ManyInstancesAreSeveralHellos) {
  start();
  Journal journal;
  SimulatedHost host;
  std::vector<HelloEntry> entries(2 * kHelloEntriesMax + 1);
  PeerLink link(b_.config, {5, fake_mac}, {host, journal, [&] { return entries; }, [] {}}, lan_.now());
  link.on_interface(lan_.now(), b_.interface);
  link.on_time(lan_.now());
  EXPECT_EQ(host.peer_messages.size(), 3u);
  EXPECT_EQ(link.next_deadline(), next_multiple(kHelloInterval, lan_.now()));
  link.report_soon(lan_.now());
  EXPECT_EQ(link.next_deadline(), lan_.now() + kHelloGap) << "changes do not make a storm";
}

TEST_F(PeerLinkTest, ProbesTellWhatIsHeardOverEachPath) {
  with_two_paths();
  start();
  a_.agent->on_wall_clock(lan_.now(), WallTime(1000s));
  b_.agent->on_wall_clock(lan_.now(), WallTime(1003s));
  lan_.cut.clear();
  lan_.back_cut = {{1, 0}};
  lan_.run_for(kHelloInterval / 2);  // a hello that overtakes an answer makes a replay of it
  a_.agent->start_probe(lan_.now());
  lan_.run_for(100ms);
  const auto results = a_.agent->probe_results();
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].interface, "eth0");
  EXPECT_TRUE(results[0].is_sent && results[0].is_heard);
  EXPECT_TRUE(results[0].is_multicast_sent && results[0].is_multicast_heard);
  EXPECT_TRUE(results[0].peer_hears_us);
  ASSERT_TRUE(results[0].round_trip);
  EXPECT_LE(*results[0].round_trip, 1ms);
  EXPECT_EQ(results[0].clock_ahead / 1s, 3) << "within the delay of the network";
  EXPECT_EQ(results[0].peer_prefix_length, 24);
  EXPECT_TRUE(results[1].is_further && results[1].is_sent);
  EXPECT_FALSE(results[1].is_heard);
  EXPECT_FALSE(results[1].is_multicast_sent);
}

}  // namespace
}  // namespace vipair::vrrp
