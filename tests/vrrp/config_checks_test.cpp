#include "vrrp/config_checks.h"

#include "config_text.h"
#include "vrrp/config_reader.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string with_checks(const std::string& list) { return file_with(kAddresses, "checks = ( " + list + " );"); }
std::string check(const std::string& settings) { return with_checks("{ name = \"c\"; " + settings + " }"); }

CheckConfig loaded_check(const std::string& settings) {
  const Config config = loaded(check(settings));
  return config.checks.size() == 1 ? config.checks[0] : CheckConfig{};
}
template <class What>
What what_of(const std::string& settings) {
  const CheckConfig check = loaded_check(settings);
  const What* what = std::get_if<What>(&check.what);
  EXPECT_TRUE(what) << settings;
  return what ? *what : What{};
}
IpAddress address(const char* text) { return *IpAddress::parse(text); }

TEST(CheckConfigs, HaveDefaults) {
  const CheckConfig check = loaded_check("type = \"ping\"; address = \"192.0.2.1\";");
  EXPECT_EQ(check.name, "c");
  EXPECT_EQ(check.type, "ping");
  EXPECT_EQ(check.interval, 1s);
  EXPECT_EQ(check.timeout, 1s);
  EXPECT_EQ(check.rise, 2);
  EXPECT_EQ(check.fall, 3);
  EXPECT_EQ(check.weight, std::nullopt);
  EXPECT_FALSE(check.reverse);
}

TEST(CheckConfigs, EveryCommonSettingArrives) {
  const CheckConfig check = loaded_check(
      "type = \"ping\"; address = \"192.0.2.1\"; interval = \"10s\"; timeout = \"2s\"; rise = 1; fall = 1000; "
      "weight = "
      "253; reverse = true;");
  EXPECT_EQ(check.interval, 10s);
  EXPECT_EQ(check.timeout, 2s);
  EXPECT_EQ(check.rise, 1);
  EXPECT_EQ(check.fall, 1000);
  EXPECT_EQ(check.weight, 253);
  EXPECT_TRUE(check.reverse);
}

TEST(CheckConfigs, ARunIsOverWithinAShortInterval) {
  EXPECT_EQ(loaded_check("type = \"ping\"; address = \"192.0.2.1\"; interval = \"100ms\";").timeout, 100ms);
  EXPECT_EQ(loaded_check("type = \"ping\"; address = \"192.0.2.1\"; interval = \"1m\";").timeout, 1s);
}

TEST(CheckConfigs, EveryKindArrives) {
  EXPECT_EQ(what_of<NeighbourCheck>("type = \"neighbour\"; address = \"fe80::1\"; interface = \"eth0\";"),
            (NeighbourCheck{address("fe80::1"), "eth0"}));
  EXPECT_EQ(what_of<PingCheck>("type = \"ping\"; address = \"2001:db8::1\";"),
            (PingCheck{address("2001:db8::1"), ""}));
  EXPECT_EQ(what_of<InterfaceCheck>(
                "type = \"interface\"; interface = \"eth1\"; up_delay = \"5s\"; down_delay = \"1s\";"),
            (InterfaceCheck{"eth1", 5s, 1s}));
  EXPECT_EQ(what_of<HttpCheck>("type = \"http\"; url = \"http://127.0.0.1:8080/health?x=1\"; status = \"200\";"),
            (HttpCheck{false, "127.0.0.1", 8080, "/health?x=1", 200, 200, true, ""}));
  EXPECT_EQ(what_of<HttpCheck>(
                "type = \"https\"; url = \"https://app.example.com\"; status = \"200-299\"; verify = false;"),
            (HttpCheck{true, "app.example.com", 443, "/", 200, 299, false, ""}));
  EXPECT_EQ(
      what_of<HttpCheck>("type = \"https\"; url = \"https://[2001:db8::1]:8443?x\"; ca_file = \"/dev/null\";"),
      (HttpCheck{true, "2001:db8::1", 8443, "/?x", 200, 399, true, "/dev/null"}));
  EXPECT_EQ(what_of<TcpCheck>("type = \"tcp\"; address = \"[::1]:5432\";"), (TcpCheck{"::1", 5432}));
  EXPECT_EQ(what_of<TcpCheck>("type = \"tcp\"; address = \"db:5432\";"), (TcpCheck{"db", 5432}));
  EXPECT_EQ(what_of<ScriptCheck>("type = \"script\"; command = [ \"/bin/true\", \"a b\" ]; user = \"root\";"),
            (ScriptCheck{{"/bin/true", "a b"}, "root"}));
  EXPECT_EQ(what_of<ScriptCheck>("type = \"script\"; command = \"/bin/true\";"),
            (ScriptCheck{{"/bin/true"}, "vipair-check"}));
  EXPECT_EQ(what_of<ProcessCheck>("type = \"process\"; process = \"chronyd\"; interval = \"100ms\";"),
            (ProcessCheck{"chronyd"}));
  EXPECT_EQ(what_of<FileCheck>("type = \"file\"; path = \"/run/maintenance\";"), (FileCheck{"/run/maintenance"}));
}

