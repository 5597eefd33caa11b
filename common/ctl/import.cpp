#include "common/ctl/import.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "common/base/ip_address.h"
#include "common/ctl/import_text.h"
#include "common/runtime/config_file.h"

namespace vipair::ctl {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kNameMax = 64;     // as node.conf has it
constexpr std::size_t kPasswordMax = 8;  // bytes: keepalived cuts off the rest
constexpr int kPriorityMax = 254, kOwner = 255;
constexpr std::size_t kInstancesMax = 2048;

// ---- what has no counterpart ----

struct Verdict {
  const char* keyword;
  const char* text;
};

constexpr Verdict kRefusedAtTop[] = {
    {"virtual_server", "load balancing is not the agent's: vipair-proxyd does it, see proxy.conf"},
    {"virtual_server_group", "load balancing is not the agent's: vipair-proxyd does it, see proxy.conf"},
    {"SSL", "load balancing is not the agent's: vipair-proxyd does it, see proxy.conf"},
    {"bfd_instance", "there is no BFD: a check of type \"ping\" or a shorter advertisement_interval comes close"},
    {"static_ipaddress", "addresses that do not move belong to the system's network configuration"},
    {"static_routes", "routes belong to the system's network configuration"},
    {"static_rules", "rules belong to the system's network configuration"},
    {"track_group", "it is about static addresses and routes, which belong to the system's network configuration"},
    {"track_file", "numbers in files are not tracked: a check of type \"file\" or \"script\" comes close"},
    {"vrrp_track_file", "numbers in files are not tracked: a check of type \"file\" or \"script\" comes close"},
    {"net_namespace", "run the agent in the namespace: NetworkNamespacePath= of its systemd unit"},
    {"net_namespace_ipvs", "load balancing is not the agent's: vipair-proxyd does it, see proxy.conf"},
    {"instance", "several agents on one machine need a node.conf with sockets of their own each"},
    {"interface_up_down_delays", "add a check of type \"interface\" with up_delay and down_delay by hand"},
};
constexpr Verdict kRefusedGlobally[] = {
    {"lvs_sync_daemon", "load balancing is not the agent's"},
    {"lvs_timeouts", "load balancing is not the agent's"},
    {"startup_script", "use ExecStartPre= of the systemd unit"},
    {"shutdown_script", "use ExecStopPost= of the systemd unit"},
    {"notify_fifo",
     "notify_fifo of node.conf is a pipe too, but its lines are JSON: change its reader, then set it"},
    {"notify_fifo_script", "notify of node.conf gets each event on standard input: change the script, then set it"},
    {"vrrp_notify_fifo",
     "notify_fifo of node.conf is a pipe too, but its lines are JSON: change its reader, then set it"},
    {"vrrp_notify_fifo_script",
     "notify of node.conf gets each event on standard input: change the script, then set it"},
    {"default_interface", "name the interface in each vrrp_instance"},
    {"vrrp_down_timer_adverts", "the peer is down after three advertisements, as the RFCs say"},
};
constexpr Verdict kRefusedOfInstance[] = {
    {"virtual_routes", "routes do not move with the addresses"},
    {"virtual_rules", "rules do not move with the addresses"},
    {"use_ipvlan", "there is no ipvlan: use_vmac has a counterpart"},
    {"vrf", "name the interface"},
    {"track_bfd", "there is no BFD: a check of type \"ping\" comes close"},
    {"track_file", "numbers in files are not tracked: a check of type \"file\" or \"script\" comes close"},
    {"mcast_dst_ip", "advertisements go to the group of the RFC: 224.0.0.18 or ff02::12"},
    {"dont_track_primary", "a virtual router whose interface is down takes no part"},
    {"down_timer_adverts", "the peer is down after three advertisements, as the RFCs say"},
    {"lvs_sync_daemon_interface", "load balancing is not the agent's"},
    {"notify_master_rx_lower_pri", "there is no event for it; /metrics counts second_active_heard"},
    {"linkbeat_use_polling", "links are told of by netlink, never polled"},
};
constexpr const char* kAnnouncements =
    "garp_… and gna_… need no tuning here: addresses are announced at once, after 50 and 250 ms, 1 and 5 s, then "
    "every "
    "minute, and again when a second Active was heard";
constexpr const char* kNoMail = "mail is not sent: let a notify program do it";
constexpr Verdict kNoted[] = {
    {"smtp_alert", kNoMail},
    {"smtp_alert_vrrp", kNoMail},
    {"notification_email", kNoMail},
    {"mcast_src_ip", "advertisements come from the first address of the interface: it must be this one"},
    {"unicast_src_ip", "advertisements come from the first address of the interface: it must be this one"},
    {"lower_prio_no_advert", "a lower priority is answered at once, as RFC 9568 section 6.4.3 demands"},
    {"vrrp_lower_prio_no_advert", "a lower priority is answered at once, as RFC 9568 section 6.4.3 demands"},
    {"vmac_xmit_base",
     "by multicast advertisements come from the virtual MAC address, by unicast from the interface's"},
    {"use_vmac_addr", "each virtual router has one interface here, and the virtual MAC address is on that"},
    {"fifo_write_vrrp_states_on_reload", "a reload that changes nothing tells nothing"},
    {"vrrp_iptables", "where a firewall is needed it is nftables, in a table of its own"},
    {"nftables", "the table has a name of its own"},
    {"enable_snmp_vrrp", "there is no SNMP: /metrics has the counters of RFC 6527"},
    {"enable_snmp_rfc", "there is no SNMP: /metrics has the counters of RFC 6527"},
    {"enable_snmp_rfcv2", "there is no SNMP: /metrics has the counters of RFC 6527"},
    {"enable_snmp_rfcv3", "there is no SNMP: /metrics has the counters of RFC 6527"},
    {"enable_traps", "there is no SNMP: a notify program is told of every change"},
    {"enable_dbus", "there is no D-Bus: the control socket answers in JSON"},
    {"linkbeat_use_polling", "links are told of by netlink, never polled"},
    {"linkbeat_interfaces", "links are told of by netlink, never polled"},
};
// Without a word: they change nothing that anybody would miss, or are always so here.
constexpr const char* kIgnored[] = {"promote_secondaries",
                                    "native_ipv6",
                                    "skip_check_adv_addr",
                                    "vrrp_skip_check_adv_addr",
                                    "check_unicast_src",
                                    "vrrp_check_unicast_src",
                                    "unicast_fault_no_peer",
                                    "debug",
                                    "kernel_rx_buf_size",
                                    "enable_script_security",
                                    "dynamic_interfaces",
                                    "notification_email_from",
                                    "smtp_server",
                                    "smtp_helo_name",
                                    "smtp_connect_timeout",
                                    "no_email_faults",
                                    "use_pid_dir",
                                    "child_wait_time",
                                    "process_names",
                                    "process_name",
                                    "vrrp_process_name",
                                    "tmp_config_directory",
                                    "config_save_dir",
                                    "vrrp_no_swap",
                                    "vrrp_priority",
                                    "max_auto_priority",
                                    "min_auto_priority_delay",
                                    "vrrp_rlimit_rttime",
                                    "vrrp_cpu_affinity",
                                    "snmp_socket",
                                    "dbus_service_name",
                                    "higher_prio_send_advert",
                                    "vrrp_higher_prio_send_advert",
                                    "umask",
                                    "disable_local_igmp",
                                    "vrrp_ipsets",
                                    "notify_priority_changes",
                                    "vrrp_notify_priority_changes",
                                    "vrrp_rx_bufs_policy",
                                    "vrrp_rx_bufs_multiplier",
                                    "vrrp_netlink_cmd_rcv_bufs",
                                    "vrrp_netlink_monitor_rcv_bufs",
                                    "process_monitor_rcv_bufs",
                                    "track_src_ip",
                                    "lvs_flush",
                                    "lvs_flush_on_stop",
                                    "rs_init_notifies",
                                    "no_checker_emails",
                                    "checker_log_all_failures",
                                    "smtp_alert_checker",
                                    "global_tracking"};

template <std::size_t N>
const char* verdict(const Verdict (&verdicts)[N], const std::string& keyword) {
  for (const Verdict& each : verdicts)
    if (keyword == each.keyword) return each.text;
  return nullptr;
}

// ---- words ----

bool is_name_char(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.';
}

std::string name_from(const std::string& text) {
  std::string name = text.substr(0, kNameMax);
  for (char& c : name)
    if (!is_name_char(static_cast<unsigned char>(c))) c = '-';
  return name;
}

bool is_name(const std::string& text) { return !text.empty() && name_from(text) == text; }

std::optional<int> integer(const std::string& text, int min, int max) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < min || value > max) return std::nullopt;
  return value;
}

