// The whole agent's process in a network of its own, seen from outside: through its control socket, its gate and
// the addresses of its interface.
#include "vrrp/kernel/event_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <boost/json.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "common/runtime/control_client.h"
#include "tests/support/network.h"

namespace vipair::vrrp {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using test::in_new_network;
using test::output_of;
using test::run;
using testing::HasSubstr;

// A node that elects itself at once, in RFC mode.
Config config_in(const std::filesystem::path& folder) {
  Config config;
  config.node = "lb-a";
  config.control_socket = folder / "control.sock";
  config.gate_socket = folder / "gate.sock";
  config.drain_time = 0s;
  VirtualRouterConfig router;
  router.name = "web";
  router.interface = "v0";
  router.vrid = 51;
  router.priority = 200;
  router.advertisement_interval = Centiseconds(1);
  router.join_hold = 0s;
  router.addresses = {*IpPrefix::parse("192.0.2.100/24")};
  router.track_proxy = false;
  config.virtual_routers = {router};
  return config;
}

class Daemon {
 public:
  Daemon() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vipair-loop-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    folder = pattern;
    config = config_in(folder);
    run("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up && ip addr add "
        "192.0.2.11/24 dev v0");
  }
  ~Daemon() {
    if (child_ > 0) {
      ::kill(child_, SIGKILL);
      ::waitpid(child_, nullptr, 0);
    }
    std::filesystem::remove_all(folder);
  }

