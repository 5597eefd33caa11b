#include "vrrp/kernel/supervisor.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <optional>
#include <thread>
#include <utility>

#include "common/runtime/clock.h"
#include "common/runtime/config_file.h"
#include "tests/support/network.h"

namespace vipair::vrrp {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::in_new_network;
using test::output_of;
using test::run;

constexpr int kPatienceMs = 10'000;  // bounds a wait that a working supervisor ends within milliseconds
constexpr Duration kHangTimeout = milliseconds(200);

TEST(RestartBackoff, RestartsAtOnceThenWaitsTwiceAsLongEachTime) {
  RestartBackoff backoff;
  EXPECT_EQ(backoff.after_death(Duration::zero()), Duration::zero());
  Duration expected = milliseconds(100);
  for (int i = 0; i < 7; ++i, expected *= 2) EXPECT_EQ(backoff.after_death(milliseconds(1)), expected);
  EXPECT_EQ(backoff.after_death(milliseconds(1)), seconds(10));
  EXPECT_EQ(backoff.after_death(seconds(59)), seconds(10));
}

TEST(RestartBackoff, ForgetsAfterALongLife) {
  RestartBackoff backoff;
  for (int i = 0; i < 5; ++i) (void)backoff.after_death(Duration::zero());
  EXPECT_EQ(backoff.after_death(seconds(60)), Duration::zero());
  EXPECT_EQ(backoff.after_death(Duration::zero()), milliseconds(100));
}

class HangDetectorLooks : public testing::Test {
 protected:
  // At the time that it asks for, or later.
  Duration look(Duration late = Duration::zero()) {
    now_ = detector_.next_look() + late;
    return detector_.look(now_, beat_, kPatience);
  }
  static constexpr Duration kPatience = milliseconds(200);
  TimePoint now_{seconds(1000)};
  TimePoint beat_ = now_;
  HangDetector detector_;
  void SetUp() override {
    detector_.restart(now_);
    EXPECT_EQ(look(), Duration::zero());
  }
};

TEST_F(HangDetectorLooks, AskForOneBeforeTheEndOfThePatienceAndOneAtItsEnd) {
  EXPECT_EQ(look(), milliseconds(150));
  EXPECT_EQ(look(), kPatience);
}

TEST_F(HangDetectorLooks, CountFromTheLastBeat) {
  beat_ += milliseconds(100);
  EXPECT_EQ(look(), milliseconds(50));
  EXPECT_EQ(look(), milliseconds(150));
  beat_ = now_ + milliseconds(10);
  EXPECT_EQ(look(), milliseconds(40));
  EXPECT_EQ(look(), milliseconds(150));
  EXPECT_EQ(look(), kPatience);
}

TEST_F(HangDetectorLooks, BlameTheChildNotForTheirOwnLateness) {
  EXPECT_EQ(look(), milliseconds(150));
  EXPECT_EQ(look(seconds(30)), Duration::zero());
  EXPECT_EQ(look(), milliseconds(150));
  EXPECT_EQ(look(milliseconds(20)), milliseconds(220)) << "a little late is no absence";
}

TEST_F(HangDetectorLooks, ComeOftenEnoughHoweverLongThePatience) {
  Duration quiet{};
  for (int looks = 0; looks < 3; ++looks) {
    now_ = detector_.next_look();
    const Duration now_quiet = detector_.look(now_, beat_, seconds(30));
    EXPECT_LE(now_quiet - quiet, HangDetector::kLookMax);
    quiet = now_quiet;
  }
}

TEST_F(HangDetectorLooks, StartAnewWithEachChild) {
  EXPECT_EQ(look(), milliseconds(150));
  detector_.restart(now_);
  EXPECT_EQ(look(), Duration::zero());
  EXPECT_EQ(look(), milliseconds(150));
}

// ---- processes -----------------------------------------------------------------------------

// A supervisor in a process of its own. Every child first writes its pid into a pipe.
class Supervised {
 public:
  explicit Supervised(const std::function<int(ChildLink&)>& run_child, Duration stop_timeout = seconds(5)) {
    lock_path_ = testing::TempDir() + "vipair-supervisor-" + std::to_string(::getpid()) + ".lock";
    EXPECT_EQ(::pipe2(pipe_.data(), O_CLOEXEC), 0);
    std::fflush(nullptr);
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that fails leaves nothing behind
    const SupervisorOptions options{lock_path_, kHangTimeout, seconds(10), stop_timeout};
    ::_exit(supervise(options, [&](ChildLink& link) {
      const pid_t self = ::getpid();
      if (::write(pipe_[1], &self, sizeof self) != sizeof self) return 1;
      return run_child(link);
    }));
  }
  ~Supervised() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(pipe_[0]);
    ::close(pipe_[1]);
    ::unlink(lock_path_.c_str());
  }
  Supervised(const Supervised&) = delete;
  Supervised& operator=(const Supervised&) = delete;

