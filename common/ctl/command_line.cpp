#include "common/ctl/command_line.h"

#include <algorithm>
#include <string_view>

#include "common/runtime/config_file.h"

namespace vipair::ctl {
namespace {

constexpr Duration kTimeoutMax = std::chrono::hours(1);
constexpr Duration kTimeout = std::chrono::seconds(5);
constexpr Duration kWatchTimeout = std::chrono::seconds(1);
constexpr Duration kMoveTimeout = std::chrono::seconds(60);  // the peer must take over and hooks may run

// What a command takes besides the options of all.
constexpr unsigned kTakesJson = 1, kTakesDaemon = 2, kTakesFollow = 4, kTakesForce = 8, kTakesRouter = 16;
constexpr unsigned kTakesFile = 32, kTakesTwoFiles = 64, kTakesNode = 128, kTakesServer = 256;

struct CommandHelp {
  std::string_view name;
  Command command;
  unsigned takes;
  Duration timeout;
  std::string_view summary;
  std::string_view text;
};

constexpr CommandHelp kCommands[] = {
    {"status", Command::status, kTakesJson | kTakesDaemon, kTimeout, "virtual routers, checks and the proxy",
     R"(Shows what each daemon knows: of the agent the state of every virtual router and why it is in it, its
priority, the peer, the checks and whatever an operator should look at; of the proxy its sites and servers.
)"},
    {"watch", Command::watch, kTakesJson | kTakesDaemon, kWatchTimeout, "the same, live, until Ctrl-C",
     R"(On a terminal, a view that is drawn again every second, with the latest events below. Otherwise a line for
each change of state; with --json the status of both daemons every second, an object per line.
)"},
    {"events", Command::events, kTakesJson | kTakesFollow, kTimeout,
     "what happened to the virtual routers, and why",
     R"(The agent's last 1000 events, oldest first. A change of role says what was seen, when, and which rule decided.
  --follow           go on with what comes, until Ctrl-C; with --json an object per line
)"},
    {"plan", Command::plan, kTakesJson, kTimeout, "who is Active in each combination of failures",
     R"(For each combination of failing nodes and checks, which node would be Active, and by which rule.
)"},
    {"doctor", Command::doctor, kTakesJson, kMoveTimeout, "looks for what keeps the pair from working",
     R"(Probes the peer both ways over each path and looks at addresses, interfaces, permissions and clocks. Each
finding is told with its evidence and with what to do. Exit status 0: nothing is wrong.
)"},
    {"handover", Command::handover, kTakesJson | kTakesRouter, kMoveTimeout, "gives the addresses to the peer",
     R"(A planned move that breaks no connection: [ROUTER] names one virtual router, else all that are Active here
move. They stay with the peer until it gives them back or is lost. Refused when the peer cannot take over.
)"},
    {"drain", Command::drain, kTakesJson | kTakesForce, kMoveTimeout,
     "takes this node out of service, until undrain",
     R"(As handover, and the node does not take the addresses again, not even after a restart of the agent, until
`vipairctl undrain`. Refused when the peer cannot take over.
  --force            even so: nobody may serve the addresses then
)"},
    {"undrain", Command::undrain, kTakesJson, kTimeout, "ends a drain",
     R"(The node takes part in elections again. Without preemption nothing moves.
)"},
    {"server", Command::server, kTakesJson | kTakesForce | kTakesServer, kTimeout,
     "lists, drains and readies servers of the proxy",
     R"(  list               every server with its state
  drain SERVER       no new clients for it; what runs goes on. Clients that a sticky cookie binds to it stay for
                     the upstream's sticky.drain, with --force no longer
  ready SERVER       ends that
SERVER is 10.0.0.11:8080, UPSTREAM/10.0.0.11:8080 or SITE/UPSTREAM/10.0.0.11:8080; a shorter name means all that are
called so. A drain outlives reloads of the proxy, not its restart.
)"},
    {"reload", Command::reload, kTakesJson | kTakesDaemon, kTimeout,
     "reads the configuration again; a refused one changes nothing",
     R"(Each daemon checks its whole configuration and then switches to it, or explains each mistake and goes on with
what it has. Nothing that is the same in both is touched.
)"},
    {"check", Command::check, kTakesDaemon, kTimeout, "checks the configuration files without the daemons",
     R"(Runs vipair-vrrpd --check and vipair-proxyd --check. The daemons that run are not asked and notice nothing.
)"},
    {"metrics", Command::metrics, kTakesDaemon, kTimeout, "counters and gauges in Prometheus text format",
     R"(What a Prometheus server would be told.
)"},
    {"keygen", Command::keygen, kTakesFile, kTimeout, "makes a key for the two nodes of a pair",
     R"(Prints a new random key, or writes it into a FILE that is not there yet and that its owner alone can read.
The file is peer.key_file of both nodes. To change keys, put a new line in front of the file on one node after the
other: the first key signs, all of them verify; then take the old line away.
)"},
    {"import", Command::import_keepalived, kTakesTwoFiles | kTakesNode, kTimeout,
     "turns a keepalived.conf into a node.conf",
     R"(Reads KEEPALIVED.CONF with all that it includes. What cannot be kept is refused with line and reason, and
nothing is written. Otherwise node.conf is printed, or written into the second FILE if that is not there yet,
together with what it needs beside it: passwords and an adapter to notify scripts. What differs stands in it as
comments.
  --node NAME        this node's name (default: router_id, else the machine's name)
)"}};

constexpr std::string_view kOptions = R"(
  --json             print JSON (all but check, metrics, keygen, import)
  --vrrp-socket S    the agent's control socket (default /run/vipair/vrrpd.sock)
  --proxy-socket S   the proxy's control socket (default /run/vipair/proxyd.sock)
  --timeout D        how long a daemon may take to answer (default 5s; watch 1s; handover, drain, doctor 1m)
  --help             print this text, after a command what the command does, and exit
  --version          print the version and exit

Exit status: 0 all is well, 1 a daemon refused or doctor found something, 2 wrong arguments,
3 a daemon does not answer, 78 the configuration has mistakes.
)";

std::string help() {
  std::string text =
      "Usage: vipairctl [OPTIONS] COMMAND\n"
      "Shows and steers the daemons of this node over their control sockets.\n\n";
  for (const CommandHelp& command : kCommands)
    text.append("  ").append(command.name).append(10 - command.name.size(), ' ').append(command.summary) += '\n';
  return text +
         "\nstatus, watch, reload, check and metrics are about both daemons unless one is named: vrrp (the agent)\n"
         "or proxy. vipairctl COMMAND --help says more.\n" +
         std::string(kOptions);
}

std::string help_of(const CommandHelp& command) {
  std::string usage = "Usage: vipairctl " + std::string(command.name);
  if (command.takes & kTakesDaemon) usage += " [vrrp|proxy]";
  if (command.takes & kTakesServer) usage += " list|drain|ready [SERVER]";
  if (command.takes & kTakesRouter) usage += " [ROUTER]";
  if (command.takes & kTakesFollow) usage += " [--follow]";
  if (command.takes & kTakesForce) usage += " [--force]";
  if (command.takes & kTakesNode) usage += " [--node NAME]";
  if (command.takes & kTakesFile) usage += " [FILE]";
  if (command.takes & kTakesTwoFiles) usage += " KEEPALIVED.CONF [FILE]";
  if (command.takes & kTakesJson) usage += " [--json]";
  return usage + " [OPTIONS]\n" + std::string(command.text) +
         "\nvipairctl --help names the options of all commands.\n";
}

class Parser {
 public:
  explicit Parser(const std::vector<std::string>& arguments) : arguments_(arguments) {}

