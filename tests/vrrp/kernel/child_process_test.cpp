#include "vrrp/kernel/child_process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>
#include <vector>

#include "common/runtime/unique_fd.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

// A folder that only root can change, on a path that only root can change: what trusted programs need.
class ChildProcessTest : public testing::Test {
 protected:
  ChildProcessTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vipair-child-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    folder = pattern;
    std::filesystem::permissions(folder, std::filesystem::perms(0755));
  }
  ~ChildProcessTest() override { std::filesystem::remove_all(folder); }

  std::string script(const std::string& text, int mode = 0755) const {
    const std::string path = folder / "script";
    std::ofstream(path) << "#!/bin/sh\n" << text << "\n";
    std::filesystem::permissions(path, std::filesystem::perms(mode));
    return path;
  }
  ChildEnd run(const std::function<int()>& body, std::string_view input = "") {
    std::optional<ChildEnd> end;
    auto child = ChildProcess::start(io, body, input, [&](const ChildEnd& told) { end = told; });
    EXPECT_TRUE(child) << child.error();
    io.restart();
    io.run_for(20s);
    EXPECT_TRUE(end) << "the child did not end";
    return end.value_or(ChildEnd{});
  }
  ChildEnd run(const std::string& path, const std::string& user = "", std::string_view input = "") {
    return run(run_program({{path, "one", "two words"}, user}), input);
  }
  static bool is_alive(pid_t pid) { return ::kill(pid, 0) == 0; }
  template <class Condition>
  bool soon(Condition condition) {
    for (int i = 0; i < 1000; ++i) {
      if (condition()) return true;
      io.restart();
      io.run_for(10ms);
    }
    return false;
  }

  boost::asio::io_context io;
  std::filesystem::path folder;
};

#define SKIP_UNLESS_ROOT() \
  if (::geteuid() != 0) GTEST_SKIP() << "needs root"

TEST_F(ChildProcessTest, BodyRunsInAProcessOfItsOwn) {
  const pid_t here = ::getpid();
  const ChildEnd end = run([here] { return ::getpid() == here ? 1 : ::getsid(0) == ::getpid() ? 0 : 2; });
  EXPECT_TRUE(end.succeeded()) << end.reason();
}

TEST_F(ChildProcessTest, ChildHasNoDescriptorsButTheStandardOnes) {
  const UniqueFd secret(::open("/dev/null", O_RDWR));  // without close-on-exec
  const ChildEnd end = run([] {
    int open = 0;
    for (int fd = 0; fd < 1024; ++fd) open += ::fcntl(fd, F_GETFD) >= 0;
    return open;
  });
  EXPECT_EQ(WEXITSTATUS(end.wait_status), 3);
}

TEST_F(ChildProcessTest, SignalsAreOrdinaryAndDoNotReachTheParentsHandlers) {
  static volatile sig_atomic_t handled = 0;
  const auto before = std::signal(SIGTERM, [](int) { handled = 1; });
  const auto pipe_before = std::signal(SIGPIPE, SIG_IGN);
  const ChildEnd end = run([] {
    sigset_t mask;
    ::sigprocmask(SIG_SETMASK, nullptr, &mask);
    if (::sigismember(&mask, SIGTERM) != 0 || std::signal(SIGPIPE, SIG_DFL) != SIG_DFL) return 3;
    (void)std::raise(SIGTERM);
    return 4;
  });
  EXPECT_TRUE(WIFSIGNALED(end.wait_status)) << end.reason();
  EXPECT_THAT(end.reason(), StartsWith("killed by signal 15"));
  EXPECT_EQ(handled, 0);
  (void)std::signal(SIGTERM, before);
  (void)std::signal(SIGPIPE, pipe_before);
}

// The end of one and its output are told together; what is started then takes the places of both in the reactor.
TEST_F(ChildProcessTest, WhoIsStartedWhenAnotherEndsIsNotTakenForIt) {
  constexpr int kRounds = 20, kChildren = 8;
  std::vector<ChildProcess> children;
  int ended = 0, unharmed = 0;
  const auto last = [] {
    ::usleep(20000);
    return 7;
  };
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < kChildren; ++i) {
      auto first = ChildProcess::start(
          io, [] { return 0; }, "",
          [&](const ChildEnd&) {
            auto next = ChildProcess::start(io, last, "", [&](const ChildEnd& end) {
              ++ended;
              unharmed += WIFEXITED(end.wait_status) && WEXITSTATUS(end.wait_status) == 7 ? 1 : 0;
            });
            ASSERT_TRUE(next);
            children.push_back(std::move(*next));
          });
      ASSERT_TRUE(first);
      children.push_back(std::move(*first));
    }
    std::this_thread::sleep_for(5ms);  // so that they have ended before anybody looks
    io.restart();
    io.run_for(20s);
  }
  EXPECT_EQ(ended, kRounds * kChildren);
  EXPECT_EQ(unharmed, kRounds * kChildren);
}

