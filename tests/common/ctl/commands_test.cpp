#include "common/ctl/commands.h"

#include <sys/stat.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include "common/runtime/config_file.h"
#include "common/runtime/control_socket.h"
#include "gtest/gtest.h"

namespace vipair::ctl {
namespace {

// Answers by "METHOD /path"; everything else is 404.
using Answers = std::map<std::string, ControlResponse>;

class Node {
 public:
  Node() {
    char name[] = "/tmp/vipair-ctl-XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  ~Node() {
    for (auto& daemon : daemons_) {
      boost::asio::post(daemon->io, [&daemon] { daemon->server.reset(); });
      daemon->thread.join();
    }
    std::filesystem::remove_all(folder_);
  }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  void start(const std::string& name, Answers answers) {
    auto daemon = std::make_unique<Running>();
    auto server = ControlServer::listen_unix(daemon->io, path(name), [answers](const ControlRequest& request) {
      const auto found = answers.find(request.method + " " + request.path);
      return found == answers.end() ? ControlResponse{404, "text/plain", "no such path\n"} : found->second;
    });
    ASSERT_TRUE(server) << server.error();
    daemon->server = *std::move(server);
    daemon->thread = std::thread([&io = daemon->io] { io.run(); });
    daemons_.push_back(std::move(daemon));
  }

  // A program that notes its arguments in NAME.ran and exits with `status`.
  void install(const std::string& name, int status) {
    std::ofstream(path(name)) << "#!/bin/sh\necho \"$@\" > " << path(name) << ".ran\nexit " << status << "\n";
    ::chmod(path(name).c_str(), 0755);
  }

  int run(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--vrrp-socket", path("vrrpd.sock"), "--proxy-socket", path("proxyd.sock")});
    const auto line = parse_command_line(arguments);
    EXPECT_TRUE(line) << line.error();
    std::ostringstream out, err;
    Surroundings surroundings{folder_, out, err};
    surroundings.wait = [this](Duration) { return looks > 0 && --looks > 0; };
    surroundings.columns = columns;
    surroundings.lines = columns / 4;
    const int status = ctl::run(*line, surroundings);
    printed = out.str();
    complained = err.str();
    return status;
  }

  std::string printed, complained;
  int looks = 1;    // of `watch`
  int columns = 0;  // of the terminal; 0: none

