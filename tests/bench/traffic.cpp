// traffic ADDRESS PORT PATH BODY_FILE RATE [TIMEOUT_MS]: steady GETs, and an honest count of those that fail. For
// each line on standard input one JSON line about the time since the last one, and a last one at end of file.
//
// Requests start on time whether or not earlier ones were answered (an open loop). Every second one goes over a
// fresh connection, the others over a pool of kept ones, used in turn. A request fails unless a complete 200
// response with exactly the body of BODY_FILE arrives within TIMEOUT_MS (default 1000) of its start. What a normal
// client does is done, and counted: a kept connection that the server closes between requests is replaced; a GET
// that meets the close of its reused connection before any byte of a response is repeated once on a fresh
// connection ("retried").
//
// Runs at real-time priority when it may, so that it does not measure its own waiting for a processor.
//
// A gap runs from the start of the first request after a success to the next success. first_ms says when each node
// (X-Served-By) answered first in this lap a request that was started in it.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace {

using Nanoseconds = std::int64_t;
constexpr Nanoseconds kNever = -1;
constexpr Nanoseconds kMillisecond = 1'000'000;
constexpr std::size_t kKeptConnections = 8;
constexpr std::size_t kHeadMax = 16 * 1024;
constexpr std::uint64_t kTimerId = 0;
constexpr std::uint64_t kStandardInputId = 1;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "traffic: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

Nanoseconds now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

struct Lap {
  Nanoseconds started = now();
  std::uint64_t requests = 0, succeeded = 0, failed = 0, retried = 0, idle_closed = 0;
  Nanoseconds gap = 0, slowest = 0;
  std::map<std::string, std::uint64_t> served_by, failures;
  std::map<std::string, Nanoseconds> first;
};

struct Connection {
  int fd = -1;
  bool is_kept = false;    // after this response it goes back to the pool
  bool is_reused = false;  // it has carried a response before
  bool is_connected = false;
  bool is_busy = false;      // a request waits for its response
  bool is_finished = false;  // response complete, waiting for the server's close
  bool was_retried = false;
  Nanoseconds started = 0;  // of the request, its first attempt
  std::size_t sent = 0;
  std::string received;
};

class Traffic {
 public:
  Traffic(const char* address, int port, const std::string& path, std::string body, long rate, long timeout_ms)
      : body_(std::move(body)), timeout_(timeout_ms * kMillisecond), period_(1'000'000'000LL / rate) {
    if (inet_pton(AF_INET, address, &target4_.sin_addr) == 1) {
      target4_.sin_family = AF_INET;
      target4_.sin_port = htons(static_cast<std::uint16_t>(port));
    } else if (inet_pton(AF_INET6, address, &target6_.sin6_addr) == 1) {
      target6_.sin6_family = AF_INET6;
      target6_.sin6_port = htons(static_cast<std::uint16_t>(port));
      is_v6_ = true;
    } else {
      errno = EINVAL;
      fail(address);
    }
    const std::string head = "GET " + path + " HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: traffic\r\n";
    kept_request_ = head + "\r\n";
    fresh_request_ = head + "Connection: close\r\n\r\n";
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    itimerspec tick{};
    tick.it_interval.tv_nsec = tick.it_value.tv_nsec = std::min<long>(kMillisecond, period_);
    if (epoll_ < 0 || timer_ < 0 || timerfd_settime(timer_, 0, &tick, nullptr) != 0) fail("timer");
    watch(EPOLL_CTL_ADD, timer_, EPOLLIN, kTimerId);
    watch(EPOLL_CTL_ADD, STDIN_FILENO, EPOLLIN, kStandardInputId);
  }

