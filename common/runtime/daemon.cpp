#include "common/runtime/daemon.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "common/runtime/unique_fd.h"

namespace vipair {
namespace {

std::string help_text(std::string_view program, std::string_view purpose, std::string_view default_config,
                      std::string_view release_help) {
  const std::string name(program);
  const bool has_release = !release_help.empty();
  return "Usage: " + name + " [--config FILE] [--check" + (has_release ? "|--release" : "") +
         "] [--log-level LEVEL]\n" + std::string(purpose) +
         "\n\n"
         "  --config FILE      the configuration (default " +
         std::string(default_config) +
         ")\n"
         "  --check            read the configuration, print its mistakes, and exit: 0 when it is good, 78 when "
         "not\n" +
         (has_release ? "  --release          " + std::string(release_help) + "\n" : "") +
         "  --log-level LEVEL  info (default) or debug\n"
         "  --help             print this text and exit\n"
         "  --version          print the version and exit\n";
}

bool has_capability(unsigned capability) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  return (data[capability / 32].effective >> (capability % 32) & 1) != 0;
}

}  // namespace

Expected<DaemonOptions, std::string> parse_daemon_options(std::string_view program, std::string_view purpose,
                                                          std::string_view default_config,
                                                          const std::vector<std::string>& arguments,
                                                          std::string_view release_help) {
  DaemonOptions options;
  options.config_path = default_config;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const std::size_t equals = argument.starts_with("--") ? argument.find('=') : std::string::npos;
    const std::string name = argument.substr(0, equals);
    if (name == "--config" || name == "--log-level") {
      std::string value;
      if (equals != std::string::npos) {
        value = argument.substr(equals + 1);
      } else if (i + 1 < arguments.size()) {
        value = arguments[++i];
      }
      if (value.empty()) return Unexpected{name + " needs a value, see --help"};
      if (name == "--config") {
        options.config_path = value;
      } else if (value == "debug" || value == "info") {
        options.debug = value == "debug";
      } else {
        return Unexpected{"--log-level is info or debug, not " + value};
      }
    } else if (argument == "--check") {
      options.check_only = true;
    } else if (argument == "--release" && !release_help.empty()) {
      options.release_only = true;
    } else if (argument == "--help") {
      options.print = help_text(program, purpose, default_config, release_help);
    } else if (argument == "--version") {
      options.print = std::string(program) + " " VIPAIR_VERSION "\n";
    } else {
      return Unexpected{"unknown argument " + argument + ", see --help"};
    }
  }
  return options;
}

void sd_notify(std::string_view state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (!path || (path[0] != '/' && path[0] != '@')) return;
  const std::size_t length = std::strlen(path);
  sockaddr_un address{};
  if (length >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  // a service manager that does not listen is no reason to stop serving
  (void)!::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address),
                  size);
}

std::optional<Duration> watchdog_interval() {
  const char* text = std::getenv("WATCHDOG_USEC");
  if (!text) return std::nullopt;
  std::int64_t microseconds = 0;
  const char* end = text + std::strlen(text);
  auto [rest, error] = std::from_chars(text, end, microseconds);
  if (error != std::errc{} || rest != end || microseconds <= 0) return std::nullopt;
  if (microseconds > std::chrono::microseconds(std::chrono::hours(24 * 365)).count()) return std::nullopt;
  return Duration(std::chrono::microseconds(microseconds)) / 2;
}

Expected<void, std::string> use_realtime_scheduling(int priority) {
  sched_param parameters{};
  parameters.sched_priority = priority;
  if (::sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &parameters) == 0) return {};
  const int error = errno;
  std::string text = "real-time priority " + std::to_string(priority) + ": " + std::strerror(error);
  if (error == EPERM)
    text += has_capability(CAP_SYS_NICE) ? " (CAP_SYS_NICE is there: does the control group have real-time budget?)"
                                         : " (needs CAP_SYS_NICE or RLIMIT_RTPRIO)";
  return Unexpected{std::move(text)};
}

Expected<void, std::string> lock_memory() {
  // Under a limit the call could succeed now and every later allocation fail: then rather not at all.
  rlimit limit{};
  const bool is_unlimited = ::getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY;
  if (!is_unlimited && !has_capability(CAP_IPC_LOCK))
    return Unexpected{
        std::string("memory lock: not permitted (needs CAP_IPC_LOCK or an unlimited RLIMIT_MEMLOCK)")};
  if (::mlockall(MCL_CURRENT | MCL_FUTURE) == 0) return {};
  return Unexpected{"memory lock: " + std::string(std::strerror(errno))};
}

}  // namespace vipair
