#include "common/ctl/import.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "common/base/ip_address.h"
#include "common/ctl/import_remarks.h"
#include "common/ctl/import_text.h"
#include "common/ctl/keepalived_config.h"
#include "common/ctl/keepalived_words.h"
#include "common/runtime/config_file.h"

namespace vipair::ctl {
namespace {

using namespace std::chrono_literals;

constexpr int kPriorityMax = 254, kOwner = 255;

// From what keepalived.conf says to what node.conf is to say.
class Importer {
 public:
  Importer(KeepalivedConfig config, Remarks& remarks) : config_(std::move(config)), remarks_(remarks) {}

  Found import(const std::string& source) {
    found_.source = source;
    found_.node = config_.node;
    found_.realtime_priority = config_.realtime_priority;
    if (!is_name(found_.node))
      error({source, 1}, quoted(found_.node) + " is no name of a node: expected letters, digits, '-', '_' or '.'");
    if (config_.instances.empty() && remarks_.errors().empty())
      error({source, 1}, "there is no vrrp_instance in it");
    join_groups();
    choose_check_names();
    for (const KeepalivedInstance& instance : config_.instances) add_router(instance);
    check_peers();
    tell_the_whole();
    return std::move(found_);
  }

 private:
  void error(const Place& place, std::string text) { remarks_.error(place, std::move(text)); }
  void note(const Place& place, std::string text) { remarks_.note(place, std::move(text)); }

  void join_groups();
  void choose_check_names();
  void add_router(const KeepalivedInstance& instance);
  void set_interval(const KeepalivedInstance& instance, FoundRouter& router);
  void set_preemption(const KeepalivedInstance& instance, FoundRouter& router);
  void set_password(const KeepalivedInstance& instance, FoundRouter& router);
  void set_peer(const KeepalivedInstance& instance, FoundRouter& router);
  void set_tracking(const KeepalivedInstance& instance, FoundRouter& router);
  void add_scripts(const std::vector<NotifyScript>& scripts, const FoundRouter& router, const std::string& kind,
                   const std::string& name);
  void check_peers();
  void tell_the_whole();
  const KeepalivedGroup* group_of(const KeepalivedInstance& instance) const;

