#include "common/ctl/commands.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <cstring>
#include <optional>
#include <ostream>
#include <set>
#include <sstream>

#include "common/ctl/import_command.h"
#include "common/ctl/keygen.h"
#include "common/ctl/new_file.h"
#include "common/ctl/render.h"
#include "common/runtime/config_file.h"
#include "common/runtime/control_client.h"

namespace vipair::ctl {
namespace {

namespace json = boost::json;

constexpr Daemon kDaemons[] = {Daemon::vrrp, Daemon::proxy};
constexpr Duration kWatchInterval = std::chrono::seconds(1);
constexpr std::size_t kEventLineMax = 1u << 20;  // bytes; no event is as long

std::string percent_encoded(const std::string& text) {
  constexpr const char* kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
                          c == '_' || c == '.';
    if (is_plain)
      out += c;
    else
      out.append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
  }
  return out;
}

// The lines that were not in the last text.
std::string new_lines(const std::string& text, std::set<std::string>& last) {
  std::set<std::string> lines;
  std::string out, line;
  for (std::istringstream in(text); std::getline(in, line); lines.insert(line))
    if (!last.contains(line)) out += line + "\n";
  last = std::move(lines);
  return out;
}

class Runner {
 public:
  Runner(const CommandLine& line, const Surroundings& surroundings)
      : line_(line), surroundings_(surroundings), out_(surroundings.out), err_(surroundings.err) {}

  int status() {
    const json::object both = statuses();
    out_ << (line_.json ? json::serialize(both) + "\n" : render_statuses(both));
    return exit_status_;
  }

  // Goes on whatever happens to the daemons: that is what one wants to see.
  int watch() {
    std::set<std::string> told;
    do {
      const json::object both = statuses();
      if (line_.json) {
        out_ << json::serialize(both) << "\n";
      } else if (surroundings_.lines > 0) {
        draw(both);
      } else {
        out_ << new_lines(render_states(both), told);
      }
      out_.flush();
    } while (out_ && surroundings_.wait && surroundings_.wait(kWatchInterval));
    return 0;
  }

  int events() {
    if (line_.follow) return follow();
    if (const auto answer = get_json(Daemon::vrrp, "/events"))
      out_ << (line_.json ? json::serialize(*answer) + "\n" : render_events(*answer));
    return exit_status_;
  }

  int plan() {
    if (const auto answer = get_json(Daemon::vrrp, "/plan"))
      out_ << (line_.json ? json::serialize(*answer) + "\n" : render_plan(*answer));
    return exit_status_;
  }

  int doctor() {
    const auto answer = ask(Daemon::vrrp, "POST", "/doctor");
    if (!answer || !is_good(Daemon::vrrp, *answer)) return exit_status_;
    const auto findings = parse(answer->body);
    if (!findings || !findings->is_array()) {
      err_ << "vrrp: the answer is no diagnosis\n";
      return kExitNoAnswer;
    }
    out_ << (line_.json ? json::serialize(*findings) + "\n" : render_findings(*findings));
    return findings->get_array().empty() ? 0 : kExitFailed;
  }

  // handover, drain, undrain: what is said when it is done.
  int order(const std::string& target, const char* done) {
    const auto answer = ask(Daemon::vrrp, "POST", target);
    if (!answer) return exit_status_;
    if (!is_good(Daemon::vrrp, *answer)) {
      if (line_.json && parse(answer->body)) out_ << answer->body << "\n";
      return exit_status_;
    }
    out_ << (line_.json ? answer->body : done) << "\n";
    return exit_status_;
  }
  int handover() {
    return order("/handover" + (line_.router ? "?router=" + percent_encoded(*line_.router) : ""),
                 "handed over: the peer is Active");
  }
  int drain() {
    return order(line_.force ? "/drain?force=1" : "/drain",
                 "drained: this node takes no addresses until `vipairctl undrain`");
  }
  int undrain() { return order("/undrain", "undrained: this node takes part again"); }

