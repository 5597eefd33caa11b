#include "common/ctl/new_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "common/runtime/unique_fd.h"

namespace vipair::ctl {

Expected<void, std::string> write_new_file(const std::string& path, const std::string& content, mode_t mode) {
  auto failure = [&] { return Unexpected{path + ": " + std::strerror(errno)}; };
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) {
    if (errno == EEXIST) return Unexpected{path + " exists already, and is not overwritten"};
    return failure();
  }
  bool is_written = true;
  for (std::string_view rest = content; is_written && !rest.empty();) {
    const ssize_t count = ::write(fd.get(), rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    is_written = count >= 0;
    if (is_written) rest.remove_prefix(static_cast<std::size_t>(count));
  }
  if (is_written && ::fchmod(fd.get(), mode) == 0 && ::fsync(fd.get()) == 0) return {};
  auto failed = failure();
  ::unlink(path.c_str());
  return failed;
}

}  // namespace vipair::ctl
