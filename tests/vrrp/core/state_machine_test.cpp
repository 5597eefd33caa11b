#include "vrrp/core/state_machine.h"

#include <set>
#include <stdexcept>

#include "vrrp/core/announcement.h"
#include "vrrp/core/timers.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

const TimePoint kNow(1000s);
const IpAddress kOwn = IpAddress::v4(0xC000020B), kLower = IpAddress::v4(0xC000020A),
                kHigher = IpAddress::v4(0xC000020C);
constexpr Centiseconds kInterval{10};

Parameters rfc(std::uint8_t priority = 100) {
  Parameters parameters;
  parameters.priority = priority;
  parameters.advertisement_interval = kInterval;
  parameters.source = kOwn;
  return parameters;
}
Parameters pair(std::uint8_t priority = 100) {
  Parameters parameters = rfc(priority);
  parameters.is_pair = true;
  return parameters;
}
Parameters preempting(Parameters parameters) {
  parameters.preempt = true;
  return parameters;
}

Duration down_interval_in_a_pair(std::uint8_t priority, Centiseconds interval = kInterval) {
  return 3 * Duration(interval) + skew_time(priority, interval) / 2;
}

State backup(Duration active_down_in = 300ms) {
  Backup backup;
  backup.active_down_at = kNow + active_down_in;
  backup.active_adver_interval = kInterval;
  backup.preempt_at = kNow - 1s;
  return backup;
}
State active(Duration adver_in = 50ms) { return Active{kNow + adver_in, {kNow - 10s, 5, kNow + 30s}, false}; }
State yielding() { return Yielding{kNow + 200ms, kNow + 20ms}; }

AdvertReceived advert(int priority, IpAddress source = kLower, Centiseconds interval = kInterval) {
  return {source, static_cast<std::uint8_t>(priority), interval};
}

const Action kClaim = ClaimAddresses{}, kAnnounce = AnnounceAddresses{};
const Action kReleaseNow = ReleaseAddresses{ReleaseMode::immediate},
             kReleaseLingering = ReleaseAddresses{ReleaseMode::lingering};
Action send(int priority) { return SendAdvertisement{static_cast<std::uint8_t>(priority)}; }
Action claim_relaying(IpAddress to) { return ClaimAddresses{to}; }

template <class S>
const S& next_as(const Transition& transition) {
  const S* state = std::get_if<S>(&transition.next);
  if (!state) throw std::runtime_error(std::string("the next state is ") + name_of(transition.next));
  return *state;
}

// ---- Initialize (RFC 9568 section 6.4.1) ----

TEST(StateMachine, StartupOfANonOwnerGoesToBackupAndWaitsActiveDownInterval) {
  const Transition t = step(rfc(), Initialize{}, Startup{}, kNow);
  EXPECT_EQ(next_as<Backup>(t).active_down_at, kNow + active_down_interval(100, kInterval));
  EXPECT_EQ(next_as<Backup>(t).active_adver_interval, kInterval);
  EXPECT_THAT(t.actions, IsEmpty());
  EXPECT_EQ(t.reason, Reason::startup);
}

TEST(StateMachine, StartupOfTheOwnerIsActiveAtOnce) {
  const Transition t = step(rfc(255), Initialize{}, Startup{}, kNow);
  EXPECT_EQ(next_as<Active>(t).adver_at, kNow + 100ms);
  EXPECT_THAT(t.actions, ElementsAre(kClaim, send(255), kAnnounce));
  EXPECT_EQ(t.reason, Reason::owner);
}

TEST(StateMachine, JoinHoldOutlastsActiveDownInterval) {
  Parameters parameters = rfc();
  parameters.join_hold = 1s;
  EXPECT_EQ(next_as<Backup>(step(parameters, Initialize{}, Startup{}, kNow)).active_down_at,
            kNow + 1s + skew_time(100, kInterval))
      << "with the skew: nodes that boot together do not come forward together";
  parameters.join_hold = 1ms;
  EXPECT_EQ(next_as<Backup>(step(parameters, Initialize{}, Startup{}, kNow)).active_down_at,
            kNow + active_down_interval(100, kInterval));
}

TEST(StateMachine, JoinHoldEndsWithTheFirstAdvertisement) {
  Parameters parameters = rfc();
  parameters.join_hold = 10s;
  const Transition started = step(parameters, Initialize{}, Startup{}, kNow);
  const Transition heard = step(parameters, started.next, advert(50), kNow + 1ms);
  EXPECT_EQ(next_as<Backup>(heard).active_down_at, kNow + 1ms + active_down_interval(100, kInterval));
}