  KeepalivedConfig config_;
  Remarks& remarks_;
  Found found_;
  // check as tracked (name, weight, reverse) → its name in node.conf
  std::map<std::tuple<std::string, int, bool>, std::string> check_names_;
  std::set<std::string> router_names_;
};

const KeepalivedGroup* Importer::group_of(const KeepalivedInstance& instance) const {
  for (const KeepalivedGroup& group : config_.groups)
    for (const auto& [name, place] : group.members)
      if (name == instance.name) return &group;
  return nullptr;
}

void Importer::join_groups() {
  std::map<std::string, const KeepalivedGroup*> seen;
  for (const KeepalivedGroup& group : config_.groups) {
    const KeepalivedInstance* first = nullptr;
    for (const auto& [name, place] : group.members) {
      const auto instance =
          std::find_if(config_.instances.begin(), config_.instances.end(),
                       [&, &wanted = name](const KeepalivedInstance& each) { return each.name == wanted; });
      if (instance == config_.instances.end()) {
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
    for (KeepalivedInstance& instance : config_.instances) {
      if (group_of(instance) != &group) continue;
      for (Tracked& tracked : instance.tracked) {
        const auto definition = config_.checks.find(tracked.check);
        if (definition == config_.checks.end()) continue;
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
      const auto definition = config_.checks.find(tracked.check);
      if (definition == config_.checks.end()) {
        error(tracked.place, "there is no vrrp_script or vrrp_track_process " + quoted(tracked.check));
        continue;
      }
      tracked.weight = tracked.weight.value_or(definition->second.weight);
      tracked.reverse = tracked.reverse.value_or(definition->second.reverse);
      forms[tracked.check].insert({*tracked.weight, *tracked.reverse});
    }
  };
  for (KeepalivedInstance& instance : config_.instances) look_at(instance.tracked);
  for (KeepalivedGroup& group : config_.groups) look_at(group.tracked);

  std::set<std::string> taken = {"proxy"};
  for (const auto& [check, variants] : forms) {
    const CheckDefinition& definition = config_.checks.at(check);
    constexpr std::string_view kInterface = "interface ";
    std::string wanted = check.starts_with(kInterface) ? check.substr(kInterface.size()) : check;
    const std::string name = unique_name(name_from(wanted), taken);
    const bool is_one = variants.size() == 1;
    FoundCheck plain{name, definition.settings, std::nullopt, false};
    if (!is_one) found_.checks.push_back(plain);
    for (const auto& [weight, reverse] : variants) {
      FoundCheck variant = plain;
      if (!is_one) {
        variant.name = unique_name(name + "-weight" + std::to_string(std::abs(weight)), taken);
        variant.settings = "type = \"all\"; checks = " + libconfig_array({name}) + ";";
      }
      if (weight != 0) variant.weight = std::abs(weight);
      variant.reverse = reverse;
      check_names_[{check, weight, reverse}] = variant.name;
      found_.checks.push_back(variant);
    }
  }
  for (const auto& [name, definition] : config_.checks)
    if (!forms.contains(name)) note(definition.place, quoted(name) + " is tracked by nobody and left out");
}

void Importer::add_router(const KeepalivedInstance& instance) {
  FoundRouter router;
  router.name = unique_name(name_from(instance.name), router_names_);
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
  const bool is_strict = instance.is_strict.value_or(config_.is_strict);
  router.accept = instance.priority == kOwner || instance.accept.value_or(!is_strict);
  if (!router.accept)
    note(instance.place, instance.name + ": accept = false" +
                             (instance.accept ? "" : ", which vrrp_strict implies") +
                             ": nothing that is sent to the addresses reaches this node; true serves on them");
  if (const KeepalivedGroup* group = group_of(instance)) {
    router.sync_group = name_from(group->name);
    if (!group->members.empty() && group->members[0].first == instance.name)
      add_scripts(group->scripts, router, "GROUP", group->name);
  }
  add_scripts(instance.scripts, router, "INSTANCE", instance.name);
  found_.routers.push_back(std::move(router));
}

void Importer::set_interval(const KeepalivedInstance& instance, FoundRouter& router) {
  router.version = instance.version.value_or(config_.version != 0 ? config_.version : 2);
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
  if (!instance.version && config_.version == 0 && instance.family != IpFamily::ipv6)
    note(instance.place,
         "version 2 is keepalived's default; version = 3 with an advertisement_interval of \"100ms\" on both nodes "
         "finds a dead one ten times as fast as version 2 can");
}

void Importer::set_preemption(const KeepalivedInstance& instance, FoundRouter& router) {
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

void Importer::set_password(const KeepalivedInstance& instance, FoundRouter& router) {
  if (instance.auth_pass.empty()) return;
  if (router.version == 2) {
    router.password = instance.auth_pass;
  } else {
    note(instance.said.at("authentication"),
         instance.name + ": version 3 has no passwords, and keepalived ignores it; left out");
  }
}

void Importer::set_peer(const KeepalivedInstance& instance, FoundRouter& router) {
  if (instance.peers.size() != 1) return;
  router.peer = instance.peers[0];
  if (instance.family && IpAddress::parse(*router.peer)->family() != *instance.family)
    error(instance.said.at("unicast_peer"), "the unicast_peer of " + instance.name + " is of another family");
}

void Importer::set_tracking(const KeepalivedInstance& instance, FoundRouter& router) {
  std::vector<Tracked> all = instance.tracked;
  if (const KeepalivedGroup* group = group_of(instance))
    all.insert(all.end(), group->tracked.begin(), group->tracked.end());
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

void Importer::add_scripts(const std::vector<NotifyScript>& scripts, const FoundRouter& router,
                           const std::string& kind, const std::string& name) {
  for (const NotifyScript& script : scripts)
    found_.scripts.push_back({router.name, script.state, kind, name, router.priority, script.command, script.user});
}

// With a peer the whole file is about one pair.
void Importer::check_peers() {
  const bool has_peer = std::any_of(found_.routers.begin(), found_.routers.end(),
                                    [](const FoundRouter& router) { return router.peer.has_value(); });
  if (!has_peer) return;
  for (std::size_t i = 0; i < found_.routers.size() && i < config_.instances.size(); ++i)
    if (!found_.routers[i].peer && config_.instances[i].peers.empty())
      error(config_.instances[i].place, config_.instances[i].name +
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
  found_.notes = std::move(remarks_.notes());
  std::stable_sort(found_.notes.begin(), found_.notes.end(), [](const Remark& a, const Remark& b) {
    return (a.place.line == 0 ? 0 : 1) < (b.place.line == 0 ? 0 : 1);
  });
}

}  // namespace

Expected<Imported, std::vector<Remark>> import_keepalived(const SourceText& source, const ReadIncluded& read,
                                                          const ImportOptions& options) {
  Remarks remarks;
  std::vector<Remark>& errors = remarks.errors();
  const auto statements = parse_keepalived(source, read, errors);
  const Found found = Importer(read_keepalived(statements, options, remarks), remarks).import(source.path);
  std::stable_sort(errors.begin(), errors.end(), [](const Remark& a, const Remark& b) {
    return std::tie(a.place.file, a.place.line) < std::tie(b.place.file, b.place.line);
  });
  if (!errors.empty()) return Unexpected{std::move(errors)};
  return write_import(found, options.folder);
}

}  // namespace vipair::ctl