TEST_F(ChildProcessTest, InputAndOutputPass) {
  const std::string input(300'000, 'x');
  const ChildEnd end = run(script("wc -c; echo \"$#: $2\" >&2"), "", input);
  EXPECT_EQ(end.output, "300000\n2: two words\n");
  EXPECT_EQ(end.reason(), "exit status 0: 2: two words");
}

TEST_F(ChildProcessTest, FailureIsToldWithTheLastLine) {
  const ChildEnd end = run(script("echo first; printf 'disk \\033[1m full\\n\\n'; exit 3"));
  EXPECT_FALSE(end.succeeded());
  EXPECT_EQ(end.reason(), "exit status 3: disk ?[1m full");
}

TEST_F(ChildProcessTest, EndlessOutputIsNotRead) {
  const ChildEnd end = run(script("exec yes"));
  EXPECT_EQ(end.output.size(), kChildOutputMax);
  EXPECT_FALSE(end.succeeded());
  EXPECT_THAT(end.reason(), HasSubstr("after more output than is read"));
}

TEST_F(ChildProcessTest, EnvironmentIsSmallAndClean) {
  ::setenv("LD_PRELOAD_SECRET", "1", 1);
  const ChildEnd end = run(script("pwd; env | cut -d= -f1 | sort | tr '\\n' ' '"));
  ::unsetenv("LD_PRELOAD_SECRET");
  EXPECT_EQ(end.output, "/\nHOME LOGNAME PATH PWD USER ");
}

TEST_F(ChildProcessTest, KillTakesTheWholeGroupHoweverStubborn) {
  const std::string pids = folder / "pids";
  std::optional<ChildEnd> end;
  const auto text = "trap '' TERM; (trap '' TERM; sleep 1000) & echo $! >" + pids + "; sleep 1000";
  auto child = ChildProcess::start(io, run_program({{script(text)}, ""}), "", [&](const ChildEnd& e) { end = e; });
  ASSERT_TRUE(child);
  pid_t grandchild = 0;
  ASSERT_TRUE(soon([&] { return bool(std::ifstream(pids) >> grandchild); }));
  EXPECT_TRUE(is_alive(grandchild));
  child->kill();
  ASSERT_TRUE(soon([&] { return end.has_value(); }));
  EXPECT_THAT(end->reason(), StartsWith("killed by signal 9"));
  EXPECT_FALSE(child->is_running());
  EXPECT_TRUE(soon([&] {
    std::ifstream stat("/proc/" + std::to_string(grandchild) + "/stat");
    std::string pid, name, state;
    return !(stat >> pid >> name >> state) || state == "Z";
  }));
}

TEST_F(ChildProcessTest, WhatItLeavesRunningIsEndedWithIt) {
  // the background process holds the output open: the end is the end of the first process all the same
  const ChildEnd end = run(script("sleep 1000 & echo $!"));
  EXPECT_TRUE(end.succeeded());
  const pid_t left = std::stoi(end.output);
  EXPECT_TRUE(soon([&] {
    std::ifstream stat("/proc/" + std::to_string(left) + "/stat");
    std::string pid, name, state;
    return !(stat >> pid >> name >> state) || state == "Z";
  }));
}

TEST_F(ChildProcessTest, ChildOfAnOwnerThatIsGoneIsKilledAndCollected) {
  bool is_told = false;
  pid_t pid = 0;
  {
    auto child = ChildProcess::start(
        io, [] { return ::pause(); }, "", [&](const ChildEnd&) { is_told = true; });
    ASSERT_TRUE(child);
    pid = child->pid();
  }
  EXPECT_TRUE(soon([&] { return !is_alive(pid); })) << "a zombie is alive to kill(0)";
  EXPECT_FALSE(is_told);
}

TEST_F(ChildProcessTest, ChildDiesWithItsParent) {
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    auto child =
        ChildProcess::start(io, run_program({{script("exec sleep 1000")}, ""}), "", [](const ChildEnd&) {});
    std::this_thread::sleep_for(100ms);
    const pid_t pid = child->pid();
    (void)!::write(pipe[1], &pid, sizeof pid);
    ::raise(SIGKILL);
  }
  pid_t pid = 0;
  ASSERT_EQ(::read(pipe[0], &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
  ::waitpid(parent, nullptr, 0);
  EXPECT_TRUE(soon([&] {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string number, name, state;
    return !(stat >> number >> name >> state) || state == "Z";
  }));
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_F(ChildProcessTest, RunsAsTheUserWithoutPrivileges) {
  SKIP_UNLESS_ROOT();
  const ChildEnd end = run(script("id -u; id -G; grep -E 'CapEff|NoNewPrivs' /proc/self/status"), "nobody");
  EXPECT_TRUE(end.succeeded()) << end.reason();
  EXPECT_THAT(end.output, StartsWith("65534\n65534\n"));
  EXPECT_THAT(end.output, HasSubstr("CapEff:\t0000000000000000\nNoNewPrivs:\t1"));
}

TEST_F(ChildProcessTest, SchedulingIsOrdinary) {
  SKIP_UNLESS_ROOT();
  const pid_t realtime = ::fork();
  if (realtime == 0) {
    const sched_param parameters{10};
    if (::sched_setscheduler(0, SCHED_RR, &parameters) != 0) ::_exit(77);
    const ChildEnd end = run([] { return ::sched_getscheduler(0); });
    ::_exit(end.succeeded() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(realtime, &status, 0);
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "real-time scheduling is not permitted";
  EXPECT_EQ(status, 0);
}

TEST_F(ChildProcessTest, MissingUserIsExplained) {
  const ChildEnd end = run(script("true"), "no-such-user");
  EXPECT_THAT(end.reason(), HasSubstr("there is no user no-such-user: create it"));
  EXPECT_FALSE(end.succeeded());
}

TEST_F(ChildProcessTest, MissingProgramIsExplained) {
  EXPECT_THAT(run("/no/such/program").reason(), HasSubstr("cannot run /no/such/program: /no: No such file"));
}

TEST_F(ChildProcessTest, ProgramThatIsNoneIsExplained) {
  EXPECT_THAT(run(script("true", 0644)).reason(), HasSubstr("not executable"));
  EXPECT_EQ(check_program_path("script", false).error(), "not an absolute path");
  EXPECT_EQ(check_program_path(folder, false).error(), "not a regular file");
}

TEST_F(ChildProcessTest, ProgramsThatOthersCanChangeDoNotRunAsRoot) {
  SKIP_UNLESS_ROOT();
  const std::string path = script("true");
  EXPECT_TRUE(check_program_path(path, true)) << check_program_path(path, true).error();
  ASSERT_EQ(::chmod(path.c_str(), 0757), 0);
  EXPECT_THAT(check_program_path(path, true).error(), HasSubstr(path + " can be changed by others than root"));
  EXPECT_TRUE(check_program_path(path, false));
  EXPECT_THAT(run(path).reason(), HasSubstr("can be changed by others"));
  EXPECT_TRUE(run(path, "nobody").succeeded());
  ASSERT_EQ(::chmod(path.c_str(), 0755), 0);
  ASSERT_EQ(::chown(path.c_str(), 65534, 0), 0);
  EXPECT_THAT(check_program_path(path, true).error(), HasSubstr(path + " does not belong to root"));
  ASSERT_EQ(::chown(path.c_str(), 0, 65534), 0);
  ASSERT_EQ(::chmod(path.c_str(), 0775), 0);
  EXPECT_FALSE(check_program_path(path, true)) << "writable by a group of strangers";
  ASSERT_EQ(::chown(path.c_str(), 0, 0), 0);
  EXPECT_TRUE(check_program_path(path, true)) << "writable by the group of root";
}

TEST_F(ChildProcessTest, EveryStepOfThePathIsLookedAt) {
  SKIP_UNLESS_ROOT();
  const std::string path = script("true");
  std::filesystem::create_directory(folder / "open");
  ASSERT_EQ(::chmod((folder / "open").c_str(), 0777), 0);
  std::filesystem::create_symlink(path, folder / "open" / "second");
  std::filesystem::create_symlink("open/second", folder / "first");
  std::filesystem::create_symlink("script", folder / "good");
  EXPECT_TRUE(check_program_path(folder / "good", true));
  EXPECT_TRUE(check_program_path(folder / "open" / ".." / "script", false));
  EXPECT_THAT(check_program_path(folder / "first", true).error(), HasSubstr("open can be changed"));
  EXPECT_TRUE(check_program_path(folder / "first", false));
  std::filesystem::create_symlink("loop", folder / "loop");
  EXPECT_THAT(check_program_path(folder / "loop", true).error(), HasSubstr("too many symbolic links"));
}

// What a fork costs the agent while its memory is locked. The bound is that of a machine under load.
TEST_F(ChildProcessTest, StartDoesNotHoldUpTheLoop) {
  const std::vector<char> ballast(16 << 20, 'x');
  (void)::mlockall(MCL_CURRENT | MCL_FUTURE);
  auto shortest = 1h + 0ns;
  for (int i = 0; i < 20; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    auto child = ChildProcess::start(
        io, [] { return 0; }, "", [](const ChildEnd&) {});
    shortest = std::min<std::chrono::nanoseconds>(shortest, std::chrono::steady_clock::now() - begin);
    ASSERT_TRUE(child);
    io.restart();
    io.run_for(10s);
  }
  (void)::munlockall();
  EXPECT_LT(shortest, 20ms);
  RecordProperty("fork_us", static_cast<int>(shortest / 1us));
  std::printf("a child starts in %d us\n", static_cast<int>(shortest / 1us));
}

TEST(LastLine, IsShortAndPrintable) {
  EXPECT_EQ(last_line(""), "");
  EXPECT_EQ(last_line("a\nb\r\n\n"), "b");
  EXPECT_EQ(last_line("\xc3\xa4\t"), "???");
  EXPECT_EQ(last_line(std::string(10'000, 'x')).size(), kChildReasonMax);
}

}  // namespace
}  // namespace vipair::vrrp