  pid_t pid() const { return pid_; }
  const std::string& lock_path() const { return lock_path_; }
  void signal(int number) const { ::kill(pid_, number); }

  // The pid of the next child that starts; nullopt when none does.
  std::optional<pid_t> next_child(int patience_ms = kPatienceMs) const {
    pollfd readable = {pipe_[0], POLLIN, 0};
    pid_t child = 0;
    if (::poll(&readable, 1, patience_ms) <= 0 || ::read(pipe_[0], &child, sizeof child) != sizeof child) return {};
    return child;
  }
  // The exit status of the supervisor; -1 when it did not exit.
  int exit_status() {
    for (int waited = 0; waited < kPatienceMs; waited += 5) {
      int status = 0;
      if (::waitpid(pid_, &status, WNOHANG) == pid_) {
        pid_ = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
      }
      std::this_thread::sleep_for(milliseconds(5));
    }
    return -1;
  }

 private:
  std::string lock_path_;
  std::array<int, 2> pipe_{};
  pid_t pid_ = 0;
};

bool ends(pid_t process) {
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  if (!pidfd) return errno == ESRCH;
  pollfd ended = {pidfd.get(), POLLIN, 0};
  return ::poll(&ended, 1, kPatienceMs) == 1;
}

// An agent's loop: beats until it is told to stop or its parent is gone.
std::atomic<bool> stop_requested = false;
int beat(ChildLink& link, bool is_relievable) {
  std::signal(SIGTERM, [](int) { stop_requested = true; });
  link.set_relievable(is_relievable);
  link.ready();
  while (!stop_requested) {
    link.heartbeat();
    pollfd parent = {link.parent_fd(), POLLIN, 0};
    if (::poll(&parent, 1, 10) > 0) return 0;
  }
  return 0;
}

int beat_until_stopped(ChildLink& link) { return beat(link, true); }

constexpr std::array<std::uint8_t, 12> kResignation = {0x31, 51, 0, 1, 0, 10, 0, 0, 10, 8, 0, 100};

KernelWill a_will() {
  const int index = static_cast<int>(::if_nametoindex("v0"));
  KernelWill will;
  will.resignations.push_back({index, *IpAddress::parse("10.8.0.1"), *IpAddress::parse("224.0.0.18"),
                               Bytes(kResignation.begin(), kResignation.end())});
  will.withdrawn.push_back({"v0", index, {*IpPrefix::parse("10.8.0.100/24")}});
  return will;
}

// A node with an address to lose: v0 is its interface, v1 the other end of the cable.
class Node {
 public:
  Node() {
    run("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up");
    run("ip addr add 10.8.0.1/24 dev v0 && ip addr add 10.8.0.100/24 dev v0");
    wire_ = UniqueFd(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP)));
    sockaddr_ll other_end{};
    other_end.sll_family = AF_PACKET;
    other_end.sll_protocol = htons(ETH_P_IP);
    other_end.sll_ifindex = static_cast<int>(::if_nametoindex("v1"));
    EXPECT_EQ(::bind(wire_.get(), reinterpret_cast<const sockaddr*>(&other_end), sizeof other_end), 0);
  }
  // The next VRRP packet on the wire with its IP header; empty when there is none.
  Bytes next_advertisement(int patience_ms = kPatienceMs) const {
    Bytes packet(2048);
    pollfd readable = {wire_.get(), POLLIN, 0};
    while (::poll(&readable, 1, patience_ms) > 0) {
      const ssize_t size = ::recv(wire_.get(), packet.data(), packet.size(), 0);
      if (size < 20 || packet[9] != 112) continue;
      packet.resize(static_cast<std::size_t>(size));
      return packet;
    }
    return {};
  }
  static bool holds(const std::string& address) {
    return output_of("ip -o addr show").find(address + "/") != std::string::npos;
  }

 private:
  UniqueFd wire_;
};

