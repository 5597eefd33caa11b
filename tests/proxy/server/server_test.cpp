#include "proxy/server/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/un.h>

#include "tests/support/whole_proxy.h"

namespace vipair::proxy {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using testing::TcpClient;
using testing::TcpOrigin;

class ProxyServerTest : public testing::WholeProxy {};

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
  } while (server.at("up").as_bool() || server.at("check").at("reason").as_string() == "not checked yet");
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