TEST(StateMachine, InitializeIgnoresEverythingButStartup) {
  for (const Event& event :
       std::vector<Event>{Shutdown{}, TimeReached{}, advert(0), advert(255), AdvertUnverified{},
                          ParametersChanged{true}, ClaimFailed{}, AddressLost{}}) {
    const Transition t = step(rfc(255), Initialize{}, event, kNow);
    EXPECT_EQ(t.next, State(Initialize{}));
    EXPECT_THAT(t.actions, IsEmpty());
  }
}

TEST(StateMachine, WhoCouldNotAnswerAResignationNeedNotWaitForTheActiveThatWent) {
  Parameters parameters = pair();
  parameters.join_hold = 1s;
  const State heard = step(parameters, Initialize{}, advert(0), kNow).next;
  const Transition t = step(parameters, heard, Startup{}, kNow + 250ms);
  EXPECT_EQ(next_as<Backup>(t).active_down_at, kNow + 250ms + kInterval + skew_time(100, kInterval, 3) / 2);
}

TEST(StateMachine, AResignationIsForgottenWhenSomebodyIsHeardOrTimePasses) {
  const State heard = step(pair(), Initialize{}, advert(0), kNow).next;
  const Transition late = step(pair(), heard, Startup{}, kNow + 1s);
  EXPECT_EQ(next_as<Backup>(late).active_down_at, kNow + 1s + down_interval_in_a_pair(100));
  for (const Event& event : std::vector<Event>{advert(50), AdvertUnverified{}}) {
    const State forgotten = step(pair(), heard, event, kNow + 1ms).next;
    EXPECT_EQ(forgotten, State(Initialize{}));
  }
}

// ---- Backup (section 6.4.2) ----

TEST(StateMachine, BackupShutsDownInSilence) {
  const Transition t = step(rfc(), backup(), Shutdown{}, kNow);
  EXPECT_EQ(t.next, State(Initialize{}));
  EXPECT_THAT(t.actions, IsEmpty());
}

TEST(StateMachine, BackupTakesOverWhenActiveDownTimerFires) {
  EXPECT_EQ(step(rfc(), backup(), TimeReached{}, kNow + 300ms - 1ns).next, backup());
  const Transition t = step(rfc(), backup(), TimeReached{}, kNow + 300ms);
  EXPECT_EQ(next_as<Active>(t).adver_at, kNow + 400ms);
  EXPECT_THAT(t.actions, ElementsAre(kClaim, send(100), kAnnounce));
  EXPECT_EQ(t.reason, Reason::active_down_timer);
}

TEST(StateMachine, BackupAcceptsLowerPriorityWithoutPreemption) {
  const Transition t = step(rfc(), backup(), advert(1), kNow);
  EXPECT_EQ(next_as<Backup>(t).active_down_at, kNow + active_down_interval(100, kInterval));
  EXPECT_EQ(t.reason, Reason::accepted);
}

TEST(StateMachine, BackupIgnoresLowerPriorityWhenPreempting) {
  const Transition t = step(preempting(rfc()), backup(), advert(99), kNow);
  EXPECT_EQ(next_as<Backup>(t).active_down_at, kNow + 300ms);
  EXPECT_EQ(t.reason, Reason::outranked);
}

TEST(StateMachine, BackupAcceptsEqualPriorityOfAnyAddressWhenPreempting) {
  for (const IpAddress& source : {kLower, kHigher}) {
    EXPECT_EQ(step(preempting(rfc()), backup(), advert(100, source), kNow).reason, Reason::accepted);
  }
}

TEST(StateMachine, BackupLearnsTheIntervalOfTheActive) {
  const Transition t = step(rfc(), backup(), advert(200, kLower, Centiseconds(300)), kNow);
  EXPECT_EQ(next_as<Backup>(t).active_adver_interval, Centiseconds(300));
  EXPECT_EQ(next_as<Backup>(t).active_down_at, kNow + active_down_interval(100, Centiseconds(300)));
}

TEST(StateMachine, StrangersAreNotSilencedByOneLongInterval) {
  const Transition t = step(rfc(), backup(), advert(255, kLower, Centiseconds(4095)), kNow);
  EXPECT_EQ(next_as<Backup>(t).active_adver_interval, Centiseconds(500));
}