 private:
  struct Running {
    boost::asio::io_context io{1};
    std::unique_ptr<ControlServer> server;
    std::thread thread;
  };
  std::string folder_;
  std::vector<std::unique_ptr<Running>> daemons_;
};

TEST(Commands, StatusShowsBothDaemons) {
  Node node;
  node.start("vrrpd.sock", {{"GET /status", {200, "application/json", R"({"node":"lb-a"})"}}});
  node.start("proxyd.sock", {{"GET /status", {200, "application/json", R"({"uptime_seconds":5})"}}});
  EXPECT_EQ(node.run({"status"}), 0);
  EXPECT_EQ(node.printed, "node lb-a\n\nno virtual routers\n\nproxy\n  uptime_seconds: 5\n");
  EXPECT_EQ(node.complained, "");
  EXPECT_EQ(node.run({"status", "--json"}), 0);
  EXPECT_EQ(node.printed, "{\"vrrp\":{\"node\":\"lb-a\"},\"proxy\":{\"uptime_seconds\":5}}\n");
  EXPECT_EQ(node.run({"status", "proxy", "--json"}), 0);
  EXPECT_EQ(node.printed, "{\"proxy\":{\"uptime_seconds\":5}}\n");
}

TEST(Commands, DaemonThatDoesNotAnswerHidesNotTheOther) {
  Node node;
  node.start("vrrpd.sock", {{"GET /status", {200, "application/json", R"({"node":"lb-a"})"}}});
  EXPECT_EQ(node.run({"status", "--json"}), kExitNoAnswer);
  EXPECT_EQ(node.printed, "{\"vrrp\":{\"node\":\"lb-a\"},\"proxy\":null}\n");
  EXPECT_EQ(node.complained, "proxy: " + node.path("proxyd.sock") + ": connect: No such file or directory\n");
  EXPECT_EQ(node.run({"status"}), kExitNoAnswer);
  EXPECT_EQ(node.printed, "node lb-a\n\nno virtual routers\n\nproxy: no answer\n");
  EXPECT_EQ(node.run({"status", "vrrp"}), 0);
  EXPECT_EQ(node.complained, "");
}

TEST(Commands, AnswersThatAreNoneAreFailures) {
  Node node;
  node.start("vrrpd.sock", {{"GET /status", {503, "text/plain", "starting\n"}}});
  node.start("proxyd.sock", {{"GET /status", {200, "application/json", "{"}}});
  EXPECT_EQ(node.run({"status", "--json"}), kExitNoAnswer);
  EXPECT_EQ(node.printed, "{\"vrrp\":null,\"proxy\":null}\n");
  EXPECT_EQ(node.complained, "vrrp: answered 503 starting\nproxy: the answer is not JSON\n");
}

TEST(Commands, EventsAreTheAgents) {
  Node node;
  node.start("vrrpd.sock", {{"GET /events",
                             {200, "application/json",
                              R"([{"at":"T","level":"info","router":"web/ipv4","event":"state","text":"why"}])"}}});
  EXPECT_EQ(node.run({"events"}), 0);
  EXPECT_EQ(node.printed, "T info web/ipv4 state: why\n");
  EXPECT_EQ(node.run({"events", "--json"}), 0);
  EXPECT_EQ(node.printed,
            "[{\"at\":\"T\",\"level\":\"info\",\"router\":\"web/ipv4\",\"event\":\"state\",\"text\":\"why\"}]\n");
}

constexpr const char* kActive =
    R"({"node":"lb-a","routers":[{"name":"web","family":"ipv4","state":"active","since":"T","priority":200,)"
    R"("reason":"startup","faults":[]}]})";

TEST(Commands, WatchTellsALineForEachChangeWhereThereIsNoTerminal) {
  Node node;
  node.start("vrrpd.sock", {{"GET /status", {200, "application/json", kActive}}});
  node.looks = 3;
  EXPECT_EQ(node.run({"watch"}), 0) << "a daemon that does not answer is what one watches for";
  EXPECT_EQ(node.printed, "T web/ipv4 active, priority 200, startup\nproxy: no answer\n");
  EXPECT_EQ(node.complained, "");
  node.looks = 2;
  EXPECT_EQ(node.run({"watch", "vrrp", "--json"}), 0);
  EXPECT_EQ(node.printed, "{\"vrrp\":" + std::string(kActive) + "}\n{\"vrrp\":" + kActive + "}\n");
}

TEST(Commands, WatchDrawsOnATerminal) {
  Node node;
  node.start("vrrpd.sock",
             {{"GET /status", {200, "application/json", kActive}},
              {"GET /events", {200, "application/json", R"([{"at":"T","event":"state","text":"a long story"}])"}}});
  node.columns = 40;
  EXPECT_EQ(node.run({"watch", "vrrp"}), 0);
  EXPECT_TRUE(node.printed.starts_with("\x1b[Hnode lb-a\x1b[K\r\n")) << node.printed;
  EXPECT_NE(node.printed.find("a long story\x1b[K\r\n"), std::string::npos) << node.printed;
  EXPECT_TRUE(node.printed.ends_with("\x1b[J")) << node.printed;
}

TEST(Commands, FollowingEventsPrintsThemAndSaysWhenTheyEnd) {
  Node node;
  ControlResponse events{200, "application/x-ndjson",
                         R"({"at":"T","level":"info","router":"web/ipv4",)"
                         R"("event":"state","text":"backup → active: silence"})"
                         "\nnonsense\n"};
  events.stream = std::make_shared<ControlStream>();
  events.stream->end();
  node.start("vrrpd.sock", {{"GET /events", events}});
  EXPECT_EQ(node.run({"events", "--follow"}), kExitNoAnswer);
  EXPECT_EQ(node.printed, "T info web/ipv4 state: backup → active: silence\nnonsense\n");
  EXPECT_EQ(node.complained, "vrrp: " + node.path("vrrpd.sock") + ": receive: end of stream\n");
}

TEST(Commands, OrdersSayWhatWasDoneOrWhyNot) {
  Node node;
  node.start("vrrpd.sock", {{"POST /handover", {200, "application/json", R"({"handed_over":true})"}},
                            {"POST /drain", {409, "application/json", R"({"error":"the peer is not heard"})"}},
                            {"POST /undrain", {200, "application/json", R"({"undrained":true})"}}});
  EXPECT_EQ(node.run({"handover", "we b"}), 0);
  EXPECT_EQ(node.printed, "handed over: the peer is Active\n");
  EXPECT_EQ(node.run({"drain"}), kExitFailed);
  EXPECT_EQ(node.printed, "");
  EXPECT_EQ(node.complained, "vrrp: the peer is not heard\n");
  EXPECT_EQ(node.run({"drain", "--json"}), kExitFailed);
  EXPECT_EQ(node.printed, "{\"error\":\"the peer is not heard\"}\n");
  EXPECT_EQ(node.run({"undrain", "--json"}), 0);
  EXPECT_EQ(node.printed, "{\"undrained\":true}\n");
}

TEST(Commands, ServersAreListedDrainedAndReadied) {
  Node node;
  const ControlResponse one{200, "application/json",
                            R"({"servers":[{"site":"a.example","upstream":"app","server":"10.0.0.1:80",)"
                            R"("state":"draining","active":3}]})"};
  node.start("proxyd.sock",
             {{"GET /servers", one},
              {"POST /servers/drain", one},
              {"POST /servers/ready", {404, "application/json", R"({"error":"no server is called b"})"}}});
  const std::string table =
      "SITE       UPSTREAM  SERVER       STATE     ACTIVE\n"
      "a.example  app       10.0.0.1:80  draining  3\n";
  EXPECT_EQ(node.run({"server", "list"}), 0);
  EXPECT_EQ(node.printed, table);
  EXPECT_EQ(node.run({"server", "drain", "app/10.0.0.1:80", "--force"}), 0);
  EXPECT_EQ(node.printed, table);
  EXPECT_EQ(node.run({"server", "list", "--json"}), 0);
  EXPECT_EQ(node.printed, one.body);
  EXPECT_EQ(node.run({"server", "ready", "b"}), kExitFailed);
  EXPECT_EQ(node.complained, "proxy: no server is called b\n");
}

TEST(Commands, DoctorFailsWhenItFindsSomething) {
  Node well, ill, confused;
  well.start("vrrpd.sock", {{"POST /doctor", {200, "application/json", "[]"}}});
  EXPECT_EQ(well.run({"doctor"}), 0);
  EXPECT_EQ(well.printed, "nothing is wrong\n");
  ill.start(
      "vrrpd.sock",
      {{"POST /doctor",
        {200, "application/json", R"([{"what":"firewall","evidence":"0 of 5 probes","advice":"open it"}])"}}});
  EXPECT_EQ(ill.run({"doctor"}), kExitFailed);
  EXPECT_EQ(ill.printed, "firewall: 0 of 5 probes; open it\n");
  confused.start("vrrpd.sock", {{"POST /doctor", {200, "application/json", "{}"}}});
  EXPECT_EQ(confused.run({"doctor"}), kExitNoAnswer);
}

TEST(Commands, PlanIsATable) {
  Node node;
  node.start("vrrpd.sock",
             {{"GET /plan", {200, "application/json", R"({"rows":[{"failing":"none","active":"lb-a"}]})"}}});
  EXPECT_EQ(node.run({"plan"}), 0);
  EXPECT_EQ(node.printed, "FAILING  ACTIVE\nnone     lb-a\n");
}

TEST(Commands, ReloadReachesBoth) {
  Node node;
  const ControlResponse good{200, "application/json", R"({"reloaded":true})"};
  node.start("vrrpd.sock", {{"POST /reload", good}});
  node.start("proxyd.sock", {{"POST /reload", good}});
  EXPECT_EQ(node.run({"reload"}), 0);
  EXPECT_EQ(node.printed, "vrrp: reloaded\nproxy: reloaded\n");
  EXPECT_EQ(node.run({"reload", "vrrp"}), 0);
  EXPECT_EQ(node.printed, "vrrp: reloaded\n");
  EXPECT_EQ(node.run({"reload", "--json"}), 0);
  EXPECT_EQ(node.printed, "{\"vrrp\":{\"reloaded\":true},\"proxy\":{\"reloaded\":true}}\n");
}

TEST(Commands, RefusedReloadNamesEveryMistake) {
  Node node;
  const std::string refusal = R"({"reloaded":false,"errors":["node.conf:7: vrid: 256 is out of range","b"]})";
  node.start("vrrpd.sock", {{"POST /reload", {422, "application/json", refusal}}});
  node.start("proxyd.sock", {{"POST /reload", {200, "application/json", R"({"reloaded":true})"}}});
  EXPECT_EQ(node.run({"reload"}), kExitConfig);
  EXPECT_EQ(node.printed, "proxy: reloaded\n");
  EXPECT_EQ(node.complained,
            "vrrp: refused, the running configuration stays:\nnode.conf:7: vrid: 256 is out of range\nb\n");
  EXPECT_EQ(node.run({"reload", "vrrp", "--json"}), kExitConfig);
  EXPECT_EQ(node.printed, "{\"vrrp\":" + refusal + "}\n");
}

TEST(Commands, ReloadOfADaemonThatCannotIsAFailure) {
  Node node;
  node.start("vrrpd.sock", {});
  EXPECT_EQ(node.run({"reload"}), kExitFailed);
  EXPECT_EQ(node.printed, "");
  EXPECT_TRUE(node.complained.starts_with("vrrp: answered 404 no such path\nproxy: ")) << node.complained;
}

TEST(Commands, MetricsOfBothFollowEachOther) {
  Node node;
  node.start("vrrpd.sock", {{"GET /metrics", {200, "text/plain", "a 1\n"}}});
  node.start("proxyd.sock", {{"GET /metrics", {200, "text/plain", "b 2\n"}}});
  EXPECT_EQ(node.run({"metrics"}), 0);
  EXPECT_EQ(node.printed, "a 1\nb 2\n");
  EXPECT_EQ(node.run({"metrics", "proxy"}), 0);
  EXPECT_EQ(node.printed, "b 2\n");
}

TEST(Commands, CheckRunsTheDaemonsOwnCheck) {
  Node node;
  node.install("vipair-vrrpd", 0);
  node.install("vipair-proxyd", kExitConfig);
  EXPECT_EQ(node.run({"check"}), kExitConfig);
  EXPECT_EQ(node.printed, "vipair-vrrpd: the configuration is good\n");
  EXPECT_EQ(node.complained, "vipair-proxyd: the check failed\n");
  for (const char* name : {"vipair-vrrpd", "vipair-proxyd"}) {
    std::string arguments;
    std::getline(std::ifstream(node.path(std::string(name) + ".ran")), arguments);
    EXPECT_EQ(arguments, "--check") << name;
  }
  EXPECT_EQ(node.run({"check", "vrrp"}), 0);
}

}  // namespace
}  // namespace vipair::ctl