  // `load` is what a reload finds; it runs in the daemon.
  void start(ConfigLoader load = [] { return Expected<Config, ConfigErrors>(Unexpected{ConfigErrors{}}); }) {
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    child_ = ::fork();
    if (child_ == 0) {
      ::close(pipe[1]);
      SupervisorLink link;
      link.parent_fd = pipe[0];
      auto ran = run_event_loop({config, "node.conf", std::move(load), {"a warning of the start"}, 1h}, link);
      if (!ran) std::fprintf(stderr, "%s\n", ran.error().c_str());
      ::_exit(ran ? 0 : 1);
    }
    ::close(pipe[0]);
    parent_end = UniqueFd(pipe[1]);
  }
  ControlResponse ask(const std::string& method, const std::string& target) const {
    auto answer = control_request(config.control_socket, method, target, "", 5s);
    return answer ? *answer : ControlResponse{0, "", answer.error()};
  }
  std::string state() const {
    const ControlResponse answer = ask("GET", "/status");
    if (answer.status != 200) return "no answer";
    return std::string(json::parse(answer.body).at("routers").at(0).at("state").as_string());
  }
  template <class Condition>
  static bool soon(Condition condition) {
    for (int i = 0; i < 500; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }
  bool becomes(const std::string& wanted) const {
    return soon([&] { return state() == wanted; });
  }
  static bool holds() { return output_of("ip -o addr show dev v0").find(" 192.0.2.100/24 ") != std::string::npos; }
  void signal(int number) const { ::kill(child_, number); }
  int exit_status() {
    int status = 0;
    ::waitpid(std::exchange(child_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::filesystem::path folder;
  Config config;
  UniqueFd parent_end;

 private:
  pid_t child_ = -1;
};

TEST(EventLoop, ElectsServesItsStatusAndStopsGracefully) {
  in_new_network([] {
    Daemon daemon;
    daemon.start();
    ASSERT_TRUE(daemon.becomes("active"));
    EXPECT_TRUE(Daemon::holds());
    const auto status = json::parse(daemon.ask("GET", "/status").body);
    EXPECT_EQ(status.at("node").as_string(), "lb-a");
    EXPECT_EQ(status.at("warnings").at(0).as_string(), "a warning of the start");
    const ControlResponse metrics = daemon.ask("GET", "/metrics");
    EXPECT_EQ(metrics.status, 200);
    EXPECT_THAT(metrics.body, HasSubstr("vipair_vrrp_claims_total 1\n"));
    const auto events = json::parse(daemon.ask("GET", "/events").body).as_array();
    ASSERT_FALSE(events.empty());
    const auto last = events.back().at("cursor").to_number<int>();
    EXPECT_EQ(daemon.ask("GET", "/events?after=" + std::to_string(last)).body, "[]");
    daemon.signal(SIGTERM);
    EXPECT_EQ(daemon.exit_status(), 0);
    EXPECT_FALSE(Daemon::holds());
  });
}

TEST(EventLoop, AnswersWhatItDoesNotKnowWithTheRightStatus) {
  in_new_network([] {
    Daemon daemon;
    daemon.start();
    ASSERT_TRUE(daemon.becomes("active"));
    EXPECT_EQ(daemon.ask("GET", "/nope").status, 404);
    EXPECT_EQ(daemon.ask("GET", "/").status, 404);
    EXPECT_EQ(daemon.ask("POST", "/status").status, 405);
    EXPECT_EQ(daemon.ask("GET", "/reload").status, 405);
    for (const char* query : {"after=", "after=x", "after=1x", "after=-1", "before=1", "a"})
      EXPECT_EQ(daemon.ask("GET", std::string("/events?") + query).status, 400) << query;
  });
}

TEST(EventLoop, DrainOutlivesTheProcess) {
  in_new_network([] {
    Daemon daemon;
    daemon.start();
    ASSERT_TRUE(daemon.becomes("active"));
    const ControlResponse refused = daemon.ask("POST", "/drain");
    EXPECT_EQ(refused.status, 409) << "nobody would take over";
    EXPECT_THAT(refused.body, HasSubstr("error"));
    EXPECT_EQ(daemon.ask("POST", "/undrain").status, 200) << "harmless";
    EXPECT_EQ(daemon.ask("POST", "/drain?force=1").body, R"({"drained":true})");
    EXPECT_TRUE(daemon.becomes("fault"));
    EXPECT_FALSE(Daemon::holds());
    EXPECT_THAT(daemon.ask("GET", "/status").body, HasSubstr("this node is drained"));
    daemon.signal(SIGTERM);
    EXPECT_EQ(daemon.exit_status(), 0);

    daemon.start();
    ASSERT_TRUE(daemon.becomes("fault"));
    EXPECT_THAT(daemon.ask("GET", "/status").body, HasSubstr(R"("drained":true)"));
    EXPECT_EQ(daemon.ask("POST", "/undrain").body, R"({"undrained":true})");
    EXPECT_TRUE(daemon.becomes("active"));
    EXPECT_FALSE(std::filesystem::exists(daemon.config.control_socket + ".drained"));
  });
}

TEST(EventLoop, HandoverSaysWhyNot) {
  in_new_network([] {
    Daemon daemon;
    daemon.start();
    ASSERT_TRUE(daemon.becomes("active"));
    ControlResponse refused = daemon.ask("POST", "/handover?router=nobody");
    EXPECT_EQ(refused.status, 409);
    EXPECT_EQ(refused.body, R"({"error":"no virtual router is named nobody"})");
  });
}

TEST(EventLoop, StopsWhenTheSupervisorIsGone) {
  in_new_network([] {
    Daemon daemon;
    daemon.start();
    ASSERT_TRUE(daemon.becomes("active"));
    daemon.parent_end.reset();
    EXPECT_EQ(daemon.exit_status(), 0);
    EXPECT_FALSE(Daemon::holds());
  });
}

TEST(EventLoop, ReloadSwitchesWholeOrNotAtAll) {
  in_new_network([] {
    Daemon daemon;
    const std::filesystem::path wanted = daemon.folder / "priority";
    daemon.start([wanted, config = daemon.config]() -> Expected<Config, ConfigErrors> {
      int priority = 0;
      std::ifstream(wanted) >> priority;
      if (priority == 0) return Unexpected{ConfigErrors{{"node.conf", 3, "priority", "is wrong"}}};
      Config next = config;
      next.virtual_routers[0].priority = static_cast<std::uint8_t>(priority);
      if (priority == 7) next.control_socket = "/elsewhere";
      return next;
    });
    ASSERT_TRUE(daemon.becomes("active"));
    auto priority = [&] {
      return json::parse(daemon.ask("GET", "/status").body).at("routers").at(0).at("priority").to_number<int>();
    };
    std::ofstream(wanted) << 150;
    EXPECT_EQ(daemon.ask("POST", "/reload").body, R"({"reloaded":true})");
    EXPECT_EQ(priority(), 150);

    std::ofstream(wanted) << 0;
    ControlResponse refused = daemon.ask("POST", "/reload");
    EXPECT_EQ(refused.status, 422);
    EXPECT_EQ(refused.body, R"({"reloaded":false,"errors":["node.conf:3: priority: is wrong"]})");
    EXPECT_EQ(priority(), 150);
    EXPECT_THAT(daemon.ask("GET", "/status").body, HasSubstr("reload refused: node.conf:3: priority: is wrong"));

    std::ofstream(wanted) << 7;
    refused = daemon.ask("POST", "/reload");
    EXPECT_EQ(refused.status, 422);
    EXPECT_THAT(refused.body, HasSubstr("control_socket: cannot be changed by a reload"));
    EXPECT_EQ(priority(), 150);

    std::ofstream(wanted) << 151;
    daemon.signal(SIGHUP);
    EXPECT_TRUE(Daemon::soon([&] { return priority() == 151; }));
    const std::string status = daemon.ask("GET", "/status").body;
    EXPECT_EQ(status.find("reload refused"), std::string::npos) << "forgiven";
    EXPECT_EQ(daemon.state(), "active");
    const json::value parsed = json::parse(status);
    const json::value& counters = parsed.at("routers").at(0).at("counters");
    EXPECT_EQ(counters.at("active_transitions").to_number<int>(), 1) << "nothing flapped";
    EXPECT_EQ(counters.at("addresses_lost").to_number<int>(), 0);
  });
}

TEST(EventLoop, ProxyAtTheGateDecides) {
  in_new_network([] {
    Daemon daemon;
    daemon.config.virtual_routers[0].track_proxy = true;
    daemon.start();
    ASSERT_TRUE(daemon.becomes("fault"));
    UniqueFd proxy(::socket(AF_UNIX, SOCK_SEQPACKET, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    daemon.config.gate_socket.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::connect(proxy.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    auto hear = [&] {
      char buffer[64];
      const ssize_t size = ::recv(proxy.get(), buffer, sizeof buffer, 0);
      return std::string(buffer, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    };
    EXPECT_EQ(hear(), "standby");
    EXPECT_TRUE(Daemon::soon([&] {
      (void)::send(proxy.get(), "ready", 5, MSG_NOSIGNAL);
      return daemon.state() == "active";
    }));
    EXPECT_EQ(hear(), "active");
    proxy.reset();
    EXPECT_TRUE(daemon.becomes("fault"));
    EXPECT_FALSE(Daemon::holds());
  });
}

TEST(EventLoop, LostAddressIsClaimedAgain) {
  in_new_network([] {
    Daemon daemon;
    daemon.start();
    ASSERT_TRUE(daemon.becomes("active"));
    run("ip addr del 192.0.2.100/24 dev v0");
    EXPECT_TRUE(Daemon::soon(Daemon::holds));
    EXPECT_EQ(daemon.state(), "active");
  });
}

TEST(EventLoop, AddressOfSomebodyElseIsAFaultUntilItIsFreed) {
  in_new_network([] {
    Daemon daemon;
    run("ip addr add 192.0.2.100/24 dev v0");
    daemon.start();
    ASSERT_TRUE(daemon.becomes("fault"));
    EXPECT_THAT(daemon.ask("GET", "/status").body, HasSubstr("192.0.2.100 is on v0 already"));
    run("ip addr del 192.0.2.100/24 dev v0");
    EXPECT_TRUE(daemon.becomes("active"));
  });
}

TEST(EventLoop, MissingInterfaceIsAFaultUntilItComes) {
  in_new_network([] {
    Daemon daemon;
    run("ip link del v0");
    daemon.start();
    ASSERT_TRUE(daemon.becomes("fault"));
    EXPECT_THAT(daemon.ask("GET", "/status").body, HasSubstr("interface v0: missing"));
    run("ip link add v0 type veth peer name v1 && ip addr add 192.0.2.11/24 dev v0 && ip link set v1 up && ip link "
        "set v0 up");
    EXPECT_TRUE(daemon.becomes("active"));
    run("ip link set v1 down");
    EXPECT_TRUE(daemon.becomes("fault"));
  });
}

TEST(EventLoop, SecondInstanceIsRefused) {
  in_new_network([] {
    Daemon daemon;
    daemon.start();
    ASSERT_TRUE(daemon.becomes("active"));
    auto second = run_event_loop({daemon.config, "node.conf", {}, {}, 0s}, SupervisorLink{});
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error(), HasSubstr("another"));
    EXPECT_EQ(daemon.state(), "active");
  });
}

}  // namespace
}  // namespace vipair::vrrp
