#include "proxy/server/tcp_stream.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "proxy/server/socket_address.h"
#include "proxy/server/system_calls.h"

namespace vipair::proxy {

static void set_no_delay(int fd) {
  const int on = 1;
  // A failure only costs latency; the socket itself reports what else is wrong with it.
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

std::unique_ptr<TcpStream> TcpStream::accepted(Reactor& reactor, UniqueFd fd) {
  std::unique_ptr<TcpStream> stream(new TcpStream(std::move(fd)));
  if (int error = reactor.add_writable_stream(stream->fd_.get(), *stream); error != 0) {
    errno = error;
    return nullptr;
  }
  stream->unwatched_by_ = &reactor;
  stream->became_ready(kWritable);
  return stream;
}

std::unique_ptr<TcpStream> TcpStream::connect(Reactor& reactor, const IpEndpoint& endpoint, int& error) {
  const SocketAddress address(endpoint);
  UniqueFd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!fd) {
    error = errno;
    return nullptr;
  }
  set_no_delay(fd.get());
  if (::connect(fd.get(), address.get(), address.length) != 0 && errno != EINPROGRESS) {
    error = errno;
    return nullptr;
  }
  std::unique_ptr<TcpStream> stream(new TcpStream(std::move(fd)));
  error = reactor.add_stream(stream->fd_.get(), *stream);
  if (error != 0) return nullptr;
  return stream;
}

void TcpStream::on_events(std::uint32_t events) {
  std::uint8_t flags = 0;
  if ((events & EPOLLIN) != 0) flags |= kReadable;
  if ((events & EPOLLOUT) != 0) flags |= kWritable;
  // A closed or failed peer is found by reading on, what it sent before comes first.
  if ((events & EPOLLRDHUP) != 0) flags |= kPeerClosed | kReadable;
  // EPOLLHUP: both directions are over, which after our own shutdown_write() is a regular end.
  if ((events & EPOLLHUP) != 0) flags |= kPeerClosed | kReadable | kWritable;
  if ((events & EPOLLERR) != 0) flags |= kBroken | kReadable | kWritable;
  became_ready(flags);
}

void TcpStream::cannot_write() {
  no_longer(kWritable);
  Reactor* const reactor = std::exchange(unwatched_by_, nullptr);
  if (reactor != nullptr && reactor->watch_writable(fd_.get(), *this) != 0) became_ready(kBroken);
}

IoResult TcpStream::try_read(std::span<char> buffer) {
  ssize_t received;
  do {
    received = system_calls::recv(fd_.get(), buffer.data(), buffer.size(), 0);
  } while (received < 0 && errno == EINTR);
  if (received > 0) {
    const auto bytes = static_cast<std::size_t>(received);
    if (bytes < buffer.size() && !peer_closed()) no_longer(kReadable);
    return {IoResult::Status::ok, bytes, 0};
  }
  if (received == 0) return {IoResult::Status::eof, 0, 0};
  if (errno == EAGAIN || errno == EWOULDBLOCK) {
    no_longer(kReadable);
    return {IoResult::Status::would_block, 0, 0};
  }
  const int error = errno;
  became_ready(kBroken);
  return {IoResult::Status::error, 0, error};
}

IoResult TcpStream::try_peek(std::span<char> buffer) {
  ssize_t seen;
  do {
    seen = system_calls::recv(fd_.get(), buffer.data(), buffer.size(), MSG_PEEK);
  } while (seen < 0 && errno == EINTR);
  if (seen > 0) return {IoResult::Status::ok, static_cast<std::size_t>(seen), 0};
  if (seen == 0) return {IoResult::Status::eof, 0, 0};
  if (errno == EAGAIN) {
    no_longer(kReadable);
    return {IoResult::Status::would_block, 0, 0};
  }
  return {IoResult::Status::error, 0, errno};
}

IoResult TcpStream::try_write(std::span<const iovec> pieces) {
  std::size_t wanted = 0;
  for (const iovec& piece : pieces) wanted += piece.iov_len;
  ssize_t sent;
  do {
    if (pieces.size() == 1) {
      sent = system_calls::send(fd_.get(), pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL);
    } else {
      msghdr message{};
      message.msg_iov = const_cast<iovec*>(pieces.data());
      message.msg_iovlen = pieces.size();
      sent = system_calls::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
    }
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) {
    const auto bytes = static_cast<std::size_t>(sent);
    if (bytes < wanted) cannot_write();
    return {IoResult::Status::ok, bytes, 0};
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) {
    cannot_write();
    return {IoResult::Status::would_block, 0, 0};
  }
  const int error = errno;
  return {IoResult::Status::error, 0, error};
}

IoResult TcpStream::try_splice_in(int pipe, std::size_t max) {
  ssize_t moved;
  do {
    moved = ::splice(fd_.get(), nullptr, pipe, nullptr, max, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
  } while (moved < 0 && errno == EINTR);
  if (moved > 0) return {IoResult::Status::ok, static_cast<std::size_t>(moved), 0};
  if (moved == 0) return {IoResult::Status::eof, 0, 0};
  if (errno == EAGAIN) {
    no_longer(kReadable);
    return {IoResult::Status::would_block, 0, 0};
  }
  const int error = errno;
  became_ready(kBroken);
  return {IoResult::Status::error, 0, error};
}

IoResult TcpStream::try_splice_out(int pipe, std::size_t max) {
  ssize_t moved;
  do {
    moved = ::splice(pipe, nullptr, fd_.get(), nullptr, max, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
  } while (moved < 0 && errno == EINTR);
  if (moved > 0) {
    if (static_cast<std::size_t>(moved) < max) cannot_write();
    return {IoResult::Status::ok, static_cast<std::size_t>(moved), 0};
  }
  if (moved < 0 && errno != EAGAIN) return {IoResult::Status::error, 0, errno};
  cannot_write();
  return {IoResult::Status::would_block, 0, 0};
}

void TcpStream::shutdown_write() { (void)::shutdown(fd_.get(), SHUT_WR); }

void TcpStream::abort_on_close() {
  const linger reset{1, 0};
  (void)setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

int TcpStream::connect_result() {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  return error;
}

}  // namespace vipair::proxy