  int server() {
    const bool is_list = line_.action == "list";
    std::string target = is_list ? "/servers" : "/servers/" + line_.action;
    if (!line_.server.empty()) target += "?server=" + percent_encoded(line_.server);
    if (line_.force && line_.action == "drain") target += "&force=1";
    const auto answer = ask(Daemon::proxy, is_list ? "GET" : "POST", target);
    if (!answer || !is_good(Daemon::proxy, *answer)) return exit_status_;
    const auto body = parse(answer->body);
    if (!body) {
      err_ << "proxy: the answer is not JSON\n";
      fail(kExitNoAnswer);
    } else {
      out_ << (line_.json ? answer->body : render_servers(*body));
    }
    return exit_status_;
  }

  int metrics() {
    for (Daemon daemon : kDaemons) {
      if (!line_.concerns(daemon)) continue;
      if (const auto answer = ask(daemon, "GET", "/metrics"); answer && is_good(daemon, *answer))
        out_ << answer->body;
    }
    return exit_status_;
  }

  int reload() {
    json::object both;
    for (Daemon daemon : kDaemons) {
      if (!line_.concerns(daemon)) continue;
      const std::string name = to_string(daemon);
      json::value& result = both[name];
      const auto answer = ask(daemon, "POST", "/reload");
      if (!answer) continue;
      auto body = parse(answer->body);
      if (body) result = *body;
      if (answer->status == 200) {
        if (!line_.json) out_ << name << ": reloaded\n";
        continue;
      }
      const std::string errors = body ? render_errors(*body) : "";
      if (errors.empty()) {
        (void)is_good(daemon, *answer);
      } else {
        err_ << name << ": refused, the running configuration stays:\n" << errors;
        fail(kExitConfig);
      }
    }
    if (line_.json) out_ << json::serialize(both) << "\n";
    return exit_status_;
  }

  int check() {
    const std::string& program_folder = surroundings_.program_folder;
    out_.flush();
    for (Daemon daemon : kDaemons) {
      if (!line_.concerns(daemon)) continue;
      const std::string name = daemon == Daemon::vrrp ? "vipair-vrrpd" : "vipair-proxyd";
      std::string path = program_folder + "/" + name;
      if (program_folder.empty() || ::access(path.c_str(), X_OK) != 0) path = name;
      std::string option = "--check";
      char* const arguments[] = {path.data(), option.data(), nullptr};
      pid_t child = -1;
      if (const int error = ::posix_spawnp(&child, path.c_str(), nullptr, nullptr, arguments, environ);
          error != 0) {
        err_ << name << ": " << std::strerror(error) << "\n";
        fail(kExitFailed);
        continue;
      }
      int status = 0;
      while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
      }
      const int code = WIFEXITED(status) ? WEXITSTATUS(status) : kExitFailed;
      if (code == 0) {
        out_ << name << ": the configuration is good\n";
        out_.flush();
      } else {
        err_ << name << ": the check failed\n";
        fail(code);
      }
    }
    return exit_status_;
  }

  int keygen() {
    if (line_.files.empty()) {
      out_ << make_key() << "\n";
    } else if (auto written = write_new_file(line_.files[0], make_key() + "\n", 0600); !written) {
      err_ << written.error() << "\n";
      fail(kExitFailed);
    }
    return exit_status_;
  }

 private:
  // The first failure decides the exit status.
  void fail(int status) {
    if (exit_status_ == 0) exit_status_ = status;
  }

  const std::string& socket_of(Daemon daemon) const {
    return daemon == Daemon::vrrp ? line_.vrrp_socket : line_.proxy_socket;
  }

  // Both daemons' /status by name; null for the one that does not answer.
  json::object statuses() {
    json::object both;
    for (Daemon daemon : kDaemons) {
      if (!line_.concerns(daemon)) continue;
      const auto answer = get_json(daemon, "/status");
      both[to_string(daemon)] = answer ? *answer : json::value();
    }
    return both;
  }

