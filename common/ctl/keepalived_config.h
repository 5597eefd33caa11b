#pragma once
// What keepalived.conf says about VRRP: statements → values as keepalived means them, in its own words. A setting
// that is wrong, unknown or without a counterpart is told in the remarks. Pure.

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/ip_address.h"
#include "common/base/time.h"
#include "common/ctl/import.h"
#include "common/ctl/import_remarks.h"
#include "common/ctl/keepalived_checks.h"
#include "common/ctl/keepalived_file.h"

namespace vipair::ctl {

struct NotifyScript {
  std::string state;  // as FoundScript
  std::vector<std::string> command;
  std::string user;
  Place place;
};

struct KeepalivedInstance {
  std::string name;
  Place place;
  std::map<std::string, Place> said;  // where each setting is
  std::string interface;
  int vrid = 0;
  int priority = 100;
  std::optional<int> version;
  Duration advertisement_interval = std::chrono::seconds(1);
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
  std::vector<NotifyScript> scripts;
};

struct KeepalivedGroup {
  std::string name;
  Place place;
  std::vector<std::pair<std::string, Place>> members;
  std::vector<Tracked> tracked;
  std::vector<NotifyScript> scripts;
  bool keeps_weights = false;
};

struct KeepalivedConfig {
  std::string node;  // by the options, router_id or the host
  int version = 0;   // vrrp_version; 0: not said
  bool is_strict = false;
  std::optional<int> realtime_priority;
  std::vector<KeepalivedInstance> instances;
  std::vector<KeepalivedGroup> groups;
  CheckDefinitions checks;
};

KeepalivedConfig read_keepalived(const std::vector<Statement>& statements, const ImportOptions& options,
                                 Remarks& remarks);

}  // namespace vipair::ctl
