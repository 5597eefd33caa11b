// load: a closed-loop HTTP/1.1 load generator for measuring what a proxy costs. N connections, each sends its next
// request when the response is complete; every response is checked (status 200, whole body). After the warm-up it
// counts for a fixed time, reads the CPU clocks of the watched processes at exactly the same two moments, and
// prints one line of JSON. Any wrong response, refused connect or early close is an error, counted and never
// hidden.

#include <algorithm>
#include <charconv>
#include <chrono>
#include <ctime>
#include <fstream>
#include <memory>
#include <string_view>
#include <vector>

#include "net.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string target = "127.0.0.1:8080";
  std::string path = "/";
  std::string host = "bench.example";
  int connections = 64;
  double seconds = 2;
  double warm_up = 0.5;
  std::size_t upload = 0;      // bytes of a request's body; 0: GET
  std::size_t websocket = 0;   // bytes of a message that is echoed, which counts as a request; 0: HTTP
  bool closes = false;         // a connection per request
  int core = -1;               // whose idle time is reported
  std::vector<pid_t> watched;  // processes whose CPU time is reported
};

struct Counters {
  std::uint64_t requests = 0;
  std::uint64_t errors = 0;
  std::uint64_t bytes = 0;
};

class Load {
 public:
  explicit Load(const Options& options) : options_(options), target_(bench::parse_endpoint(options.target)) {
    request_ = (options.upload ? "POST " : "GET ") + options.path + " HTTP/1.1\r\nHost: " + options.host +
               "\r\nUser-Agent: vipair-bench\r\nAccept: */*\r\n" +
               (options.upload ? "Content-Length: " + std::to_string(options.upload) + "\r\n" : "") +
               (options.closes ? "Connection: close\r\n" : "") + "\r\n" + std::string(options.upload, 'u');
    if (options_.websocket) {
      request_ = "GET / HTTP/1.1\r\nHost: " + options.host +
                 "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
      message_ = std::string(options_.websocket, 'm');
    }
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    connections_.resize(static_cast<std::size_t>(options.connections));
    for (Connection& c : connections_) open(c);
  }

  // Runs until `until`; the counters go on from where they were.
  void run(Clock::time_point until) {
    std::vector<epoll_event> events(256);
    while (Clock::now() < until) {
      int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 100);
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        turn(*static_cast<Connection*>(event.data.ptr), event.events);
      }
    }
  }

  const Counters& counters() const { return counters_; }

 private:
  struct Connection {
    int fd = -1;
    bool is_connecting = false;
    bool waits_for_space = false;  // a request is not sent completely
    std::size_t sent = 0;          // bytes of the request
    std::string head;              // of the response, while it is incomplete
    bool has_head = false;
    std::size_t body_left = 0;
    bool is_answered = false;  // waits for the peer's close
    bool is_upgraded = false;
  };

  void open(Connection& c) {
    c = Connection{};
    c.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c.fd < 0) bench::fail("socket");
    bench::set_nodelay(c.fd);
    if (options_.closes) {
      // Many source addresses, so that ports in TIME-WAIT do not run out.
      sockaddr_in source{};
      source.sin_family = AF_INET;
      source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + next_source_++ % 200);
      int on = 1;
      setsockopt(c.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
      if (bind(c.fd, reinterpret_cast<sockaddr*>(&source), sizeof source) != 0) bench::fail("bind");
    }
    int result = connect(c.fd, reinterpret_cast<const sockaddr*>(&target_), sizeof target_);
    if (result != 0 && errno != EINPROGRESS) bench::fail("connect " + options_.target);
    c.is_connecting = true;
    bench::watch(epoll_, c.fd, EPOLLOUT, &c);
  }

  void again(Connection& c, bool is_error) {
    if (is_error) ++counters_.errors;
    if (counters_.errors > 10000) {
      errno = ECONNABORTED;
      bench::fail("more than 10000 errors from " + options_.target);
    }
    close(c.fd);
    open(c);
  }

  void turn(Connection& c, std::uint32_t events) {
    if (c.is_connecting) {
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(c.fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) {
        errno = error;
        bench::fail("connect " + options_.target);
      }
      c.is_connecting = false;
      c.waits_for_space = true;  // EPOLLOUT is watched
      send_request(c);
      return;
    }
    if (c.waits_for_space && events & EPOLLOUT) {
      if (!send_request(c)) return;
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(c);
  }

  // False when the connection was replaced.
  bool send_request(Connection& c) {
    const std::string& request = c.is_upgraded ? message_ : request_;
    while (c.sent < request.size()) {
      ssize_t n = send(c.fd, request.data() + c.sent, request.size() - c.sent, MSG_NOSIGNAL);
      if (n < 0 && errno == EAGAIN) break;
      if (n < 0) {
        again(c, true);
        return false;
      }
      c.sent += static_cast<std::size_t>(n);
    }
    bool waits = c.sent < request.size();
    if (waits != c.waits_for_space) {
      c.waits_for_space = waits;
      bench::watch_again(epoll_, c.fd, waits ? EPOLLIN | EPOLLOUT : EPOLLIN, &c);
    }
    return true;
  }

  void receive(Connection& c) {
    ssize_t n = recv(c.fd, buffer_, sizeof buffer_, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return again(c, !(n == 0 && c.is_answered));
    counters_.bytes += static_cast<std::uint64_t>(n);
    std::string_view input(buffer_, static_cast<std::size_t>(n));
    if (c.is_answered) return again(c, true);  // bytes after the response
    if (c.is_upgraded) return receive_echo(c, input);
    if (!c.has_head) {
      if (!c.head.empty()) input = c.head.append(input);
      std::size_t end = input.find("\r\n\r\n");
      if (end == std::string_view::npos) {
        if (c.head.empty()) c.head = input;
        return;
      }
      if (options_.websocket) {
        c.is_upgraded = input.substr(0, 12) == "HTTP/1.1 101" && input.size() == end + 4;
        if (!c.is_upgraded) return again(c, true);
        return send_message(c);
      }
      if (!read_head(c, input.substr(0, end + 2))) return again(c, true);
      input.remove_prefix(end + 4);
      c.has_head = true;
    }
    if (input.size() > c.body_left) return again(c, true);
    c.body_left -= input.size();
    if (c.body_left > 0) return;
    if (c.sent < request_.size()) return again(c, true);  // answered before the upload ended
    ++counters_.requests;
    if (options_.closes) {
      c.is_answered = true;
      return;
    }
    c.has_head = false;
    c.head.clear();
    c.sent = 0;
    send_request(c);
  }

  void send_message(Connection& c) {
    c.sent = 0;
    c.body_left = message_.size();
    send_request(c);
  }

  void receive_echo(Connection& c, std::string_view input) {
    const bool is_ours = input.find_first_not_of('m') == std::string_view::npos;
    if (!is_ours || input.size() > c.body_left) return again(c, true);
    c.body_left -= input.size();
    if (c.body_left > 0) return;
    ++counters_.requests;
    send_message(c);
  }

  static bool read_head(Connection& c, std::string_view head) {
    if (head.substr(0, 12) != "HTTP/1.1 200") return false;
    constexpr std::string_view kName = "\r\ncontent-length: ";
    auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; };
    auto found = std::search(head.begin(), head.end(), kName.begin(), kName.end(), same);
    if (found == head.end()) return false;
    const char* digits = &*found + kName.size();
    return std::from_chars(digits, head.data() + head.size(), c.body_left).ec == std::errc();
  }

  const Options& options_;
  sockaddr_in target_;
  std::string request_, message_;
  int epoll_ = -1;
  std::vector<Connection> connections_;
  std::uint32_t next_source_ = 0;
  Counters counters_;
  char buffer_[256 * 1024];
};

