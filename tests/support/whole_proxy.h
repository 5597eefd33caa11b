#pragma once
// A whole proxy from a file, its main loop in a thread, before an origin on the loopback interface.

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/runtime/control_client.h"
#include "proxy/server/server.h"
#include "tests/support/tcp_peers.h"

namespace vipair::proxy::testing {

// A port that is free now, found by opening it: the configuration wants a number.
inline IpEndpoint free_endpoint() {
  return bound_endpoint(open_listener(*IpEndpoint::parse("127.0.0.1:0")).value()).value();
}

class WholeProxy : public ::testing::Test {
 protected:
  WholeProxy() : folder_(std::filesystem::temp_directory_path() / ("vipair-proxy-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_ / "sites.d");
    write_site(origin_.address());
  }
  ~WholeProxy() override {
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

}  // namespace vipair::proxy::testing