  Expected<CommandLine, std::string> parse() {
    for (at_ = 0; at_ < arguments_.size(); ++at_) {
      const std::string& argument = arguments_[at_];
      if (argument == "--help") is_help_ = true;
      if (argument == "--help" || take_flag(argument)) continue;
      if (argument == "--version") {
        line_.print = "vipairctl " VIPAIR_VERSION "\n";
        return line_;
      }
      const auto taken = argument.starts_with("-") ? take_option(argument) : take_word(argument);
      if (!taken) return Unexpected{taken.error()};
    }
    if (is_help_) {
      line_.print = command_ ? help_of(*command_) : help();
      return line_;
    }
    if (!command_) return Unexpected{std::string("a command is missing")};
    const std::string name(command_->name);
    for (const auto& [is_given, flag, option] :
         {Given{line_.json, kTakesJson, "--json"}, Given{line_.follow, kTakesFollow, "--follow"},
          Given{line_.force, kTakesForce, "--force"}})
      if (is_given && !(command_->takes & flag)) return Unexpected{name + " has no " + option};
    if (!line_.node.empty() && !(command_->takes & kTakesNode)) return Unexpected{name + " has no --node"};
    if ((command_->takes & kTakesTwoFiles) && line_.files.empty())
      return Unexpected{name + " needs the file to read, such as /etc/keepalived/keepalived.conf"};
    if ((command_->takes & kTakesServer) && line_.action.empty())
      return Unexpected{name + " needs to be told what to do: list, drain SERVER or ready SERVER"};
    if ((command_->takes & kTakesServer) && line_.action != "list" && line_.server.empty())
      return Unexpected{name + " " + line_.action + " needs the server, as `vipairctl server list` names it"};
    line_.command = command_->command;
    if (line_.timeout == Duration::zero()) line_.timeout = command_->timeout;
    return line_;
  }

