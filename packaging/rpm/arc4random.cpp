// Stands in for what Debian's static libcrypt takes from glibc 2.36 and RHEL 9's glibc 2.34 does not have. libcrypt
// asks for it to make a salt, which vipair does not do: it only compares passwords.

#include <sys/random.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>

extern "C" void arc4random_buf(void* buffer, std::size_t size) {
  auto* at = static_cast<unsigned char*>(buffer);
  while (size > 0) {
    const ssize_t got = getrandom(at, size, 0);
    if (got < 0 && errno != EINTR) std::abort();
    if (got <= 0) continue;
    at += got;
    size -= static_cast<std::size_t>(got);
  }
}
