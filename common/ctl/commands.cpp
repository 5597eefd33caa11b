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

#include "common/ctl/render.h"
#include "common/runtime/config_file.h"
#include "common/runtime/control_socket.h"

namespace vipair::ctl {
namespace {

namespace json = boost::json;

constexpr Daemon kDaemons[] = {Daemon::vrrp, Daemon::proxy};

class Runner {
 public:
  Runner(const CommandLine& line, std::ostream& out, std::ostream& err) : line_(line), out_(out), err_(err) {}

  int status() {
    json::object both;
    std::string text;
    for (Daemon daemon : kDaemons) {
      if (!line_.concerns(daemon)) continue;
      const auto answer = get_json(daemon, "/status");
      both[to_string(daemon)] = answer ? *answer : json::value();
      if (!text.empty()) text += "\n";
      if (!answer) {
        text += std::string(to_string(daemon)) + ": no answer\n";
      } else {
        text += daemon == Daemon::vrrp ? render_vrrp_status(*answer) : render_proxy_status(*answer);
      }
    }
    out_ << (line_.json ? json::serialize(both) + "\n" : text);
    return exit_status_;
  }

  int events() {
    if (const auto answer = get_json(Daemon::vrrp, "/events"))
      out_ << (line_.json ? json::serialize(*answer) + "\n" : render_events(*answer));
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

  int check(const std::string& program_folder) {
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

 private:
  // The first failure decides the exit status.
  void fail(int status) {
    if (exit_status_ == 0) exit_status_ = status;
  }

  std::optional<ControlResponse> ask(Daemon daemon, const char* method, const char* target) {
    const std::string& socket = daemon == Daemon::vrrp ? line_.vrrp_socket : line_.proxy_socket;
    auto answer = control_request(socket, method, target, "", line_.timeout);
    if (answer) return *std::move(answer);
    err_ << to_string(daemon) << ": " << answer.error() << "\n";
    fail(kExitNoAnswer);
    return std::nullopt;
  }

  bool is_good(Daemon daemon, const ControlResponse& answer) {
    if (answer.status == 200) return true;
    const std::string_view first_line = std::string_view(answer.body).substr(0, answer.body.find('\n'));
    err_ << to_string(daemon) << ": answered " << answer.status << " " << printable(first_line.substr(0, 200))
         << "\n";
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

  const CommandLine& line_;
  std::ostream& out_;
  std::ostream& err_;
  int exit_status_ = 0;
};

}  // namespace

int run(const CommandLine& line, const std::string& program_folder, std::ostream& out, std::ostream& err) {
  Runner runner(line, out, err);
  switch (line.command) {
    case Command::status:
      return runner.status();
    case Command::events:
      return runner.events();
    case Command::reload:
      return runner.reload();
    case Command::check:
      return runner.check(program_folder);
    case Command::metrics:
      return runner.metrics();
  }
  return kExitUsage;
}

}  // namespace vipair::ctl
