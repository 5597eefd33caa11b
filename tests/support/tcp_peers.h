#pragma once
// Real sockets for tests of the proxy as a whole: an origin in a thread of its own and a blocking client.

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "common/base/ip_address.h"
#include "common/runtime/unique_fd.h"
#include "proxy/server/socket_address.h"

namespace vipair::proxy::testing {

// Answers every request that has no body with `body`, keeps connections alive, listens on a port of the kernel's
// choice.
class TcpOrigin {
 public:
  explicit TcpOrigin(std::string body) : body_(std::move(body)) {
    listener_.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    SocketAddress address(*IpEndpoint::parse("127.0.0.1:0"));
    bind(listener_.get(), address.get(), address.length);
    listen(listener_.get(), 128);
    SocketAddress bound;
    getsockname(listener_.get(), bound.get(), &bound.length);
    endpoint_ = bound.endpoint();
    thread_ = std::thread([this] { run(); });
  }
  ~TcpOrigin() {
    stop_ = true;
    thread_.join();
  }
  std::string address() const { return endpoint_.to_string(); }
  void hold(bool on) { held_ = on; }  // requests are received but not answered
  int requests() const { return requests_; }

 private:
  struct Connection {
    UniqueFd fd;
    std::string input;
  };
  void run() {
    std::vector<Connection> connections;
    while (!stop_) {
      std::vector<pollfd> fds{{listener_.get(), POLLIN, 0}};
      for (auto& connection : connections) fds.push_back({connection.fd.get(), POLLIN, 0});
      poll(fds.data(), fds.size(), 5);
      for (std::size_t i = 1; i < fds.size(); ++i) {
        if (fds[i].revents == 0) continue;
        char bytes[4096];
        const ssize_t size = recv(fds[i].fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (size == 0) connections[i - 1].fd.reset();
        if (size > 0) connections[i - 1].input.append(bytes, static_cast<std::size_t>(size));
      }
      std::erase_if(connections, [](const Connection& connection) { return !connection.fd; });
      for (auto& connection : connections) answer(connection);
      if (fds[0].revents != 0) connections.push_back({UniqueFd(accept(listener_.get(), nullptr, nullptr)), ""});
    }
  }
  void answer(Connection& connection) {
    const std::size_t end = connection.input.find("\r\n\r\n");
    if (end == std::string::npos || held_) return;
    connection.input.erase(0, end + 4);
    ++requests_;
    const std::string response =
        "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body_.size()) + "\r\n\r\n" + body_;
    (void)!send(connection.fd.get(), response.data(), response.size(), MSG_NOSIGNAL);
  }

  std::string body_;
  UniqueFd listener_;
  IpEndpoint endpoint_;
  std::atomic<bool> stop_{false}, held_{false};
  std::atomic<int> requests_{0};
  std::thread thread_;
};

class TcpClient {
 public:
  explicit TcpClient(const IpEndpoint& endpoint) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const SocketAddress address(endpoint);
    connected_ = connect(fd_.get(), address.get(), address.length) == 0;
    const timeval patience{20, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  bool is_connected() const { return connected_; }
  void send(const std::string& bytes) { (void)!::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  // One response with a Content-Length; what is there when the connection ends before.
  std::string receive() {
    for (;;) {
      const std::size_t head = input_.find("\r\n\r\n");
      if (head != std::string::npos) {
        const std::size_t at = input_.find("Content-Length: ");
        const std::size_t size = head + 4 + (at < head ? std::stoul(input_.substr(at + 16)) : 0);
        if (input_.size() >= size) {
          std::string response = input_.substr(0, size);
          input_.erase(0, size);
          return response;
        }
      }
      char bytes[4096];
      const ssize_t size = recv(fd_.get(), bytes, sizeof bytes, 0);
      if (size <= 0) return std::exchange(input_, {});
      input_.append(bytes, static_cast<std::size_t>(size));
    }
  }
  bool is_ended() {  // waits for the end
    char byte;
    return recv(fd_.get(), &byte, 1, 0) == 0;
  }
  std::string get(const std::string& path = "/") {
    send("GET " + path + " HTTP/1.1\r\nHost: test\r\n\r\n");
    return receive();
  }

 private:
  UniqueFd fd_;
  bool connected_ = false;
  std::string input_;
};

}  // namespace vipair::proxy::testing
