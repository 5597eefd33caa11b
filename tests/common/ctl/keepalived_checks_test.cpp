#include "common/ctl/keepalived_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vipair::ctl {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class KeepalivedChecksTest : public testing::Test {
 protected:
  std::vector<Statement> parse(const std::string& text) {
    const ReadIncluded nothing = [](const std::string&, const std::string&) {
      return Expected<std::vector<SourceText>, std::string>(Unexpected{std::string("no")});
    };
    return parse_keepalived({"k", text}, nothing, remarks.errors());
  }
  CheckDefinition script(const std::string& settings, const std::string& usual_user = "") {
    KeepalivedChecks checks(remarks);
    for (const Statement& each : parse("vrrp_script s {\n" + settings + "\n}")) checks.add_script(each, usual_user);
    return checks.take()["s"];
  }
  std::string errors() {
    std::string text;
    for (const Remark& error : remarks.errors()) text += error.to_string() + "\n";
    return text;
  }

  Remarks remarks;
};

TEST_F(KeepalivedChecksTest, AScriptKeepsItsRhythmAndUser) {
  const CheckDefinition made =
      script("script \"/bin/x -a 'b c'\"\ninterval 2\nrise 3\nfall 4\nweight -7", "nobody");
  EXPECT_THAT(made.settings, HasSubstr("type = \"script\"; command = [ \"/bin/x\", \"-a\", \"b c\" ];"));
  EXPECT_THAT(made.settings,
              HasSubstr("user = \"nobody\"; interval = \"2s\"; timeout = \"2s\"; rise = 3; fall = 4;"));
  EXPECT_EQ(made.weight, -7);
  EXPECT_THAT(script("script /bin/x\nuser me", "nobody").settings, HasSubstr("user = \"me\";"));
  EXPECT_EQ(errors(), "");
}

TEST_F(KeepalivedChecksTest, ALookAtAProcessOrAPortNeedsNoScript) {
  EXPECT_EQ(script("script \"killall -0 nginx\"").settings, "type = \"process\"; process = \"nginx\";");
  EXPECT_EQ(script("script \"/usr/bin/pidof /usr/sbin/nginx\"").settings,
            "type = \"process\"; process = \"nginx\";");
  EXPECT_THAT(script("script \"</dev/tcp/10.0.0.1/80\"").settings,
              HasSubstr("type = \"tcp\"; address = \"10.0.0.1:80\";"));
  EXPECT_THAT(script("script \"</dev/tcp/fe80::1/80\"").settings, HasSubstr("address = \"[fe80::1]:80\";"));
  EXPECT_EQ(errors(), "");
}

TEST_F(KeepalivedChecksTest, WhatCannotRunIsRefused) {
  (void)script("interval 1");
  EXPECT_THAT(errors(), HasSubstr("the script of the vrrp_script is missing"));
  (void)script("script \"systemctl is-active x\"");
  EXPECT_THAT(errors(), HasSubstr("\"systemctl\" is not the absolute path of a program"));
  (void)script("script /bin/x\ninterval 0.001");
  EXPECT_THAT(errors(), HasSubstr("between 0.01 and 3600 seconds"));
  (void)script("script /bin/x\nweight 300");
  EXPECT_THAT(errors(), HasSubstr("\"300\" is not a weight"));
}

TEST_F(KeepalivedChecksTest, AProcessHasTheWeightOfOneUnlessItSaysAnother) {
  KeepalivedChecks checks(remarks);
  for (const Statement& each :
       parse("track_process a {\nprocess /usr/sbin/a\n}\ntrack_process b {\nprocess b\nweight 5 reverse\n}"))
    checks.add_process(each);
  CheckDefinitions made = checks.take();
  EXPECT_EQ(made["a"].settings, "type = \"process\"; process = \"a\";");
  EXPECT_EQ(made["a"].weight, 1);
  EXPECT_EQ(made["b"].weight, 5);
  EXPECT_TRUE(made["b"].reverse);
  EXPECT_EQ(errors(), "");
}

TEST_F(KeepalivedChecksTest, TwoOfOneNameAreRefused) {
  KeepalivedChecks checks(remarks);
  const auto statements = parse("vrrp_script s {\nscript /a\n}\nvrrp_script s {\nscript /b\n}");
  for (const Statement& each : statements) checks.add_script(each, "");
  EXPECT_THAT(errors(), HasSubstr("k:4: vrrp_script \"s\" is there twice"));
}

TEST_F(KeepalivedChecksTest, WhatATrackDoesNotSayIsLeftToTheDefinition) {
  KeepalivedChecks checks(remarks);
  std::vector<Tracked> tracked;
  for (const Statement& each : parse("track_script {\na\nb weight -5 reverse\n}\ntrack_interface {\neth1\n}"))
    EXPECT_TRUE(checks.read_track(each, tracked));
  ASSERT_THAT(tracked, SizeIs(3));
  EXPECT_EQ(tracked[0].weight, std::nullopt);
  EXPECT_EQ(tracked[0].reverse, std::nullopt);
  EXPECT_EQ(tracked[1].weight, -5);
  EXPECT_EQ(tracked[1].reverse, true);
  EXPECT_EQ(tracked[2].check, "interface eth1");
  EXPECT_EQ(checks.take()["interface eth1"].settings, "type = \"interface\"; interface = \"eth1\";");
  for (const Statement& each : parse("priority 100")) EXPECT_FALSE(checks.read_track(each, tracked));
  EXPECT_THAT(remarks.errors(), IsEmpty());
}

}  // namespace
}  // namespace vipair::ctl
