#pragma once
// Letting a probe look, and servers that behave as badly as wanted.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <csignal>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "common/runtime/unique_fd.h"
#include "vrrp/kernel/check_probe.h"

namespace vipair::vrrp::test {

using namespace std::chrono_literals;

// Runs the loop until the condition holds; false after `limit`.
template <class Condition>
bool soon(boost::asio::io_context& io, Condition condition, std::chrono::milliseconds limit = 10s) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    io.restart();
    io.run_one_for(10ms);
  }
  return true;
}

// One look. If it has no end within the limit, the probe is made to give up: "gave up: what was missing".
inline Observation look(boost::asio::io_context& io, Probe& probe, std::chrono::milliseconds limit = 10s) {
  std::optional<Observation> result;
  probe.start([&](Observation told) { result = std::move(told); });
  if (!soon(
          io, [&] { return result.has_value(); }, limit))
    return {false, "gave up: " + probe.give_up()};
  return *result;
}

// Listens on a loopback port of the kernel's choice; each connection is handed to `serve` in a thread of its own
// kind: one at a time.
class Server {
 public:
  explicit Server(std::function<void(int)> serve) : serve_(std::move(serve)) {
    listener_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 16), 0);
    socklen_t size = sizeof address;
    EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      for (;;) {
        const UniqueFd client(::accept(listener_.get(), nullptr, nullptr));
        if (!client) return;
        serve_(client.get());
      }
    });
  }
  // Answers each request with a text, or with as much of it as the client wants.
  explicit Server(std::string answer)
      : Server([answer = std::move(answer)](int client) {
          read_request(client);
          say(client, answer);
        }) {}
  ~Server() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::uint16_t port() const { return port_; }

  static std::string read_request(int client) {
    std::string request;
    char byte = 0;
    while (!request.ends_with("\r\n\r\n") && ::recv(client, &byte, 1, 0) == 1) request += byte;
    return request;
  }
  static bool say(int client, const std::string& text) {
    return ::send(client, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  // Until the client goes.
  static void wait_for_end(int client) {
    char byte = 0;
    while (::recv(client, &byte, 1, 0) > 0) {
    }
  }

 private:
  std::function<void(int)> serve_;
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

// A port that nobody listens on.
inline std::uint16_t closed_port() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  socklen_t size = sizeof address;
  EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  return ntohs(address.sin_port);
}

}  // namespace vipair::vrrp::test
