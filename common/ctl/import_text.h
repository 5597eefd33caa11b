#pragma once
// What an import found, and how it is written: node.conf and the files beside it. Pure.

#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/ctl/import.h"

namespace vipair::ctl {

struct FoundRouter {
  std::string name;  // a name that node.conf accepts
  std::string interface;
  int vrid = 0;
  int version = 2;
  int priority = 100;
  Duration advertisement_interval = std::chrono::seconds(1);
  bool preempt = true;
  Duration preempt_delay{};
  std::vector<std::string> addresses;
  std::vector<std::string> excluded_addresses;
  std::optional<std::string> peer;  // unicast to it
  std::string password;
  bool virtual_mac = false;
  bool accept = true;
  std::string sync_group;
  std::vector<std::string> track;
};

struct FoundCheck {
  std::string name;
  std::string settings;       // "type = …; …", complete but for what follows
  std::optional<int> weight;  // none: a fault
  bool reverse = false;
};

// A script of keepalived's that runs when a router gets into a state.
struct FoundScript {
  std::string router;  // by the name in node.conf
  std::string state;   // "MASTER" "BACKUP" "FAULT" "STOP"; empty: each, told by four further arguments
  std::string kind;    // "INSTANCE" "GROUP"
  std::string name;    // of that, as keepalived called it
  int priority = 0;
  std::vector<std::string> command;
  std::string user;  // empty: the agent's own
};

struct Found {
  std::string source;
  std::string node;
  std::vector<FoundRouter> routers;
  std::vector<FoundCheck> checks;
  std::vector<FoundScript> scripts;
  std::optional<int> realtime_priority;
  std::vector<Remark> notes;  // line 0: of the whole
};

Imported write_import(const Found& found, const std::string& folder);

std::string libconfig_text(std::string_view text);                   // with its quotes
std::string libconfig_array(const std::vector<std::string>& texts);  // [ "a", "b" ]

}  // namespace vipair::ctl
