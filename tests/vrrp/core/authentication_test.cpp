// Two sessions that talk to each other, and somebody who records, alters and repeats what they say.

#include "vrrp/core/authentication.h"

#include <algorithm>

#include "tests/support/fake_mac.h"

namespace vipair::vrrp {
namespace {

const IpAddress kA = *IpAddress::parse("192.0.2.11"), kB = *IpAddress::parse("192.0.2.12");
constexpr std::uint32_t kSubject = 7;

// One node: its session, and the window of the one stream that it hears.
struct Node {
  Node(const IpAddress& own_address, std::uint64_t epoch, std::vector<PairKey> keys = {key_of(1)})
      : address(own_address), session(epoch, fake_mac) {
    session.set_keys(std::move(keys));
  }
  Bytes say(const Node& other, const Bytes& text = {1, 2, 3}) {
    Bytes bytes = text;
    session.seal(bytes, address, other.address, kSubject);
    return bytes;
  }
  PairSession::Opened open(const Node& other, const Bytes& bytes) {
    return session.open(bytes, other.address, address, window);
  }
  Verdict hear(const Node& other, const Bytes& bytes) { return open(other, bytes).verdict; }
  // A new process: another epoch, nothing remembered.
  void restart(std::uint64_t epoch, std::vector<PairKey> keys = {key_of(1)}) {
    session = PairSession(epoch, fake_mac);
    session.set_keys(std::move(keys));
    window = {};
  }
  // What is said to an epoch that is not proven yet.
  Bytes challenge(const Node& other) {
    Bytes bytes{9};
    session.seal_for_candidate(bytes, address, other.address, 0);
    return bytes;
  }

  IpAddress address;
  PairSession session;
  ReplayWindow window;
};

// What the agents do: whatever is not fresh is answered at once.
void meet(Node& a, Node& b) {
  auto say = [](Node& from, Node& to, const Bytes& bytes) {
    const auto opened = to.open(from, bytes);
    if (opened.verdict == Verdict::fresh) return Bytes();
    return opened.is_candidate ? to.challenge(from) : to.say(from);
  };
  Bytes to_b = a.say(b), to_a = b.say(a);
  for (int i = 0; i < 4; ++i) {
    to_a = say(a, b, to_b.empty() ? a.say(b) : to_b);
    to_b = say(b, a, to_a.empty() ? b.say(a) : to_a);
  }
  EXPECT_TRUE(a.session.has_proven_peer() && b.session.has_proven_peer());
  EXPECT_EQ(a.hear(b, b.say(a)), Verdict::fresh);
  EXPECT_EQ(b.hear(a, a.say(b)), Verdict::fresh);
}

class AuthenticationTest : public testing::Test {
 protected:
  Node a_{kA, 0xA1}, b_{kB, 0xB1};
};

TEST_F(AuthenticationTest, TrailerHasTheLayoutOfTheHeader) {
  const Bytes bytes = a_.say(b_);
  ASSERT_EQ(bytes.size(), 3 + kTrailerSize);
  EXPECT_TRUE(std::equal(bytes.begin() + 3, bytes.begin() + 7, "VPA1"));
  const auto sealed = read_trailer(bytes);
  ASSERT_TRUE(sealed);
  EXPECT_EQ(Bytes(sealed->message.begin(), sealed->message.end()), (Bytes{1, 2, 3}));
  EXPECT_EQ(sealed->trailer.epoch, 0xA1u);
  EXPECT_EQ(sealed->trailer.counter, 1u);
  EXPECT_EQ(sealed->trailer.echo, 0u) << "nothing is known of the peer yet";
  EXPECT_EQ(sealed->trailer.subject, kSubject);
  EXPECT_NE(sealed->trailer.key_id, 0x01010101u) << "the key's own bytes are not its name";
}

TEST_F(AuthenticationTest, NamesHaveHashesThatAreNeverZero) {
  EXPECT_EQ(name_hash("web"), name_hash("web"));
  EXPECT_NE(name_hash("web"), name_hash("mail"));
  EXPECT_NE(name_hash(""), 0u);
}

TEST_F(AuthenticationTest, TwoNodesProveEachOtherInThreeMessages) {
  EXPECT_EQ(b_.hear(a_, a_.say(b_)), Verdict::unproven);
  meet(a_, b_);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(a_.hear(b_, b_.say(a_)), Verdict::fresh);
    EXPECT_EQ(b_.hear(a_, a_.say(b_)), Verdict::fresh);
  }
}

TEST_F(AuthenticationTest, NewEpochIsToldOnce) {
  meet(a_, b_);
  EXPECT_FALSE(a_.open(b_, b_.say(a_)).is_new_peer);
  b_.restart(0xB2);
  EXPECT_TRUE(a_.open(b_, b_.say(a_)).is_candidate);
  (void)b_.hear(a_, a_.challenge(b_));
  EXPECT_TRUE(a_.open(b_, b_.say(a_)).is_new_peer);
  EXPECT_FALSE(a_.open(b_, b_.say(a_)).is_new_peer);
}

TEST_F(AuthenticationTest, EveryAlteredByteIsRefused) {
  meet(a_, b_);
  const Bytes good = a_.say(b_);
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes altered = good;
      altered[i] ^= static_cast<std::uint8_t>(1u << bit);
      EXPECT_NE(b_.hear(a_, altered), Verdict::fresh) << "byte " << i;
      EXPECT_NE(b_.hear(a_, altered), Verdict::unproven) << "byte " << i;
    }
  }
  for (std::size_t size = 0; size < good.size(); ++size) {
    const Bytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(b_.hear(a_, cut), Verdict::not_signed) << size << " bytes";
  }
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_EQ(b_.hear(a_, longer), Verdict::not_signed);
  EXPECT_EQ(b_.hear(a_, good), Verdict::fresh) << "nothing of that was remembered against it";
}

