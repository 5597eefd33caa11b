#include "common/ctl/new_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "common/runtime/unique_fd.h"

namespace vipair::ctl {
namespace {

mode_t mode_in_folder(const std::string& path, mode_t mode) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  struct stat info {};
  const bool is_shared =
      ::stat(folder.c_str(), &info) == 0 && (info.st_mode & S_ISGID) != 0 && info.st_uid == ::geteuid();
  return is_shared ? mode | S_IRGRP : mode;
}

}  // namespace

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
  if (is_written && ::fchmod(fd.get(), mode_in_folder(path, mode)) == 0 && ::fsync(fd.get()) == 0) return {};
  auto failed = failure();
  ::unlink(path.c_str());
  return failed;
}

}  // namespace vipair::ctl
