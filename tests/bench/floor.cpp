// floor ADDRESS:PORT UPSTREAM:PORT [--close] [--log FILE]: the least that a proxy can cost. Each client is tied to
// an upstream connection of its own; bytes are received on one side and sent on the other, nothing is looked at,
// nothing is timed. A kept-alive request costs recv, send, recv, send and its share of epoll_wait: what nginx,
// HAProxy and vipair-proxyd do on top of that is theirs.
//
// --close: the first receive from the upstream is the whole response: the client is closed after it, the upstream
// is kept for the next client. --log: a line of the usual length per response, written 64 KiB at a time.

#include <memory>
#include <string_view>
#include <vector>

#include "net.h"

namespace {

struct Side {
  int fd = -1;
  bool is_client = false;
  Side* peer = nullptr;
  std::string pending;  // for this side, when it took less than it was given
};

constexpr std::string_view kLogLine =
    "127.0.0.1 - - [20/Nov/2026:08:00:00 +0000] \"GET / HTTP/1.1\" 200 1024 \"-\" \"vipair-bench\"\n";

class Floor {
 public:
  Floor(const std::string& address, const std::string& upstream, bool closes, int log)
      : listener_(bench::listen_on(address)),
        upstream_(bench::parse_endpoint(upstream)),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        closes_(closes),
        log_(log),
        buffer_(64 * 1024) {
    bench::watch(epoll_, listener_, EPOLLIN, nullptr);
  }

  [[noreturn]] void run() {
    std::vector<epoll_event> events(256);
    for (;;) {
      int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        auto* side = static_cast<Side*>(events[static_cast<std::size_t>(i)].data.ptr);
        if (!side) {
          accept_client();
        } else if (side->fd >= 0) {
          turn(*side, events[static_cast<std::size_t>(i)].events);
        }
      }
      closed_.clear();  // no event of this turn refers to them any more
    }
  }

 private:
  void accept_client() {
    int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    bench::set_nodelay(fd);
    auto client = std::make_unique<Side>();
    client->fd = fd;
    client->is_client = true;
    std::unique_ptr<Side> server;
    if (idle_.empty()) {
      server = std::make_unique<Side>();
      server->fd = connect_upstream();
      bench::watch(epoll_, server->fd, EPOLLIN, server.get());
    } else {
      server = std::move(idle_.back());
      idle_.pop_back();
    }
    client->peer = server.get();
    server->peer = client.get();
    bench::watch(epoll_, fd, EPOLLIN, client.get());
    client.release();  // the two own each other until drop()
    server.release();
  }

  int connect_upstream() {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&upstream_), sizeof upstream_) != 0)
      bench::fail("upstream");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    bench::set_nodelay(fd);
    return fd;
  }

  void turn(Side& side, std::uint32_t events) {
    if (events & EPOLLOUT && !side.pending.empty() && !deliver(side, {})) return drop(side);
    if (!side.peer) return forget_idle(side);  // the upstream closed it, or spoke unasked
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || !side.peer->pending.empty()) return;
    ssize_t n = recv(side.fd, buffer_.data(), buffer_.size(), 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0 || !deliver(*side.peer, {buffer_.data(), static_cast<std::size_t>(n)})) return drop(side);
    if (side.is_client) return;
    if (log_ >= 0) {
      lines_ += kLogLine;
      if (lines_.size() >= 64 * 1024) {
        if (write(log_, lines_.data(), lines_.size()) < 0) bench::fail("log");
        lines_.clear();
      }
    }
    if (closes_) keep_upstream(side);
  }

  // Sends what was pending and what is new; stops reading the other side while some is left.
  bool deliver(Side& side, std::string_view data) {
    if (!side.pending.empty()) data = side.pending;
    ssize_t n = send(side.fd, data.data(), data.size(), MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) return false;
    std::string_view rest = data.substr(n < 0 ? 0 : static_cast<std::size_t>(n));
    bool was_blocked = !side.pending.empty();
    if (!rest.empty() || was_blocked) side.pending = std::string(rest);
    if (was_blocked != !rest.empty()) {
      bench::watch_again(epoll_, side.fd, rest.empty() ? std::uint32_t{EPOLLIN} : EPOLLIN | EPOLLOUT, &side);
      if (side.peer)
        bench::watch_again(epoll_, side.peer->fd, rest.empty() ? std::uint32_t{EPOLLIN} : 0u, side.peer);
    }
    return true;
  }

  void keep_upstream(Side& server) {
    Side* client = server.peer;
    server.peer = nullptr;
    idle_.emplace_back(&server);
    close_side(client);
  }

  void forget_idle(Side& server) {
    for (auto& idle : idle_) {
      if (idle.get() != &server) continue;
      idle.release();
      std::swap(idle, idle_.back());
      idle_.pop_back();
      return close_side(&server);
    }
  }

  void drop(Side& side) {
    if (Side* peer = side.peer) close_side(peer);
    close_side(&side);
  }

  void close_side(Side* side) {
    close(side->fd);
    side->fd = -1;
    closed_.emplace_back(side);
  }

  int listener_;
  sockaddr_in upstream_;
  int epoll_;
  bool closes_;
  int log_;
  std::vector<char> buffer_;
  std::string lines_;
  std::vector<std::unique_ptr<Side>> idle_;    // upstream connections without a client
  std::vector<std::unique_ptr<Side>> closed_;  // in this turn
};

}  // namespace

int main(int argc, char** argv) {
  bool closes = false;
  int log = -1;
  for (int i = 3; i < argc; ++i) {
    std::string option = argv[i];
    if (option == "--close") closes = true;
    if (option == "--log" && i + 1 < argc) {
      log = open(argv[++i], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
      if (log < 0) bench::fail(argv[i]);
    }
  }
  if (argc < 3) {
    std::fprintf(stderr, "usage: floor ADDRESS:PORT UPSTREAM:PORT [--close] [--log FILE]\n");
    return 2;
  }
  bench::prepare_process();
  Floor(argv[1], argv[2], closes, log).run();
}