// Decimal seconds, "1" or "0.25", exactly.
std::optional<Duration> seconds(const std::string& text) {
  constexpr std::int64_t kSecondsMax = 1'000'000;
  const std::size_t dot = std::min(text.find('.'), text.size());
  const std::string whole = text.substr(0, dot);
  std::string fraction = dot < text.size() ? text.substr(dot + 1) : "";
  if (fraction.size() > 9 || (whole.empty() && fraction.empty())) return std::nullopt;
  fraction.append(9 - fraction.size(), '0');
  const auto is_digits = [](const std::string& digits) {
    return digits.find_first_not_of("0123456789") == std::string::npos;
  };
  if (!is_digits(whole) || !is_digits(fraction) || whole.size() > 7) return std::nullopt;
  std::int64_t count = 0, nanoseconds = 0;
  (void)std::from_chars(whole.data(), whole.data() + whole.size(), count);
  (void)std::from_chars(fraction.data(), fraction.data() + fraction.size(), nanoseconds);
  if (count > kSecondsMax) return std::nullopt;
  return std::chrono::seconds(count) + Duration(nanoseconds);
}

// A script as one quoted text is split at white space, except in single quotes.
std::vector<std::string> split_command(const std::vector<std::string>& words) {
  if (words.size() != 1) return words;
  std::vector<std::string> parts;
  std::string part;
  bool is_quoted = false, is_part = false;
  for (char c : words[0] + " ") {
    if (c == '\'') {
      is_quoted = !is_quoted;
      is_part = true;
    } else if (!is_quoted && (c == ' ' || c == '\t')) {
      if (is_part) parts.push_back(part);
      part.clear();
      is_part = false;
    } else {
      part += c;
      is_part = true;
    }
  }
  if (is_quoted) return {};
  return parts;
}

// ---- what the file says ----

struct Tracked {
  std::string check;          // by its name in keepalived.conf, or "interface NAME"
  std::optional<int> weight;  // what is not said is as in the definition, which may stand further down
  std::optional<bool> reverse;
  Place place;
};

struct Script {
  std::string state;  // as FoundScript
  std::vector<std::string> command;
  std::string user;
  Place place;
};

// vrrp_script, vrrp_track_process, or an interface that is tracked.
struct Definition {
  std::string settings;  // of node.conf
  int weight = 0;
  bool reverse = false;
  Place place;
  bool is_bad = false;  // refused already
};

