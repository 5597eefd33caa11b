#include "common/ctl/keepalived_config.h"

#include <utility>

#include "common/base/ip_address.h"
#include "common/ctl/import_verdicts.h"
#include "common/ctl/keepalived_words.h"
#include "common/runtime/config_file.h"

namespace vipair::ctl {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kPasswordMax = 8;  // bytes: keepalived cuts off the rest
constexpr std::size_t kInstancesMax = 2048;

class Reader {
 public:
  Reader(const ImportOptions& options, Remarks& remarks) : options_(options), remarks_(remarks) {}

  KeepalivedConfig read(const std::vector<Statement>& statements) {
    config_.node = options_.node.empty() ? name_from(options_.host) : options_.node;
    for (const Statement& statement : statements) read_top(statement);
    for (const Statement& statement : instances_read_) read_instance(statement);
    config_.checks = checks_.take();
    return std::move(config_);
  }

 private:
  void error(const Place& place, std::string text) { remarks_.error(place, std::move(text)); }
  void note(const Place& place, std::string text) { remarks_.note(place, std::move(text)); }
  bool is_settled(const Statement& statement, SettingOf place) {
    return settle_without_counterpart(statement, place, remarks_);
  }

  void read_top(const Statement& statement);
  void read_global(const Statement& statement);
  void read_group(const Statement& statement);
  void read_instance(const Statement& statement);
  void read_setting(const Statement& statement, KeepalivedInstance& instance);
  void read_authentication(const Statement& statement, KeepalivedInstance& instance);
  void read_addresses(const Statement& statement, KeepalivedInstance& instance,
                      std::vector<std::string>& addresses);
  void read_peers(const Statement& statement, KeepalivedInstance& instance);
  void read_vmac(const Statement& statement, KeepalivedInstance& instance);
  bool read_notify(const Statement& statement, std::vector<NotifyScript>& scripts);

  const ImportOptions& options_;
  Remarks& remarks_;
  KeepalivedConfig config_;
  KeepalivedChecks checks_{remarks_};
  std::string script_user_;
  std::vector<Statement> instances_read_;  // after the globals, which may follow them
};

void Reader::read_top(const Statement& statement) {
  const std::string& keyword = statement.keyword();
  if (keyword == "global_defs" && statement.is_block) {
    for (const Statement& setting : statement.block) read_global(setting);
  } else if (keyword == "vrrp_script" && statement.is_block) {
    checks_.add_script(statement, script_user_);
  } else if ((keyword == "vrrp_track_process" || keyword == "track_process") && statement.is_block) {
    checks_.add_process(statement);
  } else if (keyword == "vrrp_sync_group" && statement.is_block) {
    read_group(statement);
  } else if (keyword == "vrrp_instance" && statement.is_block) {
    instances_read_.push_back(statement);
    if (instances_read_.size() == kInstancesMax + 1)
      error(statement.place, "more than " + std::to_string(kInstancesMax) + " virtual routers");
    if (instances_read_.size() > kInstancesMax) instances_read_.pop_back();
  } else if (!is_settled(statement, SettingOf::file)) {
    error(statement.place,
          quoted(keyword) + " is not known to this import: remove it, or keep what it does by hand");
  }
}

void Reader::read_global(const Statement& statement) {
  const std::string& keyword = statement.keyword();
  if (keyword == "router_id") {
    const auto name = argument(statement, remarks_);
    if (!name || !options_.node.empty()) return;
    if (is_name(*name)) {
      config_.node = *name;
    } else {
      note(statement.place,
           "router_id " + quoted(*name) + " is no name of a node: it is " + config_.node + " here");
    }
  } else if (keyword == "vrrp_version") {
    config_.version = number(statement, 2, 3, remarks_).value_or(2);
  } else if (keyword == "vrrp_strict") {
    config_.is_strict = truth(statement, remarks_);
  } else if (keyword == "script_user") {
    if (statement.words.size() > 1) script_user_ = statement.words[1];
  } else if (keyword == "vrrp_rt_priority") {
    config_.realtime_priority = number(statement, 1, 99, remarks_);
  } else if (keyword == "vrrp_mcast_group4" || keyword == "vrrp_mcast_group6") {
    const auto group = argument(statement, remarks_);
    if (group && *group != "224.0.0.18" && *group != "ff02::12")
      error(statement.place, keyword + " cannot be kept: advertisements go to the group of the RFC");
  } else if (!is_settled(statement, SettingOf::global_defs)) {
    error(statement.place,
          quoted(keyword) + " is not known to this import: remove it, or keep what it does by hand");
  }
}

bool Reader::read_notify(const Statement& statement, std::vector<NotifyScript>& scripts) {
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
  NotifyScript script{state->second, {}, script_user_, statement.place};
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

void Reader::read_group(const Statement& statement) {
  KeepalivedGroup group;
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
    } else if (!checks_.read_track(setting, group.tracked) && !read_notify(setting, group.scripts) &&
               !is_settled(setting, SettingOf::instance)) {
      error(setting.place, quoted(keyword) + " of a vrrp_sync_group is not known to this import");
    }
  }
  config_.groups.push_back(std::move(group));
}