// Rise and fall steady what is sampled. An event is told once: it must count at once.
TEST(CheckConfigs, WhatIsToldByEventsCountsAtOnce) {
  for (const char* settings : {"type = \"interface\"; interface = \"eth1\";",
                               "type = \"process\"; process = \"x\";", "type = \"file\"; path = \"/x\";"}) {
    EXPECT_EQ(loaded_check(settings).rise, 1) << settings;
    EXPECT_EQ(loaded_check(settings).fall, 1) << settings;
  }
}

constexpr const char* kTwo =
    "{ name = \"a\"; type = \"ping\"; address = \"192.0.2.1\"; }, { name = \"b\"; type = \"file\"; path = \"/b\"; "
    "}, ";

TEST(CheckConfigs, CombineOthersByName) {
  const Config config = loaded(with_checks(
      std::string("{ name = \"first\"; type = \"any\"; checks = [ \"all\", \"a\" ]; weight = 5; },") + kTwo +
      "{ name = \"all\"; type = \"all\"; checks = [ \"a\", \"b\" ]; reverse = true; },"
      "{ name = \"some\"; type = \"at_least\"; at_least = 2; checks = [ \"a\", \"b\", \"all\" ]; }"));
  ASSERT_EQ(config.checks.size(), 5u);
  EXPECT_EQ(std::get<CombinedCheck>(config.checks[0].what), (CombinedCheck{1, {"all", "a"}}));
  EXPECT_EQ(config.checks[0].weight, 5);
  EXPECT_EQ(std::get<CombinedCheck>(config.checks[3].what), (CombinedCheck{2, {"a", "b"}}));
  EXPECT_TRUE(config.checks[3].reverse);
  EXPECT_EQ(std::get<CombinedCheck>(config.checks[4].what), (CombinedCheck{2, {"a", "b", "all"}}));
}

TEST(CheckConfigs, ThatCannotRunYetAreWarnings) {
  EXPECT_THAT(loaded(check("type = \"script\"; command = \"/nonexistent/x\"; user = \"no.such.user\";")).warnings,
              testing::IsSupersetOf({HasSubstr("checks[0].command: \"/nonexistent/x\" cannot be run"),
                                     HasSubstr("checks[0].user: there is no user \"no.such.user\"")}));
  EXPECT_THAT(loaded(check("type = \"script\"; command = \"/dev/null\"; user = \"root\";")).warnings,
              testing::Contains(HasSubstr("is not an executable file")));
  EXPECT_THAT(loaded(check("type = \"https\"; url = \"https://a\"; ca_file = \"/nonexistent/ca\";")).warnings,
              testing::Contains(HasSubstr("checks[0].ca_file: \"/nonexistent/ca\" cannot be read")));
}

TEST(CheckConfigs, ACheckUsedInACombinationDecidesSomething) {
  const Config config = loaded(file_with(
      std::string(kAddresses) + "track = \"both\";",
      std::string("checks = ( ") + kTwo + "{ name = \"both\"; type = \"all\"; checks = [ \"a\", \"b\" ]; } );"));
  EXPECT_THAT(config.warnings, IsEmpty());
}

class CheckMistake : public testing::TestWithParam<Mistake> {};

TEST_P(CheckMistake, IsRefusedWithItsPlaceAndTheRemedy) {
  EXPECT_THAT(errors_of(GetParam().text), HasSubstr(GetParam().expected));
}

std::string url(const std::string& text) { return check("type = \"http\"; url = \"" + text + "\";"); }
std::string tcp(const std::string& text) { return check("type = \"tcp\"; address = \"" + text + "\";"); }
std::string ping(const std::string& settings) {
  return check("type = \"ping\"; address = \"192.0.2.1\"; " + settings);
}
std::string many(int count) {
  std::string list;
  for (int i = 0; i < count; ++i)
    list +=
        (i ? ", " : "") + std::string("{ name = \"c") + std::to_string(i) + "\"; type = \"file\"; path = \"/x\"; }";
  return with_checks(list);
}