TEST_F(AuthenticationTest, AddressesBelongToWhatIsSigned) {
  meet(a_, b_);
  const Bytes good = a_.say(b_);
  ReplayWindow window;
  EXPECT_EQ(b_.session.open(good, kB, kA, window).verdict, Verdict::wrong_mac);
  EXPECT_EQ(b_.session.open(good, kA, *IpAddress::parse("192.0.2.13"), window).verdict, Verdict::wrong_mac);
  EXPECT_EQ(a_.hear(a_, good), Verdict::replay) << "our own, sent back to us";
}

TEST_F(AuthenticationTest, CapturedMessageIsAReplay) {
  meet(a_, b_);
  const Bytes captured = a_.say(b_), later = a_.say(b_);
  EXPECT_EQ(b_.hear(a_, captured), Verdict::fresh);
  EXPECT_EQ(b_.hear(a_, captured), Verdict::replay);
  EXPECT_EQ(b_.hear(a_, later), Verdict::fresh);
  EXPECT_EQ(b_.hear(a_, captured), Verdict::replay);
}

TEST_F(AuthenticationTest, MessageThatWasOvertakenIsAReplay) {
  meet(a_, b_);
  const Bytes first = a_.say(b_), second = a_.say(b_);
  EXPECT_EQ(b_.hear(a_, second), Verdict::fresh);
  EXPECT_EQ(b_.hear(a_, first), Verdict::replay);
}

TEST_F(AuthenticationTest, CapturedMessageAfterARestartOfItsSenderIsAReplay) {
  meet(a_, b_);
  const Bytes never_delivered = a_.say(b_);
  a_.restart(0xA2);
  meet(a_, b_);
  EXPECT_EQ(b_.hear(a_, never_delivered), Verdict::replay) << "it says our epoch, but its own is over";
}

TEST_F(AuthenticationTest, CapturedMessageAfterARestartOfItsReceiverIsUnproven) {
  meet(a_, b_);
  const Bytes captured = a_.say(b_);
  b_.restart(0xB2);
  EXPECT_EQ(b_.hear(a_, captured), Verdict::unproven);
  EXPECT_EQ(b_.hear(a_, captured), Verdict::replay) << "the second time";
  meet(a_, b_);
  EXPECT_EQ(b_.hear(a_, captured), Verdict::replay) << "an older counter of a known epoch";
}

TEST_F(AuthenticationTest, CapturedMessageAfterRestartsOfBothIsUnprovenOnce) {
  meet(a_, b_);
  const Bytes captured = a_.say(b_);
  a_.restart(0xA2);
  b_.restart(0xB2);
  meet(a_, b_);
  EXPECT_EQ(b_.hear(a_, captured), Verdict::unproven);
  EXPECT_EQ(b_.hear(a_, captured), Verdict::replay);
  EXPECT_EQ(b_.hear(a_, a_.say(b_)), Verdict::fresh);
}

TEST_F(AuthenticationTest, RecordingsOfManyEarlierLivesRunOut) {
  std::vector<Bytes> recordings;
  for (std::uint64_t life = 1; life <= 10; ++life) {
    a_.restart(0xA00 + life);
    recordings.push_back(a_.say(b_));
  }
  b_.restart(0xB2);
  int unproven = 0;
  for (int round = 0; round < 3; ++round) {
    for (const Bytes& recording : recordings) unproven += b_.hear(a_, recording) == Verdict::unproven ? 1 : 0;
  }
  EXPECT_EQ(unproven, static_cast<int>(ReplayWindow::kEpochsMax));
  meet(a_, b_);  // who proves it is heard all the same
}

// While nothing of a reached b, a lived once more and died: what it said then says b's epoch.
TEST_F(AuthenticationTest, LifeThatWasNeverHeardDoesNotComeBackInstead) {
  meet(a_, b_);
  a_.restart(0xA2);
  (void)a_.hear(b_, b_.say(a_));
  const std::vector<Bytes> recorded = {a_.say(b_), a_.say(b_), a_.say(b_)};
  EXPECT_EQ(read_trailer(recorded[0])->trailer.echo, 0xB1u);
  a_.restart(0xA3);
  meet(a_, b_);
  for (const Bytes& bytes : recorded) EXPECT_NE(b_.hear(a_, bytes), Verdict::fresh);
  EXPECT_EQ(b_.hear(a_, a_.say(b_)), Verdict::fresh) << "and the present one is believed as before";
  meet(a_, b_);
}

