#pragma once
// The system calls of every request, by the names that they have in glibc. There each of them is a point at which a
// thread could be cancelled, and in a process with threads it pays two atomic operations for that; a worker is
// never cancelled. The sanitizers know the calls by glibc's names.

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define VIPAIR_WATCHED_CALLS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define VIPAIR_WATCHED_CALLS 1
#endif
#endif

namespace vipair::proxy::system_calls {

#ifdef VIPAIR_WATCHED_CALLS
using ::accept4, ::recv, ::send, ::sendmsg;
#else
inline int accept4(int fd, sockaddr* peer, socklen_t* length, int flags) {
  return static_cast<int>(::syscall(SYS_accept4, fd, peer, length, flags));
}

inline ssize_t recv(int fd, void* buffer, std::size_t size, int flags) {
  return ::syscall(SYS_recvfrom, fd, buffer, size, flags, nullptr, nullptr);
}

inline ssize_t send(int fd, const void* bytes, std::size_t size, int flags) {
  return ::syscall(SYS_sendto, fd, bytes, size, flags, nullptr, 0);
}

inline ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  return ::syscall(SYS_sendmsg, fd, message, flags);
}
#endif

}  // namespace vipair::proxy::system_calls