void Reader::read_instance(const Statement& statement) {
  KeepalivedInstance instance;
  instance.place = statement.place;
  if (statement.words.size() == 2) instance.name = statement.words[1];
  if (instance.name.empty()) error(statement.place, "vrrp_instance takes a name");
  for (const KeepalivedInstance& other : config_.instances)
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
  config_.instances.push_back(std::move(instance));
}

void Reader::read_setting(const Statement& statement, KeepalivedInstance& instance) {
  const std::string& keyword = statement.keyword();
  if (keyword == "state") {
    instance.is_master = argument(statement, remarks_).value_or("") == "MASTER";
  } else if (keyword == "interface") {
    (void)argument(statement, remarks_);
  } else if (keyword == "virtual_router_id") {
    instance.vrid = number(statement, 1, 255, remarks_).value_or(0);
  } else if (keyword == "priority") {
    instance.priority = number(statement, 1, 255, remarks_).value_or(instance.priority);
  } else if (keyword == "advert_int") {
    instance.advertisement_interval = duration(statement, remarks_).value_or(instance.advertisement_interval);
  } else if (keyword == "version") {
    instance.version = number(statement, 2, 3, remarks_);
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
    instance.preempt_delay = duration(statement, remarks_).value_or(0s);
    if (instance.preempt_delay > 1000s) error(statement.place, "preempt_delay: expected 0 to 1000 seconds");
  } else if (keyword == "accept" || keyword == "no_accept") {
    instance.accept = keyword == "accept";
  } else if (keyword == "strict_mode") {
    instance.is_strict = truth(statement, remarks_);
  } else if (keyword == "use_vmac") {
    read_vmac(statement, instance);
  } else if (keyword == "unicast_ttl") {
    if (number(statement, 0, 255, remarks_).value_or(255) != 255)
      error(statement.place,
            "unicast_ttl cannot be kept: advertisements have a TTL of 255, and others are refused");
  } else if (keyword == "old_unicast_checksum") {
    if (statement.words.size() != 2 || statement.words[1] != "never")
      error(statement.place, "old_unicast_checksum cannot be kept: see checksum in node.conf");
  } else if (!checks_.read_track(statement, instance.tracked) && !read_notify(statement, instance.scripts) &&
             !is_settled(statement, SettingOf::instance)) {
    error(statement.place, quoted(keyword) + " of a vrrp_instance is not known to this import");
  }
}

void Reader::read_authentication(const Statement& statement, KeepalivedInstance& instance) {
  for (const Statement& setting : statement.block) {
    if (setting.keyword() == "auth_type") {
      instance.auth_type = argument(setting, remarks_).value_or("PASS");
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

void Reader::read_addresses(const Statement& statement, KeepalivedInstance& instance,
                            std::vector<std::string>& addresses) {
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

void Reader::read_peers(const Statement& statement, KeepalivedInstance& instance) {
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

void Reader::read_vmac(const Statement& statement, KeepalivedInstance& instance) {
  instance.virtual_mac = true;
  for (std::size_t i = 1; i < statement.words.size(); ++i) {
    if (statement.words[i].find(':') != std::string::npos) {
      error(statement.place, "use_vmac with another MAC address than that of the RFC cannot be kept");
    } else {
      note(statement.place, "use_vmac: the interface with the virtual MAC address has another name here");
    }
  }
}

}  // namespace

KeepalivedConfig read_keepalived(const std::vector<Statement>& statements, const ImportOptions& options,
                                 Remarks& remarks) {
  return Reader(options, remarks).read(statements);
}

}  // namespace vipair::ctl