const Mistake kMistakes[] = {
    {"no name", with_checks("{ type = \"file\"; path = \"/x\"; }"), "checks[0].name: is missing"},
    {"no type", check(""), "checks[0].type: is missing"},
    {"an unknown type", check("type = \"pong\";"), "\"pong\" is not known"},
    {"a name twice", with_checks(kTwo + std::string("{ name = \"a\"; type = \"file\"; path = \"/x\"; }")),
     "checks[2].name: \"a\" is used twice: first at checks[0].name (line 2)"},
    {"the name of the proxy", with_checks("{ name = \"proxy\"; type = \"file\"; path = \"/x\"; }"),
     "\"proxy\" is what vipair-proxyd reports"},
    {"a misspelt setting", ping("wieght = 3;"), "did you mean \"weight\"?"},
    {"a weight of nothing", ping("weight = 0;"), "weight: 0 is out of range, expected 1 to 253"},
    {"a negative weight", ping("weight = -20;"), "weight: -20 is out of range, expected 1 to 253"},
    {"no interval", ping("interval = \"0s\";"), "interval: \"0s\" is out of range"},
    {"a long timeout", ping("timeout = \"2h\";"), "timeout: \"2h\" is out of range"},
    {"a rise of nothing", ping("rise = 0;"), "rise: 0 is out of range"},
    {"a setting of another kind", ping("url = \"http://x\";"),
     "checks[0].url: is no setting of a check of type \"ping\", which has name, type, weight, reverse, interval, "
     "timeout, "
     "rise, fall, address, interface"},
    {"repeating what is an event", check("type = \"interface\"; interface = \"eth0\"; fall = 3;"),
     "checks[0].fall: is no setting of a check of type \"interface\""},
    {"a time limit of a process", check("type = \"process\"; process = \"x\"; timeout = \"1s\";"),
     "checks[0].timeout: is no setting of a check of type \"process\""},
    {"no address", check("type = \"neighbour\";"), "checks[0].address: is missing"},
    {"a group as neighbour", check("type = \"neighbour\"; address = \"224.0.0.1\";"), "is a multicast address"},
    {"a link-local neighbour somewhere", check("type = \"neighbour\"; address = \"fe80::1\";"),
     "add the interface"},
    {"a link-local ping somewhere", check("type = \"ping\"; address = \"fe80::1\";"), "add the interface"},
    {"no interface", check("type = \"interface\";"), "checks[0].interface: is missing"},
    {"the loopback", check("type = \"interface\"; interface = \"lo\";"), "\"lo\" cannot be used"},
    {"a URL of another scheme", url("https://127.0.0.1/"),
     "is not a plain URL of a check of type \"http\": expected one such as \"http://127.0.0.1:8080/health\""},
    {"a URL without scheme", url("127.0.0.1/"), "is not a plain URL"},
    {"a URL without host", url("http:///x"), "is not a plain URL"},
    {"a URL with a user", url("http://me@host/x"), "is not a plain URL"},
    {"a URL with a fragment", url("http://host/x#y"), "is not a plain URL"},
    {"a URL with a space", url("http://host/x y"), "is not a plain URL"},
    {"a URL with a line", url("http://host/x\\r\\ny"), "is not a plain URL"},
    {"a URL with port 0", url("http://host:0/"), "is not a plain URL"},
    {"a URL with a large port", url("http://host:65536/"), "is not a plain URL"},
    {"a URL with an empty port", url("http://host:/"), "is not a plain URL"},
    {"a URL with a broken address", url("http://1.2.3/"), "is not a plain URL"},
    {"a URL with an open bracket", url("http://[::1/"), "is not a plain URL"},
    {"a URL with a bracketed name", url("http://[host]/"), "is not a plain URL"},
    {"a URL with a naked IPv6 address", url("http://2001:db8::1/"), "is not a plain URL"},
    {"a URL that is too long", url("http://host/" + std::string(kUrlMax, 'x')), "is not a plain URL"},
    {"a status that is none", check("type = \"http\"; url = \"http://h\"; status = \"ok\";"),
     "\"ok\" is not a range of status codes"},
    {"a status range backwards", check("type = \"http\"; url = \"http://h\"; status = \"300-200\";"),
     "is not a range"},
    {"a status range left open", check("type = \"http\"; url = \"http://h\"; status = \"200-\";"),
     "is not a range"},
    {"a status too high", check("type = \"http\"; url = \"http://h\"; status = \"200-600\";"), "is not a range"},
    {"a certificate without TLS", check("type = \"http\"; url = \"http://h\"; verify = false;"),
     "checks[0].verify: is no setting of a check of type \"http\""},
    {"an authority for nothing",
     check("type = \"https\"; url = \"https://h\"; verify = false; ca_file = \"/dev/null\";"),
     "ca_file: has no effect with verify = false"},
    {"tcp without port", tcp("127.0.0.1"), "\"127.0.0.1\" is not an address and port"},
    {"tcp with a path", tcp("127.0.0.1:80/x"), "is not an address and port"},
    {"tcp with a broken address", tcp("256.0.0.1:80"), "is not an address and port"},
    {"a script for a shell", check("type = \"script\"; command = \"test -e /x\";"),
     "\"test -e /x\" is not the absolute path of a program"},
    {"a script of nothing", check("type = \"script\"; command = [ ];"), "checks[0].command: is empty"},
    {"a user that is none", check("type = \"script\"; command = \"/bin/true\"; user = \"a b\";"),
     "\"a b\" is not a name"},
    {"a process with a folder", check("type = \"process\"; process = \"/usr/sbin/chronyd\";"),
     "is not the name of a process"},
    {"a process without a name", check("type = \"process\"; process = \"\";"), "is not the name of a process"},
    {"a file without a name", check("type = \"file\"; path = \"\";"), "checks[0].path: expected a path"},
    {"a combination of nothing", check("type = \"any\"; checks = [ ];"), "checks[0].checks: is empty"},
    {"a combination without checks", check("type = \"all\";"), "checks[0].checks: is missing"},
    {"a combination of the unknown", check("type = \"all\"; checks = [ \"d\" ];"), "there is no check \"d\""},
    {"a combination with the upstreams", check("type = \"all\"; checks = [ \"upstreams\" ];"),
     "upstream_weight says"},
    {"a combination with the proxy", check("type = \"all\"; checks = [ \"proxy\" ];"), "track_proxy says"},
    {"a combination of one twice",
     with_checks(std::string(kTwo) + "{ name = \"c\"; type = \"any\"; checks = [ \"a\", \"a\" ]; }"),
     "checks[2].checks[1]: \"a\" is listed twice"},
    {"more than there are",
     with_checks(std::string(kTwo) +
                 "{ name = \"c\"; type = \"at_least\"; at_least = 3; checks = [ \"a\", \"b\" ]; }"),
     "at_least: 3 is out of range, expected 1 to 2"},
    {"at least how many",
     with_checks(std::string(kTwo) + "{ name = \"c\"; type = \"at_least\"; checks = [ \"a\" ]; }"),
     "checks[2].at_least: is missing"},
    {"at least in all",
     with_checks(std::string(kTwo) + "{ name = \"c\"; type = \"all\"; at_least = 1; checks = [ \"a\" ]; }"),
     "at_least: is no setting of a check of type \"all\", which has name, type, weight, reverse, checks"},
    {"a circle of one", check("type = \"any\"; checks = [ \"c\" ];"),
     "checks[0].checks: the checks combine each other in a circle: c → c"},
    {"a circle of three",
     with_checks(
         "{ name = \"x\"; type = \"any\"; checks = \"y\"; }, { name = \"y\"; type = \"any\"; checks = \"z\"; }, "
         "{ name = \"z\"; type = \"any\"; checks = \"y\"; }"),
     "in a circle: y → z → y"},
    {"too many", many(257), "257 checks: expected at most 256"},
};
INSTANTIATE_TEST_SUITE_P(Table, CheckMistake, testing::ValuesIn(kMistakes));

TEST(CheckConfigs, LimitsThemselvesAreAccepted) { EXPECT_EQ(errors_of(many(256)), ""); }

TEST(CheckConfigs, ManyCombinationsAreFollowedOnce) {
  std::string list =
      "{ name = \"c0\"; type = \"file\"; path = \"/x\"; }, { name = \"c1\"; type = \"file\"; path = \"/x\"; }";
  for (int i = 2; i < 256; ++i)
    list += ", { name = \"c" + std::to_string(i) + "\"; type = \"all\"; checks = [ \"c" + std::to_string(i - 1) +
            "\", \"c" + std::to_string(i - 2) + "\" ]; }";
  EXPECT_EQ(errors_of(with_checks(list)), "");
}

}  // namespace
}  // namespace vipair::vrrp
