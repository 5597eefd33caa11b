#include "proxy/server/gate_client.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "common/runtime/unique_fd.h"

namespace vipair::proxy {
namespace {

// The agent's end of the gate.
struct Agent {
  std::string path = std::filesystem::temp_directory_path() / ("vipair-gate-" + std::to_string(::getpid()));
  UniqueFd listener, connection;

  ~Agent() { ::unlink(path.c_str()); }
  void listen() {
    ::unlink(path.c_str());
    listener.reset(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(listener.get(), 4), 0);
  }
  bool accept() {
    connection.reset(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    return static_cast<bool>(connection);
  }
  void say(NodeRole role) {
    const std::string text = encode(role);
    ASSERT_EQ(send(connection.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }
  std::optional<ProxyReport> hear() {
    char text[kGateMessageMax];
    const ssize_t size = recv(connection.get(), text, sizeof text, 0);
    if (size <= 0) return {};
    return decode_proxy_report({text, static_cast<std::size_t>(size)});
  }
};

struct Fixture {
  Agent agent;
  boost::asio::io_context io{1};
  ProxyReport report{true, ""};
  std::vector<std::optional<NodeRole>> roles;
  GateClient gate{io, agent.path, [this] { return report; },
                  [this](bool, std::optional<NodeRole> role) { roles.push_back(role); }};

  template <class Condition>
  void run_until(Condition condition) {
    while (!condition()) io.run_one_for(std::chrono::milliseconds(100));
  }
};

TEST(GateClient, ReportsAndHearsTheRole) {
  Fixture f;
  f.agent.listen();
  f.gate.start();
  EXPECT_TRUE(f.gate.is_connected());
  ASSERT_TRUE(f.agent.accept());
  EXPECT_EQ(f.agent.hear(), (ProxyReport{true, ""}));
  f.agent.say(NodeRole::active);
  f.run_until([&] { return f.gate.role() == NodeRole::active; });
  f.report = {false, "stopping"};
  f.gate.report_now();
  std::optional<ProxyReport> heard = f.agent.hear();
  while (heard && heard->is_ready) heard = f.agent.hear();  // heartbeats of before
  EXPECT_EQ(heard, (ProxyReport{false, "stopping"}));
  f.agent.say(NodeRole::standby);
  f.run_until([&] { return f.gate.role() == NodeRole::standby; });
  EXPECT_EQ(f.roles, (std::vector<std::optional<NodeRole>>{{}, NodeRole::active, NodeRole::standby}));
}

TEST(GateClient, ReportsAgainAndAgain) {
  Fixture f;
  f.agent.listen();
  f.gate.start();
  ASSERT_TRUE(f.agent.accept());
  int heard = 0;
  f.run_until([&] { return (heard += f.agent.hear() ? 1 : 0) >= 4; });
}

TEST(GateClient, FindsAnAgentThatComesLaterAndOneThatComesBack) {
  Fixture f;
  f.gate.start();
  EXPECT_FALSE(f.gate.is_connected());
  for (int round = 0; round < 2; ++round) {
    f.agent.listen();
    f.run_until([&] { return f.agent.accept(); });
    f.agent.say(NodeRole::active);
    f.run_until([&] { return f.gate.role() == NodeRole::active; });
    f.agent.connection.reset();
    f.agent.listener.reset();
    f.run_until([&] { return !f.gate.is_connected(); });
    EXPECT_EQ(f.gate.role(), std::nullopt);
  }
}

TEST(GateClient, LeavesAnAgentThatTalksNonsense) {
  Fixture f;
  f.agent.listen();
  f.gate.start();
  ASSERT_TRUE(f.agent.accept());
  ASSERT_EQ(send(f.agent.connection.get(), "king", 4, 0), 4);
  f.agent.listener.reset();
  f.run_until([&] { return !f.gate.is_connected(); });
  for (const auto& role : f.roles) EXPECT_EQ(role, std::nullopt);
}

TEST(GateClient, StopEndsTheConnection) {
  Fixture f;
  f.agent.listen();
  f.gate.start();
  ASSERT_TRUE(f.agent.accept());
  f.gate.stop();
  (void)f.agent.hear();
  char byte;
  EXPECT_EQ(recv(f.agent.connection.get(), &byte, 1, 0), 0);
  f.io.run();  // nothing is left to wait for
}

}  // namespace
}  // namespace vipair::proxy