TEST(StateMachine, PairIsNotSilencedByOneLongInterval) {
  const Transition t = step(pair(), backup(), advert(255, kLower, Centiseconds(4095)), kNow);
  EXPECT_EQ(next_as<Backup>(t).active_adver_interval, Centiseconds(100));
}

TEST(StateMachine, BackupWaitsSkewTimeAfterPriorityZeroOfAStranger) {
  State state = backup();
  std::get<Backup>(state).active_adver_interval = Centiseconds(100);
  const Transition t = step(rfc(), state, advert(0), kNow);
  EXPECT_EQ(next_as<Backup>(t).active_down_at, kNow + skew_time(100, Centiseconds(100)));
  EXPECT_THAT(t.actions, IsEmpty());
}

TEST(StateMachine, BackupAnswersPriorityZeroOfThePeerAtOnceAndRelaysToIt) {
  const Transition t = step(pair(), backup(), advert(0, kHigher), kNow);
  next_as<Active>(t);
  EXPECT_THAT(t.actions, ElementsAre(claim_relaying(kHigher), send(100), kAnnounce));
  EXPECT_EQ(t.reason, Reason::priority_zero);
}

TEST(StateMachine, PreemptDelayHoldsPreemptionBack) {
  Parameters parameters = preempting(rfc());
  parameters.preempt_delay = 5s;
  State state = step(parameters, Initialize{}, Startup{}, kNow).next;
  state = step(parameters, state, advert(50), kNow + 1s).next;
  const Transition before = step(parameters, state, advert(50), kNow + 5s - 1ns);
  EXPECT_EQ(before.reason, Reason::accepted);
  EXPECT_EQ(step(parameters, before.next, advert(50), kNow + 5s).reason, Reason::outranked);
}

TEST(StateMachine, PreemptionOfALivingActiveRelaysItsConnections) {
  const Parameters parameters = preempting(pair());
  const Transition heard = step(parameters, backup(50ms), advert(99, kHigher), kNow);
  const Transition t = step(parameters, heard.next, TimeReached{}, kNow + 50ms);
  EXPECT_THAT(t.actions, ElementsAre(claim_relaying(kHigher), send(100), kAnnounce));
  EXPECT_EQ(t.reason, Reason::preempted);
}

TEST(StateMachine, TakeoverFromADeadActiveRelaysToNobody) {
  const Parameters parameters = preempting(pair());
  State state = backup(0ms);
  std::get<Backup>(state).outranked = Backup::Outranked{kHigher, kNow - 10s};
  const Transition t = step(parameters, state, TimeReached{}, kNow);
  EXPECT_THAT(t.actions, ElementsAre(kClaim, send(100), kAnnounce));
  EXPECT_EQ(t.reason, Reason::active_down_timer);
}

TEST(StateMachine, AcceptedAdvertisementForgetsTheOutrankedOne) {
  const Parameters parameters = preempting(pair());
  const Transition heard = step(parameters, backup(), advert(99, kLower), kNow);
  EXPECT_FALSE(next_as<Backup>(step(parameters, heard.next, advert(200, kHigher), kNow)).outranked);
}

TEST(StateMachine, InAPairASilentActiveIsReplacedWithin3AndAHalfIntervals) {
  TimePoint earlier = TimePoint::max();
  for (int priority = 1; priority <= 254; ++priority) {
    const Parameters parameters = pair(static_cast<std::uint8_t>(priority));
    const TimePoint down_at =
        next_as<Backup>(step(parameters, backup(), advert(255, kHigher), kNow)).active_down_at;
    EXPECT_LE(down_at, kNow + 350ms) << priority;
    EXPECT_LT(down_at, earlier) << "the higher priority comes first: " << priority;
    EXPECT_EQ(down_at, kNow + down_interval_in_a_pair(parameters.priority));
    earlier = down_at;
  }
}

TEST(StateMachine, LateBackupListensOnceMoreBeforeItActs) {
  const Duration down = active_down_interval(100, kInterval);
  const Transition late = step(rfc(), backup(0ms), TimeReached{}, kNow + down + 1ns);
  const Backup& listening = next_as<Backup>(late);
  EXPECT_EQ(listening.active_down_at, kNow + down + 1ns + 100ms + skew_time(100, kInterval));
  EXPECT_EQ(late.reason, Reason::late_wakeup);
  EXPECT_THAT(late.actions, IsEmpty());
  // but only once: a machine that always wakes up late must not stay a Backup for ever
  next_as<Active>(step(rfc(), late.next, TimeReached{}, listening.active_down_at + 10s));
}

