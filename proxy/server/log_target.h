#pragma once
// Where lines of the access log go: a file, or syslog over a datagram socket. Used by the log's thread only, which
// may wait; nobody else does.

#include <string>
#include <string_view>

#include "common/base/expected.h"
#include "common/runtime/unique_fd.h"
#include "proxy/config_log.h"

namespace vipair::proxy {

inline constexpr int kSyslogPatienceMs = 100;            // for a full socket; then the line is lost
inline constexpr std::size_t kSyslogLineMax = 8 * 1024;  // bytes of one message; the rest of a line is cut off

class LogTarget {
 public:
  // The error says what cannot be opened and why.
  static Expected<LogTarget, std::string> open(const AccessLog& config);

  // Whole lines. Returns how many of them were not taken.
  std::size_t write(std::string_view lines) const;

 private:
  enum class Kind { file, local_syslog, remote_syslog };
  LogTarget(Kind kind, UniqueFd fd) : kind_(kind), fd_(std::move(fd)) {}
  bool write_file(std::string_view lines) const;
  bool send(std::string_view line) const;

  Kind kind_;
  UniqueFd fd_;
  std::string prefix_;  // of a message
};

}  // namespace vipair::proxy
