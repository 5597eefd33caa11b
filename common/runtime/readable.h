#pragma once
// Whether a read of a descriptor would return at once: with input, with its end or with an error. A reactor's wait
// may end for what happened to another descriptor, closed meanwhile, whose place in the reactor this one took: who
// acts on readiness alone, without a read that could say EAGAIN, asks here first.

#include <poll.h>

namespace vipair {

inline bool is_readable(int fd) {
  pollfd readable{fd, POLLIN, 0};
  return ::poll(&readable, 1, 0) > 0;
}

}  // namespace vipair