TEST(StateMachine, BackupThatIsNotTooLateActsAtOnce) {
  const Duration down = active_down_interval(100, kInterval);
  next_as<Active>(step(rfc(), backup(0ms), TimeReached{}, kNow + down));
}

TEST(StateMachine, BackupThatBecomesTheOwnerIsActiveAtOnce) {
  next_as<Active>(step(rfc(255), backup(), ParametersChanged{}, kNow));
}

TEST(StateMachine, BackupKeepsItsTimerThroughAReload) {
  EXPECT_EQ(step(rfc(7), backup(), ParametersChanged{true}, kNow).next, backup());
}

TEST(StateMachine, BackupDoesNotTakeOverFromSomebodyWhoDoesNotVerify) {
  State state = backup();
  std::get<Backup>(state).active_adver_interval = Centiseconds(50);
  const Transition t = step(pair(), state, AdvertUnverified{}, kNow);
  EXPECT_EQ(t.reason, Reason::unverified);
  EXPECT_THAT(t.actions, IsEmpty());
  Backup expected = std::get<Backup>(state);
  expected.active_down_at = kNow + down_interval_in_a_pair(100);
  EXPECT_EQ(t.next, State(expected)) << "for its own interval, and learns nothing";
}

TEST(StateMachine, SomebodyWhoDoesNotVerifyNeverShortensAWait) {
  const Transition t = step(pair(), backup(10s), AdvertUnverified{}, kNow);
  EXPECT_EQ(t.next, backup(10s));
}

TEST(StateMachine, ConnectionsAreNotRelayedToWhoCannotBeReached) {
  AdvertReceived resignation = advert(0);
  resignation.is_reachable = false;
  const Transition t = step(pair(), backup(), resignation, kNow);
  EXPECT_THAT(t.actions, ElementsAre(kClaim, send(100), kAnnounce));
}

// ---- Active (section 6.4.3) ----

TEST(StateMachine, ActiveIgnoresWhatDoesNotVerify) {
  const Transition t = step(pair(), active(), AdvertUnverified{}, kNow);
  EXPECT_EQ(t.next, active());
  EXPECT_THAT(t.actions, IsEmpty());
}

TEST(StateMachine, ActiveAdvertisesWhenAdverTimerFires) {
  EXPECT_EQ(step(rfc(), active(), TimeReached{}, kNow + 50ms - 1ns).next, active());
  const Transition t = step(rfc(), active(), TimeReached{}, kNow + 50ms);
  EXPECT_EQ(next_as<Active>(t).adver_at, kNow + 100ms) << "with all the others of this interval";
  EXPECT_EQ(next_as<Active>(step(rfc(), t.next, TimeReached{}, kNow + 101ms)).adver_at, kNow + 200ms);
  EXPECT_THAT(t.actions, ElementsAre(send(100)));
}

TEST(StateMachine, ActiveAnnouncesBySchedule) {
  State state = step(rfc(255), Initialize{}, Startup{}, kNow).next;
  std::vector<Duration> announced;
  for (TimePoint now = kNow; now < kNow + 6s; now = *next_deadline(state)) {
    const Transition t = step(rfc(255), state, TimeReached{}, now);
    for (const Action& action : t.actions) {
      if (action == kAnnounce) announced.push_back(now - kNow);
    }
    state = t.next;
  }
  EXPECT_THAT(announced, ElementsAre(50ms, 250ms, 1s, 5s));
}

TEST(StateMachine, ActiveAnswersPriorityZeroWithAnAdvertisement) {
  const Transition t = step(rfc(), active(), advert(0, kHigher), kNow);
  EXPECT_EQ(next_as<Active>(t).adver_at, kNow + 100ms);
  EXPECT_THAT(t.actions, ElementsAre(send(100), kAnnounce)) << "there were two: the LAN is told who remains";
  EXPECT_THAT(step(rfc(), t.next, advert(0, kHigher), kNow + 25ms).actions, ElementsAre(send(100)));
}

TEST(StateMachine, ActiveYieldsToHigherPriority) {
  const Transition t = step(rfc(), active(), advert(101, kLower, Centiseconds(20)), kNow);
  EXPECT_EQ(next_as<Backup>(t).active_down_at, kNow + active_down_interval(100, Centiseconds(20)));
  EXPECT_THAT(t.actions, ElementsAre(kReleaseNow));
  EXPECT_EQ(t.reason, Reason::higher_priority);
}

