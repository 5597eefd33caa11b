#pragma once
// A small name server on 127.0.0.1, over UDP and TCP on one port, in a thread of its own. It knows what it was
// told, and misbehaves when asked to.

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/base/ip_address.h"
#include "common/runtime/unique_fd.h"
#include "proxy/server/socket_address.h"

namespace vipair::proxy::testing {

class DnsServer {
 public:
  enum class Mode { normal, silent, garbage, truncated, server_failure };
  struct Record {
    std::uint16_t type;  // 1 A, 28 AAAA, 33 SRV
    std::uint32_t ttl;
    std::string data;
  };

  DnsServer() {
    for (int i = 0; i < 100 && !open(); ++i) {
    }
    if (!tcp_) throw std::runtime_error("no port for a name server");
    thread_ = std::thread([this] { run(); });
  }
  ~DnsServer() {
    is_stopping_ = true;
    thread_.join();
  }

  static Record address(const char* text, std::uint32_t ttl = 60) {
    const auto parsed = IpAddress::parse(text);
    const auto bytes = parsed->bytes();
    return {static_cast<std::uint16_t>(parsed->is_v4() ? 1 : 28), ttl, std::string(bytes.begin(), bytes.end())};
  }
  static Record service(std::uint16_t priority, std::uint16_t weight, std::uint16_t port, std::string_view host,
                        std::uint32_t ttl = 60) {
    return {33, ttl, number(priority) + number(weight) + number(port) + encoded(host)};
  }

  // What a name has; of other types it has nothing. An unknown name does not exist.
  void set(const std::string& name, std::vector<Record> records) {
    const std::lock_guard lock(mutex_);
    records_[encoded(name)] = std::move(records);
  }
  void remove(const std::string& name) {
    const std::lock_guard lock(mutex_);
    records_.erase(encoded(name));
  }
  void set_mode(Mode mode) { mode_ = mode; }
  int questions() const { return questions_; }
  int tcp_questions() const { return tcp_questions_; }
  IpEndpoint endpoint() const { return endpoint_; }

 private:
  static std::string number(std::uint32_t value, int width = 2) {
    std::string bytes;
    for (int shift = 8 * (width - 1); shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xFF);
    return bytes;
  }
  static std::string encoded(std::string_view name) {
    std::string bytes;
    while (!name.empty()) {
      const std::string_view label = name.substr(0, name.find('.'));
      bytes += static_cast<char>(label.size());
      bytes += label;
      name.remove_prefix(std::min(label.size() + 1, name.size()));
    }
    return bytes + '\0';
  }

  bool open() {
    UniqueFd udp(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)),
        tcp(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const SocketAddress any(*IpEndpoint::parse("127.0.0.1:0"));
    sockaddr_in bound{};
    socklen_t size = sizeof bound;
    if (bind(udp.get(), any.get(), any.length) != 0) return false;
    if (getsockname(udp.get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0) return false;
    if (bind(tcp.get(), reinterpret_cast<sockaddr*>(&bound), size) != 0 || listen(tcp.get(), 16) != 0) return false;
    endpoint_ = {IpAddress::v4(0x7F000001), ntohs(bound.sin_port)};
    udp_ = std::move(udp);
    tcp_ = std::move(tcp);
    return true;
  }

  void run() {
    while (!is_stopping_) {
      pollfd polled[] = {{udp_.get(), POLLIN, 0}, {tcp_.get(), POLLIN, 0}};
      if (poll(polled, 2, 10) <= 0) continue;
      char buffer[4096];
      if (polled[0].revents != 0) {
        sockaddr_storage from{};
        socklen_t length = sizeof from;
        auto* peer = reinterpret_cast<sockaddr*>(&from);
        const ssize_t size = recvfrom(udp_.get(), buffer, sizeof buffer, 0, peer, &length);
        if (size < 12) continue;
        const std::string reply = answer({buffer, static_cast<std::size_t>(size)}, false);
        if (!reply.empty()) (void)!sendto(udp_.get(), reply.data(), reply.size(), 0, peer, length);
      }
      if (polled[1].revents != 0) {
        const UniqueFd client(accept4(tcp_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        const ssize_t size = recv(client.get(), buffer, sizeof buffer, 0);
        if (size < 14) continue;
        const std::string reply = answer({buffer + 2, static_cast<std::size_t>(size) - 2}, true);
        const std::string framed = number(static_cast<std::uint32_t>(reply.size())) + reply;
        if (!reply.empty()) (void)!send(client.get(), framed.data(), framed.size(), MSG_NOSIGNAL);
      }
    }
  }

  std::string answer(std::string_view question, bool is_tcp) {
    ++(is_tcp ? tcp_questions_ : questions_);
    const Mode mode = mode_;
    if (mode == Mode::silent) return "";
    if (mode == Mode::garbage) return std::string(question.substr(0, 2)) + "\x81\x80 this is no answer at all";
    const std::size_t name_end = question.find('\0', 12) + 1;
    const std::string name(question.substr(12, name_end - 12));
    const std::uint16_t type = static_cast<std::uint8_t>(question[name_end + 1]);
    const std::lock_guard lock(mutex_);
    const auto known = records_.find(name);
    std::string answers;
    std::uint32_t count = 0, code = known == records_.end() ? 3 : 0;
    if (mode == Mode::server_failure) code = 2;
    const bool is_cut = mode == Mode::truncated && !is_tcp;
    if (code == 0 && !is_cut) {
      for (const Record& record : known->second) {
        if (record.type != type) continue;
        ++count;
        answers += "\xC0\x0C" + number(type) + number(1) + number(record.ttl, 4) +
                   number(static_cast<std::uint32_t>(record.data.size())) + record.data;
      }
    }
    return std::string(question.substr(0, 2)) + number(0x8180 | (is_cut ? 0x0200u : 0u) | code) + number(1) +
           number(count) + number(0) + number(0) + std::string(question.substr(12, name_end + 4 - 12)) + answers;
  }

  UniqueFd udp_, tcp_;
  IpEndpoint endpoint_;
  std::mutex mutex_;
  std::map<std::string, std::vector<Record>> records_;  // by encoded name; under mutex_
  std::atomic<Mode> mode_{Mode::normal};
  std::atomic<int> questions_{0}, tcp_questions_{0};
  std::atomic<bool> is_stopping_{false};
  std::thread thread_;
};

}  // namespace vipair::proxy::testing
