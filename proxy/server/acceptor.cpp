#include "proxy/server/acceptor.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "proxy/server/socket_address.h"
#include "proxy/server/system_calls.h"

namespace vipair::proxy {

Expected<UniqueFd, std::string> open_listener(const IpEndpoint& endpoint) {
  auto failure = [&](const char* stage) {
    return Unexpected{endpoint.to_string() + ", " + stage + ", " + std::strerror(errno)};
  };
  const SocketAddress address(endpoint);
  UniqueFd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!fd) return failure("socket");
  const int on = 1;
  auto set = [&](int level, int option) { return setsockopt(fd.get(), level, option, &on, sizeof on) == 0; };
  if (!set(SOL_SOCKET, SO_REUSEADDR) || !set(SOL_SOCKET, SO_REUSEPORT)) return failure("SO_REUSEPORT");
  if (endpoint.address.is_v4()) {
    if (!set(IPPROTO_IP, IP_FREEBIND)) return failure("IP_FREEBIND");
  } else {
    if (!set(IPPROTO_IPV6, IPV6_V6ONLY)) return failure("IPV6_V6ONLY");
    if (!set(IPPROTO_IPV6, IPV6_FREEBIND)) return failure("IPV6_FREEBIND");
  }
  // Accepted sockets inherit it: one call here instead of one per connection.
  if (!set(IPPROTO_TCP, TCP_NODELAY)) return failure("TCP_NODELAY");
  if (bind(fd.get(), address.get(), address.length) != 0) return failure("bind");
  if (listen(fd.get(), kListenBacklog) != 0) return failure("listen");
  return fd;
}

Expected<IpEndpoint, std::string> bound_endpoint(const UniqueFd& listener) {
  SocketAddress address;
  if (getsockname(listener.get(), address.get(), &address.length) != 0) {
    return Unexpected{std::string("getsockname, ") + std::strerror(errno)};
  }
  return address.endpoint();
}

Acceptor::Acceptor(Reactor& reactor, UniqueFd listener, const IpEndpoint& endpoint, AcceptCounters& counters,
                   MayAccept may_accept, OnAccept on_accept)
    : reactor_(reactor),
      listener_(std::move(listener)),
      endpoint_(endpoint),
      counters_(counters),
      may_accept_(std::move(may_accept)),
      on_accept_(std::move(on_accept)) {
  if (int error = reactor_.add_listener(listener_.get(), *this); error != 0) {
    throw std::system_error(error, std::generic_category(), "epoll_ctl");
  }
}

// An accept that finds nobody costs as much as one that does: the kernel makes a socket before it looks. So there
// is one where little is going on, for it is called again soon; new clients get their share of a turn that is busy.
void Acceptor::on_events(std::uint32_t) {
  const int batch = std::clamp(reactor_.events_in_turn() / kEventsPerAccept, 1, kAcceptBatchMax);
  for (int i = 0; i < batch; ++i) {
    if (!may_accept_()) {
      counters_.at_limit.add();
      pause(reactor_.scheduler().now());  // looked at again every tick
      return;
    }
    if (!accept_one()) return;
  }
}

void Acceptor::drain() {
  // Clients whose connection the kernel has established count on an answer, limit or not.
  for (int i = 0; i < kListenBacklog && accept_one(); ++i) {
  }
}

bool Acceptor::accept_one() {
  SocketAddress peer;
  UniqueFd fd(system_calls::accept4(listener_.get(), peer.get(), &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fd) {
    counters_.accepted.add();
    on_accept_(std::move(fd), peer.endpoint());
    return true;
  }
  switch (errno) {
    case EAGAIN:
      return false;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      counters_.out_of_files.add();
      pause(reactor_.scheduler().now() + kAcceptPause);
      return false;
    default:  // ECONNABORTED, EINTR and the network errors accept(2) tells to treat like EAGAIN: about one
              // connection
      counters_.failed.add();
      return true;
  }
}

void Acceptor::pause(TimePoint until) {
  if (!is_paused_) reactor_.remove(listener_.get());
  is_paused_ = true;
  paused_until_ = until;
}

void Acceptor::on_tick(TimePoint now) {
  if (!is_paused_ || now < paused_until_ || !may_accept_()) return;
  // Should the kernel refuse it for want of memory, the next tick tries again.
  is_paused_ = reactor_.add_listener(listener_.get(), *this) != 0;
}

}  // namespace vipair::proxy