TEST(StateMachine, ActiveYieldsToEqualPriorityOfAHigherAddressOnly) {
  const Transition yields = step(rfc(), active(), advert(100, kHigher), kNow);
  next_as<Backup>(yields);
  EXPECT_EQ(yields.reason, Reason::higher_address);
  next_as<Active>(step(rfc(), active(), advert(100, kLower), kNow));
}

TEST(StateMachine, ActiveComparesAddressesUnsignedInNetworkOrder) {
  Parameters parameters = rfc();
  parameters.source = IpAddress::v4(0x7F000001);
  next_as<Backup>(step(parameters, active(), advert(100, IpAddress::v4(0x80000000)), kNow));
  parameters.source = IpAddress::v4(0x01000000);
  next_as<Active>(step(parameters, active(), advert(100, IpAddress::v4(0x000000FF)), kNow));
}

// The resignation makes the survivor of a split announce again even if it never heard of the second Active.
TEST(StateMachine, ActiveYieldsToThePeerLingeringAndTellsIt) {
  EXPECT_THAT(step(pair(), active(), advert(101), kNow).actions, ElementsAre(send(0), kReleaseLingering));
}

TEST(StateMachine, ActiveDiscardsLowerPriorityAndAnswersAtOnce) {
  const Transition t = step(rfc(), active(), advert(99, kHigher), kNow);
  EXPECT_EQ(next_as<Active>(t).adver_at, kNow + 100ms);
  EXPECT_EQ(t.reason, Reason::second_active);
  EXPECT_EQ(t.actions.at(0), send(100));
}

TEST(StateMachine, SecondActiveMakesItAnnounceAgainAtMostOnceASecond) {
  const Transition first = step(rfc(), active(), advert(99), kNow);
  EXPECT_THAT(first.actions, ElementsAre(send(100), kAnnounce));
  EXPECT_EQ(next_as<Active>(first).announcements, start_announcements(kNow));
  State state = first.next;
  for (Duration after = 100ms; after < 1s; after += 100ms) {
    const Transition again = step(rfc(), state, advert(99), kNow + after);
    EXPECT_THAT(again.actions, ElementsAre(send(100)));
    state = again.next;
  }
  EXPECT_THAT(step(rfc(), state, advert(99), kNow + 1s).actions, ElementsAre(send(100), kAnnounce));
}

TEST(StateMachine, ActiveAnswersFourTimesInAnIntervalHoweverMuchItHears) {
  State state = active();
  std::ptrdiff_t answers = 0;
  for (Duration after = 0ms; after < 100ms; after += 1ms) {
    for (const std::uint8_t priority : {std::uint8_t{99}, std::uint8_t{0}}) {
      const Transition t = step(rfc(), state, advert(priority), kNow + after);
      answers += std::count(t.actions.begin(), t.actions.end(), send(100));
      state = t.next;
    }
  }
  EXPECT_EQ(answers, kAnswersPerInterval);
}

TEST(StateMachine, OwnerAnswersAForeignAdvertisement) {  // erratum 8298: logged, not discarded unseen
  const Transition t = step(rfc(255), active(), advert(254, kHigher), kNow);
  next_as<Active>(t);
  EXPECT_EQ(t.reason, Reason::second_active);
}

// ---- what is different in version 2 (RFC 3768) ----

Parameters version_2(std::uint8_t priority = 100) {
  Parameters parameters = rfc(priority);
  parameters.version = 2;
  parameters.advertisement_interval = Centiseconds(200);
  return parameters;
}

TEST(StateMachineV2, MasterDownIntervalSkewsByAFractionOfASecond) {
  const Transition t = step(version_2(), Initialize{}, Startup{}, kNow);
  EXPECT_EQ(next_as<Backup>(t).active_down_at, kNow + 6s + 156s / 256.0);
  const Transition resigned = step(version_2(), t.next, advert(0), kNow);
  EXPECT_EQ(next_as<Backup>(resigned).active_down_at, kNow + 156s / 256.0);
}

TEST(StateMachineV2, BackupKeepsItsOwnInterval) {
  const Transition t = step(version_2(), backup(), advert(200, kLower, Centiseconds(4000)), kNow);
  EXPECT_EQ(next_as<Backup>(t).active_adver_interval, Centiseconds(200));
}

TEST(StateMachineV2, MasterDiscardsLowerPriorityWithoutAnAnswer) {
  const Transition t = step(preempting(version_2()), active(), advert(99), kNow);
  EXPECT_EQ(next_as<Active>(t).adver_at, std::get<Active>(active()).adver_at) << "its timer runs on";
  EXPECT_THAT(t.actions, ElementsAre(kAnnounce)) << "but the switch hears who has the addresses";
  EXPECT_EQ(t.reason, Reason::second_active);
  EXPECT_THAT(step(preempting(version_2()), t.next, advert(99), kNow + 500ms).actions, IsEmpty());
}

