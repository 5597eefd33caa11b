#include "vrrp/agent/plan.h"

#include <algorithm>
#include <set>
#include <utility>

#include "vrrp/agent/group.h"
#include "vrrp/agent/instances.h"
#include "vrrp/agent/verdicts.h"
#include "vrrp/core/tracking.h"
#include "vrrp/core/types.h"

namespace vipair::vrrp {

namespace {

const std::string kProxy = "proxy";

// What a group of instances is configured with.
struct PlannedGroup {
  std::set<std::string> names;  // of its virtual routers
  std::vector<std::string> track;
  bool track_proxy = false;
  int upstream_weight = 0;
  bool is_pair = true;
  bool preempt = false;
  std::uint8_t priority = 0;
  std::optional<std::uint8_t> peer_priority;

  std::string title() const {
    std::string title;
    for (const std::string& name : names) title += (title.empty() ? "" : ", ") + name;
    return title;
  }
};

// In the order of the configuration.
std::vector<PlannedGroup> groups_of(const Config& config, const PeerPriorities& peer) {
  std::vector<PlannedGroup> groups;
  std::map<std::string, std::size_t> places;
  for (const InstanceConfig& instance : instances_of(config)) {
    const auto [place, is_new] = places.try_emplace(group_name(instance), groups.size());
    if (is_new) groups.emplace_back();
    PlannedGroup& group = groups[place->second];
    group.names.insert(instance.name);
    group.track.insert(group.track.end(), instance.track.begin(), instance.track.end());
    group.track_proxy |= instance.track_proxy;
    group.upstream_weight = std::max(group.upstream_weight, instance.upstream_weight);
    group.is_pair = group.is_pair && instance.is_pair;
    group.preempt = instance.preempt;
    group.priority = instance.priority;
    if (const auto told = peer.find(instance.key); told != peer.end()) group.peer_priority = told->second;
    if (!group.peer_priority) group.peer_priority = config.peer_priority;
  }
  return groups;
}

const CheckConfig* find(const Config& config, const std::string& name) {
  const auto found = std::find_if(config.checks.begin(), config.checks.end(),
                                  [&](const CheckConfig& check) { return check.name == name; });
  return found == config.checks.end() ? nullptr : &*found;
}

// The checks that can fail by themselves, of all that a group tracks and its expressions speak of.
std::vector<std::string> single_checks(const Config& config, const PlannedGroup& group) {
  std::vector<std::string> singles, seen, open = group.track;
  while (!open.empty()) {
    const std::string name = open.front();
    open.erase(open.begin());
    if (std::count(seen.begin(), seen.end(), name)) continue;
    seen.push_back(name);
    const CheckConfig* check = find(config, name);
    if (!check) continue;
    if (const auto* expression = std::get_if<CombinedCheck>(&check->what)) {
      open.insert(open.end(), expression->checks.begin(), expression->checks.end());
    } else {
      singles.push_back(name);
    }
  }
  if (group.track_proxy) singles.push_back(kProxy);
  if (group.upstream_weight > 0) singles.emplace_back(kUpstreamsCheck);
  return singles;
}

// Fewer failures first.
std::vector<std::vector<std::string>> combinations(const std::vector<std::string>& names) {
  const std::size_t at_once = names.size() <= kPlannedWhole     ? names.size()
                              : names.size() <= kPlannedInPairs ? 2
                                                                : 1;
  std::vector<std::vector<std::string>> all{{}};
  std::vector<std::vector<std::size_t>> row{{}};  // of so many failures, as places in `names`
  for (std::size_t count = 1; count <= at_once; ++count) {
    std::vector<std::vector<std::size_t>> longer;
    for (const auto& places : row) {
      for (std::size_t next = places.empty() ? 0 : places.back() + 1; next < names.size(); ++next) {
        longer.push_back(places);
        longer.back().push_back(next);
        all.emplace_back();
        for (std::size_t place : longer.back()) all.back().push_back(names[place]);
      }
    }
    row = std::move(longer);
  }
  return all;
}

// One node with some of its checks failing.
struct PlannedNode {
  bool has_fault = false;
  int penalty = 0;
};

PlannedNode node_with(const Config& config, const PlannedGroup& group, const std::vector<std::string>& failing) {
  auto fails = [&](const std::string& name) { return std::count(failing.begin(), failing.end(), name) > 0; };
  Verdicts verdicts;
  verdicts.configure(config.checks);
  for (const CheckConfig& check : config.checks) {
    verdicts.record(check.name, fails(check.name) == check.reverse, "");
  }
  Burden burden = verdicts.burden(group.track);
  if (fails(kUpstreamsCheck)) burden.weights[kUpstreamsCheck] = group.upstream_weight;
  return {!burden.faults.empty() || (group.track_proxy && fails(kProxy)), burden.penalty()};
}

using enum PlannedActive;

// Who is Active in the end if this one was when the checks began to fail.
PlannedActive active_after(const PlannedGroup& group, const PlannedNode& own, const PlannedNode& peer,
                           PlannedActive before) {
  if (own.has_fault || peer.has_fault)
    return own.has_fault ? (peer.has_fault ? nobody : PlannedActive::peer) : this_node;
  if (group.priority == kPriorityOwner) return this_node;
  const bool is_own_turn = before == this_node;
  const bool nothing_lost = (is_own_turn ? own : peer).penalty <= (is_own_turn ? peer : own).penalty;
  if (!group.preempt && (!group.is_pair || nothing_lost)) return before;
  if (!group.peer_priority) return unknown;
  const Standing ours{effective_priority(group.priority, own.penalty), own.penalty};
  const Standing theirs{effective_priority(*group.peer_priority, peer.penalty), peer.penalty};
  if (group.preempt) {
    if (ours.effective_priority == theirs.effective_priority) return before;
    return ours.effective_priority > theirs.effective_priority ? this_node : PlannedActive::peer;
  }
  if (is_own_turn) return is_outweighed(ours, theirs) ? PlannedActive::peer : before;
  return is_outweighed(theirs, ours) ? this_node : before;
}

PlannedActive active_with(const PlannedGroup& group, const PlannedNode& own, const PlannedNode& other) {
  const PlannedActive if_own = active_after(group, own, other, this_node);
  const PlannedActive if_peer = active_after(group, own, other, PlannedActive::peer);
  if (if_own == unknown || if_peer == unknown) return unknown;
  return if_own == if_peer ? if_own : unmoved;
}

}  // namespace

std::vector<PlanRow> plan(const Config& config, const PeerPriorities& peer) {
  std::vector<PlanRow> rows;
  for (const PlannedGroup& group : groups_of(config, peer)) {
    const std::string title = group.title();
    const PlannedNode well;
    for (auto& failing : combinations(single_checks(config, group))) {
      const PlannedNode node = node_with(config, group, failing);
      rows.push_back({title, std::move(failing), false, active_with(group, node, well),
                      active_with(group, well, node), active_with(group, node, node)});
    }
    rows.push_back({title, {}, true, PlannedActive::peer, this_node, nobody});
  }
  return rows;
}

std::vector<std::string> weight_warnings(const Config& config, const PeerPriorities& peer) {
  std::vector<std::string> warnings;
  for (const PlannedGroup& group : groups_of(config, peer)) {
    std::map<std::string, int> weights;
    for (const std::string& name : group.track) {
      if (const CheckConfig* check = find(config, name); check && check->weight) weights[name] = *check->weight;
    }
    if (weights.empty() || group.priority == kPriorityOwner) continue;
    int sum = 0;
    std::string names;
    for (const auto& [name, weight] : weights) {
      sum += weight;
      names += (names.empty() ? "" : ", ") + name;
    }
    const std::string what = group.title() + ": the weights of its checks (" + names + ") can never move it";
    if (!group.is_pair && !group.preempt) {
      warnings.push_back(what +
                         ": without a configured peer and without preemption nobody takes over from an "
                         "Active that only lost priority; set preempt = true on every node, or take the "
                         "weight away, which makes the check a fault");
      continue;
    }
    const int lowest = effective_priority(group.priority, sum);
    if (!group.peer_priority || lowest < *group.peer_priority) continue;
    warnings.push_back(
        what + " to the peer: with all of them down the priority is " + std::to_string(lowest) +
        ", and the peer's is " + std::to_string(*group.peer_priority) + "; " +
        (*group.peer_priority > 1
             ? "weights of " + std::to_string(group.priority - *group.peer_priority + 1) + " and more do"
             : std::string("raise the peer's priority")) +
        ", and a check without weight moves it whatever the priorities");
  }
  return warnings;
}

}  // namespace vipair::vrrp
