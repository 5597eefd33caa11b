#pragma once
// What keepalived.conf tracks: vrrp_script, vrrp_track_process, interfaces, and who tracks them with which weight.
// Pure.

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/time.h"
#include "common/ctl/import_remarks.h"
#include "common/ctl/keepalived_file.h"

namespace vipair::ctl {

struct Tracked {
  std::string check;          // by its name in keepalived.conf, or "interface NAME"
  std::optional<int> weight;  // what is not said is as in the definition, which may stand further down
  std::optional<bool> reverse;
  Place place;
};

// vrrp_script, vrrp_track_process, or an interface that is tracked.
struct CheckDefinition {
  std::string settings;  // of node.conf
  int weight = 0;
  bool reverse = false;
  Place place;
};
using CheckDefinitions = std::map<std::string, CheckDefinition>;  // by their names in keepalived.conf

class KeepalivedChecks {
 public:
  explicit KeepalivedChecks(Remarks& remarks) : remarks_(remarks) {}

  void add_script(const Statement& statement, const std::string& usual_user);
  void add_process(const Statement& statement);
  // track_script, track_process, track_interface; false: it is none of them.
  bool read_track(const Statement& statement, std::vector<Tracked>& tracked);

  CheckDefinitions take() { return std::move(definitions_); }

 private:
  void error(const Place& place, std::string text) { remarks_.error(place, std::move(text)); }
  void note(const Place& place, std::string text) { remarks_.note(place, std::move(text)); }
  void read_weight(const Statement& statement, std::size_t from, Tracked& tracked);
  std::string script_settings(const Statement& script, const std::vector<std::string>& words, Duration interval,
                              std::optional<Duration> timeout, int rise, int fall, const std::string& user);

  Remarks& remarks_;
  CheckDefinitions definitions_;
};

}  // namespace vipair::ctl
