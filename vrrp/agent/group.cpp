#include "vrrp/agent/group.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "common/base/assert.h"
#include "common/base/overloaded.h"

namespace vipair::vrrp {

namespace {

bool may_hold(const State& state) {
  return std::holds_alternative<Active>(state) || std::holds_alternative<Yielding>(state);
}

bool comes_first(const VirtualRouter* a, const VirtualRouter* b) {
  auto order = [](const InstanceConfig& config) { return std::tie(config.name, config.key.vrid, config.key); };
  return order(a->config()) < order(b->config());
}

}  // namespace

std::string group_name(const InstanceConfig& config) {
  return config.sync_group.empty() ? "virtual router " + config.name : "sync group " + config.sync_group;
}

bool Group::is_healthy() const {
  return std::all_of(members_.begin(), members_.end(), [](const auto* member) { return member->is_healthy(); });
}

bool Group::holds_enough() const {
  return std::all_of(members_.begin(), members_.end(), [](const auto* member) { return member->holds_enough(); });
}

std::optional<std::string> Group::fault_elsewhere(const VirtualRouter& member) const {
  for (const VirtualRouter* other : members_) {
    if (other != &member && !other->is_healthy()) return other->label() + ": " + other->faults().texts().front();
  }
  return std::nullopt;
}

// ---- who belongs to it ----

bool Group::is_of(const std::string& name, std::vector<VirtualRouter*> members) const {
  std::sort(members.begin(), members.end(), comes_first);
  return name == name_ && members == members_;
}

void Group::members_changed() {
  std::sort(members_.begin(), members_.end(), comes_first);
  is_pair_ = true;
  join_hold_ = preempt_delay_ = Duration::zero();
  addresses_ = 0;
  for (const VirtualRouter* member : members_) {
    is_pair_ = is_pair_ && member->config().is_pair;
    join_hold_ = std::max(join_hold_, member->config().join_hold);
    preempt_delay_ = std::max(preempt_delay_, member->config().preempt_delay);
    addresses_ += member->config().advertised.size() + member->config().excluded.size();
  }
}

void Group::take(VirtualRouter& member) {
  if (member.group()) member.group()->remove(member);
  members_.push_back(&member);
  member.join(*this);
}

void Group::remove(VirtualRouter& member) {
  std::erase(members_, &member);
  members_changed();
}

void Group::split_off(VirtualRouter& member) {
  state_ = member.group()->state_;
  take(member);
  members_changed();
}

void Group::form(TimePoint now, const std::vector<VirtualRouter*>& members,
                 const std::vector<const VirtualRouter*>& newcomers) {
  auto is_new = [&](const VirtualRouter* member) {
    return std::find(newcomers.begin(), newcomers.end(), member) != newcomers.end();
  };
  const bool all_are_new = std::all_of(members.begin(), members.end(), is_new);
  std::optional<State> common;
  bool is_mixed = false;
  for (const VirtualRouter* member : members) {
    if (is_new(member) && !all_are_new) continue;
    if (!common) common = member->state();
    is_mixed |= common->index() != member->state().index();
  }
  state_ = is_mixed ? State(Initialize{}) : *common;
  for (VirtualRouter* member : members) {
    const bool held = may_hold(member->state());
    take(*member);
    if (held && !may_hold(state_)) member->resign(now);
  }
  members_changed();

  if (is_active() && is_healthy()) {
    const std::vector<Action> actions{ClaimAddresses{}, SendAdvertisement{parameters(*members_.front()).priority},
                                      AnnounceAddresses{}};
    for (VirtualRouter* member : members) {
      if (!is_new(member)) continue;
      for (const Action& action : actions) member->perform(now, action);
    }
  }
  for (VirtualRouter* member : members_) member->note(now, Reason::sync_group, "as the rest of the " + name_);
  settle(now);
  plan(now);
}

void Group::settle(TimePoint now) {
  if (is_healthy() && !takes_part()) {
    handle(now, *members_.front(), Startup{});
  } else if (!is_healthy() && takes_part()) {
    handle(now, *members_.front(), Shutdown{});
  }
}

void Group::plan(TimePoint now) {
  for (VirtualRouter* member : members_) member->plan(now);
}

// ---- what happens to it ----

Standing Group::standing() const {
  return {effective_priority(members_.front()->config().priority, penalty_), penalty_};
}

Parameters Group::parameters(const VirtualRouter& origin) const {
  Parameters parameters = origin.parameters();
  parameters.priority = effective_priority(parameters.priority, penalty_);
  parameters.is_pair = is_pair_;
  parameters.join_hold = join_hold_;
  parameters.preempt_delay = preempt_delay_;
  parameters.addresses = addresses_;
  return parameters;
}

// Between equal priorities the greater address wins, and which node has it may differ from network to network. The
// first member that hears the other one decides; both nodes order their members alike.
bool Group::decides_ties(TimePoint now, const VirtualRouter& origin) const {
  auto hears = [&](const VirtualRouter* member) { return member == &origin || member->hears_somebody(now); };
  return *std::find_if(members_.begin(), members_.end(), hears) == &origin;
}

void Group::handle(TimePoint now, VirtualRouter& origin, Event event, const std::string& why) {
  if (auto* advert = std::get_if<AdvertReceived>(&event)) advert->decides_ties = decides_ties(now, origin);
  const Transition transition = step(parameters(origin), state_, event, now);
  const bool role_changes = transition.next.index() != state_.index();
  state_ = transition.next;
  origin.count(now, transition.reason);
  if (role_changes) {
    for (VirtualRouter* member : members_) {
      member->note(now, transition.reason,
                   why.empty() ? explain(now, *member, origin, event, transition.reason) : why);
    }
  }
  perform(now, origin, event, transition.actions);
  if (role_changes) return plan(now);
  members_.front()->plan(now);
}

void Group::perform(TimePoint now, const VirtualRouter& origin, const Event& event,
                    const std::vector<Action>& actions) {
  const bool is_local = std::holds_alternative<AddressLost>(event);
  for (const Action& action : actions) {
    const auto* claim = std::get_if<ClaimAddresses>(&action);
    for (VirtualRouter* member : members_) {
      if (is_local && member != &origin) continue;
      const bool relays_elsewhere = claim && claim->relay_to && member != &origin;
      member->perform(now, relays_elsewhere ? ClaimAddresses{member->relay_address()} : action);
    }
  }
}

// What all can see each tells itself; the rest is told by whom it happened to.
std::string Group::explain(TimePoint now, const VirtualRouter& member, const VirtualRouter& origin,
                           const Event& event, Reason reason) const {
  const bool is_common = std::holds_alternative<TimeReached>(event) || std::holds_alternative<Startup>(event);
  if (&member == &origin || is_common) return member.explain(now, reason);
  if (!member.is_healthy() && std::holds_alternative<Shutdown>(event)) return member.explain(now, reason);
  return origin.label() + ": " + origin.explain(now, reason);
}

void Group::raise(TimePoint now, FaultSource source, const std::string& text) {
  const bool was_healthy = is_healthy();
  for (VirtualRouter* member : members_) member->note_fault(now, source, text);
  if (was_healthy && !is_healthy()) handle(now, *members_.front(), Shutdown{});
}

void Group::clear(TimePoint now, FaultSource source) {
  for (VirtualRouter* member : members_) member->clear(now, source);
}

void Group::weigh(TimePoint now, const std::map<std::string, int>& weights) {
  if (weights == weights_) return;
  weights_ = weights;
  penalty_ = 0;
  std::string list;
  for (const auto& [check, weight] : weights_) {
    penalty_ += weight;
    list += (list.empty() ? ": " : ", ") + check + " takes " + std::to_string(weight);
  }
  const std::string left =
      std::to_string(standing().effective_priority) + " of " + std::to_string(members_.front()->config().priority);
  for (const VirtualRouter* member : members_) {
    member->tell(now, JournalEntry::Level::info, "priority", "the priority is " + left + list);
  }
  handle(now, *members_.front(), ParametersChanged{});
}

void Group::hand_over_outweighed(TimePoint now, const PeerReport& peer) {
  outweighed_again_at_ = now + kOutweighedRetry;
  const Standing own = standing();
  handle(now, *members_.front(), Handover{Reason::outweighed},
         "checks that are down took " + std::to_string(own.penalty) + " and left " +
             std::to_string(own.effective_priority) + "; the peer has " + std::to_string(peer.effective_priority) +
             " and lost " + std::to_string(peer.penalty));
}

void Group::configured(TimePoint now, bool announce) {
  members_changed();
  handle(now, *members_.front(), ParametersChanged{announce});
}

}  // namespace vipair::vrrp
