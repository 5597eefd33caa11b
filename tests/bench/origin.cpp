// origin ADDRESS:PORT: the cheapest web server that is still one. `GET /N` is answered with N bytes (`/`: 1024), a
// request with Content-Length after its body. One thread, one receive and one send per small request. It never
// closes a connection first: `floor` hands a client's `Connection: close` on.

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "net.h"

namespace {

constexpr std::size_t kBodyMax = 64u << 20;  // bytes

struct Connection {
  int fd = -1;
  std::string in;                      // a head that is not complete yet
  std::size_t body_left = 0;           // of the request that is being received
  const std::string* reply = nullptr;  // of that request
  bool echoes = false;                 // it was upgraded: what comes goes back
  std::string_view out;                // what the socket has not taken yet
};

const std::string kSwitch =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";  // to the key that load sends

const std::string& response(std::size_t bytes) {
  static std::map<std::size_t, std::string> responses;
  std::string& text = responses[bytes];
  if (text.empty()) {
    text = "HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Type: text/plain\r\nContent-Length: " +
           std::to_string(bytes) + "\r\n\r\n" + std::string(bytes, 'x');
  }
  return text;
}

std::size_t number(std::string_view text) {
  std::size_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::size_t content_length(std::string_view head) {
  if (head.substr(0, 1) != "P") return 0;  // POST, PUT
  constexpr std::string_view kName = "\r\ncontent-length: ";
  auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; };
  auto found = std::search(head.begin(), head.end(), kName.begin(), kName.end(), same);
  return found == head.end() ? 0
                             : number(head.substr(static_cast<std::size_t>(found - head.begin()) + kName.size()));
}

// False when the connection is to be closed.
bool flush(Connection& c) {
  while (!c.out.empty()) {
    ssize_t n = send(c.fd, c.out.data(), c.out.size(), MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN;
    c.out.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool wants_upgrade(std::string_view head) {
  constexpr std::string_view kName = "\r\nupgrade: ";
  auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; };
  return std::search(head.begin(), head.end(), kName.begin(), kName.end(), same) != head.end();
}

bool serve(Connection& c, std::string_view input) {
  if (c.echoes) {
    c.in = input;
    c.out = c.in;
    return flush(c);
  }
  while (!input.empty() && c.out.empty()) {
    if (c.body_left > 0) {
      std::size_t taken = std::min(c.body_left, input.size());
      input.remove_prefix(taken);
      c.body_left -= taken;
    } else {
      std::string_view head = input;
      if (!c.in.empty()) head = c.in.append(input);
      std::size_t end = head.find("\r\n\r\n");
      if (end == std::string_view::npos) {
        if (c.in.empty()) c.in = input;
        return c.in.size() < 65536;
      }
      end += 4;
      input.remove_prefix(end - (head.size() - input.size()));
      std::size_t slash = head.find('/');
      std::string_view path = head.substr(slash + 1, 8);
      std::size_t bytes = !path.empty() && path[0] >= '0' && path[0] <= '9' ? number(path) : 1024;
      c.reply = &response(std::min(bytes, kBodyMax));
      c.body_left = content_length(head.substr(0, end));
      c.echoes = wants_upgrade(head.substr(0, end));
      if (c.echoes) c.reply = &kSwitch;
      c.in.clear();
    }
    if (c.body_left == 0) {
      c.out = *c.reply;
      if (!flush(c)) return false;
    }
  }
  return input.empty();  // who pipelines more than we take is not one of our peers
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: origin ADDRESS:PORT\n");
    return 2;
  }
  bench::prepare_process();
  int listener = bench::listen_on(argv[1]);
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  bench::watch(epoll, listener, EPOLLIN, nullptr);
  std::vector<char> buffer(256 * 1024);
  std::vector<epoll_event> events(256);
  for (;;) {
    int count = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      auto* c = static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (!c) {
        int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) continue;
        bench::set_nodelay(fd);
        auto connection = std::make_unique<Connection>();
        connection->fd = fd;
        bench::watch(epoll, fd, EPOLLIN, connection.release());
        continue;
      }
      bool was_blocked = !c->out.empty();
      bool stays = true;
      if (was_blocked) {
        stays = flush(*c);
      } else {
        ssize_t n = recv(c->fd, buffer.data(), buffer.size(), 0);
        if (n > 0) {
          stays = serve(*c, {buffer.data(), static_cast<std::size_t>(n)});
        } else {
          stays = n < 0 && errno == EAGAIN;
        }
      }
      bool is_blocked = !c->out.empty();
      if (!stays) {
        close(c->fd);
        delete c;  // one event per connection and turn
      } else if (is_blocked != was_blocked) {
        bench::watch_again(epoll, c->fd, is_blocked ? EPOLLOUT : EPOLLIN, c);
      }
    }
  }
}
