#pragma once
// A control socket's server that runs on a thread of its own, for the tests of both ends.

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "common/runtime/control_socket.h"
#include "common/runtime/unique_fd.h"
#include "gtest/gtest.h"

namespace vipair::test {

inline constexpr Duration kPatience = std::chrono::seconds(20);  // a test that waits so long has failed

// Echoes what it was asked; "/throw" throws.
inline ControlResponse echo(const ControlRequest& request) {
  if (request.path == "/throw") throw std::runtime_error("asked to");
  if (request.path == "/none") return {404, "text/plain", "no such page\n"};
  return {200, "text/plain",
          request.method + " " + request.path + " [" + request.query + "] " + std::to_string(request.body.size()) +
              (request.is_local ? " local" : " remote") + "\n"};
}

// A server on a Unix socket (and on TCP when asked for) that runs on its own thread.
class Running {
 public:
  explicit Running(Duration timeout = kControlTimeout, bool with_tcp = false) {
    char name[] = "/tmp/vipair-control-XXXXXX";
    folder_ = ::mkdtemp(name);
    auto handler = [this](const ControlRequest& request) { return handle(request); };
    auto server = ControlServer::listen_unix(io_, path(), handler, timeout);
    EXPECT_TRUE(server) << server.error();
    server_ = *std::move(server);
    if (with_tcp) {
      auto tcp = ControlServer::listen_tcp(io_, *IpEndpoint::parse("127.0.0.1:0"), echo, timeout);
      EXPECT_TRUE(tcp) << tcp.error();
      tcp_ = *std::move(tcp);
    }
    thread_ = std::thread([this] { io_.run(); });
  }
  ~Running() {
    stop();
    std::filesystem::remove_all(folder_);
  }
  // Ends the servers; the loop runs out of work by itself when they left nothing behind.
  void stop() {
    if (!thread_.joinable()) return;
    boost::asio::post(io_, [this] {
      server_.reset();
      tcp_.reset();
    });
    thread_.join();
  }
  std::string path() const { return folder_ + "/control.sock"; }
  IpEndpoint tcp_endpoint() const { return tcp_->local_endpoint(); }

  // Runs on the server's thread; what it returns comes back.
  template <class Function>
  auto on_loop(Function function) {
    std::packaged_task<decltype(function())()> task(std::move(function));
    auto result = task.get_future();
    boost::asio::post(io_, [&task] { task(); });
    return result.get();
  }
  // `make_readable` makes the server's end of its one connection so, and the reactor sees it; what there is to read
  // is read away before the session looks.
  void wake_for_nothing(const std::function<void()>& make_readable) {
    const int connection = accepted();
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    const UniqueFd in(ends[1]);
    boost::asio::posix::stream_descriptor first(io_, ends[0]);
    std::promise<void> over;
    on_loop([&] {
      first.async_wait(boost::asio::posix::descriptor_base::wait_read, [&](boost::system::error_code) {
        std::array<char, 64> bytes{};
        EXPECT_GT(::recv(connection, bytes.data(), bytes.size(), MSG_DONTWAIT), 0);
        over.set_value();
      });
    });
    on_loop([&] {  // both within one turn of the reactor, which hands them out in this order
      EXPECT_EQ(::write(in.get(), "x", 1), 1);
      make_readable();
    });
    over.get_future().wait();
    on_loop([&] { first.close(); });
  }
  // The newest one that was asked for, once there are `count`.
  std::shared_ptr<ControlStream> stream(std::size_t count = 1) { return newest(streams_, count); }
  std::shared_ptr<ControlLater> later(std::size_t count = 1) { return newest(laters_, count); }

 private:
  // "/stream" and "/later" are served by the test; the others are echoed.
  ControlResponse handle(const ControlRequest& request) {
    if (request.path == "/stream") {
      ControlResponse response{200, "text/plain", "begin\n"};
      streams_.push_back(response.stream = std::make_shared<ControlStream>("too slow\n"));
      return response;
    }
    if (request.path == "/later") {
      ControlResponse response;
      const Duration limit = std::chrono::milliseconds(request.query == "short" ? 20 : 20'000);
      laters_.push_back(response.later = std::make_shared<ControlLater>(limit));
      return response;
    }
    return echo(request);
  }
  // The descriptor of a connection to the Unix socket.
  int accepted() const {
    for (int fd = 0; fd < 1024; ++fd) {
      sockaddr_un own{};
      socklen_t size = sizeof own;
      int is_listening = 0;
      socklen_t flag_size = sizeof is_listening;
      if (::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) != 0 || own.sun_family != AF_UNIX) continue;
      if (own.sun_path != path()) continue;
      (void)::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &flag_size);
      if (is_listening == 0) return fd;
    }
    return -1;
  }
  template <class T>
  T newest(const std::vector<T>& all, std::size_t count) {
    for (;;) {
      T found = on_loop([&] { return all.size() >= count ? all.back() : nullptr; });
      if (found) return found;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  std::vector<std::shared_ptr<ControlStream>> streams_;  // of the server's thread
  std::vector<std::shared_ptr<ControlLater>> laters_;
  std::string folder_;
  boost::asio::io_context io_{1};
  std::unique_ptr<ControlServer> server_, tcp_;
  std::thread thread_;
};

}  // namespace vipair::test
