#include "vrrp/kernel/event_fifo.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace vipair::vrrp {

Expected<void, std::string> EventFifo::use(const std::string& path) {
  if (path == path_) return {};
  path_.clear();
  pipe_.reset();
  rest_.clear();
  if (path.empty()) return {};
  const auto failed = [&](const std::string& why) {
    return Unexpected{"notify_fifo " + path + ": " + why + "; nobody is told of changes of role there"};
  };
  constexpr mode_t kMode = 0660;
  if (::mkfifo(path.c_str(), kMode) == 0) {
    (void)::chmod(path.c_str(), kMode);  // whatever the umask
  } else if (errno != EEXIST) {
    return failed(std::strerror(errno));
  }
  struct stat file {};
  if (::lstat(path.c_str(), &file) != 0) return failed(std::strerror(errno));
  if (!S_ISFIFO(file.st_mode)) return failed("is no named pipe: remove it, or name another path");
  path_ = path;
  return {};
}

void EventFifo::write(std::string_view line) {
  if (path_.empty()) return;
  // half a line is still to go: this one would break it
  if (!rest_.empty() || (!pipe_ && !open())) {
    ++dropped_;
    return;
  }
  rest_ = std::string(line) + "\n";
  const std::size_t whole = rest_.size();
  if (flush()) return;
  if (pipe_ && rest_.size() < whole) return;    // begun: it goes on when there is room
  const bool is_new_reader = !pipe_ && open();  // the former one went
  rest_ = is_new_reader ? std::string(line) + "\n" : "";
  if (!is_new_reader || (!flush() && rest_.size() == whole)) {
    rest_.clear();
    ++dropped_;
  }
}

bool EventFifo::open() {
  // fails with ENXIO when nobody reads
  UniqueFd fd(::open(path_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
  struct stat file {};
  if (!fd || ::fstat(fd.get(), &file) != 0 || !S_ISFIFO(file.st_mode)) return false;
  (void)::fcntl(fd.get(), F_SETPIPE_SZ, kPipeSize);
  pipe_ = WatchedFd(io_, std::move(fd));
  return true;
}

// Returns whether nothing is left. Without a pipe afterwards: its reader is gone.
bool EventFifo::flush() {
  while (!rest_.empty()) {
    const ssize_t written = ::write(pipe_.get(), rest_.data(), rest_.size());
    if (written >= 0) {
      rest_.erase(0, static_cast<std::size_t>(written));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) {
      pipe_.reset();
      return false;
    }
    pipe_.when_writable([this] {
      if (!flush() && !pipe_) rest_.clear(), ++dropped_;
    });
    return false;
  }
  return true;
}

}  // namespace vipair::vrrp