 private:
  struct Given {
    bool is_given;
    unsigned flag;
    const char* option;
  };

  bool take_flag(const std::string& argument) {
    for (const auto& [name, value] :
         {std::pair{"--json", &line_.json}, {"--follow", &line_.follow}, {"--force", &line_.force}})
      if (argument == name) return *value = true;
    return false;
  }

  Expected<void, std::string> take_option(const std::string& argument) {
    const std::size_t equals = argument.find('=');
    const std::string name = argument.substr(0, equals);
    if (name != "--vrrp-socket" && name != "--proxy-socket" && name != "--timeout" && name != "--node")
      return Unexpected{"unknown option " + argument};
    std::string value;
    if (equals != std::string::npos) {
      value = argument.substr(equals + 1);
    } else if (at_ + 1 < arguments_.size()) {
      value = arguments_[++at_];
    }
    if (value.empty()) return Unexpected{name + " needs a value"};
    if (name == "--vrrp-socket") {
      line_.vrrp_socket = value;
    } else if (name == "--proxy-socket") {
      line_.proxy_socket = value;
    } else if (name == "--node") {
      line_.node = value;
    } else {
      const auto timeout = parse_duration(value);
      if (!timeout || *timeout <= Duration::zero() || *timeout > kTimeoutMax)
        return Unexpected{"--timeout is a duration up to " + format_duration(kTimeoutMax) + " such as 5s, not " +
                          value};
      line_.timeout = *timeout;
    }
    return {};
  }

  Expected<void, std::string> take_word(const std::string& word) {
    if (!command_) {
      const auto found = std::find_if(std::begin(kCommands), std::end(kCommands),
                                      [&](const CommandHelp& known) { return known.name == word; });
      if (found == std::end(kCommands)) return Unexpected{"unknown command " + word};
      command_ = &*found;
    } else if ((command_->takes & kTakesDaemon) && !line_.only && (word == "vrrp" || word == "proxy")) {
      line_.only = word == "vrrp" ? Daemon::vrrp : Daemon::proxy;
    } else if ((command_->takes & kTakesServer) && line_.action.empty()) {
      if (word != "list" && word != "drain" && word != "ready")
        return Unexpected{"server cannot " + word + ": expected list, drain or ready"};
      line_.action = word;
    } else if ((command_->takes & kTakesServer) && line_.server.empty()) {
      line_.server = word;
    } else if ((command_->takes & kTakesRouter) && !line_.router) {
      line_.router = word;
    } else if (((command_->takes & kTakesFile) && line_.files.empty()) ||
               ((command_->takes & kTakesTwoFiles) && line_.files.size() < 2)) {
      line_.files.push_back(word);
    } else {
      return Unexpected{"unexpected argument " + word};
    }
    return {};
  }

  const std::vector<std::string>& arguments_;
  std::size_t at_ = 0;
  CommandLine line_;
  const CommandHelp* command_ = nullptr;
  bool is_help_ = false;
};

}  // namespace

const char* to_string(Daemon daemon) { return daemon == Daemon::vrrp ? "vrrp" : "proxy"; }

Expected<CommandLine, std::string> parse_command_line(const std::vector<std::string>& arguments) {
  return Parser(arguments).parse();
}

}  // namespace vipair::ctl
