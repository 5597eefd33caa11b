#include "vrrp/agent/verdicts.h"

namespace vipair::vrrp {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

CheckConfig check(std::string name, int rise = 2, int fall = 3) {
  CheckConfig check;
  check.name = std::move(name);
  check.type = "tcp";
  check.what = TcpCheck{"127.0.0.1", 80};
  check.rise = rise;
  check.fall = fall;
  return check;
}
CheckConfig expression(std::string name, int at_least, std::vector<std::string> checks) {
  CheckConfig check;
  check.name = std::move(name);
  check.type = "at_least";
  check.what = CombinedCheck{at_least, std::move(checks)};
  return check;
}
std::vector<std::string> names(const std::vector<CheckStatus>& checks) {
  std::vector<std::string> names;
  for (const CheckStatus& check : checks) names.push_back(check.name + (check.up ? " up" : " down"));
  return names;
}

TEST(Verdicts, FirstResultDecidesAtOnceAndLaterOnesByRiseAndFall) {
  Verdicts verdicts;
  verdicts.configure({check("app")});
  EXPECT_EQ(verdicts.of("app"), CheckVerdict::unknown);
  EXPECT_THAT(names(verdicts.record("app", true, "ok")), ElementsAre("app up"));
  EXPECT_THAT(verdicts.record("app", false, "refused"), IsEmpty());
  EXPECT_THAT(verdicts.record("app", false, "refused"), IsEmpty());
  EXPECT_THAT(names(verdicts.record("app", false, "refused")), ElementsAre("app down"));
  EXPECT_THAT(verdicts.record("app", true, "ok"), IsEmpty());
  EXPECT_THAT(names(verdicts.record("app", true, "ok")), ElementsAre("app up"));
}

TEST(Verdicts, ResultOfAnUnknownCheckSaysNothing) {
  Verdicts verdicts;
  verdicts.configure({check("app")});
  EXPECT_THAT(verdicts.record("gone", false, "x"), IsEmpty());
  EXPECT_EQ(verdicts.of("gone"), CheckVerdict::unknown);
}

TEST(Verdicts, ReversedCheckSaysTheOpposite) {
  CheckConfig reversed = check("flag");
  reversed.reverse = true;
  Verdicts verdicts;
  verdicts.configure({reversed});
  EXPECT_THAT(names(verdicts.record("flag", true, "exists")), ElementsAre("flag down"));
  EXPECT_THAT(verdicts.burden({"flag"}).faults, ElementsAre(Pair("flag", "exists")));
}

TEST(Verdicts, ExpressionsFollowWhatTheySpeakOf) {
  Verdicts verdicts;  // in any order, and nested
  verdicts.configure({expression("all", 2, {"some", "c"}), expression("some", 1, {"a", "b"}), check("a", 1, 1),
                      check("b", 1, 1), check("c", 1, 1)});
  verdicts.record("a", false, "no");
  EXPECT_EQ(verdicts.of("some"), CheckVerdict::unknown);
  EXPECT_THAT(names(verdicts.record("b", true, "")), ElementsAre("some up", "b up"));
  EXPECT_THAT(names(verdicts.record("c", true, "")), ElementsAre("all up", "c up"));
  EXPECT_THAT(names(verdicts.record("b", false, "no")), ElementsAre("all down", "some down", "b down"));
  EXPECT_EQ(verdicts.status().at(0).reason, "1 of 2 up, 2 wanted: some is down");
  EXPECT_EQ(verdicts.status().at(1).reason, "0 of 2 up, 1 wanted: a is down, b is down");
}

TEST(Verdicts, ExpressionThatRefersToItselfSaysNothing) {
  CheckConfig reversed = expression("self", 1, {"self"});
  reversed.reverse = true;
  Verdicts verdicts;
  verdicts.configure({reversed, expression("x", 1, {"y"}), expression("y", 1, {"x"})});
  EXPECT_EQ(verdicts.of("self"), CheckVerdict::unknown);
  EXPECT_EQ(verdicts.of("x"), CheckVerdict::unknown);
}

TEST(Verdicts, WithoutAWeightDownIsAFaultAndWithOneAPenalty) {
  CheckConfig weighted = check("gateway"), other = check("disk");
  weighted.weight = 20;
  other.weight = 5;
  Verdicts verdicts;
  verdicts.configure({check("app"), weighted, other});
  const std::vector<std::string> all{"app", "gateway", "disk"};
  EXPECT_THAT(verdicts.burden(all).not_run, ElementsAre(Pair("app", "not run yet")));
  EXPECT_EQ(verdicts.burden(all).penalty(), 0) << "a weight counts once the check is down";
  for (const std::string& name : all) verdicts.record(name, false, "no answer");
  EXPECT_THAT(verdicts.burden(all).not_run, IsEmpty());
  EXPECT_THAT(verdicts.burden(all).faults, ElementsAre(Pair("app", "no answer")));
  EXPECT_THAT(verdicts.burden(all).weights, ElementsAre(Pair("disk", 5), Pair("gateway", 20)));
  EXPECT_EQ(verdicts.burden(all).penalty(), 25);
  EXPECT_EQ(verdicts.burden({"gateway", "gateway"}).penalty(), 20) << "tracked twice, it counts once";
}

TEST(Verdicts, UnchangedChecksSurviveAReload) {
  Verdicts verdicts;
  verdicts.configure({check("a"), check("b")});
  verdicts.record("a", false, "no");
  verdicts.record("b", false, "no");
  verdicts.configure({check("b", 9), check("a")});
  EXPECT_EQ(verdicts.of("a"), CheckVerdict::down);
  EXPECT_EQ(verdicts.of("b"), CheckVerdict::unknown);
}

TEST(Verdicts, StatusListsAllInTheOrderOfTheConfiguration) {
  Verdicts verdicts;
  verdicts.configure({check("b"), check("a")});
  verdicts.record("a", true, "connected");
  const auto status = verdicts.status();
  ASSERT_EQ(status.size(), 2u);
  EXPECT_EQ(status[0].name + ": " + status[0].reason, "b: not run yet");
  EXPECT_FALSE(status[0].up);
  EXPECT_EQ(status[1].type + " " + status[1].reason, "tcp connected");
  EXPECT_TRUE(status[1].up);
}

}  // namespace
}  // namespace vipair::vrrp
