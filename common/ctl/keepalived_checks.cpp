#include "common/ctl/keepalived_checks.h"

#include <string_view>

#include "common/ctl/import_text.h"
#include "common/ctl/keepalived_words.h"
#include "common/runtime/config_file.h"

namespace vipair::ctl {

using namespace std::chrono_literals;

void KeepalivedChecks::add_script(const Statement& statement, const std::string& usual_user) {
  CheckDefinition definition;
  definition.place = statement.place;
  std::vector<std::string> words;
  Duration interval = 1s;
  std::optional<Duration> timeout;
  int rise = 1, fall = 1;
  std::string user = usual_user;
  if (statement.words.size() != 2) error(statement.place, "vrrp_script takes a name");
  for (const Statement& setting : statement.block) {
    const std::string& keyword = setting.keyword();
    if (keyword == "script") {
      words.assign(setting.words.begin() + 1, setting.words.end());
    } else if (keyword == "interval") {
      interval = duration(setting, remarks_).value_or(interval);
    } else if (keyword == "timeout") {
      timeout = duration(setting, remarks_);
    } else if (keyword == "weight") {
      Tracked usual;
      read_weight(setting, 1, usual);
      definition.weight = usual.weight.value_or(definition.weight);
      definition.reverse = usual.reverse.value_or(false);
    } else if (keyword == "rise") {
      rise = number(setting, 1, 1000, remarks_).value_or(rise);
    } else if (keyword == "fall") {
      fall = number(setting, 1, 1000, remarks_).value_or(fall);
    } else if (keyword == "user") {
      if (setting.words.size() > 1) user = setting.words[1];
      if (setting.words.size() > 2) note(setting.place, "user: scripts run with the groups of their user");
    } else if (keyword == "init_fail") {
      note(setting.place, "init_fail: a check is down until its first run here, and that run decides at once");
    } else {
      error(setting.place, quoted(keyword) + " of a vrrp_script is not known to this import");
    }
  }
  if (interval < 10ms || interval > 1h || (timeout && (*timeout < 10ms || *timeout > 1h)))
    error(statement.place, "interval and timeout are between 0.01 and 3600 seconds");
  definition.settings = script_settings(statement, words, interval, timeout, rise, fall, user);
  if (statement.words.size() == 2 && !definitions_.emplace(statement.words[1], definition).second)
    error(statement.place, "vrrp_script " + quoted(statement.words[1]) + " is there twice");
}

// Scripts that only look for a process or a port are what other kinds of checks do better.
std::string KeepalivedChecks::script_settings(const Statement& script, const std::vector<std::string>& words,
                                              Duration interval, std::optional<Duration> timeout, int rise,
                                              int fall, const std::string& user) {
  const std::vector<std::string> command = split_command(words);
  if (command.empty()) {
    error(script.place, "the script of the vrrp_script is missing, or its quotes are not closed");
    return "";
  }
  const std::string program = command[0].substr(command[0].rfind('/') + 1);
  const std::string& last = command.back();
  if ((program == "killall" && command.size() == 3 && command[1] == "-0") ||
      (program == "pidof" && command.size() == 2 && last[0] != '-')) {
    note(script.place, quoted(words.size() == 1 ? words[0] : program) +
                           ": the process is watched by the kernel's events, without interval, rise and fall");
    return "type = \"process\"; process = " + libconfig_text(last.substr(last.rfind('/') + 1)) + ";";
  }
  std::string rhythm = " interval = " + libconfig_text(format_duration(interval)) + ";" +
                       " timeout = " + libconfig_text(format_duration(timeout.value_or(interval))) + ";" +
                       " rise = " + std::to_string(rise) + "; fall = " + std::to_string(fall) + ";";
  constexpr std::string_view kPort = "</dev/tcp/";
  if (command.size() == 1 && command[0].starts_with(kPort)) {
    const std::string where = command[0].substr(kPort.size());
    const std::size_t slash = where.find('/');
    const bool is_v6 = where.substr(0, slash).find(':') != std::string::npos;
    if (slash != std::string::npos && slash > 0 && integer(where.substr(slash + 1), 1, 65535))
      return "type = \"tcp\"; address = " +
             libconfig_text((is_v6 ? "[" : "") + where.substr(0, slash) + (is_v6 ? "]:" : ":") +
                            where.substr(slash + 1)) +
             ";" + rhythm;
  }
  if (!command[0].starts_with('/') || command[0].ends_with('/')) {
    error(script.place,
          "the script " + quoted(command[0]) +
              " is not the absolute path of a program: no shell looks for it or reads its text; put what "
              "needs a shell into a file that begins with #!/bin/sh");
    return "";
  }
  if (user.empty())
    note(script.place,
         "the script runs as the user vipair-check, not as keepalived_script or root: user = \"…\" "
         "of the check says another");
  return "type = \"script\"; command = " + libconfig_array(command) + ";" +
         (user.empty() ? "" : " user = " + libconfig_text(user) + ";") + rhythm;
}

void KeepalivedChecks::add_process(const Statement& statement) {
  CheckDefinition definition;
  definition.place = statement.place;
  definition.weight = 1;
  std::string process;
  if (statement.words.size() != 2) error(statement.place, statement.keyword() + " takes a name");
  for (const Statement& setting : statement.block) {
    const std::string& keyword = setting.keyword();
    if (keyword == "process") {
      if (const auto name = argument(setting, remarks_)) process = name->substr(name->rfind('/') + 1);
    } else if (keyword == "weight") {
      Tracked usual;
      read_weight(setting, 1, usual);
      definition.weight = usual.weight.value_or(definition.weight);
      definition.reverse = usual.reverse.value_or(false);
    } else if (keyword == "quorum") {
      if (number(setting, 0, 1'000'000, remarks_).value_or(1) != 1)
        error(setting.place, "quorum cannot be kept: a check of type \"process\" wants one process");
    } else if (keyword == "delay" || keyword == "fork_delay" || keyword == "terminate_delay") {
      note(setting.place, keyword + ": the end of a process counts at once here, so restart it on the Backup only");
    } else {
      error(setting.place,
            keyword + " cannot be kept: a check of type \"process\" knows the name of the process only");
    }
  }
  if (process.empty()) error(statement.place, "the name of the process is missing");
  definition.settings = "type = \"process\"; process = " + libconfig_text(process) + ";";
  if (statement.words.size() == 2 && !definitions_.emplace(statement.words[1], definition).second)
    error(statement.place, quoted(statement.words[1]) + " is there twice");
}

bool KeepalivedChecks::read_track(const Statement& statement, std::vector<Tracked>& tracked) {
  const std::string& keyword = statement.keyword();
  const bool is_interface = keyword == "track_interface";
  if (!is_interface && keyword != "track_script" && keyword != "track_process") return false;
  for (const Statement& entry : statement.block) {
    Tracked one{entry.keyword(), {}, {}, entry.place};
    if (is_interface) {
      one.check = "interface " + entry.keyword();
      CheckDefinition definition;
      definition.settings = "type = \"interface\"; interface = " + libconfig_text(entry.keyword()) + ";";
      definition.place = entry.place;
      definitions_.emplace(one.check, definition);
    }
    read_weight(entry, 1, one);
    tracked.push_back(std::move(one));
  }
  return true;
}

// "[weight] N [reverse]" from that word on.
void KeepalivedChecks::read_weight(const Statement& statement, std::size_t from, Tracked& tracked) {
  constexpr int kWeightMax = 253;
  for (std::size_t i = from; i < statement.words.size(); ++i) {
    const std::string& word = statement.words[i];
    if (word == "weight") continue;
    if (word == "reverse") {
      tracked.reverse = true;
    } else if (word == "noreverse" || word == "no_reverse") {
      tracked.reverse = false;
    } else if (const auto value = integer(word, -kWeightMax, kWeightMax)) {
      tracked.weight = value;
    } else {
      error(statement.place, quoted(word) + " is not a weight: expected -253 to 253, or reverse");
    }
  }
}

}  // namespace vipair::ctl
