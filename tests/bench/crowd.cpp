// crowd ADDRESS PORT COUNT idle|tls|slow: so many clients at once. For each line on standard input one JSON line
// about how they are doing, and a last one at end of file.
//
// idle: each asks for /1k once and keeps its connection. tls: the same over TLS. slow: each sends the beginning of
// a request and then one byte of a field every two seconds, for ever. `open` have a connection, `answered` got the
// beginning of a response (idle, tls) or of a refusal (slow), `closed` were closed or reset by the other side,
// `failed` never got a connection.

#include <poll.h>

#include <array>
#include <ctime>
#include <memory>
#include <string_view>
#include <vector>

#include "net.h"
#include "tls.h"

namespace {

constexpr std::size_t kConnectingMax = 256;  // at a time: a listen queue is not what is tested
constexpr int kDripSeconds = 2;
constexpr int kTickMs = 100;
constexpr std::string_view kRequest = "GET /1k HTTP/1.1\r\nHost: www.example.com\r\n\r\n";
constexpr std::string_view kBeginning = "GET /1k HTTP/1.1\r\nHost: www.example.com\r\nX-Slow: ";

enum class State { none, connecting, shaking_hands, open, closed };

struct Client {
  int fd = -1;
  SSL* ssl = nullptr;
  State state = State::none;
  bool is_answered = false;
};

class Crowd {
 public:
  Crowd(const std::string& endpoint, std::size_t count, bool is_slow, bool is_tls)
      : target_(bench::parse_endpoint(endpoint)),
        is_slow_(is_slow),
        tls_(is_tls ? std::make_unique<bench::TlsClient>(false) : nullptr),
        clients_(count),
        epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    if (epoll_ < 0) bench::fail("epoll_create1");
  }

  void run() {
    std::array<epoll_event, 512> events{};
    for (int tick = 0;; ++tick) {
      connect_some();
      pollfd waits[2] = {{STDIN_FILENO, POLLIN, 0}, {epoll_, POLLIN, 0}};
      const bool is_connecting = next_ < clients_.size();
      poll(waits, 2, is_connecting ? 1 : kTickMs);
      const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 0);
      for (int i = 0; i < ready; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        on_event(*static_cast<Client*>(event.data.ptr), event.events);
      }
      if (is_slow_) drip();
      if (waits[0].revents != 0) {
        char line[64];
        const ssize_t size = read(STDIN_FILENO, line, sizeof line);
        report();
        if (size <= 0) return;
      }
    }
  }

 private:
  void connect_some() {
    while (next_ < clients_.size() && connecting_ < kConnectingMax) {
      Client& client = clients_[next_++];
      client.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      if (client.fd < 0) bench::fail("socket");
      const auto* address = reinterpret_cast<const sockaddr*>(&target_);
      if (connect(client.fd, address, sizeof target_) != 0 && errno != EINPROGRESS) {
        end(client);
        ++failed_;
        continue;
      }
      client.state = State::connecting;
      ++connecting_;
      bench::watch(epoll_, client.fd, EPOLLIN | EPOLLOUT, &client);
    }
  }

  void on_event(Client& client, std::uint32_t events) {
    if (client.state == State::connecting) {
      if ((events & (EPOLLERR | EPOLLHUP)) != 0) return give_up(client);
      bench::watch_again(epoll_, client.fd, EPOLLIN, &client);
      if (tls_ == nullptr) return begin(client);
      client.ssl = tls_->begin(client.fd, "www.example.com");
      client.state = State::shaking_hands;
    }
    if (client.state == State::shaking_hands) {
      const ssize_t result = bench::as_socket(client.ssl, SSL_do_handshake(client.ssl));
      if (result > 0) return begin(client);
      if (result == 0 || errno != EAGAIN) give_up(client);
      return;
    }
    char bytes[4096];
    const ssize_t size = bench::receive(client.fd, client.ssl, bytes, sizeof bytes);
    if (size > 0) {
      if (!client.is_answered) ++answered_;
      client.is_answered = true;
    } else if (size == 0 || errno != EAGAIN) {
      end(client);
      --open_;
      ++closed_;
    }
  }

  void begin(Client& client) {
    if (!say(client, is_slow_ ? kBeginning : kRequest)) return give_up(client);
    --connecting_;
    client.state = State::open;
    ++open_;
  }

  void give_up(Client& client) {
    end(client);
    --connecting_;
    ++failed_;
  }

  // A slice of the clients at each call, so that all have their turn every kDripSeconds.
  void drip() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    const double now = static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
    if (last_drip_ == 0) last_drip_ = now;
    const double share = (now - last_drip_) / kDripSeconds * static_cast<double>(clients_.size());
    if (share < 1) return;
    last_drip_ = now;
    for (std::size_t i = 0; i < static_cast<std::size_t>(share) && i < clients_.size(); ++i) {
      Client& client = clients_[dripped_++ % clients_.size()];
      if (client.state == State::open) say(client, "a");
    }
  }

  static bool say(const Client& client, std::string_view text) {
    return bench::transmit(client.fd, client.ssl, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  }

  static void end(Client& client) {
    bench::end(client.ssl);
    client.ssl = nullptr;
    close(client.fd);
    client.state = State::closed;
  }

  void report() const {
    std::printf("{\"open\": %zu, \"answered\": %zu, \"closed\": %zu, \"failed\": %zu}\n", open_, answered_, closed_,
                failed_);
    std::fflush(stdout);
  }

  sockaddr_in target_;
  bool is_slow_;
  std::unique_ptr<bench::TlsClient> tls_;  // may be absent
  std::vector<Client> clients_;
  int epoll_;
  std::size_t next_ = 0, connecting_ = 0, open_ = 0, answered_ = 0, closed_ = 0, failed_ = 0, dripped_ = 0;
  double last_drip_ = 0;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 5) {
    std::fprintf(stderr, "usage: crowd ADDRESS PORT COUNT idle|tls|slow\n");
    return 2;
  }
  bench::prepare_process();
  const std::string endpoint = std::string(arguments[1]) + ":" + arguments[2];
  const std::string_view kind = arguments[4];
  Crowd(endpoint, std::strtoul(arguments[3], nullptr, 10), kind == "slow", kind == "tls").run();
}