struct Instance {
  std::string name;
  Place place;
  std::map<std::string, Place> said;  // where each setting is
  std::string interface;
  int vrid = 0;
  int priority = 100;
  std::optional<int> version;
  Duration advertisement_interval = 1s;
  bool is_master = false;
  bool nopreempt = false;
  Duration preempt_delay{};
  std::vector<std::string> addresses, excluded_addresses;
  std::optional<IpFamily> family;  // of the first address
  std::string auth_type, auth_pass;
  std::vector<std::string> peers;
  bool virtual_mac = false;
  std::optional<bool> accept, is_strict;
  std::vector<Tracked> tracked;
  std::vector<Script> scripts;
};

struct Group {
  std::string name;
  Place place;
  std::vector<std::pair<std::string, Place>> members;
  std::vector<Tracked> tracked;
  std::vector<Script> scripts;
  bool keeps_weights = false;
};

class Importer {
 public:
  Importer(const ImportOptions& options, std::vector<Remark>& errors) : options_(options), errors_(errors) {}

  Found import(const std::string& source, const std::vector<Statement>& statements) {
    found_.source = source;
    found_.node = options_.node.empty() ? name_from(options_.host) : options_.node;
    if (!is_name(found_.node))
      error({source, 1}, quoted(found_.node) + " is no name of a node: expected letters, digits, '-', '_' or '.'");
    for (const Statement& statement : statements) read_top(statement);
    for (const Statement& statement : instances_read_) read_instance(statement);
    if (instances_.empty() && errors_.empty()) error({source, 1}, "there is no vrrp_instance in it");
    join_groups();
    choose_check_names();
    for (const Instance& instance : instances_) add_router(instance);
    check_peers();
    tell_the_whole();
    return std::move(found_);
  }

 private:
  void error(const Place& place, std::string text) { errors_.push_back({place, std::move(text)}); }
  // What is said once need not be said of every virtual router.
  void note(const Place& place, std::string text) {
    if (told_.insert(text).second) found_.notes.push_back({place, std::move(text)});
  }

  // The one argument of a setting; reported when it has another number of them.
  std::optional<std::string> argument(const Statement& statement) {
    if (statement.words.size() == 2 && !statement.is_block) return statement.words[1];
    error(statement.place, statement.keyword() + " takes one value");
    return std::nullopt;
  }
  std::optional<int> number(const Statement& statement, int min, int max) {
    auto text = argument(statement);
    if (!text) return std::nullopt;
    auto value = integer(*text, min, max);
    if (!value)
      error(statement.place, statement.keyword() + " " + quoted(*text) + ": expected " + std::to_string(min) +
                                 " to " + std::to_string(max));
    return value;
  }
  std::optional<Duration> time(const Statement& statement) {
    auto text = argument(statement);
    if (!text) return std::nullopt;
    auto value = seconds(*text);
    if (!value) error(statement.place, statement.keyword() + " " + quoted(*text) + ": expected seconds");
    return value;
  }
  bool truth(const Statement& statement) {
    if (statement.words.size() == 1) return true;
    const std::string& word = statement.words[1];
    if (word == "on" || word == "true" || word == "yes") return true;
    if (word != "off" && word != "false" && word != "no")
      error(statement.place, statement.keyword() + " " + quoted(word) + ": expected on or off");
    return false;
  }

  // Settings that have no counterpart; false: it is not one of them.
  template <std::size_t N>
  bool is_settled(const Statement& statement, const Verdict (&refused)[N]) {
    const std::string& keyword = statement.keyword();
    if (const char* why = verdict(refused, keyword)) {
      error(statement.place, keyword + " cannot be kept: " + why);
    } else if (const char* text = verdict(kNoted, keyword)) {
      note(statement.place, keyword + ": " + text);
    } else if (keyword.find("garp_") != std::string::npos || keyword.find("gna_") != std::string::npos) {
      note(statement.place, kAnnouncements);
    } else if (std::find(std::begin(kIgnored), std::end(kIgnored), keyword) == std::end(kIgnored)) {
      return false;
    }
    return true;
  }

  void read_top(const Statement& statement);
  void read_global(const Statement& statement);
  void read_script(const Statement& statement);
  void read_process(const Statement& statement);
  void read_group(const Statement& statement);
  void read_instance(const Statement& statement);
  void read_setting(const Statement& statement, Instance& instance);
  void read_authentication(const Statement& statement, Instance& instance);
  void read_addresses(const Statement& statement, Instance& instance, std::vector<std::string>& addresses);
  void read_peers(const Statement& statement, Instance& instance);
  void read_vmac(const Statement& statement, Instance& instance);
  bool read_track(const Statement& statement, std::vector<Tracked>& tracked);
  bool read_notify(const Statement& statement, std::vector<Script>& scripts);
  void read_weight(const Statement& statement, std::size_t from, Tracked& tracked);
  std::string script_settings(const Statement& script, const std::vector<std::string>& words, Duration interval,
                              std::optional<Duration> timeout, int rise, int fall, const std::string& user);

  void join_groups();
  void choose_check_names();
  void add_router(const Instance& instance);
  void set_interval(const Instance& instance, FoundRouter& router);
  void set_preemption(const Instance& instance, FoundRouter& router);
  void set_password(const Instance& instance, FoundRouter& router);
  void set_peer(const Instance& instance, FoundRouter& router);
  void set_tracking(const Instance& instance, FoundRouter& router);
  void add_scripts(const std::vector<Script>& scripts, const FoundRouter& router, const std::string& kind,
                   const std::string& name);
  void check_peers();
  void tell_the_whole();
  const Group* group_of(const Instance& instance) const;
  std::string unique(std::string name, std::set<std::string>& taken);