// A virtual machine that is set back to a snapshot would repeat its counters, and not be heard for as long as it
// ran.
TEST_F(AuthenticationTest, NodeThatWasSetBackTakesAnotherEpoch) {
  meet(a_, b_);
  const Node snapshot = a_;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(b_.hear(a_, a_.say(b_)), Verdict::fresh);
  a_.session = snapshot.session;
  a_.window = snapshot.window;
  EXPECT_EQ(b_.hear(a_, a_.say(b_)), Verdict::replay);
  EXPECT_TRUE(a_.open(b_, b_.say(a_)).has_new_epoch);
  meet(a_, b_);
}

TEST_F(AuthenticationTest, EitherNodeOrBothMayRestartAtAnyTime) {
  meet(a_, b_);
  std::uint64_t epoch = 0x100;
  for (int i = 0; i < 20; ++i) {
    if (i % 3 != 1) a_.restart(++epoch);
    if (i % 3 != 0) b_.restart(++epoch);
    meet(a_, b_);
    EXPECT_EQ(a_.hear(b_, b_.say(a_)), Verdict::fresh);
  }
}

TEST_F(AuthenticationTest, TooManyLivesOfThePeerMakeANewEpochAndNothingOldFresh) {
  meet(a_, b_);
  const Bytes first_life = a_.say(b_);
  const std::uint64_t own = b_.session.epoch();
  for (std::uint64_t life = 0; b_.session.epoch() == own; ++life) {
    ASSERT_LE(life, kRetiredEpochsMax + 1);
    a_.restart(0x1000 + life);
    meet(a_, b_);
  }
  EXPECT_NE(b_.hear(a_, first_life), Verdict::fresh);
  meet(a_, b_);
}

TEST_F(AuthenticationTest, WrongKeyMissingKeyAndNoTrailerAreToldApart) {
  Node stranger(kA, 0xE1, {key_of(2)});
  EXPECT_EQ(b_.hear(stranger, stranger.say(b_)), Verdict::unknown_key);
  EXPECT_EQ(b_.hear(stranger, {1, 2, 3}), Verdict::not_signed);
  Bytes forged = a_.say(b_);
  forged.back() ^= 1;
  EXPECT_EQ(b_.hear(a_, forged), Verdict::wrong_mac);
}

TEST_F(AuthenticationTest, KeysRotateWithoutAMomentOfDoubt) {
  meet(a_, b_);
  const PairKey old_key = key_of(1), new_key = key_of(2);
  const std::vector<std::pair<std::vector<PairKey>, std::vector<PairKey>>> steps = {
      {{old_key, new_key}, {old_key}},          {{old_key, new_key}, {old_key, new_key}},
      {{new_key, old_key}, {old_key, new_key}}, {{new_key, old_key}, {new_key, old_key}},
      {{new_key}, {new_key, old_key}},          {{new_key}, {new_key}},
  };
  const Bytes captured = a_.say(b_);
  for (const auto& [of_a, of_b] : steps) {
    a_.session.set_keys(of_a);
    b_.session.set_keys(of_b);
    EXPECT_EQ(b_.hear(a_, a_.say(b_)), Verdict::fresh);
    EXPECT_EQ(a_.hear(b_, b_.say(a_)), Verdict::fresh);
  }
  EXPECT_EQ(b_.hear(a_, captured), Verdict::unknown_key) << "the old key is gone";
}

TEST_F(AuthenticationTest, WithoutKeysTrailersAreTakenOffAndNothingIsSigned) {
  Node no_keys(kB, 0xB1, {});
  const Bytes sealed = a_.say(no_keys);
  const auto opened = no_keys.open(a_, sealed);
  EXPECT_EQ(opened.verdict, Verdict::fresh);
  EXPECT_EQ(Bytes(opened.message.begin(), opened.message.end()), (Bytes{1, 2, 3}));
  EXPECT_EQ(no_keys.say(a_), (Bytes{1, 2, 3}));
}

TEST_F(AuthenticationTest, LastWillOutranksEverythingOfItsEpochAndNothingOfTheNext) {
  meet(a_, b_);
  Bytes early{0}, late{0};
  a_.session.seal_last_will(early, kA, kB, kSubject);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(b_.hear(a_, a_.say(b_)), Verdict::fresh);
  a_.session.seal_last_will(late, kA, kB, kSubject);
  EXPECT_EQ(b_.hear(a_, early), Verdict::fresh);
  EXPECT_EQ(b_.hear(a_, late), Verdict::fresh);
  EXPECT_EQ(b_.hear(a_, late), Verdict::replay);
  a_.restart(0xA2);
  meet(a_, b_);
  EXPECT_EQ(b_.hear(a_, late), Verdict::replay);
  EXPECT_EQ(b_.hear(a_, a_.say(b_)), Verdict::fresh) << "the new life begins to count anew";
}

}  // namespace
}  // namespace vipair::vrrp
