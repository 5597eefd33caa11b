// load: an HTTP/1.1 load generator for measuring what a proxy costs. N connections, each sends its next request
// when the response is complete, or (--rate) so many a second over all of them, whatever has been answered; every
// response is checked (status 200, whole body). After the warm-up it counts for a fixed time, reads the CPU clocks
// of the watched processes at exactly the same two moments, and prints one line of JSON. Any wrong response,
// refused connect or early close is an error, counted and never hidden.
//
// --tls: over TLS; with --close a full handshake per request, with --resume a resumed one. --may-close: a response
// may announce its connection's end, and a new connection takes over: for reloads. With --rate a request's latency
// counts from the moment at which it was due.

#include <sys/timerfd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <ctime>
#include <deque>
#include <fstream>
#include <memory>
#include <string_view>
#include <vector>

#include "net.h"
#include "tls.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string target = "127.0.0.1:8080";
  std::string path = "/";
  std::string host = "bench.example";
  int connections = 64;
  double seconds = 2;
  double warm_up = 0.5;
  std::size_t upload = 0;     // bytes of a request's body; 0: GET
  std::size_t websocket = 0;  // bytes of a message that is echoed, which counts as a request; 0: HTTP
  double rate = 0;            // requests per second; 0: as many as there can be
  bool closes = false;        // a connection per request
  bool may_close = false;     // the peer may, once it has said so
  bool is_tls = false;
  bool resumes = false;        // TLS sessions
  int core = -1;               // whose idle time is reported
  std::vector<pid_t> watched;  // processes whose CPU time is reported
};

struct Counters {
  std::uint64_t requests = 0;
  std::uint64_t errors = 0;
  std::uint64_t bytes = 0;
  std::uint64_t handshakes = 0, resumed = 0;
};