  const ImportOptions& options_;
  std::vector<Remark>& errors_;
  Found found_;
  std::set<std::string> told_;
  int version_ = 0;  // vrrp_version; 0: not said
  bool is_strict_ = false;
  std::string script_user_;
  std::vector<Statement> instances_read_;  // after the globals, which may follow them
  std::vector<Instance> instances_;
  std::vector<Group> groups_;
  std::map<std::string, Definition> definitions_;
  // check as tracked (name, weight, reverse) → its name in node.conf
  std::map<std::tuple<std::string, int, bool>, std::string> check_names_;
  std::set<std::string> router_names_;
};

std::string Importer::unique(std::string name, std::set<std::string>& taken) {
  std::string candidate = name;
  for (int i = 2; !taken.insert(candidate).second; ++i)
    candidate = name.substr(0, kNameMax - 8) + "-" + std::to_string(i);
  return candidate;
}

// ---- reading ----

void Importer::read_top(const Statement& statement) {
  const std::string& keyword = statement.keyword();
  if (keyword == "global_defs" && statement.is_block) {
    for (const Statement& setting : statement.block) read_global(setting);
  } else if (keyword == "vrrp_script" && statement.is_block) {
    read_script(statement);
  } else if ((keyword == "vrrp_track_process" || keyword == "track_process") && statement.is_block) {
    read_process(statement);
  } else if (keyword == "vrrp_sync_group" && statement.is_block) {
    read_group(statement);
  } else if (keyword == "vrrp_instance" && statement.is_block) {
    instances_read_.push_back(statement);
    if (instances_read_.size() == kInstancesMax + 1)
      error(statement.place, "more than " + std::to_string(kInstancesMax) + " virtual routers");
    if (instances_read_.size() > kInstancesMax) instances_read_.pop_back();
  } else if (!is_settled(statement, kRefusedAtTop)) {
    error(statement.place,
          quoted(keyword) + " is not known to this import: remove it, or keep what it does by hand");
  }
}

void Importer::read_global(const Statement& statement) {
  const std::string& keyword = statement.keyword();
  if (keyword == "router_id") {
    const auto name = argument(statement);
    if (!name || !options_.node.empty()) return;
    if (is_name(*name)) {
      found_.node = *name;
    } else {
      note(statement.place, "router_id " + quoted(*name) + " is no name of a node: it is " + found_.node + " here");
    }
  } else if (keyword == "vrrp_version") {
    version_ = number(statement, 2, 3).value_or(2);
  } else if (keyword == "vrrp_strict") {
    is_strict_ = truth(statement);
  } else if (keyword == "script_user") {
    if (statement.words.size() > 1) script_user_ = statement.words[1];
  } else if (keyword == "vrrp_rt_priority") {
    found_.realtime_priority = number(statement, 1, 99);
  } else if (keyword == "vrrp_mcast_group4" || keyword == "vrrp_mcast_group6") {
    const auto group = argument(statement);
    if (group && *group != "224.0.0.18" && *group != "ff02::12")
      error(statement.place, keyword + " cannot be kept: advertisements go to the group of the RFC");
  } else if (!is_settled(statement, kRefusedGlobally)) {
    error(statement.place,
          quoted(keyword) + " is not known to this import: remove it, or keep what it does by hand");
  }
}