  void draw(const json::object& both) {
    std::string text = render_statuses(both);
    if (const json::value* vrrp = both.if_contains("vrrp"); vrrp && !vrrp->is_null())
      if (const auto events = get_json(Daemon::vrrp, "/events"))
        text += "\n" + render_events(*events, kEventsShown);
    // home, then each line with what stood behind it erased, then what stood below
    out_ << "\x1b[H" << fitted(text, surroundings_.columns, surroundings_.lines - 1, "\x1b[K\r\n") << "\x1b[J";
  }

  int follow() {
    std::string partial;
    auto take = [&](std::string_view piece) {
      partial += piece;
      for (std::size_t end = 0; (end = partial.find('\n')) != std::string::npos; partial.erase(0, end + 1)) {
        const std::string one = partial.substr(0, end);
        const auto event = parse(one);
        out_ << (line_.json || !event ? printable(one) + "\n" : render_event(*event));
      }
      out_.flush();
      return out_.good() && partial.size() <= kEventLineMax;
    };
    const auto answer = control_follow(line_.vrrp_socket, "/events?follow=1", line_.timeout, take);
    if (answer) {
      (void)is_good(Daemon::vrrp, *answer);
      return exit_status_;
    }
    err_ << "vrrp: " << answer.error() << "\n";
    return kExitNoAnswer;
  }

  std::optional<ControlResponse> ask(Daemon daemon, const char* method, const std::string& target) {
    auto answer = control_request(socket_of(daemon), method, target, "", line_.timeout);
    if (answer) return *std::move(answer);
    err_ << to_string(daemon) << ": " << answer.error() << "\n";
    fail(kExitNoAnswer);
    return std::nullopt;
  }

  bool is_good(Daemon daemon, const ControlResponse& answer) {
    if (answer.status == 200) return true;
    if (const auto body = parse(answer.body); body && body->is_object() && body->get_object().contains("error")) {
      err_ << to_string(daemon) << ": " << render_refusal(*body) << "\n";
    } else {
      const std::string_view first_line = std::string_view(answer.body).substr(0, answer.body.find('\n'));
      err_ << to_string(daemon) << ": answered " << answer.status << " " << printable(first_line.substr(0, 200))
           << "\n";
    }
    fail(answer.status == 503 ? kExitNoAnswer : kExitFailed);
    return false;
  }

  static std::optional<json::value> parse(const std::string& text) {
    boost::system::error_code error;
    json::value value = json::parse(text, error);
    if (error) return std::nullopt;
    return value;
  }

  std::optional<json::value> get_json(Daemon daemon, const char* target) {
    const auto answer = ask(daemon, "GET", target);
    if (!answer || !is_good(daemon, *answer)) return std::nullopt;
    auto value = parse(answer->body);
    if (!value) {
      err_ << to_string(daemon) << ": the answer is not JSON\n";
      fail(kExitNoAnswer);
    }
    return value;
  }

  static constexpr std::size_t kEventsShown = 10;

  const CommandLine& line_;
  const Surroundings& surroundings_;
  std::ostream& out_;
  std::ostream& err_;
  int exit_status_ = 0;
};

}  // namespace

int run(const CommandLine& line, const Surroundings& surroundings) {
  // who watches sees on the screen who does not answer
  std::ostream nobody(nullptr);
  Surroundings quiet{"", surroundings.out, nobody, surroundings.columns, surroundings.lines, surroundings.wait};
  Runner runner(line, line.command == Command::watch ? quiet : surroundings);
  switch (line.command) {
    case Command::status:
      return runner.status();
    case Command::watch:
      return runner.watch();
    case Command::events:
      return runner.events();
    case Command::plan:
      return runner.plan();
    case Command::doctor:
      return runner.doctor();
    case Command::handover:
      return runner.handover();
    case Command::drain:
      return runner.drain();
    case Command::undrain:
      return runner.undrain();
    case Command::server:
      return runner.server();
    case Command::reload:
      return runner.reload();
    case Command::check:
      return runner.check();
    case Command::metrics:
      return runner.metrics();
    case Command::keygen:
      return runner.keygen();
    case Command::import_keepalived:
      return run_import(line, surroundings.out, surroundings.err);
  }
  return kExitUsage;
}

}  // namespace vipair::ctl
