#include "vrrp/kernel/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

const TimePoint kStart{100s};

class GateTest : public testing::Test {
 protected:
  GateTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vipair-gate-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    folder_ = pattern;
    path_ = pattern + "/gate.sock";
    gate = open();
  }
  ~GateTest() override {
    gate.reset();
    std::filesystem::remove_all(folder_);
  }

  std::unique_ptr<Gate> open() {
    auto opened = Gate::listen(path_);
    EXPECT_TRUE(opened) << opened.error();
    return opened ? std::move(*opened) : nullptr;
  }
  UniqueFd connect() const {
    UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0)
        << std::strerror(errno);
    return fd;
  }
  static void say(const UniqueFd& fd, std::string_view message) {
    EXPECT_EQ(::send(fd.get(), message.data(), message.size(), MSG_NOSIGNAL), static_cast<ssize_t>(message.size()));
  }
  static std::string hear(const UniqueFd& fd) {
    char buffer[512];
    const ssize_t size = ::recv(fd.get(), buffer, sizeof buffer, 0);
    return size < 0 ? "nothing" : std::string(buffer, static_cast<std::size_t>(size));
  }
  void turn(TimePoint now) {
    gate->drain(now);
    gate->on_time(now);
  }
  // Turns whenever the gate wants to look, up to but not including `end`.
  void turn_until(TimePoint end) {
    while (gate->next_deadline() && *gate->next_deadline() < end) turn(*gate->next_deadline());
  }

  std::filesystem::path folder_;
  std::string path_;
  std::unique_ptr<Gate> gate;
};

const std::optional<ProxyReport> kReady = ProxyReport{true, ""};

TEST_F(GateTest, ProxyThatReportsIsHeard) {
  turn(kStart);
  EXPECT_EQ(gate->report(), std::nullopt);
  UniqueFd proxy = connect();
  turn(kStart);
  EXPECT_EQ(gate->report(), std::nullopt) << "it has not said anything yet";
  say(proxy, "ready");
  turn(kStart + 1ms);
  EXPECT_EQ(gate->report(), kReady);
  say(proxy, "not-ready worker 1 hangs");
  turn(kStart + 2ms);
  EXPECT_EQ(gate->report(), (ProxyReport{false, "worker 1 hangs"}));
}

TEST_F(GateTest, ConnectAndFirstMessageCountInOneTurn) {
  UniqueFd proxy = connect();
  say(proxy, "ready");
  turn(kStart);
  EXPECT_EQ(gate->report(), kReady);
}

TEST_F(GateTest, EndOfFileIsDeathAtOnce) {
  UniqueFd proxy = connect();
  say(proxy, "ready");
  turn(kStart);
  proxy.reset();
  pollfd waiting{gate->poll_fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&waiting, 1, 1000), 1) << "the loop wakes up";
  turn(kStart + 1ms);
  EXPECT_EQ(gate->report(), std::nullopt);
  EXPECT_EQ(gate->counters().disconnects, 1u);
  EXPECT_EQ(gate->next_deadline(), std::nullopt);
}

TEST_F(GateTest, LastWordsBeforeTheEndDoNotCount) {
  UniqueFd proxy = connect();
  say(proxy, "ready");
  proxy.reset();
  turn(kStart);
  EXPECT_EQ(gate->report(), std::nullopt);
}

TEST_F(GateTest, SilenceIsAHangUntilItIsBroken) {
  UniqueFd proxy = connect();
  say(proxy, "ready");
  turn(kStart);
  turn_until(kStart + kGateHangTimeout);
  EXPECT_EQ(gate->report(), kReady);
  EXPECT_EQ(gate->next_deadline(), kStart + kGateHangTimeout);
  turn(kStart + kGateHangTimeout);
  EXPECT_EQ(gate->report(), (ProxyReport{false, "hangs: no heartbeat for 250 ms"}));
  EXPECT_EQ(gate->counters().hangs, 1u);
  EXPECT_EQ(gate->next_deadline(), std::nullopt);
  say(proxy, "ready");
  turn(kStart + 1s);
  EXPECT_EQ(gate->report(), kReady);
}

TEST_F(GateTest, SilenceFromTheStartIsAHangAsWell) {
  UniqueFd proxy = connect();
  turn(kStart);
  turn_until(kStart + kGateHangTimeout + 1ns);
  EXPECT_FALSE(gate->report()->is_ready);
}

TEST_F(GateTest, HeartbeatThatWaitsIsReadBeforeSilenceIsJudged) {
  UniqueFd proxy = connect();
  say(proxy, "ready");
  turn(kStart);
  say(proxy, "ready");
  turn(kStart + kGateHangTimeout);
  EXPECT_EQ(gate->report(), kReady);
}