int hold_the_address(ChildLink& link) {
  if (!link.set_last_will(a_will())) return 1;
  return beat_until_stopped(link);
}

// Everything that must be seen after a death, however it came.
void expect_the_will_and_another_child(const Node& node, const Supervised& supervised) {
  const Bytes packet = node.next_advertisement();
  ASSERT_EQ(packet.size(), 20 + kResignation.size());
  EXPECT_EQ(packet[8], 255) << "TTL";
  EXPECT_TRUE(std::equal(kResignation.begin(), kResignation.end(), packet.begin() + 20));
  EXPECT_EQ(packet[15], 1) << "the source is the node's own address";
  const auto child = supervised.next_child();
  EXPECT_TRUE(child);
  EXPECT_FALSE(Node::holds("10.8.0.100"));
  EXPECT_TRUE(Node::holds("10.8.0.1"));
}

TEST(Supervisor, CarriesOutTheWillOfAKilledChildAndStartsAnother) {
  in_new_network([] {
    const Node node;
    const Supervised supervised(hold_the_address);
    const auto child = supervised.next_child();
    ASSERT_TRUE(child);
    ASSERT_EQ(node.next_advertisement(100), Bytes{}) << "nothing is sent while the child lives";
    const TimePoint killed_at = monotonic_now();
    ::kill(*child, SIGKILL);
    expect_the_will_and_another_child(node, supervised);
    EXPECT_LT(monotonic_now() - killed_at, seconds(2));
  });
}

TEST(Supervisor, CarriesOutTheWillOfAnAbortingChild) {
  in_new_network([] {
    const Node node;
    const Supervised supervised([](ChildLink& link) {
      std::signal(SIGUSR1, [](int) { std::abort(); });
      return hold_the_address(link);
    });
    const auto child = supervised.next_child();
    ASSERT_TRUE(child);
    ASSERT_EQ(node.next_advertisement(100), Bytes{});
    ::kill(*child, SIGUSR1);
    expect_the_will_and_another_child(node, supervised);
  });
}

TEST(Supervisor, CarriesOutTheWillOfAChildThatExits) {
  in_new_network([] {
    const Node node;
    const Supervised supervised([](ChildLink& link) {
      std::signal(SIGUSR1, [](int) { ::_exit(0); });
      return hold_the_address(link);
    });
    const auto child = supervised.next_child();
    ASSERT_TRUE(child);
    ASSERT_EQ(node.next_advertisement(100), Bytes{});
    ::kill(*child, SIGUSR1);
    expect_the_will_and_another_child(node, supervised);
  });
}