// Where a field's value begins, or nullptr. `name` is lower case, with CRLF in front and ": " behind.
const char* find_field(std::string_view head, std::string_view name) {
  auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; };
  auto found = std::search(head.begin(), head.end(), name.begin(), name.end(), same);
  return found == head.end() ? nullptr : &*found + name.size();
}

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
    if (options.is_tls) tls_ = std::make_unique<bench::TlsClient>(options.resumes);
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    if (options.rate > 0) {
      interval_ = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1 / options.rate));
      timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
      if (timer_ < 0) bench::fail("timerfd_create");
      bench::watch(epoll_, timer_, EPOLLIN | EPOLLET, nullptr);
      next_due_ = Clock::now();
    }
    connections_.resize(static_cast<std::size_t>(options.connections));
    for (Connection& c : connections_) open(c);
  }

  // Runs until `until`; the counters go on from where they were.
  void run(Clock::time_point until) {
    std::vector<epoll_event> events(256);
    while (Clock::now() < until) {
      if (options_.rate > 0) begin_due();
      int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 100);
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (event.data.ptr != nullptr) turn(*static_cast<Connection*>(event.data.ptr), event.events);
      }
    }
  }

  const Counters& counters() const { return counters_; }
  std::vector<double>& latencies() { return latencies_; }  // microseconds, with --rate

 private:
  struct Connection {
    int fd = -1;
    SSL* ssl = nullptr;
    bool is_connecting = false;
    bool is_shaking_hands = false;
    Clock::time_point due;         // of the request that runs
    bool is_idle = false;          // with --rate
    bool waits_for_space = false;  // a request is not sent completely
    std::size_t sent = 0;          // bytes of the request
    std::string head;              // of the response, while it is incomplete
    bool has_head = false;
    std::size_t body_left = 0;
    bool is_answered = false;    // waits for the peer's close
    bool was_announced = false;  // that close
    bool is_upgraded = false;
  };

  void open(Connection& c) {
    bench::end(c.ssl);
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
    if (c.is_idle) idle_.erase(std::find(idle_.begin(), idle_.end(), &c));
    close(c.fd);
    open(c);
  }

  // Starts the requests whose time has come, as far as there are idle connections.
  void begin_due() {
    const auto now = Clock::now();
    for (; next_due_ <= now; next_due_ += interval_) due_.push_back(next_due_);
    while (!due_.empty() && !idle_.empty()) {
      Connection& c = *idle_.front();
      idle_.pop_front();
      c.is_idle = false;
      c.due = due_.front();
      due_.pop_front();
      send_request(c);
    }
    itimerspec next{};
    const auto at = std::chrono::duration_cast<std::chrono::nanoseconds>(next_due_.time_since_epoch()).count();
    next.it_value.tv_sec = at / 1'000'000'000;
    next.it_value.tv_nsec = at % 1'000'000'000;
    timerfd_settime(timer_, TFD_TIMER_ABSTIME, &next, nullptr);
  }

  // The connection is free for a request: now, or when the next one is due.
  bool next_request(Connection& c) {
    c.sent = 0;
    if (options_.rate == 0) return send_request(c);
    watch_for_space(c, false);
    c.is_idle = true;
    idle_.push_back(&c);
    return true;
  }

  void watch_for_space(Connection& c, bool waits) {
    if (waits == c.waits_for_space) return;
    c.waits_for_space = waits;
    bench::watch_again(epoll_, c.fd, waits ? EPOLLIN | EPOLLOUT : EPOLLIN, &c);
  }

  void shake_hands(Connection& c) {
    const ssize_t result = bench::as_socket(c.ssl, SSL_do_handshake(c.ssl));
    if (result > 0) {
      c.is_shaking_hands = false;
      ++counters_.handshakes;
      if (SSL_session_reused(c.ssl)) ++counters_.resumed;
      next_request(c);
    } else if (result == 0 || errno != EAGAIN) {
      again(c, true);
    }
  }

  void turn(Connection& c, std::uint32_t events) {
    if (c.is_connecting) {
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(c.fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0 && options_.may_close) return again(c, true);
      if (error != 0) {
        errno = error;
        bench::fail("connect " + options_.target);
      }
      c.is_connecting = false;
      c.waits_for_space = true;  // EPOLLOUT is watched
      if (tls_ == nullptr) {
        next_request(c);
        return;
      }
      watch_for_space(c, false);
      c.ssl = tls_->begin(c.fd, options_.host.c_str());
      c.is_shaking_hands = true;
    }
    if (c.is_shaking_hands) return shake_hands(c);
    if (c.waits_for_space && events & EPOLLOUT) {
      if (!send_request(c)) return;
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(c);
  }

  // False when the connection was replaced.
  bool send_request(Connection& c) {
    const std::string& request = c.is_upgraded ? message_ : request_;
    while (c.sent < request.size()) {
      ssize_t n = bench::transmit(c.fd, c.ssl, request.data() + c.sent, request.size() - c.sent);
      if (n < 0 && errno == EAGAIN) break;
      if (n < 0) {
        again(c, true);
        return false;
      }
      c.sent += static_cast<std::size_t>(n);
    }
    watch_for_space(c, c.sent < request.size());
    return true;
  }

  void receive(Connection& c) {
    do {
      ssize_t n = bench::receive(c.fd, c.ssl, buffer_, sizeof buffer_);
      if (n < 0 && errno == EAGAIN) return;
      if (n <= 0) return again(c, !(n == 0 && c.is_answered));
      counters_.bytes += static_cast<std::uint64_t>(n);
      if (!take(c, {buffer_, static_cast<std::size_t>(n)})) return;
    } while (bench::has_more(c.ssl));
  }

  bool replace(Connection& c) {
    again(c, true);
    return false;
  }

  // False when the connection was replaced.
  bool take(Connection& c, std::string_view input) {
    if (c.is_answered || c.is_idle) return replace(c);  // bytes after the response
    if (c.is_upgraded) return take_echo(c, input);
    if (!c.has_head) {
      if (!c.head.empty()) input = c.head.append(input);
      std::size_t end = input.find("\r\n\r\n");
      if (end == std::string_view::npos) {
        if (c.head.empty()) c.head = input;
        return true;
      }
      if (options_.websocket) {
        c.is_upgraded = input.substr(0, 12) == "HTTP/1.1 101" && input.size() == end + 4;
        return c.is_upgraded ? send_message(c) : replace(c);
      }
      if (!read_head(c, input.substr(0, end + 2))) return replace(c);
      input.remove_prefix(end + 4);
      c.has_head = true;
    }
    if (input.size() > c.body_left) return replace(c);
    c.body_left -= input.size();
    if (c.body_left > 0) return true;
    if (c.sent < request_.size()) return replace(c);  // answered before the upload ended
    ++counters_.requests;
    if (options_.rate > 0) {
      latencies_.push_back(std::chrono::duration<double, std::micro>(Clock::now() - c.due).count());
    }
    if (options_.closes || c.was_announced) {
      c.is_answered = true;
      return true;
    }
    c.has_head = false;
    c.head.clear();
    return next_request(c);
  }

  bool send_message(Connection& c) {
    c.sent = 0;
    c.body_left = message_.size();
    return send_request(c);
  }

  bool take_echo(Connection& c, std::string_view input) {
    const bool is_ours = input.find_first_not_of('m') == std::string_view::npos;
    if (!is_ours || input.size() > c.body_left) return replace(c);
    c.body_left -= input.size();
    if (c.body_left > 0) return true;
    ++counters_.requests;
    return send_message(c);
  }

  bool read_head(Connection& c, std::string_view head) const {
    if (head.substr(0, 12) != "HTTP/1.1 200") return false;
    if (options_.may_close) {
      const char* value = find_field(head, "\r\nconnection: ");
      c.was_announced = value != nullptr && *value == 'c';
    }
    const char* digits = find_field(head, "\r\ncontent-length: ");
    return digits != nullptr && std::from_chars(digits, head.data() + head.size(), c.body_left).ec == std::errc();
  }

  const Options& options_;
  sockaddr_in target_;
  std::string request_, message_;
  int epoll_ = -1;
  std::unique_ptr<bench::TlsClient> tls_;  // may be absent
  std::vector<Connection> connections_;
  int timer_ = -1;  // this and what follows: with --rate
  Clock::duration interval_{};
  Clock::time_point next_due_;
  std::deque<Clock::time_point> due_;  // and nobody was free
  std::deque<Connection*> idle_;
  std::vector<double> latencies_;
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
                 "            [--close] [--may-close] [--tls] [--resume] [--rate N] [--core N] [--watch PID]...\n");
    std::exit(2);
  };
  for (int i = 1; i < argc; ++i) {
    std::string name = argv[i];
    bool* flag = name == "--close"       ? &options.closes
                 : name == "--may-close" ? &options.may_close
                 : name == "--tls"       ? &options.is_tls
                 : name == "--resume"    ? &options.resumes
                                         : nullptr;
    if (flag != nullptr) {
      *flag = true;
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
    else if (name == "--rate")
      options.rate = std::atof(value);
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
  std::vector<double>& latencies = load->latencies();
  latencies.clear();
  std::uint64_t cpu_before = cpu_time(options.watched);
  double idle_before = idle_time(options.core);
  auto started = Clock::now();
  load->run(started + seconds(options.seconds));
  std::uint64_t cpu = cpu_time(options.watched) - cpu_before;
  std::chrono::duration<double> elapsed = Clock::now() - started;
  double idle = idle_time(options.core) - idle_before;
  const Counters& after = load->counters();
  std::sort(latencies.begin(), latencies.end());
  auto percentile = [&](double share) {
    return latencies.empty() ? 0.0
                             : latencies[static_cast<std::size_t>(share * static_cast<double>(latencies.size()))];
  };
  std::printf(
      "{\"requests\": %llu, \"errors\": %llu, \"bytes\": %llu, \"seconds\": %.6f, \"cpu_ns\": %llu, \"core_idle\": "
      "%.3f, \"handshakes\": %llu, \"resumed\": %llu, \"p50_us\": %.1f, \"p99_us\": %.1f}\n",
      static_cast<unsigned long long>(after.requests - before.requests),
      static_cast<unsigned long long>(after.errors), static_cast<unsigned long long>(after.bytes - before.bytes),
      elapsed.count(), static_cast<unsigned long long>(cpu), idle / elapsed.count(),
      static_cast<unsigned long long>(after.handshakes - before.handshakes),
      static_cast<unsigned long long>(after.resumed - before.resumed), percentile(0.5), percentile(0.99));
  return 0;
}