TEST_F(GateTest, AgentThatSleptGivesTheProxyAnotherChance) {
  UniqueFd proxy = connect();
  say(proxy, "ready");
  turn(kStart);
  for (const Duration nap : {Duration(kGateHangTimeout), Duration(kGateHangTimeout + 10ms), Duration(10s)}) {
    say(proxy, "ready");
    turn(kStart);
    turn_until(kStart + 100ms);
    turn(kStart + 50ms + nap);
    EXPECT_EQ(gate->report(), kReady) << "the machine was paused, not the proxy alone";
    turn_until(kStart + 50ms + nap + kGateHangTimeout);
    EXPECT_FALSE(gate->report()->is_ready) << "silent for the whole time-out besides";
  }
}

TEST_F(GateTest, NewestConnectionCounts) {
  UniqueFd first = connect();
  say(first, "ready");
  turn(kStart);
  UniqueFd second = connect();
  turn(kStart);
  EXPECT_EQ(gate->report(), std::nullopt) << "the new one has not said anything";
  EXPECT_EQ(hear(first), "standby");
  EXPECT_EQ(hear(first), "") << "closed";
  say(second, "ready");
  turn(kStart);
  EXPECT_EQ(gate->report(), kReady);
}

TEST_F(GateTest, RoleIsToldOnConnectAndOnChange) {
  UniqueFd proxy = connect();
  turn(kStart);
  EXPECT_EQ(hear(proxy), "standby");
  gate->set_role(NodeRole::active);
  gate->set_role(NodeRole::active);
  EXPECT_EQ(hear(proxy), "active");
  EXPECT_EQ(hear(proxy), "nothing");
  UniqueFd next = connect();
  turn(kStart);
  EXPECT_EQ(hear(next), "active");
}

TEST_F(GateTest, ProxyThatDoesNotReadItsRoleIsCutOff) {
  UniqueFd proxy = connect();
  say(proxy, "ready");
  turn(kStart);
  for (int i = 0; i < 100'000 && gate->report(); ++i) gate->set_role(i % 2 ? NodeRole::standby : NodeRole::active);
  EXPECT_EQ(gate->report(), std::nullopt);
}

TEST_F(GateTest, WhatIsNoMessageEndsTheConnection) {
  for (const std::string& message :
       {std::string("READY"), std::string("not-ready "), std::string("ready\n"), std::string("not-ready a\x01"),
        std::string(kGateMessageMax + 1, 'x'), std::string(100'000, 'x')}) {
    UniqueFd proxy = connect();
    say(proxy, "ready");
    turn(kStart);
    ASSERT_EQ(gate->report(), kReady);
    say(proxy, message);
    turn(kStart);
    EXPECT_EQ(gate->report(), std::nullopt) << message.substr(0, 20);
  }
  EXPECT_EQ(gate->counters().invalid_messages, 6u);
}

TEST_F(GateTest, FloodIsReadInPieces) {
  UniqueFd proxy = connect();
  turn(kStart);
  int sent = 0;
  while (::send(proxy.get(), "ready", 5, MSG_NOSIGNAL | MSG_DONTWAIT) == 5) ++sent;
  ASSERT_GT(sent, 2 * Gate::kMessagesPerDrain);
  gate->drain(kStart);
  pollfd waiting{gate->poll_fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&waiting, 1, 0), 1) << "the rest waits for the next turn";
}

TEST_F(GateTest, SocketIsForTheGroupOnlyAndGoesWithTheGate) {
  struct stat info {};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660u);
  gate.reset();
  EXPECT_NE(::stat(path_.c_str(), &info), 0);
}

TEST_F(GateTest, StaleSocketIsReplacedALiveOneIsNot) {
  auto second = Gate::listen(path_);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error(), HasSubstr("another vipair-vrrpd runs"));

  gate.reset();
  UniqueFd stale(::socket(AF_UNIX, SOCK_SEQPACKET, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(stale.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  stale.reset();
  gate = open();
  UniqueFd proxy = connect();
  turn(kStart);
  EXPECT_EQ(gate->counters().connects, 1u);
}

TEST_F(GateTest, PathThatCannotBeIsAnError) {
  auto missing = Gate::listen(folder_ / "no" / "gate.sock");
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error(), HasSubstr("cannot open the gate socket"));
  EXPECT_FALSE(Gate::listen(std::string(200, 'x')));
  EXPECT_FALSE(Gate::listen(""));
}

}  // namespace
}  // namespace vipair::vrrp
