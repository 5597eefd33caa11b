#include "vrrp/kernel/gate.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace vipair::vrrp {
namespace {

constexpr int kBacklog = 16;
constexpr mode_t kSocketMode = 0660;

bool watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  return ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

Expected<std::unique_ptr<Gate>, std::string> Gate::listen(const std::string& path) {
  auto failure = [&](const std::string& step) {
    return Unexpected{"cannot open the gate socket " + path + ": " + step + ": " + std::strerror(errno)};
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return failure("path");
  }
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);

  // who answers a connect is alive; a refused one is what a dead daemon left
  UniqueFd probe(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return failure("socket");
  const bool is_alive = ::connect(probe.get(), generic, sizeof address) == 0 || errno == EAGAIN;
  if (is_alive)
    return Unexpected{"the gate socket " + path +
                      " is in use: another vipair-vrrpd runs; stop it or name another gate_socket"};
  if (errno == ECONNREFUSED && ::unlink(path.c_str()) != 0) return failure("removing the stale one");

  UniqueFd listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener) return failure("socket");
  const mode_t old_mask = ::umask(0777 & ~kSocketMode);
  const bool is_bound = ::bind(listener.get(), generic, sizeof address) == 0;
  const int bind_error = errno;
  ::umask(old_mask);
  errno = bind_error;
  if (!is_bound) return failure("bind");
  struct stat made {};
  if (::listen(listener.get(), kBacklog) != 0 || ::stat(path.c_str(), &made) != 0) return failure("listen");
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll || !watch(epoll.get(), listener.get())) return failure("epoll");
  return std::unique_ptr<Gate>(new Gate(path, made.st_dev, made.st_ino, std::move(epoll), std::move(listener)));
}

Gate::~Gate() {
  struct stat there {};
  if (::stat(path_.c_str(), &there) == 0 && there.st_dev == device_ && there.st_ino == inode_)
    ::unlink(path_.c_str());
}

void Gate::drain(TimePoint now) {
  // messages first: an end of file that waits beside a new connection belongs to the old one
  if (proxy_) read(now);
  accept_newest(now);
  if (proxy_ && !report_) read(now);
}

void Gate::accept_newest(TimePoint now) {
  for (int i = 0; i < kConnectsPerDrain; ++i) {
    UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!connection) return;
    disconnect();
    if (!watch(epoll_.get(), connection.get())) return;
    proxy_ = std::move(connection);
    heard_at_ = now;
    ++counters_.connects;
    tell_role();
  }
}

void Gate::read(TimePoint now) {
  for (int i = 0; i < kMessagesPerDrain; ++i) {
    std::array<char, kGateMessageMax + 1> buffer;
    const ssize_t size = ::recv(proxy_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (size <= 0) return disconnect();
    auto report = decode_proxy_report({buffer.data(), static_cast<std::size_t>(size)});
    if (!report) {
      ++counters_.invalid_messages;
      return disconnect();
    }
    report_ = std::move(report);
    heard_at_ = now;
    is_hung_ = false;
  }
}

void Gate::on_time(TimePoint now) {
  const Duration since_last_look = now - std::exchange(looked_at_, now);
  if (!proxy_ || is_hung_) return;
  // What we slept through says nothing about the proxy: the machine may have been paused, and it with us.
  if (since_last_look > kLateLook) heard_at_ = std::min(now, heard_at_ + since_last_look);
  if (now < heard_at_ + kGateHangTimeout) return;
  is_hung_ = true;
  ++counters_.hangs;
  report_ = ProxyReport{
      false, "hangs: no heartbeat for " + std::to_string(kGateHangTimeout / std::chrono::milliseconds(1)) + " ms"};
}

std::optional<TimePoint> Gate::next_deadline() const {
  if (!proxy_ || is_hung_) return std::nullopt;
  return std::min(heard_at_ + kGateHangTimeout, looked_at_ + kGateHeartbeat);
}

void Gate::set_role(NodeRole role) {
  if (role == role_) return;
  role_ = role;
  if (proxy_) tell_role();
}

void Gate::tell_role() {
  const std::string message = encode(role_);
  // a proxy that reads so slowly that its buffer is full must connect again to learn the role
  if (::send(proxy_.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) disconnect();
}

void Gate::disconnect() {
  if (proxy_) ++counters_.disconnects;
  proxy_.reset();  // leaves the epoll set by itself
  report_.reset();
  is_hung_ = false;
}

}  // namespace vipair::vrrp