TEST(StateMachineV2, MasterYieldsAndAnswersPriorityZeroAsInVersion3) {
  EXPECT_TRUE(std::holds_alternative<Backup>(step(version_2(), active(), advert(101), kNow).next));
  EXPECT_TRUE(std::holds_alternative<Backup>(step(version_2(), active(), advert(100, kHigher), kNow).next));
  EXPECT_THAT(step(version_2(), active(), advert(0), kNow).actions, ElementsAre(send(100), kAnnounce));
}

TEST(StateMachineV2, OwnerDiscardsWhateverItHears) {
  for (int priority : {0, 100, 255}) {
    const Transition t = step(version_2(255), active(), advert(priority, kHigher), kNow);
    EXPECT_THAT(t.actions, ElementsAre(kAnnounce)) << priority;
    EXPECT_EQ(next_as<Active>(t).adver_at, std::get<Active>(active()).adver_at);
  }
}

// ---- stopping ----

TEST(StateMachine, ShutdownAmongStrangersSendsPriorityZeroAndReleases) {
  const Transition t = step(rfc(), active(), Shutdown{}, kNow);
  EXPECT_EQ(t.next, State(Initialize{}));
  EXPECT_THAT(t.actions, ElementsAre(send(0), kReleaseNow));
}

TEST(StateMachine, ShutdownInAPairKeepsTheAddressesUntilThePeerIsHeard) {
  const Transition t = step(pair(), active(), Shutdown{}, kNow);
  EXPECT_EQ(t.next, yielding());
  EXPECT_THAT(t.actions, ElementsAre(send(0)));
}

TEST(StateMachine, ClaimFailureResigns) {
  for (const Parameters& parameters : {rfc(), pair()}) {
    const Transition t = step(parameters, active(), ClaimFailed{}, kNow);
    EXPECT_EQ(t.next, State(Initialize{}));
    EXPECT_THAT(t.actions, ElementsAre(send(0), kReleaseNow));
    EXPECT_EQ(t.reason, Reason::claim_failed);
  }
}

TEST(StateMachine, LostAddressIsClaimedAndAnnouncedAgainWithoutAnElection) {
  const Transition t = step(rfc(), active(), AddressLost{}, kNow);
  EXPECT_EQ(next_as<Active>(t).adver_at, kNow + 50ms);
  EXPECT_THAT(t.actions, ElementsAre(kClaim, kAnnounce));
}

TEST(StateMachine, ActiveTellsItsNewParametersAtOnce) {
  const Transition t = step(rfc(7), active(), ParametersChanged{}, kNow);
  EXPECT_EQ(next_as<Active>(t).adver_at, kNow + 100ms);
  EXPECT_THAT(t.actions, ElementsAre(send(7)));
  EXPECT_THAT(step(rfc(7), active(), ParametersChanged{true}, kNow).actions, ElementsAre(send(7), kAnnounce));
}

TEST(StateMachine, ActiveThatSleptListensBeforeItSpeaks) {
  const TimePoint woken = kNow + 50ms + 3 * 100ms + 1ns;  // four intervals after its last advertisement
  const Transition late = step(rfc(), active(), TimeReached{}, woken);
  EXPECT_THAT(late.actions, IsEmpty());
  EXPECT_EQ(late.reason, Reason::late_wakeup);
  EXPECT_TRUE(next_as<Active>(late).is_listening);
  EXPECT_EQ(next_deadline(late.next), woken + 100ms);
  // nobody there: on as before, and the LAN is told again
  const Transition alone = step(rfc(), late.next, TimeReached{}, woken + 100ms);
  EXPECT_FALSE(next_as<Active>(alone).is_listening);
  EXPECT_THAT(alone.actions, ElementsAre(send(100), kAnnounce));
}

TEST(StateMachine, ActiveThatSleptALittleSpeaksAtOnce) {
  EXPECT_THAT(step(rfc(), active(), TimeReached{}, kNow + 50ms + 3 * 100ms).actions, ElementsAre(send(100)));
}

