#include "common/ctl/command_line.h"

#include "gtest/gtest.h"

namespace vipair::ctl {
namespace {

using Arguments = std::vector<std::string>;

TEST(CommandLine, HasDefaults) {
  auto line = parse_command_line({"status"});
  ASSERT_TRUE(line) << line.error();
  EXPECT_EQ(line->command, Command::status);
  EXPECT_FALSE(line->json || line->only || line->print);
  EXPECT_EQ(line->vrrp_socket, "/run/vipair/vrrpd.sock");
  EXPECT_EQ(line->proxy_socket, "/run/vipair/proxyd.sock");
  EXPECT_EQ(line->timeout, Duration(std::chrono::seconds(5)));
  EXPECT_TRUE(line->concerns(Daemon::vrrp) && line->concerns(Daemon::proxy));
}

TEST(CommandLine, TakesOptionsAnywhereAndInBothForms) {
  for (const Arguments& arguments :
       {Arguments{"--vrrp-socket", "a", "--proxy-socket", "b", "--timeout", "100ms", "--json", "status"},
        Arguments{"status", "--json", "--vrrp-socket=a", "--proxy-socket=b", "--timeout=100ms"}}) {
    auto line = parse_command_line(arguments);
    ASSERT_TRUE(line) << line.error();
    EXPECT_EQ(line->vrrp_socket, "a");
    EXPECT_EQ(line->proxy_socket, "b");
    EXPECT_EQ(line->timeout, Duration(std::chrono::milliseconds(100)));
    EXPECT_TRUE(line->json);
  }
}

TEST(CommandLine, KnowsItsCommands) {
  const struct {
    const char* name;
    Command command;
  } cases[] = {{"status", Command::status}, {"events", Command::events},   {"reload", Command::reload},
               {"check", Command::check},   {"metrics", Command::metrics}, {"watch", Command::watch},
               {"plan", Command::plan},     {"doctor", Command::doctor},   {"handover", Command::handover},
               {"drain", Command::drain},   {"undrain", Command::undrain}};
  for (const auto& each : cases) {
    auto line = parse_command_line({each.name});
    ASSERT_TRUE(line) << line.error();
    EXPECT_EQ(line->command, each.command);
    auto help = parse_command_line({each.name, "--help"});
    ASSERT_TRUE(help && help->print) << each.name;
    EXPECT_TRUE(help->print->starts_with(std::string("Usage: vipairctl ") + each.name)) << *help->print;
  }
}

TEST(CommandLine, OneDaemonCanBeNamed) {
  for (const char* name : {"status", "watch", "reload", "check", "metrics"}) {
    auto one = parse_command_line({name, "vrrp"});
    ASSERT_TRUE(one) << one.error();
    EXPECT_TRUE(one->concerns(Daemon::vrrp));
    EXPECT_FALSE(one->concerns(Daemon::proxy));
  }
  EXPECT_EQ(parse_command_line({"reload", "proxy"})->only, Daemon::proxy);
}

TEST(CommandLine, CommandsHaveOptionsOfTheirOwn) {
  EXPECT_TRUE(parse_command_line({"events", "--follow"})->follow);
  EXPECT_TRUE(parse_command_line({"drain", "--force"})->force);
  EXPECT_EQ(parse_command_line({"handover", "web"})->router, "web");
  EXPECT_FALSE(parse_command_line({"handover"})->router);
  EXPECT_GT(parse_command_line({"handover"})->timeout, parse_command_line({"status"})->timeout);
  EXPECT_EQ(parse_command_line({"handover", "--timeout", "2s"})->timeout, Duration(std::chrono::seconds(2)));
}

TEST(CommandLine, SomeCommandsTakeFiles) {
  EXPECT_TRUE(parse_command_line({"keygen"})->files.empty());
  EXPECT_EQ(parse_command_line({"keygen", "pair.key"})->files, Arguments{"pair.key"});
  auto line = parse_command_line({"import", "--node=lb-a", "keepalived.conf", "node.conf"});
  ASSERT_TRUE(line) << line.error();
  EXPECT_EQ(line->command, Command::import_keepalived);
  EXPECT_EQ(line->files, (Arguments{"keepalived.conf", "node.conf"}));
  EXPECT_EQ(line->node, "lb-a");
}

TEST(CommandLine, MistakesAreNamed) {
  const struct {
    Arguments arguments;
    const char* error;
  } cases[] = {
      {{}, "a command is missing"},
      {{"--json"}, "a command is missing"},
      {{"stats"}, "unknown command stats"},
      {{"vrrp", "reload"}, "unknown command vrrp"},
      {{"status", "agent"}, "unexpected argument agent"},
      {{"reload", "vrrp", "proxy"}, "unexpected argument proxy"},
      {{"status", "status"}, "unexpected argument status"},
      {{"status", "-v"}, "unknown option -v"},
      {{"status", "--vrrp-sock", "a"}, "unknown option --vrrp-sock"},
      {{"status", "--json=yes"}, "unknown option --json=yes"},
      {{"status", "--vrrp-socket"}, "--vrrp-socket needs a value"},
      {{"--proxy-socket=", "status"}, "--proxy-socket needs a value"},
      {{"status", "--timeout", "5"}, "--timeout is a duration up to 1h such as 5s, not 5"},
      {{"status", "--timeout", "0s"}, "--timeout is a duration up to 1h such as 5s, not 0s"},
      {{"status", "--timeout", "2h"}, "--timeout is a duration up to 1h such as 5s, not 2h"},
      {{"metrics", "--json"}, "metrics has no --json"},
      {{"check", "--json"}, "check has no --json"},
      {{"events", "proxy"}, "unexpected argument proxy"},
      {{"status", "--follow"}, "status has no --follow"},
      {{"handover", "--force"}, "handover has no --force"},
      {{"handover", "web", "mail"}, "unexpected argument mail"},
      {{"keygen", "a", "b"}, "unexpected argument b"},
      {{"keygen", "--json"}, "keygen has no --json"},
      {{"keygen", "--node", "a"}, "keygen has no --node"},
      {{"server"}, "server needs to be told what to do: list, drain SERVER or ready SERVER"},
      {{"server", "stop", "app/10.0.0.1:80"}, "server cannot stop: expected list, drain or ready"},
      {{"server", "drain"}, "server drain needs the server, as `vipairctl server list` names it"},
      {{"server", "drain", "a", "b"}, "unexpected argument b"},
      {{"import"}, "import needs the file to read, such as /etc/keepalived/keepalived.conf"},
      {{"import", "a", "b", "c"}, "unexpected argument c"},
  };
  for (const auto& each : cases) {
    auto line = parse_command_line(each.arguments);
    ASSERT_FALSE(line) << each.error;
    EXPECT_EQ(line.error(), each.error);
  }
}

TEST(CommandLine, HelpNamesEveryCommandAndOption) {
  const auto line = parse_command_line({"--help"});
  ASSERT_TRUE(line && line->print);
  for (const char* word :
       {"status",  "watch",         "events",         "plan",      "doctor", "handover",  "drain",
        "undrain", "reload",        "check",          "metrics",   "keygen", "import",    "server",
        "--json",  "--vrrp-socket", "--proxy-socket", "--timeout", "--help", "--version", "Exit status"})
    EXPECT_NE(line->print->find(word), std::string::npos) << word;
}

TEST(CommandLine, VersionIsOneLine) {
  EXPECT_EQ(parse_command_line({"--version"})->print, "vipairctl " VIPAIR_VERSION "\n");
}

}  // namespace
}  // namespace vipair::ctl
