#include "common/ctl/keygen.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <system_error>

namespace vipair::ctl {

std::string make_key() {
  constexpr std::size_t kKeyBytes = 32;
  constexpr const char* kDigits = "0123456789abcdef";
  std::array<unsigned char, kKeyBytes> bytes{};
  for (std::size_t filled = 0; filled < bytes.size();) {
    const ssize_t count = ::getrandom(bytes.data() + filled, bytes.size() - filled, 0);
    if (count < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "getrandom");
    if (count > 0) filled += static_cast<std::size_t>(count);
  }
  std::string digits;
  for (unsigned char byte : bytes) digits += {kDigits[byte >> 4], kDigits[byte & 15]};
  return digits;
}

}  // namespace vipair::ctl
