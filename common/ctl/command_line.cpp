#include "common/ctl/command_line.h"

#include <string_view>

#include "common/runtime/config_file.h"

namespace vipair::ctl {
namespace {

constexpr Duration kTimeoutMax = std::chrono::hours(1);

constexpr std::string_view kHelp =
    R"(Usage: vipairctl [OPTIONS] COMMAND [vrrp|proxy]
Shows and steers the daemons of this node over their control sockets.

  status    virtual routers, checks and the proxy
  events    what happened to the agent's virtual routers, and why
  reload    read the configuration again; a refused one is explained and changes nothing
  check     check the configuration files without touching the daemons
  metrics   counters and gauges in Prometheus text format

A command is about both daemons unless one is named: vrrp (the agent) or proxy.

  --json             print JSON (status, events, reload)
  --vrrp-socket S    the agent's control socket (default /run/vipair/vrrpd.sock)
  --proxy-socket S   the proxy's control socket (default /run/vipair/proxyd.sock)
  --timeout D        how long a daemon may take to answer (default 5s)
  --help             print this text and exit
  --version          print the version and exit

Exit status: 0 all is well, 1 a daemon refused, 2 wrong arguments, 3 a daemon does not answer,
78 the configuration has mistakes.
)";

struct CommandName {
  std::string_view name;
  Command command;
  bool has_json;
};
constexpr CommandName kCommands[] = {{"status", Command::status, true},
                                     {"events", Command::events, true},
                                     {"reload", Command::reload, true},
                                     {"check", Command::check, false},
                                     {"metrics", Command::metrics, false}};

}  // namespace

const char* to_string(Daemon daemon) { return daemon == Daemon::vrrp ? "vrrp" : "proxy"; }

Expected<CommandLine, std::string> parse_command_line(const std::vector<std::string>& arguments) {
  CommandLine line;
  const CommandName* command = nullptr;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const std::size_t equals = argument.starts_with("--") ? argument.find('=') : std::string::npos;
    const std::string name = argument.substr(0, equals);
    if (name == "--vrrp-socket" || name == "--proxy-socket" || name == "--timeout") {
      std::string value;
      if (equals != std::string::npos) {
        value = argument.substr(equals + 1);
      } else if (i + 1 < arguments.size()) {
        value = arguments[++i];
      }
      if (value.empty()) return Unexpected{name + " needs a value"};
      if (name == "--vrrp-socket") {
        line.vrrp_socket = value;
      } else if (name == "--proxy-socket") {
        line.proxy_socket = value;
      } else {
        const auto timeout = parse_duration(value);
        if (!timeout || *timeout <= Duration::zero() || *timeout > kTimeoutMax)
          return Unexpected{"--timeout is a duration up to " + format_duration(kTimeoutMax) + " such as 5s, not " +
                            value};
        line.timeout = *timeout;
      }
    } else if (argument == "--json") {
      line.json = true;
    } else if (argument == "--help") {
      line.print = kHelp;
      return line;
    } else if (argument == "--version") {
      line.print = "vipairctl " VIPAIR_VERSION "\n";
      return line;
    } else if (argument.starts_with("-")) {
      return Unexpected{"unknown option " + argument};
    } else if (!command) {
      for (const CommandName& known : kCommands)
        if (known.name == argument) command = &known;
      if (!command) return Unexpected{"unknown command " + argument};
    } else if (!line.only && (argument == "vrrp" || argument == "proxy")) {
      line.only = argument == "vrrp" ? Daemon::vrrp : Daemon::proxy;
    } else {
      return Unexpected{"unexpected argument " + argument};
    }
  }
  if (!command) return Unexpected{std::string("a command is missing")};
  if (line.json && !command->has_json) return Unexpected{std::string(command->name) + " has no --json"};
  if (command->command == Command::events && line.only == Daemon::proxy)
    return Unexpected{std::string("only the agent (vrrp) keeps events")};
  line.command = command->command;
  return line;
}

}  // namespace vipair::ctl
