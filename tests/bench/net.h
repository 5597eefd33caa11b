#pragma once
// The few lines of socket code that the benchmark programs share. A failure of the set-up ends the program with a
// message: these are tools, and a number from a half-working one would be worse than none.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace bench {

[[noreturn]] inline void fail(const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

// Before everything of normal scheduling, where permitted: what measures must not wait for what is measured.
inline void be_realtime(int priority) {
  sched_param parameters{};
  parameters.sched_priority = priority;
  (void)sched_setscheduler(0, SCHED_FIFO, &parameters);
}

// "127.0.0.1:8080"
inline sockaddr_in parse_endpoint(const std::string& text) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  std::size_t colon = text.rfind(':');
  errno = EINVAL;
  if (colon == std::string::npos || inet_pton(AF_INET, text.substr(0, colon).c_str(), &address.sin_addr) != 1)
    fail(text + ", expected address:port");
  address.sin_port = htons(static_cast<std::uint16_t>(std::strtoul(text.c_str() + colon + 1, nullptr, 10)));
  return address;
}

inline void set_nodelay(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

inline int listen_on(const std::string& endpoint) {
  sockaddr_in address = parse_endpoint(endpoint);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int on = 1;
  if (fd < 0) fail("socket");
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("bind " + endpoint);
  if (listen(fd, 4096) != 0) fail("listen " + endpoint);
  return fd;
}

inline void watch(int epoll, int fd, std::uint32_t events, void* object) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = object;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

inline void watch_again(int epoll, int fd, std::uint32_t events, void* object) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = object;
  if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) != 0) fail("epoll_ctl");
}

// Ends with its parent's patience: SIGTERM and SIGINT keep their default action, SIGPIPE does not.
inline void prepare_process() {
  signal(SIGPIPE, SIG_IGN);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
}

}  // namespace bench
