#include "vrrp/kernel/drain_flag.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/runtime/unique_fd.h"

namespace vipair::vrrp {

bool DrainFlag::is_set() const { return ::access(path_.c_str(), F_OK) == 0; }

Expected<void, std::string> DrainFlag::set(const std::string& since) const {
  const UniqueFd fd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd) return Unexpected{path_ + ": " + std::strerror(errno)};
  const std::string text = "drained since " + since + "; `vipairctl undrain` ends it\n";
  (void)!::write(fd.get(), text.data(), text.size());
  return {};
}

Expected<void, std::string> DrainFlag::clear() const {
  if (::unlink(path_.c_str()) != 0 && errno != ENOENT) return Unexpected{path_ + ": " + std::strerror(errno)};
  return {};
}

}  // namespace vipair::vrrp