// The kernel closes the files of a dead process from the highest number down.
TEST(Supervisor, HearsOfADeathBeforeTheOtherFilesOfTheChildAreClosed) {
  Supervised supervised([](ChildLink& link) {
    const UniqueFd other(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    return link.parent_fd() > other.get() ? kExitConfig : 1;
  });
  EXPECT_EQ(supervised.exit_status(), kExitConfig);
}

TEST(Supervisor, TreatsAStoppedChildAsDead) {
  in_new_network([] {
    const Node node;
    const Supervised supervised(hold_the_address);
    const auto child = supervised.next_child();
    ASSERT_TRUE(child);
    ASSERT_EQ(node.next_advertisement(100), Bytes{});
    ::kill(*child, SIGSTOP);
    expect_the_will_and_another_child(node, supervised);
    EXPECT_TRUE(ends(*child));
  });
}

TEST(Supervisor, TreatsAChildAsDeadThatStopsSoonAfterItCouldBeRelieved) {
  in_new_network([] {
    const Node node;
    const Supervised supervised([](ChildLink& link) {
      link.ready();
      link.heartbeat();
      std::this_thread::sleep_for(kIdleHangTimeout / 2);  // the supervisor sleeps meanwhile
      if (!link.set_last_will(a_will())) return 1;
      link.set_relievable(true);
      return ::pause();
    });
    const auto child = supervised.next_child();
    ASSERT_TRUE(child);
    ASSERT_EQ(node.next_advertisement(100), Bytes{});
    expect_the_will_and_another_child(node, supervised);
    EXPECT_TRUE(ends(*child));
  });
}

TEST(Supervisor, TreatsAChildThatOversleepsAsDead) {
  in_new_network([] {
    const Node node;
    const Supervised supervised([](ChildLink& link) {
      link.ready();
      if (!link.set_last_will(a_will())) return 1;
      link.set_relievable(true);
      link.sleep_until(monotonic_now() + link.beat_interval() / 10);
      pollfd parent = {link.parent_fd(), POLLIN, 0};
      return ::poll(&parent, 1, -1);
    });
    const auto child = supervised.next_child();
    ASSERT_TRUE(child);
    expect_the_will_and_another_child(node, supervised);
    EXPECT_TRUE(ends(*child));
  });
}

TEST(Supervisor, TreatsALoopingChildAsDead) {
  in_new_network([] {
    const Node node;
    const Supervised supervised([](ChildLink& link) {
      std::signal(SIGUSR1, [](int) {
        for (;;) (void)::getppid();  // a loop without effects could be optimized away
      });
      return hold_the_address(link);
    });
    const auto child = supervised.next_child();
    ASSERT_TRUE(child);
    ASSERT_EQ(node.next_advertisement(100), Bytes{});
    ::kill(*child, SIGUSR1);
    expect_the_will_and_another_child(node, supervised);
    EXPECT_TRUE(ends(*child));
  });
}

TEST(Supervisor, LeavesAChildAloneThatWasPausedTogetherWithItself) {
  const Supervised supervised(beat_until_stopped);
  const auto child = supervised.next_child();
  ASSERT_TRUE(child);
  for (int pause = 0; pause < 3; ++pause) {
    supervised.signal(SIGSTOP);
    ::kill(*child, SIGSTOP);
    std::this_thread::sleep_for(3 * kHangTimeout);  // the pause itself: longer than any hang timeout
    supervised.signal(SIGCONT);                     // the supervisor looks before the child can beat
    std::this_thread::sleep_for(milliseconds(20));
    ::kill(*child, SIGCONT);
  }
  EXPECT_EQ(supervised.next_child(600), std::nullopt);
  EXPECT_EQ(::kill(*child, 0), 0);
}

TEST(Supervisor, GivesAChildTimeThatNobodyCouldRelieve) {
  const Supervised supervised([](ChildLink& link) { return beat(link, false); });
  const auto child = supervised.next_child();
  ASSERT_TRUE(child);
  for (int pause = 0; pause < 2; ++pause) {
    ::kill(*child, SIGSTOP);
    EXPECT_EQ(supervised.next_child(3 * kHangTimeout / milliseconds(1)), std::nullopt);
    ::kill(*child, SIGCONT);
    std::this_thread::sleep_for(kHangTimeout);
  }
  ::kill(*child, SIGSTOP);
  EXPECT_TRUE(supervised.next_child()) << "but not for ever";
}

TEST(Supervisor, TakesItsChildWithItWhenItIsKilled) {
  const Supervised supervised(beat_until_stopped);
  const auto child = supervised.next_child();
  ASSERT_TRUE(child);
  supervised.signal(SIGKILL);
  EXPECT_TRUE(ends(*child));
}

TEST(Supervisor, EndsTheLinkOfAChildThatIgnoresSignals) {
  const Supervised supervised([](ChildLink& link) {
    std::signal(SIGTERM, SIG_IGN);
    link.heartbeat();
    pollfd parent = {link.parent_fd(), POLLIN, 0};
    while (::poll(&parent, 1, 10) == 0) link.heartbeat();
    return 0;
  });
  const auto child = supervised.next_child();
  ASSERT_TRUE(child);
  supervised.signal(SIGKILL);
  EXPECT_TRUE(ends(*child));
}

TEST(Supervisor, StopsGracefully) {
  in_new_network([] {
    const Node node;
    for (const int signal : {SIGTERM, SIGINT}) {
      Supervised supervised([](ChildLink& link) {
        const int status = hold_the_address(link);
        (void)link.set_last_will({});  // it resigned and withdrew all by itself
        return status;
      });
      const auto child = supervised.next_child();
      ASSERT_TRUE(child);
      ASSERT_EQ(node.next_advertisement(100), Bytes{});
      supervised.signal(signal);
      EXPECT_EQ(supervised.exit_status(), 0);
      EXPECT_TRUE(ends(*child));
      EXPECT_EQ(node.next_advertisement(0), Bytes{});
    }
  });
}

TEST(Supervisor, KillsAChildThatDoesNotStopInTime) {
  in_new_network([] {
    const Node node;
    Supervised supervised(
        [](ChildLink& link) {
          std::signal(SIGTERM, SIG_IGN);
          if (!link.set_last_will(a_will())) return 1;
          for (;;) {
            link.heartbeat();
            ::poll(nullptr, 0, 10);
          }
        },
        milliseconds(300));
    ASSERT_TRUE(supervised.next_child());
    ASSERT_EQ(node.next_advertisement(100), Bytes{});
    supervised.signal(SIGTERM);
    EXPECT_NE(node.next_advertisement(), Bytes{});
    EXPECT_EQ(supervised.exit_status(), 1);
    EXPECT_FALSE(Node::holds("10.8.0.100"));
  });
}

TEST(Supervisor, PassesOnTheStatusOfARefusedConfiguration) {
  Supervised supervised([](ChildLink& link) {
    link.ready();
    return kExitConfig;
  });
  EXPECT_EQ(supervised.exit_status(), kExitConfig);
}

TEST(Supervisor, PassesOnTheStatusOfAChildThatNeverBecameReady) {
  Supervised supervised([](ChildLink&) { return 42; });
  EXPECT_EQ(supervised.exit_status(), 42);
}

TEST(Supervisor, StartsAnotherAfterAnExceptionInAChildThatWasReady) {
  const Supervised supervised([](ChildLink& link) -> int {
    link.ready();
    throw std::runtime_error("thrown by a test");
  });
  EXPECT_TRUE(supervised.next_child());
  EXPECT_TRUE(supervised.next_child());
}

TEST(Supervisor, WaitsBetweenChildrenThatDieAgainAndAgain) {
  Supervised supervised([](ChildLink& link) {
    link.ready();
    ::kill(::getpid(), SIGKILL);
    return 0;
  });
  ASSERT_TRUE(supervised.next_child());
  ASSERT_TRUE(supervised.next_child());  // at once
  const TimePoint second = monotonic_now();
  ASSERT_TRUE(supervised.next_child());
  const auto fourth = supervised.next_child();
  ASSERT_TRUE(fourth);
  EXPECT_GE(monotonic_now() - second, milliseconds(250));  // 100 + 200, less what the test itself was late
  ASSERT_TRUE(ends(*fourth));
  supervised.signal(SIGTERM);
  EXPECT_GE(supervised.exit_status(), 0) << "a stop is heard while no child lives";
}

TEST(Supervisor, RefusesASecondInstance) {
  Supervised first(beat_until_stopped);
  ASSERT_TRUE(first.next_child());
  std::fflush(nullptr);
  const pid_t second = ::fork();
  if (second == 0) {
    ::_exit(supervise(SupervisorOptions{first.lock_path()}, [](ChildLink&) { return 42; }));
  }
  int status = 0;
  ASSERT_EQ(::waitpid(second, &status, 0), second);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_EQ(::kill(first.pid(), 0), 0);
  EXPECT_EQ(output_of("cat " + first.lock_path()), std::to_string(first.pid()) + "\n");
}

TEST(Supervisor, ForwardsHangup) {
  Supervised supervised([](ChildLink& link) {
    std::signal(SIGHUP, [](int) { ::_exit(kExitConfig); });  // a status that is passed on
    return beat_until_stopped(link);
  });
  ASSERT_TRUE(supervised.next_child());
  ::poll(nullptr, 0, 100);  // for the handler
  supervised.signal(SIGHUP);
  EXPECT_EQ(supervised.exit_status(), kExitConfig);
}

TEST(Supervisor, NotifiesTheServiceManagerItself) {
  const std::string path = testing::TempDir() + "vipair-notify-" + std::to_string(::getpid());
  const UniqueFd manager(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof address.sun_path);
  std::copy(path.begin(), path.end(), address.sun_path);
  ASSERT_EQ(::bind(manager.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const int on = 1;
  ASSERT_EQ(::setsockopt(manager.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
  ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  ::setenv("WATCHDOG_USEC", "100000", 1);
  {
    Supervised supervised([](ChildLink& link) {
      link.notify("STATUS=testing");
      return beat_until_stopped(link);
    });
    ::unsetenv("NOTIFY_SOCKET");
    ::unsetenv("WATCHDOG_USEC");
    ASSERT_TRUE(supervised.next_child());
    auto next = [&] {
      std::array<char, 256> text{};
      alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred))> control{};
      iovec data = {text.data(), text.size()};
      msghdr message{};
      message.msg_iov = &data;
      message.msg_iovlen = 1;
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      pollfd readable = {manager.get(), POLLIN, 0};
      if (::poll(&readable, 1, kPatienceMs) <= 0) return std::string();
      const ssize_t size = ::recvmsg(manager.get(), &message, 0);
      const cmsghdr* header = CMSG_FIRSTHDR(&message);
      ucred sender{};
      if (header != nullptr) std::memcpy(&sender, CMSG_DATA(header), sizeof sender);
      EXPECT_EQ(sender.pid, supervised.pid());
      return std::string(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    };
    EXPECT_EQ(next(), "STATUS=testing");
    EXPECT_EQ(next(), "READY=1");
    EXPECT_EQ(next(), "WATCHDOG=1");
    EXPECT_EQ(next(), "WATCHDOG=1");
    supervised.signal(SIGTERM);
    std::string last = next();
    while (last == "WATCHDOG=1") last = next();
    EXPECT_EQ(last, "STOPPING=1");
    EXPECT_EQ(supervised.exit_status(), 0);
  }
  ::unlink(path.c_str());
}

// ---- what lingers --------------------------------------------------------------------------

// The first child holds an address that is to linger, the others adopt what does, as the agent does.
int hold_or_adopt(ChildLink& link) {
  LingeringAddresses lingering(seconds(10), nullptr);
  lingering.adopt(monotonic_now(), link.inherited());
  KernelWill will;
  if (link.inherited().entries.empty()) {
    will = a_will();
    will.lingering = lingering.state(std::exchange(will.withdrawn, {}));
  } else {
    will.lingering = lingering.state();
  }
  if (!link.set_last_will(will)) return 1;
  const int status = beat_until_stopped(link);
  lingering.stop();
  (void)link.set_last_will({});
  return status;
}

std::string on(const char* interface) { return output_of(std::string("ip -o addr show dev ") + interface); }
bool lingers() { return on("lo").find("10.8.0.100/32") != std::string::npos; }
std::string arp_ignore() { return output_of("cat /proc/sys/net/ipv4/conf/v0/arp_ignore"); }

TEST(Supervisor, HandsWhatLingersFromChildToChild) {
  in_new_network([] {
    const Node node;
    const test::Connection connection("10.8.0.100");
    Supervised supervised(hold_or_adopt);
    auto child = supervised.next_child();
    ASSERT_TRUE(child);
    ASSERT_EQ(node.next_advertisement(100), Bytes{});
    ASSERT_TRUE(Node::holds("10.8.0.100"));
    ASSERT_FALSE(lingers()) << "not while the child lives";
    for (int death = 0; death < 3; ++death) {
      ::kill(*child, SIGKILL);
      child = supervised.next_child();
      ASSERT_TRUE(child);
      EXPECT_TRUE(lingers()) << death;
      EXPECT_EQ(on("v0").find("10.8.0.100"), std::string::npos);
      EXPECT_EQ(arp_ignore(), "1\n");
    }
    EXPECT_NE(node.next_advertisement(), Bytes{});
    supervised.signal(SIGTERM);
    EXPECT_EQ(supervised.exit_status(), 0);
    EXPECT_FALSE(lingers());
    EXPECT_EQ(arp_ignore(), "0\n") << "what it was before it all";
  });
}

// A child that holds the address dies; those after it die before they have adopted anything.
int hold_then_die(ChildLink& link) {
  link.ready();
  if (on("v0").find("10.8.0.100/24") != std::string::npos) {  // the first
    KernelWill will = a_will();
    will.lingering = LingeringAddresses(seconds(10), nullptr).state(std::exchange(will.withdrawn, {}));
    if (!link.set_last_will(will)) return 1;
  }
  ::kill(::getpid(), SIGKILL);
  return 1;
}

TEST(Supervisor, EndsWhatLingersWhenToldToStopWhileNoChildLives) {
  in_new_network([] {
    const Node node;
    Supervised supervised(hold_then_die);
    std::optional<pid_t> child;
    for (int i = 0; i < 3; ++i) child = supervised.next_child();  // the third is the last for 200 ms
    ASSERT_TRUE(child);
    ASSERT_TRUE(ends(*child));
    supervised.signal(SIGTERM);
    EXPECT_GE(supervised.exit_status(), 0);
    EXPECT_FALSE(lingers());
    EXPECT_FALSE(Node::holds("10.8.0.100"));
    EXPECT_EQ(arp_ignore(), "0\n");
  });
}

TEST(Supervisor, EndsWhatLingersWhenNoConnectionIsLeftAndNoChildCares) {
  in_new_network([] {
    const Node node;
    const Supervised supervised(hold_then_die);
    ASSERT_TRUE(supervised.next_child());
    ASSERT_NE(node.next_advertisement(), Bytes{});
    ASSERT_TRUE(supervised.next_child());
    // the next deaths leave pauses longer than the look at the connections needs
    for (int waited = 0; waited < kPatienceMs && (Node::holds("10.8.0.100") || arp_ignore() != "0\n"); waited += 10)
      ::poll(nullptr, 0, 10);
    EXPECT_FALSE(Node::holds("10.8.0.100"));
    EXPECT_EQ(arp_ignore(), "0\n");
    EXPECT_EQ(::kill(supervised.pid(), 0), 0) << "it is not the end of the supervisor that did it";
  });
}

TEST(Supervisor, CarriesTheWillOfALargeNode) {
  in_new_network([] {
    const Node node;
    constexpr int kRouters = 255;
    constexpr int kAddresses = 4000;
    run("i=0; while [ $i -lt 4000 ]; do echo addr add 10.8.$((16 + i / 250)).$((1 + i % 250))/32 dev v0; "
        "i=$((i+1)); "
        "done | ip -batch -");
    const Supervised supervised([](ChildLink& link) {
      const int index = static_cast<int>(::if_nametoindex("v0"));
      KernelWill will;
      for (int i = 0; i < kRouters; ++i) will.resignations.push_back(a_will().resignations.front());
      AddressSet& set = will.withdrawn.emplace_back(AddressSet{"v0", index, {}});
      for (std::uint32_t i = 0; i < kAddresses; ++i) {
        set.addresses.push_back({IpAddress::v4(0x0A080000 + ((16 + i / 250) << 8) + 1 + i % 250), 32});
      }
      if (!link.set_last_will(will)) return 1;
      return beat_until_stopped(link);
    });
    const auto child = supervised.next_child();
    ASSERT_TRUE(child);
    ASSERT_EQ(node.next_advertisement(200), Bytes{});
    ASSERT_TRUE(Node::holds("10.8.31.250"));
    ::kill(*child, SIGKILL);
    ASSERT_TRUE(supervised.next_child());
    for (int i = 0; i < kRouters; ++i) EXPECT_NE(node.next_advertisement(), Bytes{}) << i;
    EXPECT_FALSE(Node::holds("10.8.31.250"));
    EXPECT_EQ(output_of("ip -o -4 addr show dev v0 | wc -l"), "2\n");
  });
}

TEST(Supervisor, KeepsTheFormerWillWhenANewOneIsTooLarge) {
  in_new_network([] {
    const Node node;
    const Supervised supervised([](ChildLink& link) {
      if (!link.set_last_will(a_will())) return 1;
      KernelWill excessive = a_will();
      excessive.resignations.front().message.resize(kLastWillSizeMax);
      const auto set = link.set_last_will(excessive);
      if (set || set.error().find("previous one stays") == std::string::npos) return 1;
      return beat_until_stopped(link);
    });
    const auto child = supervised.next_child();
    ASSERT_TRUE(child);
    ASSERT_EQ(node.next_advertisement(100), Bytes{});
    ::kill(*child, SIGKILL);
    EXPECT_EQ(node.next_advertisement().size(), 20 + kResignation.size());
  });
}

}  // namespace
}  // namespace vipair::vrrp
