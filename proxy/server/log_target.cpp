#include "proxy/server/log_target.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/base/ip_address.h"
#include "proxy/server/socket_address.h"

namespace vipair::proxy {

namespace {

// RFC 5424 section 6.2.1: facility local0 (16), severity informational (6).
constexpr std::string_view kPriority = "<134>";

Unexpected<std::string> failure(const std::string& what) { return Unexpected{what + ": " + std::strerror(errno)}; }

Expected<UniqueFd, std::string> connect_syslog(const std::string& where) {
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  where.copy(local.sun_path, sizeof local.sun_path - 1);
  const bool is_local = where.front() == '/';
  const SocketAddress remote(is_local ? IpEndpoint() : IpEndpoint::parse(where).value_or(IpEndpoint()));
  UniqueFd fd(socket(is_local ? AF_UNIX : remote.storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return failure(where);
  const auto* address = is_local ? reinterpret_cast<const sockaddr*>(&local) : remote.get();
  if (connect(fd.get(), address, is_local ? sizeof local : remote.length) != 0) return failure(where);
  return fd;
}

}  // namespace

Expected<LogTarget, std::string> LogTarget::open(const AccessLog& config) {
  if (config.syslog.empty()) {
    UniqueFd file(::open(config.path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
    if (!file) return failure(config.path);
    return LogTarget(Kind::file, std::move(file));
  }
  auto fd = connect_syslog(config.syslog);
  if (!fd) return Unexpected{std::move(fd).error()};
  const bool is_local = config.syslog.front() == '/';
  LogTarget target(is_local ? Kind::local_syslog : Kind::remote_syslog, std::move(fd).value());
  const std::string process = std::to_string(::getpid());
  if (is_local) {  // what journald and the classic daemons read from their own socket: no time, no host
    target.prefix_ = std::string(kPriority) + "vipair-proxyd[" + process + "]: ";
  } else {  // RFC 5424 section 6: the receiver knows the time of arrival, the line has its own
    std::array<char, 256> host{};
    if (::gethostname(host.data(), host.size() - 1) != 0 || host[0] == '\0') host[0] = '-';
    target.prefix_ = std::string(kPriority) + "1 - " + host.data() + " vipair-proxyd " + process + " access - ";
  }
  return target;
}

std::size_t LogTarget::write(std::string_view lines) const {
  if (kind_ == Kind::file) {
    return write_file(lines) ? 0 : static_cast<std::size_t>(std::count(lines.begin(), lines.end(), '\n'));
  }
  std::size_t lost = 0;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    if (!send(lines.substr(0, end))) ++lost;
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return lost;
}

bool LogTarget::write_file(std::string_view lines) const {
  while (!lines.empty()) {
    const ssize_t written = ::write(fd_.get(), lines.data(), lines.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    lines.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool LogTarget::send(std::string_view line) const {
  line = line.substr(0, kSyslogLineMax);
  std::array<iovec, 2> pieces{iovec{const_cast<char*>(prefix_.data()), prefix_.size()},
                              iovec{const_cast<char*>(line.data()), line.size()}};
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  if (::sendmsg(fd_.get(), &message, MSG_NOSIGNAL) >= 0) return true;
  if (errno != EAGAIN && errno != ENOBUFS) return false;
  pollfd writable{fd_.get(), POLLOUT, 0};
  return ::poll(&writable, 1, kSyslogPatienceMs) > 0 && ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL) >= 0;
}

}  // namespace vipair::proxy
