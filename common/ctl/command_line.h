#pragma once
// vipairctl's command line as a value.

#include <optional>
#include <string>
#include <vector>

#include "common/base/expected.h"
#include "common/base/time.h"

namespace vipair::ctl {

enum class Command {
  status,
  watch,
  events,
  plan,
  doctor,
  handover,
  drain,
  undrain,
  server,
  reload,
  check,
  metrics,
  keygen,
  import_keepalived
};
enum class Daemon { vrrp, proxy };

struct CommandLine {
  Command command = Command::status;
  std::optional<Daemon> only;         // "reload vrrp"; both when absent
  std::optional<std::string> router;  // handover: this one; all of them when absent
  std::string action;                 // server: "list", "drain" or "ready"
  std::string server;                 // server: its name; empty with list
  std::vector<std::string> files;     // keygen: to write; import: to read, and to write
  std::string node;                   // import: this node's name
  bool json = false;
  bool follow = false;  // events
  bool force = false;   // drain, server drain
  std::string vrrp_socket = "/run/vipair/vrrpd.sock";
  std::string proxy_socket = "/run/vipair/proxyd.sock";
  Duration timeout{};                // for each daemon; what the command needs when it is not given
  std::optional<std::string> print;  // text of --help or --version: print it and exit 0

  bool concerns(Daemon daemon) const { return !only || *only == daemon; }
};

// Exit statuses of vipairctl; a refused configuration is kExitConfig.
inline constexpr int kExitFailed = 1;    // a daemon refused what was asked, or doctor found something wrong
inline constexpr int kExitUsage = 2;     // a wrong command line
inline constexpr int kExitNoAnswer = 3;  // a daemon does not answer, or not what it should

// The error says what is wrong with the arguments (argv without the program's name).
Expected<CommandLine, std::string> parse_command_line(const std::vector<std::string>& arguments);

const char* to_string(Daemon daemon);  // "vrrp" "proxy"

}  // namespace vipair::ctl