// Nanoseconds of CPU that the processes used so far, all threads.
std::uint64_t cpu_time(const std::vector<pid_t>& processes) {
  std::uint64_t total = 0;
  for (pid_t pid : processes) {
    clockid_t clock{};
    timespec time{};
    if ((errno = clock_getcpuclockid(pid, &clock)) != 0 || clock_gettime(clock, &time) != 0)
      bench::fail("CPU clock of process " + std::to_string(pid));
    total += static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(time.tv_nsec);
  }
  return total;
}

// Seconds that a core did nothing since boot; the kernel counts in ticks.
double idle_time(int core) {
  std::ifstream file("/proc/stat");
  std::string name;
  std::string line;
  while (file >> name) {
    double user = 0, nice = 0, system = 0, idle = 0, wait = 0;
    if (name == "cpu" + std::to_string(core) && file >> user >> nice >> system >> idle >> wait)
      return (idle + wait) / static_cast<double>(sysconf(_SC_CLK_TCK));
    std::getline(file, line);
  }
  return 0;
}

Options parse(int argc, char** argv) {
  Options options;
  auto usage = [] {
    std::fprintf(stderr,
                 "usage: load [--target A:P] [--path /N] [--host NAME] [--connections N] [--seconds S] [--warm-up "
                 "S] [--upload BYTES] [--websocket BYTES]\n"
                 "            [--close] [--core N] [--watch PID]...\n");
    std::exit(2);
  };
  for (int i = 1; i < argc; ++i) {
    std::string name = argv[i];
    if (name == "--close") {
      options.closes = true;
      continue;
    }
    if (++i == argc) usage();
    const char* value = argv[i];
    if (name == "--target")
      options.target = value;
    else if (name == "--path")
      options.path = value;
    else if (name == "--host")
      options.host = value;
    else if (name == "--connections")
      options.connections = std::atoi(value);
    else if (name == "--seconds")
      options.seconds = std::atof(value);
    else if (name == "--warm-up")
      options.warm_up = std::atof(value);
    else if (name == "--upload")
      options.upload = std::strtoul(value, nullptr, 10);
    else if (name == "--core")
      options.core = std::atoi(value);
    else if (name == "--websocket")
      options.websocket = std::strtoul(value, nullptr, 10);
    else if (name == "--watch")
      options.watched.push_back(std::atoi(value));
    else
      usage();
  }
  return options;
}

Clock::duration seconds(double value) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(value));
}

}  // namespace

int main(int argc, char** argv) {
  Options options = parse(argc, argv);
  bench::prepare_process();
  auto load = std::make_unique<Load>(options);
  load->run(Clock::now() + seconds(options.warm_up));
  Counters before = load->counters();
  std::uint64_t cpu_before = cpu_time(options.watched);
  double idle_before = idle_time(options.core);
  auto started = Clock::now();
  load->run(started + seconds(options.seconds));
  std::uint64_t cpu = cpu_time(options.watched) - cpu_before;
  std::chrono::duration<double> elapsed = Clock::now() - started;
  double idle = idle_time(options.core) - idle_before;
  const Counters& after = load->counters();
  std::printf(
      "{\"requests\": %llu, \"errors\": %llu, \"bytes\": %llu, \"seconds\": %.6f, \"cpu_ns\": %llu, \"core_idle\": "
      "%.3f}\n",
      static_cast<unsigned long long>(after.requests - before.requests),
      static_cast<unsigned long long>(after.errors), static_cast<unsigned long long>(after.bytes - before.bytes),
      elapsed.count(), static_cast<unsigned long long>(cpu), idle / elapsed.count());
  return 0;
}