// "[weight] N [reverse]" from that word on.
void Importer::read_weight(const Statement& statement, std::size_t from, Tracked& tracked) {
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

void Importer::read_script(const Statement& statement) {
  Definition definition;
  definition.place = statement.place;
  std::vector<std::string> words;
  Duration interval = 1s;
  std::optional<Duration> timeout;
  int rise = 1, fall = 1;
  std::string user = script_user_;
  const std::size_t errors_before = errors_.size();
  if (statement.words.size() != 2) error(statement.place, "vrrp_script takes a name");
  for (const Statement& setting : statement.block) {
    const std::string& keyword = setting.keyword();
    if (keyword == "script") {
      words.assign(setting.words.begin() + 1, setting.words.end());
    } else if (keyword == "interval") {
      interval = time(setting).value_or(interval);
    } else if (keyword == "timeout") {
      timeout = time(setting);
    } else if (keyword == "weight") {
      Tracked usual;
      read_weight(setting, 1, usual);
      definition.weight = usual.weight.value_or(definition.weight);
      definition.reverse = usual.reverse.value_or(false);
    } else if (keyword == "rise") {
      rise = number(setting, 1, 1000).value_or(rise);
    } else if (keyword == "fall") {
      fall = number(setting, 1, 1000).value_or(fall);
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
  definition.is_bad = errors_.size() > errors_before;
  if (statement.words.size() == 2 && !definitions_.emplace(statement.words[1], definition).second)
    error(statement.place, "vrrp_script " + quoted(statement.words[1]) + " is there twice");
}

// Scripts that only look for a process or a port are what other kinds of checks do better.
std::string Importer::script_settings(const Statement& script, const std::vector<std::string>& words,
                                      Duration interval, std::optional<Duration> timeout, int rise, int fall,
                                      const std::string& user) {
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

void Importer::read_process(const Statement& statement) {
  Definition definition;
  definition.place = statement.place;
  definition.weight = 1;
  const std::size_t errors_before = errors_.size();
  std::string process;
  if (statement.words.size() != 2) error(statement.place, statement.keyword() + " takes a name");
  for (const Statement& setting : statement.block) {
    const std::string& keyword = setting.keyword();
    if (keyword == "process") {
      if (const auto name = argument(setting)) process = name->substr(name->rfind('/') + 1);
    } else if (keyword == "weight") {
      Tracked usual;
      read_weight(setting, 1, usual);
      definition.weight = usual.weight.value_or(definition.weight);
      definition.reverse = usual.reverse.value_or(false);
    } else if (keyword == "quorum") {
      if (number(setting, 0, 1'000'000).value_or(1) != 1)
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
  definition.is_bad = errors_.size() > errors_before;
  if (statement.words.size() == 2 && !definitions_.emplace(statement.words[1], definition).second)
    error(statement.place, quoted(statement.words[1]) + " is there twice");
}

bool Importer::read_track(const Statement& statement, std::vector<Tracked>& tracked) {
  const std::string& keyword = statement.keyword();
  const bool is_interface = keyword == "track_interface";
  if (!is_interface && keyword != "track_script" && keyword != "track_process") return false;
  for (const Statement& entry : statement.block) {
    Tracked one{entry.keyword(), {}, {}, entry.place};
    if (is_interface) {
      one.check = "interface " + entry.keyword();
      Definition definition;
      definition.settings = "type = \"interface\"; interface = " + libconfig_text(entry.keyword()) + ";";
      definition.place = entry.place;
      definitions_.emplace(one.check, definition);
    }
    read_weight(entry, 1, one);
    tracked.push_back(std::move(one));
  }
  return true;
}

bool Importer::read_notify(const Statement& statement, std::vector<Script>& scripts) {
  static const std::map<std::string, std::string> kStates = {{"notify_master", "MASTER"},
                                                             {"notify_backup", "BACKUP"},
                                                             {"notify_fault", "FAULT"},
                                                             {"notify_stop", "STOP"},
                                                             {"notify", ""}};
  const auto state = kStates.find(statement.keyword());
  if (state == kStates.end()) {
    if (statement.keyword() != "notify_deleted") return false;
    if (statement.words.size() > 1) error(statement.place, "notify_deleted cannot be kept: there is no such event");
    return true;
  }
  Script script{state->second, {}, script_user_, statement.place};
  if (statement.words.size() >= 2) script.command = split_command({statement.words[1]});
  if (statement.words.size() >= 3) script.user = statement.words[2];
  if (script.command.empty() || !script.command[0].starts_with('/')) {
    error(statement.place, statement.keyword() +
                               ": expected the absolute path of a program, with its arguments in "
                               "the same quotes");
  } else {
    scripts.push_back(std::move(script));
  }
  return true;
}

void Importer::read_group(const Statement& statement) {
  Group group;
  group.place = statement.place;
  if (statement.words.size() == 2) group.name = statement.words[1];
  if (group.name.empty()) error(statement.place, "vrrp_sync_group takes a name");
  for (const Statement& setting : statement.block) {
    const std::string& keyword = setting.keyword();
    if (keyword == "group") {
      for (const Statement& member : setting.block)
        for (const std::string& name : member.words) group.members.emplace_back(name, member.place);
    } else if (keyword == "sync_group_tracking_weight") {
      group.keeps_weights = true;
    } else if (!read_track(setting, group.tracked) && !read_notify(setting, group.scripts) &&
               !is_settled(setting, kRefusedOfInstance)) {
      error(setting.place, quoted(keyword) + " of a vrrp_sync_group is not known to this import");
    }
  }
  groups_.push_back(std::move(group));
}

void Importer::read_instance(const Statement& statement) {
  Instance instance;
  instance.place = statement.place;
  if (statement.words.size() == 2) instance.name = statement.words[1];
  if (instance.name.empty()) error(statement.place, "vrrp_instance takes a name");
  for (const Instance& other : instances_)
    if (other.name == instance.name)
      error(statement.place,
            "vrrp_instance " + quoted(instance.name) + " is there twice: first at " + other.place.to_string());
  for (const Statement& setting : statement.block)  // addresses name it again
    if (setting.keyword() == "interface" && setting.words.size() == 2) instance.interface = setting.words[1];
  for (const Statement& setting : statement.block) {
    const bool is_new = instance.said.emplace(setting.keyword(), setting.place).second;
    if (!is_new && !setting.is_block && !setting.keyword().starts_with("notify"))
      error(setting.place, setting.keyword() + " is there twice: first at line " +
                               std::to_string(instance.said[setting.keyword()].line));
    read_setting(setting, instance);
  }
  for (const char* needed : {"interface", "virtual_router_id", "virtual_ipaddress"})
    if (!instance.said.contains(needed))
      error(statement.place, std::string(needed) + " of vrrp_instance " + quoted(instance.name) + " is missing");
  instances_.push_back(std::move(instance));
}

void Importer::read_setting(const Statement& statement, Instance& instance) {
  const std::string& keyword = statement.keyword();
  if (keyword == "state") {
    instance.is_master = argument(statement).value_or("") == "MASTER";
  } else if (keyword == "interface") {
    (void)argument(statement);
  } else if (keyword == "virtual_router_id") {
    instance.vrid = number(statement, 1, 255).value_or(0);
  } else if (keyword == "priority") {
    instance.priority = number(statement, 1, 255).value_or(instance.priority);
  } else if (keyword == "advert_int") {
    instance.advertisement_interval = time(statement).value_or(instance.advertisement_interval);
  } else if (keyword == "version") {
    instance.version = number(statement, 2, 3);
  } else if (keyword == "authentication") {
    read_authentication(statement, instance);
  } else if (keyword == "virtual_ipaddress") {
    read_addresses(statement, instance, instance.addresses);
  } else if (keyword == "virtual_ipaddress_excluded") {
    read_addresses(statement, instance, instance.excluded_addresses);
  } else if (keyword == "unicast_peer") {
    read_peers(statement, instance);
  } else if (keyword == "nopreempt") {
    instance.nopreempt = true;
  } else if (keyword == "preempt") {
    instance.nopreempt = false;
  } else if (keyword == "preempt_delay") {
    instance.preempt_delay = time(statement).value_or(0s);
    if (instance.preempt_delay > 1000s) error(statement.place, "preempt_delay: expected 0 to 1000 seconds");
  } else if (keyword == "accept" || keyword == "no_accept") {
    instance.accept = keyword == "accept";
  } else if (keyword == "strict_mode") {
    instance.is_strict = truth(statement);
  } else if (keyword == "use_vmac") {
    read_vmac(statement, instance);
  } else if (keyword == "unicast_ttl") {
    if (number(statement, 0, 255).value_or(255) != 255)
      error(statement.place,
            "unicast_ttl cannot be kept: advertisements have a TTL of 255, and others are refused");
  } else if (keyword == "old_unicast_checksum") {
    if (statement.words.size() != 2 || statement.words[1] != "never")
      error(statement.place, "old_unicast_checksum cannot be kept: see checksum in node.conf");
  } else if (!read_track(statement, instance.tracked) && !read_notify(statement, instance.scripts) &&
             !is_settled(statement, kRefusedOfInstance)) {
    error(statement.place, quoted(keyword) + " of a vrrp_instance is not known to this import");
  }
}

void Importer::read_authentication(const Statement& statement, Instance& instance) {
  for (const Statement& setting : statement.block) {
    if (setting.keyword() == "auth_type") {
      instance.auth_type = argument(setting).value_or("PASS");
      if (instance.auth_type != "PASS" && instance.auth_type != "pass")
        error(setting.place, "auth_type cannot be kept: there is PASS only");
    } else if (setting.keyword() == "auth_pass") {
      if (setting.words.size() != 2) error(setting.place, "auth_pass takes one word");
      if (setting.words.size() == 2) instance.auth_pass = setting.words[1].substr(0, kPasswordMax);
      if (setting.words.size() == 2 && setting.words[1].size() > kPasswordMax)
        note(setting.place, "auth_pass: the first 8 bytes count, as for keepalived");
      if (instance.auth_pass.find('\t') != std::string::npos) error(setting.place, "auth_pass holds a tabulator");
    } else {
      error(setting.place, quoted(setting.keyword()) + " of authentication is not known to this import");
    }
  }
  if (instance.auth_pass.empty()) error(statement.place, "auth_pass is missing");
}

void Importer::read_addresses(const Statement& statement, Instance& instance, std::vector<std::string>& addresses) {
  for (const Statement& entry : statement.block) {
    const auto prefix = IpPrefix::parse(entry.keyword());
    if (!prefix) {
      error(entry.place, quoted(entry.keyword()) + " is not an address such as 192.0.2.100/24");
      continue;
    }
    for (std::size_t i = 1; i < entry.words.size(); ++i) {
      const std::string& option = entry.words[i];
      const bool has_value = i + 1 < entry.words.size();
      if (option == "dev" && has_value) {
        if (const std::string& device = entry.words[++i]; device != instance.interface)
          error(entry.place,
                "dev " + device +
                    " cannot be kept: addresses are on the interface of their virtual router; make one for "
                    "that interface, with the same sync_group");
      } else if ((option == "label" || option == "brd" || option == "preferred_lft") && has_value) {
        note(entry.place, option + " " + entry.words[++i] + " is left out");
      } else if (option == "scope" && has_value && entry.words[i + 1] == "global") {
        ++i;
      } else if (option == "no_track") {
        note(entry.place, "no_track: an address that somebody removes is put back");
      } else if (option != "-nodad") {
        error(entry.place, quoted(option) + " of an address cannot be kept");
        break;
      }
    }
    const IpFamily family = prefix->address.family();
    if (&addresses == &instance.addresses && !instance.family) instance.family = family;
    if (instance.family && family != *instance.family)
      error(entry.place,
            prefix->to_string() +
                " is of another family than the instance: here it would have elections of its own; put "
                "it into a vrrp_instance of its family");
    addresses.push_back(prefix->to_string());
  }
}

void Importer::read_peers(const Statement& statement, Instance& instance) {
  for (const Statement& entry : statement.block) {
    const auto address = IpAddress::parse(entry.keyword());
    if (!address) {
      error(entry.place, quoted(entry.keyword()) + " is not an IP address");
    } else if (address->is_v6() && !address->is_link_local()) {
      error(entry.place, address->to_string() +
                             " is not link-local: IPv6 advertisements come from the fe80:: address "
                             "of the interface (RFC 9568 section 5.1.2.1)");
    } else {
      instance.peers.push_back(address->to_string());
      if (entry.words.size() > 1) note(entry.place, "min_ttl, max_ttl: anything but 255 is refused here");
    }
  }
  if (statement.block.size() > 1)
    error(statement.place,
          "more than one unicast_peer cannot be kept: a pair is two nodes; several find each other by "
          "multicast, without unicast_peer");
  if (statement.block.empty()) error(statement.place, "unicast_peer without an address");
}

void Importer::read_vmac(const Statement& statement, Instance& instance) {
  instance.virtual_mac = true;
  for (std::size_t i = 1; i < statement.words.size(); ++i) {
    if (statement.words[i].find(':') != std::string::npos) {
      error(statement.place, "use_vmac with another MAC address than that of the RFC cannot be kept");
    } else {
      note(statement.place, "use_vmac: the interface with the virtual MAC address has another name here");
    }
  }
}

// ---- putting it together ----

const Group* Importer::group_of(const Instance& instance) const {
  for (const Group& group : groups_)
    for (const auto& [name, place] : group.members)
      if (name == instance.name) return &group;
  return nullptr;
}

void Importer::join_groups() {
  std::map<std::string, const Group*> seen;
  for (const Group& group : groups_) {
    const Instance* first = nullptr;
    for (const auto& [name, place] : group.members) {
      const auto instance = std::find_if(instances_.begin(), instances_.end(),
                                         [&, &wanted = name](const Instance& each) { return each.name == wanted; });
      if (instance == instances_.end()) {
        error(place, "there is no vrrp_instance " + quoted(name));
        continue;
      }
      if (!seen.emplace(name, &group).second) error(place, quoted(name) + " is in two vrrp_sync_groups");
      if (!first) first = &*instance;
      if (instance->priority != first->priority || instance->nopreempt != first->nopreempt ||
          instance->preempt_delay != first->preempt_delay ||
          instance->advertisement_interval != first->advertisement_interval)
        error(place,
              quoted(name) + " differs from " + quoted(first->name) +
                  " in priority, nopreempt, preempt_delay or advert_int: members of a sync group move together, "
                  "so these must be the same");
    }
    if (group.keeps_weights) continue;
    for (Instance& instance : instances_) {
      if (group_of(instance) != &group) continue;
      for (Tracked& tracked : instance.tracked) {
        const auto definition = definitions_.find(tracked.check);
        if (definition == definitions_.end()) continue;
        if (tracked.weight.value_or(definition->second.weight) != 0)
          note(tracked.place, "the weight of " + tracked.check +
                                  " is left out, as keepalived does in a sync group: down is a fault");
        tracked.weight = 0;
      }
    }
  }
}

// A check is written once. Where it is tracked with different weights, those belong to checks of it.
void Importer::choose_check_names() {
  std::map<std::string, std::set<std::pair<int, bool>>> forms;
  auto look_at = [&](std::vector<Tracked>& all) {
    for (Tracked& tracked : all) {
      const auto definition = definitions_.find(tracked.check);
      if (definition == definitions_.end()) {
        error(tracked.place, "there is no vrrp_script or vrrp_track_process " + quoted(tracked.check));
        continue;
      }
      tracked.weight = tracked.weight.value_or(definition->second.weight);
      tracked.reverse = tracked.reverse.value_or(definition->second.reverse);
      forms[tracked.check].insert({*tracked.weight, *tracked.reverse});
    }
  };
  for (Instance& instance : instances_) look_at(instance.tracked);
  for (Group& group : groups_) look_at(group.tracked);

  std::set<std::string> taken = {"proxy"};
  for (const auto& [check, variants] : forms) {
    const Definition& definition = definitions_.at(check);
    constexpr std::string_view kInterface = "interface ";
    std::string wanted = check.starts_with(kInterface) ? check.substr(kInterface.size()) : check;
    const std::string name = unique(name_from(wanted), taken);
    const bool is_one = variants.size() == 1;
    FoundCheck plain{name, definition.settings, std::nullopt, false};
    if (!is_one) found_.checks.push_back(plain);
    for (const auto& [weight, reverse] : variants) {
      FoundCheck variant = plain;
      if (!is_one) {
        variant.name = unique(name + "-weight" + std::to_string(std::abs(weight)), taken);
        variant.settings = "type = \"all\"; checks = " + libconfig_array({name}) + ";";
      }
      if (weight != 0) variant.weight = std::abs(weight);
      variant.reverse = reverse;
      check_names_[{check, weight, reverse}] = variant.name;
      found_.checks.push_back(variant);
    }
  }
  for (const auto& [name, definition] : definitions_)
    if (!forms.contains(name)) note(definition.place, quoted(name) + " is tracked by nobody and left out");
}

void Importer::set_interval(const Instance& instance, FoundRouter& router) {
  router.version = instance.version.value_or(version_ != 0 ? version_ : 2);
  if (instance.family == IpFamily::ipv6) router.version = 3;
  router.advertisement_interval = instance.advertisement_interval;
  const Place place = instance.said.contains("advert_int") ? instance.said.at("advert_int") : instance.place;
  const Duration unit = router.version == 2 ? Duration(1s) : Duration(10ms);
  const Duration max = router.version == 2 ? Duration(255s) : Duration(40950ms);
  if (router.advertisement_interval % unit != Duration::zero() || router.advertisement_interval < unit ||
      router.advertisement_interval > max)
    error(place, "advert_int: version " + std::to_string(router.version) + " has intervals of " +
                     format_duration(unit) + " to " + format_duration(max) + " in steps of " +
                     format_duration(unit));
  if (!instance.version && version_ == 0 && instance.family != IpFamily::ipv6)
    note(instance.place,
         "version 2 is keepalived's default; version = 3 with an advertisement_interval of \"100ms\" on both nodes "
         "finds a dead one ten times as fast as version 2 can");
}

void Importer::set_preemption(const Instance& instance, FoundRouter& router) {
  const bool is_owner = instance.priority == kOwner;
  router.preempt = is_owner || !instance.nopreempt || instance.is_master;
  if (instance.nopreempt && instance.is_master)
    note(instance.said.at("nopreempt"),
         instance.name +
             ": keepalived ignores nopreempt where state is MASTER, hence preempt = true; false keeps the "
             "addresses where they are");
  if (instance.said.contains("state"))
    note(instance.said.at("state"),
         "there is no initial state: every node begins by listening, and the higher priority wins");
  if (instance.preempt_delay == Duration::zero()) return;
  if (instance.is_master || is_owner || !router.preempt) {
    note(instance.said.at("preempt_delay"), instance.name + ": preempt_delay has no effect " +
                                                (router.preempt ? "where state is MASTER" : "with nopreempt") +
                                                ", as for keepalived, and is left out");
  } else {
    router.preempt_delay = instance.preempt_delay;
  }
}

void Importer::set_password(const Instance& instance, FoundRouter& router) {
  if (instance.auth_pass.empty()) return;
  if (router.version == 2) {
    router.password = instance.auth_pass;
  } else {
    note(instance.said.at("authentication"),
         instance.name + ": version 3 has no passwords, and keepalived ignores it; left out");
  }
}

void Importer::set_peer(const Instance& instance, FoundRouter& router) {
  if (instance.peers.size() != 1) return;
  router.peer = instance.peers[0];
  if (instance.family && IpAddress::parse(*router.peer)->family() != *instance.family)
    error(instance.said.at("unicast_peer"), "the unicast_peer of " + instance.name + " is of another family");
}

void Importer::set_tracking(const Instance& instance, FoundRouter& router) {
  std::vector<Tracked> all = instance.tracked;
  if (const Group* group = group_of(instance)) all.insert(all.end(), group->tracked.begin(), group->tracked.end());
  std::set<std::string> names;
  for (const Tracked& tracked : all) {
    const int weight = tracked.weight.value_or(0);
    const auto name = check_names_.find({tracked.check, weight, tracked.reverse.value_or(false)});
    if (name == check_names_.end()) continue;  // reported
    if (instance.priority == kOwner && weight != 0) {
      note(tracked.place, instance.name + ": the weight of " + tracked.check +
                              " is left out with it, since the priority 255 of an owner does not change");
      continue;
    }
    if (!names.insert(name->second).second) continue;
    router.track.push_back(name->second);
    if (weight <= 0) continue;
    // keepalived adds it while the check is up, here it is taken away while it is down
    router.priority += weight;
    note(tracked.place, instance.name + ": the weight +" + std::to_string(weight) + " of " + tracked.check +
                            " is part of the priority, and taken away while the check is down");
  }
  if (router.priority > kPriorityMax && instance.priority != kOwner)
    error(instance.place, "the priority of " + instance.name + " and its positive weights are together " +
                              std::to_string(router.priority) +
                              ", more than 254: lower the priority, on both nodes");
}

void Importer::add_scripts(const std::vector<Script>& scripts, const FoundRouter& router, const std::string& kind,
                           const std::string& name) {
  for (const Script& script : scripts)
    found_.scripts.push_back({router.name, script.state, kind, name, router.priority, script.command, script.user});
}

void Importer::add_router(const Instance& instance) {
  FoundRouter router;
  router.name = unique(name_from(instance.name), router_names_);
  router.interface = instance.interface;
  router.vrid = instance.vrid;
  router.priority = instance.priority;
  router.addresses = instance.addresses;
  router.excluded_addresses = instance.excluded_addresses;
  router.virtual_mac = instance.virtual_mac;
  set_interval(instance, router);
  set_preemption(instance, router);
  set_password(instance, router);
  set_peer(instance, router);
  set_tracking(instance, router);
  const bool is_strict = instance.is_strict.value_or(is_strict_);
  router.accept = instance.priority == kOwner || instance.accept.value_or(!is_strict);
  if (!router.accept)
    note(instance.place, instance.name + ": accept = false" +
                             (instance.accept ? "" : ", which vrrp_strict implies") +
                             ": nothing that is sent to the addresses reaches this node; true serves on them");
  if (const Group* group = group_of(instance)) {
    router.sync_group = name_from(group->name);
    if (!group->members.empty() && group->members[0].first == instance.name)
      add_scripts(group->scripts, router, "GROUP", group->name);
  }
  add_scripts(instance.scripts, router, "INSTANCE", instance.name);
  found_.routers.push_back(std::move(router));
}

// With a peer the whole file is about one pair.
void Importer::check_peers() {
  const bool has_peer = std::any_of(found_.routers.begin(), found_.routers.end(),
                                    [](const FoundRouter& router) { return router.peer.has_value(); });
  if (!has_peer) return;
  for (std::size_t i = 0; i < found_.routers.size() && i < instances_.size(); ++i)
    if (!found_.routers[i].peer && instances_[i].peers.empty())
      error(instances_[i].place, instances_[i].name +
                                     " goes by multicast, others by unicast: with a peer the whole of "
                                     "node.conf is about that pair; give it a unicast_peer too");
}

void Importer::tell_the_whole() {
  auto whole = [&](std::string text) { note({found_.source, 0}, std::move(text)); };
  whole("track_proxy is false, so that addresses move without vipair-proxyd.");
  bool has_peer = false, has_password = false;
  for (const FoundRouter& router : found_.routers) {
    has_peer |= router.peer.has_value();
    has_password |= !router.password.empty();
  }
  if (has_peer) {
    whole(
        "When both nodes run vipair, a key protects what they tell each other: vipairctl keygen, and "
        "peer.key_file on both. keepalived does not understand it.");
  } else {
    whole(
        "When both nodes run vipair, peer = { address = \"…\"; }; on both makes them a pair: moves that break no "
        "connection, a second path, authentication.");
  }
  if (has_password)
    whole(
        "Passwords are in files under secrets, of mode 0600. They are sent readably and keep nobody out who means "
        "harm.");
  if (!found_.scripts.empty())
    whole(
        "Notify scripts are called by keepalived-notify, which is made beside this file. The event itself says "
        "more, as JSON on standard input: addresses, peer, reason.");
  std::stable_sort(found_.notes.begin(), found_.notes.end(), [](const Remark& a, const Remark& b) {
    return (a.place.line == 0 ? 0 : 1) < (b.place.line == 0 ? 0 : 1);
  });
}

}  // namespace

Expected<Imported, std::vector<Remark>> import_keepalived(const SourceText& source, const ReadIncluded& read,
                                                          const ImportOptions& options) {
  std::vector<Remark> errors;
  const auto statements = parse_keepalived(source, read, errors);
  const Found found = Importer(options, errors).import(source.path, statements);
  std::stable_sort(errors.begin(), errors.end(), [](const Remark& a, const Remark& b) {
    return std::tie(a.place.file, a.place.line) < std::tie(b.place.file, b.place.line);
  });
  if (!errors.empty()) return Unexpected{std::move(errors)};
  return write_import(found, options.folder);
}

}  // namespace vipair::ctl
