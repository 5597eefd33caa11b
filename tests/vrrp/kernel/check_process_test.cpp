#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>

#include "tests/support/network.h"
#include "tests/support/probing.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using test::look;
using test::soon;
using testing::StartsWith;

// A process of a name, until it is killed.
class Sleeper {
 public:
  explicit Sleeper(const std::string& name) {
    int ready[2];
    EXPECT_EQ(::pipe(ready), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::prctl(PR_SET_NAME, name.c_str());
      (void)!::write(ready[1], "x", 1);
      for (;;) ::pause();
    }
    char byte = 0;
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~Sleeper() {
    kill();
    collect();
  }
  void kill() const {
    if (pid_ > 0) ::kill(pid_, SIGKILL);
  }
  void collect() {
    if (pid_ > 0) ::waitpid(std::exchange(pid_, 0), nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

class ProcessProbeTest : public testing::Test {
 protected:
  void make(const std::string& process) {
    probe = make_process_probe(io, {process}, [this] { ++news; });
  }
  boost::asio::io_context io;
  int news = 0;
  std::unique_ptr<Probe> probe;
};

TEST_F(ProcessProbeTest, EndIsToldAtOnceAndANewOneIsFound) {
  make("vipair-sleeper");
  const Observation missing = look(io, *probe);
  EXPECT_FALSE(missing.success);
  EXPECT_EQ(missing.reason, "no process vipair-sleeper");
  Sleeper first("vipair-sleeper");
  const Observation found = look(io, *probe);
  EXPECT_TRUE(found.success);
  EXPECT_EQ(found.reason, "process " + std::to_string(first.pid()) + " runs");
  EXPECT_EQ(news, 0);
  first.kill();  // not collected yet: a zombie runs no more
  EXPECT_TRUE(soon(io, [&] { return news == 1; }));
  EXPECT_FALSE(look(io, *probe).success);
  first.collect();
  Sleeper second("vipair-sleeper");
  EXPECT_TRUE(look(io, *probe).success);
}

TEST_F(ProcessProbeTest, AnotherOfTheNameTakesOver) {
  make("vipair-sleeper");
  Sleeper first("vipair-sleeper"), second("vipair-sleeper");
  ASSERT_TRUE(look(io, *probe).success);
  first.kill();
  first.collect();
  (void)soon(
      io, [&] { return news == 1; }, 1s);
  EXPECT_EQ(look(io, *probe).reason, "process " + std::to_string(second.pid()) + " runs");
}

TEST_F(ProcessProbeTest, ExecutablesNameIsFoundWhateverTheProcessIsCalled) {
  Sleeper disguised("something else)");
  make(std::filesystem::read_symlink("/proc/self/exe").filename());
  EXPECT_TRUE(look(io, *probe).success);
  make("something else)");
  EXPECT_TRUE(look(io, *probe).success);
  make("something");
  EXPECT_FALSE(look(io, *probe).success);
}

TEST_F(ProcessProbeTest, FoundFromWithinANetworkNamespace) {
  Sleeper sleeper("vipair-sleeper");
  vipair::test::in_new_network([this] {
    make("vipair-sleeper");
    EXPECT_TRUE(look(io, *probe).success);
  });
}

// In a container /proc shows the processes of the container alone.
TEST(ProcessProbe, WorksInAProcessNamespace) {
  Sleeper outside("vipair-outside");
  vipair::test::in_new_network([] {
    if (::unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) return;  // not permitted here
    const pid_t first = ::fork();
    if (first == 0) {
      (void)::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
      if (::mount("proc", "/proc", "proc", 0, nullptr) != 0) ::_exit(0);
      boost::asio::io_context io;
      int news = 0;
      Sleeper inside("vipair-inside");
      const auto of_inside = make_process_probe(io, {"vipair-inside"}, [&] { ++news; });
      const auto of_outside = make_process_probe(io, {"vipair-outside"}, [] {});
      EXPECT_TRUE(look(io, *of_inside).success);
      EXPECT_FALSE(look(io, *of_outside).success);
      inside.kill();
      EXPECT_TRUE(soon(io, [&] { return news == 1; }));
      std::fflush(nullptr);
      ::_exit(testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    ::waitpid(first, &status, 0);
    EXPECT_EQ(status, 0);
  });
}

TEST_F(ProcessProbeTest, GivingUpLeavesItFitForTheNextLook) {
  make("no-such-process");
  bool is_told = false;
  probe->start([&](Observation) { is_told = true; });
  const bool was_done = is_told;  // in a single slice, where there are few processes
  (void)probe->give_up();
  io.run_for(1s);
  EXPECT_EQ(is_told, was_done);
  EXPECT_FALSE(look(io, *probe).success);
}

}  // namespace
}  // namespace vipair::vrrp