TEST(StateMachine, ActiveThatSleptLeavesTheAddressesToWhoeverTookOver) {
  const TimePoint woken = kNow + 10s;
  for (const State& state : {active(), step(pair(), active(), TimeReached{}, woken).next}) {
    const Transition t = step(pair(), state, advert(1), woken + 1ms);
    next_as<Backup>(t);
    EXPECT_THAT(t.actions, ElementsAre(send(0), kReleaseLingering));
    EXPECT_EQ(t.reason, Reason::silent_too_long);
  }
  // not with preemption on, where it would take them back anyway
  next_as<Active>(step(preempting(pair()), active(), advert(1), woken));
}

// ---- Yielding (pair mode) ----

TEST(StateMachine, YieldingReleasesLingeringWhenThePeerIsHeard) {
  const Transition t = step(pair(), yielding(), advert(1), kNow);
  EXPECT_EQ(t.next, State(Initialize{}));
  EXPECT_THAT(t.actions, ElementsAre(kReleaseLingering));
  EXPECT_EQ(t.reason, Reason::peer_took_over);
}

TEST(StateMachine, YieldingDoesNotTakeAResignationForATakeover) {
  EXPECT_EQ(step(pair(), yielding(), advert(0), kNow).next, yielding());
}

TEST(StateMachine, YieldingRepeatsPriorityZeroUntilItsBound) {
  State state = yielding();
  int repeats = 0;
  TimePoint now = kNow;
  while (std::holds_alternative<Yielding>(state)) {
    now = *next_deadline(state);
    const Transition t = step(pair(), state, TimeReached{}, now);
    if (std::holds_alternative<Yielding>(t.next)) {
      EXPECT_THAT(t.actions, ElementsAre(send(0)));
      ++repeats;
    } else {
      EXPECT_THAT(t.actions, ElementsAre(kReleaseNow));
      EXPECT_EQ(t.reason, Reason::yield_timeout);
    }
    state = t.next;
  }
  EXPECT_EQ(now, kNow + 200ms);
  EXPECT_EQ(repeats, 2) << "after 20 ms, and once more after an interval";
}

// Another implementation waits Skew_Time after each priority 0: it gets the time to, well before the bound.
TEST(StateMachine, YieldingLeavesAPeerTheTimeOfItsSkew) {
  for (Centiseconds interval : {Centiseconds(1), Centiseconds(10), Centiseconds(40)}) {
    Parameters parameters = pair();
    parameters.advertisement_interval = interval;
    State state = step(parameters, active(), Shutdown{}, kNow).next;
    TimePoint said_at = kNow;
    bool is_left = false;
    while (std::holds_alternative<Yielding>(state)) {
      const TimePoint now = *next_deadline(state);
      is_left |= now > said_at + skew_time(1, interval);
      said_at = now;
      state = step(parameters, state, TimeReached{}, now).next;
    }
    EXPECT_TRUE(is_left) << interval.count() << " cs";
  }
}

TEST(StateMachine, StartupWhileYieldingBeginsAgainAsABackup) {
  const Transition t = step(pair(), yielding(), Startup{}, kNow);
  next_as<Backup>(t);
  EXPECT_THAT(t.actions, ElementsAre(kReleaseNow));
}

TEST(StateMachine, OwnerThatStartsWhileYieldingIsActive) {
  const Transition t = step(pair(255), yielding(), Startup{}, kNow);
  next_as<Active>(t);
  EXPECT_THAT(t.actions, ElementsAre(kClaim, send(255), kAnnounce));
}

TEST(StateMachine, YieldingIgnoresEverythingElse) {
  for (const Event& event :
       std::vector<Event>{Shutdown{}, AdvertUnverified{}, ParametersChanged{true}, ClaimFailed{}, AddressLost{}}) {
    const Transition t = step(pair(), yielding(), event, kNow);
    EXPECT_EQ(t.next, yielding());
    EXPECT_THAT(t.actions, IsEmpty());
  }
}

// ---- handover ----

TEST(StateMachine, HandoverInAPairYieldsAndComesBackIfNobodyTakesOver) {
  const Transition t = step(pair(), active(), Handover{Reason::handover}, kNow);
  EXPECT_EQ(t.next, State(Yielding{kNow + 200ms, kNow + 20ms, true}));
  EXPECT_THAT(t.actions, ElementsAre(send(0)));
  EXPECT_EQ(t.reason, Reason::handover);
  const Transition nobody = step(pair(), t.next, TimeReached{}, kNow + 200ms);
  EXPECT_EQ(next_as<Active>(nobody).adver_at, kNow + 300ms);
  EXPECT_THAT(nobody.actions, ElementsAre(kClaim, send(100), kAnnounce)) << "what is still there costs nothing";
  EXPECT_EQ(nobody.reason, Reason::yield_timeout);
}

