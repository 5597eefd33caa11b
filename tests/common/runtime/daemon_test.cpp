#include "common/runtime/daemon.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <functional>

#include "common/runtime/unique_fd.h"
#include "gtest/gtest.h"

namespace vipair {
namespace {

Expected<DaemonOptions, std::string> parse(const std::vector<std::string>& arguments) {
  return parse_daemon_options("vipair-vrrpd", "Floats addresses.", "/etc/vipair/node.conf", arguments);
}

TEST(DaemonOptions, HaveDefaults) {
  auto options = parse({});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->config_path, "/etc/vipair/node.conf");
  EXPECT_FALSE(options->check_only || options->debug || options->print);
}

TEST(DaemonOptions, AreReadInBothForms) {
  for (const auto& arguments : {std::vector<std::string>{"--config", "a.conf", "--check", "--log-level", "debug"},
                                std::vector<std::string>{"--log-level=debug", "--check", "--config=a.conf"}}) {
    auto options = parse(arguments);
    ASSERT_TRUE(options);
    EXPECT_EQ(options->config_path, "a.conf");
    EXPECT_TRUE(options->check_only);
    EXPECT_TRUE(options->debug);
  }
  EXPECT_EQ(parse({"--config=a=b"})->config_path, "a=b");
  EXPECT_FALSE(parse({"--log-level", "info"})->debug);
}

TEST(DaemonOptions, VersionIsOneLine) {
  EXPECT_EQ(parse({"--version"})->print, "vipair-vrrpd " VIPAIR_VERSION "\n");
}

TEST(DaemonOptions, HaveReleaseWhereTheDaemonHasIt) {
  const char* what = "gives back what an earlier run left";
  auto options = parse_daemon_options("d", "Floats.", "/d.conf", {"--release"}, what);
  ASSERT_TRUE(options);
  EXPECT_TRUE(options->release_only);
  EXPECT_FALSE(parse_daemon_options("d", "Floats.", "/d.conf", {}, what)->release_only);
  const std::string help = *parse_daemon_options("d", "Floats.", "/d.conf", {"--help"}, what)->print;
  EXPECT_NE(help.find("[--check|--release]"), std::string::npos) << help;
  EXPECT_NE(help.find("  --release          gives back what an earlier run left\n"), std::string::npos) << help;
  EXPECT_FALSE(parse({"--release"})) << "the other daemon has none";
}

TEST(DaemonOptions, HelpNamesEveryOption) {
  auto options = parse({"--help"});
  ASSERT_TRUE(options && options->print);
  EXPECT_EQ(
      *options->print,
      "Usage: vipair-vrrpd [--config FILE] [--check] [--log-level LEVEL]\n"
      "Floats addresses.\n"
      "\n"
      "  --config FILE      the configuration (default /etc/vipair/node.conf)\n"
      "  --check            read the configuration, print its mistakes, and exit: 0 when it is good, 78 when not\n"
      "  --log-level LEVEL  info (default) or debug\n"
      "  --help             print this text and exit\n"
      "  --version          print the version and exit\n");
}

TEST(DaemonOptions, MistakesAreNamed) {
  const struct {
    std::vector<std::string> arguments;
    const char* error;
  } cases[] = {
      {{"--config"}, "--config needs a value, see --help"},
      {{"--config="}, "--config needs a value, see --help"},
      {{"--config", ""}, "--config needs a value, see --help"},
      {{"--log-level", "loud"}, "--log-level is info or debug, not loud"},
      {{"--chek"}, "unknown argument --chek, see --help"},
      {{"--check=yes"}, "unknown argument --check=yes, see --help"},
      {{"node.conf"}, "unknown argument node.conf, see --help"},
      {{""}, "unknown argument , see --help"},
      {{"-c", "x"}, "unknown argument -c, see --help"},
  };
  for (const auto& each : cases) {
    auto options = parse(each.arguments);
    ASSERT_FALSE(options) << each.error;
    EXPECT_EQ(options.error(), each.error);
  }
}

// Receives what a service manager would.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& name)
      : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ~NotifySocket() { ::unsetenv("NOTIFY_SOCKET"); }
  std::string receive() {
    char buffer[256];
    ssize_t got = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    return got < 0 ? "nothing" : std::string(buffer, static_cast<std::size_t>(got));
  }

 private:
  UniqueFd fd_;
};

TEST(SdNotify, SendsToASocketInTheFileSystem) {
  char folder[] = "/tmp/vipair-notify-XXXXXX";
  ASSERT_TRUE(::mkdtemp(folder));
  const std::string path = std::string(folder) + "/notify";
  {
    NotifySocket socket(path);
    sd_notify("READY=1\nSTATUS=serving");
    EXPECT_EQ(socket.receive(), "READY=1\nSTATUS=serving");
  }
  ::unlink(path.c_str());
  ::rmdir(folder);
}

TEST(SdNotify, SendsToAnAbstractSocket) {
  NotifySocket socket("@vipair-notify-" + std::to_string(::getpid()));
  sd_notify("WATCHDOG=1");
  EXPECT_EQ(socket.receive(), "WATCHDOG=1");
}

TEST(SdNotify, NeverWaitsNorFails) {
  NotifySocket socket("@vipair-notify-" + std::to_string(::getpid()));
  for (int i = 0; i < 10'000; ++i) sd_notify("WATCHDOG=1");  // more than the socket's queue holds
  for (const std::string& name :
       {std::string("/nowhere/notify"), std::string("vsock:2:1"), std::string(), "/" + std::string(200, 'x')}) {
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    sd_notify("READY=1");
  }
  EXPECT_EQ(socket.receive(), "WATCHDOG=1");
}

TEST(Watchdog, IntervalIsHalfOfWhatSystemdAsksFor) {
  ::setenv("WATCHDOG_USEC", "3000000", 1);
  EXPECT_EQ(watchdog_interval(), Duration(std::chrono::milliseconds(1500)));
  for (const char* text : {"", "0", "-5", "x", "3s", "99999999999999999999", "9223372036854775807"}) {
    ::setenv("WATCHDOG_USEC", text, 1);
    EXPECT_FALSE(watchdog_interval()) << text;
  }
  ::unsetenv("WATCHDOG_USEC");
  EXPECT_FALSE(watchdog_interval());
}

// Runs in a child process without privileges, so that nothing sticks to the test; true when the child said so.
bool holds_without_privileges(const std::function<bool()>& statement) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit none{0, 0}, little{65536, 65536};
    ::setrlimit(RLIMIT_RTPRIO, &none);
    ::setrlimit(RLIMIT_MEMLOCK, &little);
    if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) ::_exit(2);
    ::_exit(statement() ? 0 : 1);
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(Scheduling, RefusalSaysWhatIsMissing) {
  EXPECT_TRUE(holds_without_privileges([] {
    auto done = use_realtime_scheduling(50);
    return !done &&
           done.error() == "real-time priority 50: Operation not permitted (needs CAP_SYS_NICE or RLIMIT_RTPRIO)";
  }));
  EXPECT_TRUE(holds_without_privileges([] {
    auto done = lock_memory();
    return !done &&
           done.error() == "memory lock: not permitted (needs CAP_IPC_LOCK or an unlimited RLIMIT_MEMLOCK)";
  }));
}

TEST(Scheduling, PriorityOutOfRangeIsAnError) {
  auto done = use_realtime_scheduling(100);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error(), "real-time priority 100: Invalid argument");
}

}  // namespace
}  // namespace vipair