  int run() {
    next_start_ = now();
    std::array<epoll_event, 256> events{};
    for (;;) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      if (count < 0 && errno != EINTR) fail("epoll_wait");
      bool lap_asked = false;
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (event.data.u64 == kTimerId) {
          std::uint64_t ticks = 0;
          if (read(timer_, &ticks, sizeof ticks) != sizeof ticks) continue;
        } else if (event.data.u64 == kStandardInputId) {
          lap_asked = true;
        } else {
          on_event(event.data.u64, event.events);
        }
      }
      on_time();
      if (lap_asked) {
        std::array<char, 64> line{};
        const ssize_t size = read(STDIN_FILENO, line.data(), line.size());
        if (size <= 0) {
          drain_ = true;
          watch(EPOLL_CTL_DEL, STDIN_FILENO, 0, kStandardInputId);
        } else {
          for (ssize_t i = 0; i < size; ++i) {
            if (line[static_cast<std::size_t>(i)] == '\n') report();
          }
        }
      }
      if (drain_ && deadlines_.empty()) {
        report();
        return 0;
      }
    }
  }

 private:
  void watch(int operation, int fd, std::uint32_t events, std::uint64_t id) const {
    epoll_event event{};
    event.events = events;
    event.data.u64 = id;
    if (epoll_ctl(epoll_, operation, fd, &event) != 0) fail("epoll_ctl");
  }

  void on_time() {
    const Nanoseconds time = now();
    while (!drain_ && next_start_ <= time) {
      next_start_ += period_;
      ++lap_.requests;
      if (waiting_since_ == kNever) waiting_since_ = time;
      const bool is_fresh = (turn_++ % 2) == 0;
      if (!is_fresh && kept_ >= kKeptConnections && !idle_.empty()) {
        const std::uint64_t id = idle_.front();
        idle_.pop_front();
        start_request(id, time, false);
      } else {
        open(time, !is_fresh, false);
      }
    }
    while (!deadlines_.empty() && (deadlines_.front().first <= time || !is_pending(deadlines_.front()))) {
      const auto [deadline, id] = deadlines_.front();
      const bool expired = is_pending(deadlines_.front());
      deadlines_.pop_front();
      if (expired) fail_request(id, "timeout");
    }
    while (!lingering_.empty() && lingering_.front().first <= time) {
      if (connections_.count(lingering_.front().second) != 0) close_connection(lingering_.front().second);
      lingering_.pop_front();
    }
  }

  bool is_pending(const std::pair<Nanoseconds, std::uint64_t>& entry) const {
    const auto found = connections_.find(entry.second);
    return found != connections_.end() && found->second.is_busy && found->second.started + timeout_ == entry.first;
  }

  void open(Nanoseconds started, bool is_kept, bool is_retry) {
    const int fd = ::socket(is_v6_ ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket");
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const std::uint64_t id = next_id_++;
    Connection& connection = connections_[id];
    connection.fd = fd;
    connection.is_kept = is_kept;
    connection.was_retried = is_retry;
    if (is_kept) ++kept_;
    const auto* target =
        is_v6_ ? reinterpret_cast<const sockaddr*>(&target6_) : reinterpret_cast<const sockaddr*>(&target4_);
    const socklen_t size = is_v6_ ? sizeof target6_ : sizeof target4_;
    const bool refused = ::connect(fd, target, size) != 0 && errno != EINPROGRESS;
    const int error = errno;
    watch(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, id);
    start_request(id, started, true);
    if (refused && connections_.count(id) != 0) fail_request(id, std::string("connect: ") + std::strerror(error));
  }

  void start_request(std::uint64_t id, Nanoseconds started, bool is_new) {
    Connection& connection = connections_.at(id);
    connection.is_busy = true;
    connection.is_reused = !is_new;
    connection.started = started;
    connection.sent = 0;
    connection.received.clear();
    deadlines_.emplace_back(started + timeout_, id);
    if (!is_new) {
      connection.was_retried = false;
      send_request(id);
    }
  }

  void on_event(std::uint64_t id, std::uint32_t events) {
    auto found = connections_.find(id);
    if (found == connections_.end()) return;
    Connection& connection = found->second;
    if (!connection.is_connected) {
      if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) return;
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(connection.fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) {
        fail_request(id, std::string("connect: ") + std::strerror(error));
        return;
      }
      connection.is_connected = true;
    }
    if (connection.is_busy && (events & EPOLLOUT) != 0 && !send_request(id)) return;
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0) receive(id);
  }

  bool send_request(std::uint64_t id) {
    Connection& connection = connections_.at(id);
    const std::string& request = connection.is_kept ? kept_request_ : fresh_request_;
    while (connection.sent < request.size()) {
      const ssize_t size =
          ::send(connection.fd, request.data() + connection.sent, request.size() - connection.sent, MSG_NOSIGNAL);
      if (size < 0) {
        if (errno == EAGAIN) return true;
        lost(id, errno);
        return false;
      }
      connection.sent += static_cast<std::size_t>(size);
    }
    return true;
  }

  void receive(std::uint64_t id) {
    static std::array<char, 256 * 1024> buffer;
    for (;;) {
      auto found = connections_.find(id);
      if (found == connections_.end()) return;
      Connection& connection = found->second;
      const ssize_t size = ::recv(connection.fd, buffer.data(), buffer.size(), 0);
      if (size < 0 && errno == EAGAIN) return;
      if (size <= 0) {
        lost(id, size == 0 ? 0 : errno);
        return;
      }
      if (!connection.is_busy) {
        if (!connection.is_finished) note_failure("bytes that nobody asked for");
        close_connection(id);
        return;
      }
      connection.received.append(buffer.data(), static_cast<std::size_t>(size));
      check_response(id);
    }
  }

  // The server closed or reset the connection (error 0: closed).
  void lost(std::uint64_t id, int error) {
    Connection& connection = connections_.at(id);
    if (!connection.is_busy) {
      if (!connection.is_finished) ++lap_.idle_closed;
      close_connection(id);
      return;
    }
    if (connection.is_reused && connection.received.empty() && !connection.was_retried) {
      const Nanoseconds started = connection.started;
      ++lap_.retried;
      close_connection(id);
      open(started, true, true);
      return;
    }
    fail_request(id, std::string(connection.received.empty() ? "before the response: " : "in the response: ") +
                         (error == 0 ? "closed" : std::strerror(error)));
  }

  static std::string_view field(std::string_view head, std::string_view name) {
    for (std::size_t at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at + 2)) {
      std::string_view line = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
      if (line.size() > name.size() && line[name.size()] == ':' &&
          strncasecmp(line.data(), name.data(), name.size()) == 0) {
        line.remove_prefix(name.size() + 1);
        while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
        return line;
      }
    }
    return {};
  }

  void check_response(std::uint64_t id) {
    Connection& connection = connections_.at(id);
    const std::size_t end = connection.received.find("\r\n\r\n");
    if (end == std::string::npos) {
      if (connection.received.size() > kHeadMax) fail_request(id, "a head without an end");
      return;
    }
    const std::string_view head = std::string_view(connection.received).substr(0, end + 2);
    if (head.substr(0, 13) != "HTTP/1.1 200 ") {
      fail_request(id, "status " + std::string(head.substr(9, 3)));
      return;
    }
    if (field(head, "Content-Length") != std::to_string(body_.size())) {
      fail_request(id, "Content-Length " + std::string(field(head, "Content-Length")));
      return;
    }
    if (connection.received.size() < end + 4 + body_.size()) return;
    if (std::string_view(connection.received).substr(end + 4) != body_) {
      fail_request(id, "another body");
      return;
    }
    const Nanoseconds time = now();
    const std::string node(field(head, "X-Served-By"));
    const std::string_view persistence = field(head, "Connection");
    const bool closes =
        !connection.is_kept || (persistence.size() == 5 && strncasecmp(persistence.data(), "close", 5) == 0);
    ++lap_.succeeded;
    ++lap_.served_by[node];
    if (connection.started >= lap_.started) lap_.first.emplace(node, time - lap_.started);
    lap_.slowest = std::max(lap_.slowest, time - connection.started);
    if (waiting_since_ != kNever) lap_.gap = std::max(lap_.gap, time - waiting_since_);
    waiting_since_ = kNever;
    connection.is_busy = false;
    connection.received.clear();
    if (closes) {
      connection.is_finished = true;  // the server closes; if it forgets, we do
      lingering_.emplace_back(time + timeout_, id);
    } else {
      idle_.push_back(id);
    }
  }

  void note_failure(const std::string& reason) {
    ++lap_.failed;
    ++lap_.failures[reason];
  }

  void fail_request(std::uint64_t id, const std::string& reason) {
    note_failure(reason);
    close_connection(id);
  }

  void close_connection(std::uint64_t id) {
    const auto found = connections_.find(id);
    ::close(found->second.fd);
    if (found->second.is_kept) {
      --kept_;
      idle_.erase(std::remove(idle_.begin(), idle_.end(), id), idle_.end());
    }
    connections_.erase(found);
  }

  template <typename Map, typename Print>
  static std::string object(const Map& map, Print print) {
    std::string text = "{";
    for (const auto& [name, value] : map) {
      std::string safe;
      for (const char c : name) {
        if (c >= ' ' && c < 0x7f && c != '"' && c != '\\') safe += c;
      }
      text += (text.size() > 1 ? ", \"" : "\"") + safe + "\": " + print(value);
    }
    return text + "}";
  }

  void report() {
    const Nanoseconds time = now();
    const Nanoseconds dark = waiting_since_ == kNever ? 0 : time - waiting_since_;
    const auto count = [](std::uint64_t value) { return std::to_string(value); };
    const auto milliseconds = [](Nanoseconds value) { return std::to_string(static_cast<double>(value) / 1e6); };
    std::printf(
        "{\"requests\": %llu, \"succeeded\": %llu, \"failed\": %llu, \"retried\": %llu, \"idle_closed\": %llu, "
        "\"pending\": %zu, \"gap_ms\": %.3f, \"dark_ms\": %.3f, \"slowest_ms\": %.3f, \"seconds\": %.3f, "
        "\"served_by\": %s, \"first_ms\": %s, \"failures\": %s}\n",
        static_cast<unsigned long long>(lap_.requests), static_cast<unsigned long long>(lap_.succeeded),
        static_cast<unsigned long long>(lap_.failed), static_cast<unsigned long long>(lap_.retried),
        static_cast<unsigned long long>(lap_.idle_closed),
        static_cast<std::size_t>(std::count_if(connections_.begin(), connections_.end(),
                                               [](const auto& entry) { return entry.second.is_busy; })),
        static_cast<double>(std::max(lap_.gap, dark)) / 1e6, static_cast<double>(dark) / 1e6,
        static_cast<double>(lap_.slowest) / 1e6, static_cast<double>(time - lap_.started) / 1e9,
        object(lap_.served_by, count).c_str(), object(lap_.first, milliseconds).c_str(),
        object(lap_.failures, count).c_str());
    std::fflush(stdout);
    lap_ = Lap{};
  }

  sockaddr_in target4_{};
  sockaddr_in6 target6_{};
  bool is_v6_ = false;
  std::string body_, kept_request_, fresh_request_;
  Nanoseconds timeout_, period_;
  int epoll_ = -1, timer_ = -1;
  bool drain_ = false;
  std::uint64_t turn_ = 0, next_id_ = 2;
  std::size_t kept_ = 0;
  Nanoseconds next_start_ = 0, waiting_since_ = kNever;
  std::unordered_map<std::uint64_t, Connection> connections_;
  std::deque<std::uint64_t> idle_;
  std::deque<std::pair<Nanoseconds, std::uint64_t>> deadlines_, lingering_;  // by time: all waits are equally long
  Lap lap_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6 || argc > 7) {
    std::fprintf(stderr, "usage: traffic ADDRESS PORT PATH BODY_FILE RATE [TIMEOUT_MS]\n");
    return 2;
  }
  const long port = std::strtol(argv[2], nullptr, 10);
  const long rate = std::strtol(argv[5], nullptr, 10);
  const long timeout_ms = argc == 7 ? std::strtol(argv[6], nullptr, 10) : 1000;
  std::ifstream file(argv[4], std::ios::binary);
  if (port < 1 || port > 65535 || rate < 2 || rate > 100'000 || timeout_ms < 1 || !file) {
    std::fprintf(stderr, "traffic: a port, a readable file, 2 to 100000 requests per second, a timeout\n");
    return 2;
  }
  std::string body{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  sched_param priority{};
  priority.sched_priority = 5;
  sched_setscheduler(0, SCHED_FIFO, &priority);  // without the permission it measures as well as it can
  return Traffic(argv[1], static_cast<int>(port), argv[3], std::move(body), rate, timeout_ms).run();
}
