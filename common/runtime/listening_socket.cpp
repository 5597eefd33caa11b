#include "common/runtime/listening_socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace vipair {
namespace {

std::string errno_text(const std::string& what) { return what + ": " + std::strerror(errno); }

// Two daemons that start at the same moment must not both take the other's socket for a stale one: for that time
// the directory is locked. Whoever cannot get the lock soon goes on without.
UniqueFd lock_directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int tries = 0; fd && tries < 100 && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0; ++tries) {
    const timespec pause{0, 1'000'000};
    ::nanosleep(&pause, nullptr);
  }
  return fd;
}

// Removes the socket that a crashed instance left behind; an error when there is anything else at the path.
Expected<void, std::string> remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return Unexpected{errno_text("stat")};
  }
  if (!S_ISSOCK(info.st_mode)) return Unexpected{std::string("exists and is not a socket")};
  UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return Unexpected{errno_text("socket")};
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno == EAGAIN)
    return Unexpected{std::string("another instance runs and answers there")};
  if (errno != ECONNREFUSED) return Unexpected{errno_text("connect")};
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return Unexpected{errno_text("unlink")};
  return {};
}

}  // namespace

Expected<sockaddr_un, std::string> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path || path.find('\0') != std::string::npos)
    return Unexpected{"a socket path has 1 to " + std::to_string(sizeof address.sun_path - 1) + " bytes"};
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Expected<UniqueFd, std::string> listen_on_unix(const std::string& path, int backlog) {
  auto address = unix_address(path);
  if (!address) return Unexpected{address.error()};
  const UniqueFd lock = lock_directory_of(path);
  auto removed = remove_stale(path, *address);
  if (!removed) return Unexpected{removed.error()};
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return Unexpected{errno_text("socket")};
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0)
    return Unexpected{errno_text("bind")};
  // nobody can connect before listen(), so that the mode holds from the first moment on
  if (::chmod(path.c_str(), 0660) != 0) return Unexpected{errno_text("chmod")};
  if (::listen(fd.get(), backlog) != 0) return Unexpected{errno_text("listen")};
  return fd;
}

Expected<UniqueFd, std::string> listen_on_tcp(const IpEndpoint& endpoint, int backlog) {
  const bool is_v4 = endpoint.address.is_v4();
  sockaddr_storage address{};
  socklen_t size = 0;
  if (is_v4) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(address);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    std::memcpy(&v4.sin_addr, endpoint.address.bytes().data(), 4);
    size = sizeof v4;
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    std::memcpy(&v6.sin6_addr, endpoint.address.bytes().data(), 16);
    size = sizeof v6;
  }
  UniqueFd fd(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return Unexpected{errno_text("socket")};
  const int on = 1;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      (!is_v4 && ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0))
    return Unexpected{errno_text("setsockopt")};
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0)
    return Unexpected{errno_text("bind")};
  if (::listen(fd.get(), backlog) != 0) return Unexpected{errno_text("listen")};
  return fd;
}

}  // namespace vipair
