#include "proxy/server/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/un.h>

#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "tests/support/dns_server.h"
#include "tests/support/tcp_peers.h"

namespace vipair::proxy {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using testing::TcpClient;
using testing::TcpOrigin;

// A port that is free now, found by opening it: the configuration wants a number.
IpEndpoint free_endpoint() {
  return bound_endpoint(open_listener(*IpEndpoint::parse("127.0.0.1:0")).value()).value();
}

// A whole proxy from a file, its main loop in a thread.
class ProxyServerTest : public ::testing::Test {
 protected:
  ProxyServerTest()
      : folder_(std::filesystem::temp_directory_path() / ("vipair-proxy-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_ / "sites.d");
    write_site(origin_.address());
  }
  ~ProxyServerTest() override {
    if (thread_.joinable()) {
      call([&] { server_->stop_now(); });
      thread_.join();
    }
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::string path(const char* name) const { return folder_ / name; }
  void write(const char* name, const std::string& text) { std::ofstream(path(name)) << text; }
  void write_site(const std::string& server) {
    write("sites.d/site.conf", "site = { hosts = [ \"*\" ]; upstreams = ( { name = \"app\"; servers = [ \"" +
                                   server + "\" ]; } ); routes = ( { path = \"/\"; upstream = \"app\"; } ); };\n");
  }
  void write_proxy(const std::vector<std::string>& listeners, const std::string& more = "") {
    std::string list;
    for (const std::string& listener : listeners) {
      list += std::string(list.empty() ? "" : ", ") + "{ address = \"" + listener + "\"; }";
    }
    write("proxy.conf", "workers = 2;\nlisteners = ( " + list +
                            " );\ninclude = \"sites.d/*.conf\";\ncontrol_socket = \"" + path("control.sock") +
                            "\";\ngate_socket = \"" + path("gate.sock") + "\";\n" + more);
  }
  void start() {
    auto config = load_config(path("proxy.conf"));
    ASSERT_TRUE(config) << config.error().front().to_string();
    auto server = ProxyServer::start(io_, std::move(config).value(), path("proxy.conf"), [this] { io_.stop(); });
    ASSERT_TRUE(server) << server.error();
    server_ = std::move(server).value();
    endpoint_ = server_->endpoints().front();
    thread_ = std::thread([this] { io_.run(); });
  }
  // Runs in the main loop, waits for it.
  void call(std::function<void()> function) {
    std::packaged_task<void()> task(std::move(function));
    auto result = task.get_future();
    boost::asio::post(io_, [&task] { task(); });
    result.get();
  }
  ControlResponse control(const char* method, const char* target) {
    auto response = control_request(path("control.sock"), method, target, "", std::chrono::seconds(20));
    EXPECT_TRUE(response) << response.error();
    return response ? *response : ControlResponse{};
  }
  void wait_stopped() { thread_.join(); }

  TcpOrigin origin_{"hello"};
  const std::string first_ = free_endpoint().to_string();
  std::filesystem::path folder_;
  boost::asio::io_context io_{1};
  std::unique_ptr<ProxyServer> server_;
  IpEndpoint endpoint_;
  std::thread thread_;
};

TEST_F(ProxyServerTest, ServesAndTellsOfIt) {
  write_proxy({first_});
  start();
  EXPECT_THAT(TcpClient(endpoint_).get(), EndsWith("\r\n\r\nhello"));
  boost::json::value status;
  do {  // a request is counted once it is over, which is after its client has the response
    status = boost::json::parse(control("GET", "/status").body);
  } while (status.at("requests").at("total").to_number<int>() < 1);
  EXPECT_EQ(status.at("requests").at("2xx").to_number<int>(), 1);
  EXPECT_EQ(status.at("workers").as_array().size(), 2u);
  EXPECT_EQ(status.at("listeners").at(0).at("address").as_string(), endpoint_.to_string());
  EXPECT_THAT(control("GET", "/metrics").body, HasSubstr("vipair_proxy_responses_total{class=\"2xx\"} 1\n"));
  EXPECT_EQ(control("GET", "/nothing").status, 404);
  EXPECT_EQ(control("GET", "/reload").status, 405);
}

TEST_F(ProxyServerTest, ReloadsWithoutLosingAConnection) {
  write_proxy({first_});
  start();
  TcpClient client(endpoint_);
  EXPECT_THAT(client.get(), EndsWith("hello"));
  TcpOrigin other("other");
  write_site(other.address());
  EXPECT_EQ(control("POST", "/reload").status, 200);
  EXPECT_THAT(client.get(), EndsWith("other"));
  EXPECT_THAT(TcpClient(endpoint_).get(), EndsWith("other"));
}

TEST_F(ProxyServerTest, RefusesABrokenConfigurationAndGoesOn) {
  write_proxy({first_});
  start();
  write("sites.d/site.conf", "site = { hosts = [ \"*\" ]; nonsense = 1; };\n");
  const ControlResponse response = control("POST", "/reload");
  EXPECT_EQ(response.status, 422);
  EXPECT_THAT(response.body, HasSubstr("site.conf"));
  EXPECT_THAT(TcpClient(endpoint_).get(), EndsWith("hello"));
  const boost::json::value status = boost::json::parse(control("GET", "/status").body);
  EXPECT_FALSE(status.at("config").at("last_reload").at("ok").as_bool());
  EXPECT_EQ(status.at("config").at("generation").to_number<int>(), 1);
}

TEST_F(ProxyServerTest, OpensAndClosesListenersWithAReload) {
  write_proxy({first_});
  start();
  const IpEndpoint added = free_endpoint();
  write_proxy({first_, added.to_string()});
  EXPECT_EQ(control("POST", "/reload").status, 200);
  EXPECT_THAT(TcpClient(added).get(), EndsWith("hello"));
  EXPECT_THAT(TcpClient(endpoint_).get(), EndsWith("hello")) << "the unchanged one is the same socket";
  write_proxy({first_});
  EXPECT_EQ(control("POST", "/reload").status, 200);
  while (TcpClient(added).is_connected()) std::this_thread::yield();
}

TEST_F(ProxyServerTest, AListenerThatCannotBeOpenedRefusesTheReload) {
  write_proxy({first_});
  start();
  UniqueFd taken(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(listen(taken.get(), 1), 0);
  write_proxy({first_, bound_endpoint(taken).value().to_string()});
  const ControlResponse response = control("POST", "/reload");
  EXPECT_EQ(response.status, 422);
  EXPECT_THAT(response.body, HasSubstr("Address already in use"));
  EXPECT_THAT(TcpClient(endpoint_).get(), EndsWith("hello"));
}

TEST_F(ProxyServerTest, ASecondInstanceIsToldSo) {
  write_proxy({first_});
  start();
  boost::asio::io_context io(1);
  auto second = ProxyServer::start(io, load_config(path("proxy.conf")).value(), path("proxy.conf"), [] {});
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error(), HasSubstr("control socket"));
}

TEST_F(ProxyServerTest, AStopEndsWhenTheRequestsHaveEnded) {
  write_proxy({first_});
  start();
  origin_.hold(true);
  TcpClient client(endpoint_);
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  while (boost::json::parse(control("GET", "/status").body)
             .at("upstreams")
             .at(0)
             .at("servers")
             .at(0)
             .at("active")
             .to_number<int>() == 0) {
  }
  call([&] { server_->stop(); });
  while (TcpClient(endpoint_).is_connected()) std::this_thread::yield();
  origin_.hold(false);
  EXPECT_THAT(client.receive(), HasSubstr("Connection: close\r\n"));
  wait_stopped();
}

TEST_F(ProxyServerTest, TheSecondStopEndsAtOnce) {
  write_proxy({first_});
  start();
  origin_.hold(true);
  TcpClient client(endpoint_);
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  call([&] { server_->stop(); });
  call([&] { server_->stop(); });
  wait_stopped();
  EXPECT_EQ(client.receive(), "");
}

TEST_F(ProxyServerTest, ServersByNameComeAndGoWithTheirAddresses) {
  testing::DnsServer dns;
  const std::string port = origin_.address().substr(origin_.address().rfind(':'));
  write_site("app.internal" + port);
  write_proxy({first_}, "resolver = { servers = [ \"" + dns.endpoint().to_string() +
                            "\" ]; min_ttl = \"100ms\"; timeout = \"200ms\"; attempts = 1; };\n");
  start();
  EXPECT_THAT(TcpClient(endpoint_).get(), HasSubstr("503")) << "starts without an answer";
  dns.set("app.internal", {testing::DnsServer::address("127.0.0.1", 0)});
  auto wait_for = [&](const std::string& text) {
    std::string response;
    for (int i = 0; i < 500 && !response.ends_with(text); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      response = TcpClient(endpoint_).get();
    }
    EXPECT_THAT(response, EndsWith(text));
  };
  wait_for("\r\n\r\nhello");
  dns.remove("app.internal");
  boost::json::value status;
  do {
    status = boost::json::parse(control("GET", "/status").body);
  } while (status.at("names").at(0).at("error").as_string().empty());
  EXPECT_THAT(TcpClient(endpoint_).get(), EndsWith("hello")) << "the last good answer is kept";
  EXPECT_TRUE(control("POST", "/reload").status == 200);
  EXPECT_THAT(TcpClient(endpoint_).get(), EndsWith("hello")) << "by a reload as well";
}

TEST_F(ProxyServerTest, ChecksTakeServersOut) {
  write("sites.d/site.conf",
        "site = { hosts = [ \"*\" ]; upstreams = ( { name = \"app\"; servers = [ \"" + origin_.address() +
            "\" ]; health = { type = \"http\"; expect_body = \"sorry\"; "
            "interval = \"100ms\"; }; } ); routes = ( { path = \"/\"; upstream = \"app\"; } ); };\n");
  write_proxy({first_});
  start();
  boost::json::value server;
  do {
    const boost::json::value status = boost::json::parse(control("GET", "/status").body);
    server = status.at("upstreams").at(0).at("servers").at(0);
  } while (server.at("up").as_bool());
  EXPECT_EQ(server.at("check").at("reason").as_string(), "status 200, but its body has not the expected text");
  EXPECT_THAT(TcpClient(endpoint_).get(), HasSubstr("503"));
}

TEST_F(ProxyServerTest, ServesUntilAnotherNodeHasTheAddresses) {
  UniqueFd gate(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path("gate.sock").copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(gate.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(gate.get(), 1), 0);
  write_proxy({first_});
  start();
  UniqueFd agent(accept(gate.get(), nullptr, nullptr));
  auto say = [&](NodeRole role) {
    const std::string text = encode(role);
    ASSERT_GT(send(agent.get(), text.data(), text.size(), 0), 0);
  };
  auto hear = [&] {
    char text[kGateMessageMax];
    const ssize_t size = recv(agent.get(), text, sizeof text, 0);
    return decode_proxy_report({text, static_cast<std::size_t>(std::max<ssize_t>(size, 0))});
  };
  EXPECT_EQ(hear(), (ProxyReport{true, "", {1, 1}}));
  say(NodeRole::active);
  while (boost::json::parse(control("GET", "/status").body).at("gate").at("role") != "active") {
  }
  call([&] { server_->stop(); });
  while (hear() != (ProxyReport{false, "stopping"})) {
  }
  TcpClient late(endpoint_);
  const std::string response = late.get();
  EXPECT_THAT(response, EndsWith("hello")) << "nobody else has the addresses yet";
  EXPECT_THAT(response, HasSubstr("Connection: close\r\n"));
  say(NodeRole::standby);
  wait_stopped();
}

}  // namespace
}  // namespace vipair::proxy