TEST(StateMachine, HandoverHoldsPreemptionBackUntilTheOtherIsLost) {
  const Parameters parameters = preempting(pair());
  const State yielding = step(parameters, active(), Handover{Reason::handover}, kNow).next;
  const Transition heard = step(parameters, yielding, advert(1), kNow + 10ms);
  EXPECT_EQ(next_as<Backup>(heard).preempt_at, kNever);
  EXPECT_THAT(heard.actions, ElementsAre(kReleaseLingering));
  const Transition later = step(parameters, heard.next, advert(1), kNow + 300ms);
  EXPECT_EQ(later.reason, Reason::accepted);
  EXPECT_EQ(next_as<Backup>(later).preempt_at, kNever);
  next_as<Active>(step(parameters, later.next, TimeReached{}, next_as<Backup>(later).active_down_at));
}

TEST(StateMachine, HandoverAmongStrangersReleasesAtOnce) {
  const Transition t = step(preempting(rfc()), active(), Handover{Reason::handover}, kNow);
  EXPECT_EQ(next_as<Backup>(t).preempt_at, kNever);
  EXPECT_EQ(next_as<Backup>(t).active_down_at, kNow + active_down_interval(100, kInterval));
  EXPECT_THAT(t.actions, ElementsAre(send(0), kReleaseNow));
}

TEST(StateMachine, ShutdownDuringAHandoverLeavesNoWayBack) {
  const State yielding = step(pair(), active(), Handover{Reason::outweighed}, kNow).next;
  const Transition t = step(pair(), yielding, Shutdown{}, kNow + 10ms);
  EXPECT_EQ(t.next, State(Yielding{kNow + 200ms, kNow + 20ms, false}));
  EXPECT_THAT(t.actions, IsEmpty());
  EXPECT_EQ(step(pair(), t.next, TimeReached{}, kNow + 200ms).next, State(Initialize{}));
}

TEST(StateMachine, HandoverMeansNothingToWhoeverIsNotActive) {
  for (const State& state : {State(Initialize{}), backup(), yielding()}) {
    const Transition t = step(pair(), state, Handover{Reason::handover}, kNow);
    EXPECT_EQ(t.next, state);
    EXPECT_THAT(t.actions, IsEmpty());
  }
}

TEST(StateMachine, EqualPriorityThatDoesNotDecideIsAnswered) {
  AdvertReceived equal = advert(100, kHigher);
  equal.decides_ties = false;
  const Transition t = step(rfc(), active(), equal, kNow);
  next_as<Active>(t);
  EXPECT_EQ(t.reason, Reason::second_active);
}

// ---- all states ----

TEST(StateMachine, StartupOfARunningInstanceChangesNothing) {
  for (const State& state : {backup(), active()}) {
    const Transition t = step(rfc(255), state, Startup{}, kNow);
    EXPECT_EQ(t.next, state);
    EXPECT_THAT(t.actions, IsEmpty());
  }
}

TEST(StateMachine, EarlyTickChangesNothing) {
  for (const State& state : {State(Initialize{}), backup(), active(), yielding()}) {
    const Transition t = step(pair(), state, TimeReached{}, kNow);
    EXPECT_EQ(t.next, state);
    EXPECT_THAT(t.actions, IsEmpty());
  }
}

TEST(StateMachine, NoDeadlineLiesInThePastAfterTimeReached) {
  for (const Parameters& parameters : {rfc(), pair(), rfc(255), preempting(pair(254))}) {
    for (State state : {backup(), active(), yielding()}) {
      for (Duration late : std::vector<Duration>{0ns, 1ns, 1ms, 100ms, 350ms, 399ms, 1s, 1h}) {
        const TimePoint now = *next_deadline(state) + late;
        const Transition t = step(parameters, state, TimeReached{}, now);
        const auto deadline = next_deadline(t.next);
        if (deadline) {
          EXPECT_GT(*deadline, now) << name_of(state) << " late by " << late.count();
        }
      }
    }
  }
}

TEST(StateMachine, EveryReasonHasItsWord) {
  std::set<std::string> words;
  for (int i = 0; i <= static_cast<int>(Reason::parameters_changed); ++i)
    words.insert(to_string(static_cast<Reason>(i)));
  EXPECT_EQ(words.size(), static_cast<std::size_t>(Reason::parameters_changed) + 1);
}

}  // namespace
}  // namespace vipair::vrrp
