// What an instance tells: journal, status, and the peer.
#include <utility>

#include "vrrp/agent/explanation.h"
#include "vrrp/agent/group.h"
#include "vrrp/agent/virtual_router.h"

namespace vipair::vrrp {

using Level = JournalEntry::Level;

std::string VirtualRouter::explain(TimePoint now, Reason reason) const {
  Circumstances seen;
  if (neighbour_) {
    seen.neighbour = neighbour_->address;
    seen.neighbour_priority = neighbour_->priority;
    seen.silence = now - neighbour_->heard;
  }
  seen.own_priority = effective_priority();
  seen.version = config_.version;
  seen.faults = faults_.texts();
  return vrrp::explain(reason, seen);
}

std::string VirtualRouter::role() const {
  return std::holds_alternative<Initialize>(state()) && !is_group_healthy() ? "fault" : name_of(state());
}

RoleChange VirtualRouter::role_change(std::string text) const {
  RoleChange change;
  change.router = config_.name;
  change.family = config_.key.family;
  change.interface = config_.key.interface;
  change.vrid = config_.key.vrid;
  change.from = told_role_;
  change.to = role();
  change.reason = to_string(reason_);
  change.text = std::move(text);
  if (is_active()) change.phase = "post_acquire";
  for (const IpPrefix& prefix : config_.addresses()) change.addresses.push_back(prefix.to_string());
  change.peer = peer_status();
  return change;
}

void VirtualRouter::report_soon(TimePoint now) {
  if (surroundings_.link) surroundings_.link->report_soon(now);
}

void VirtualRouter::tell(TimePoint now, Level level, std::string event, std::string text) const {
  surroundings_.journal.add({now, level, label_, std::move(event), std::move(text)});
}

void VirtualRouter::tell_at_most(RateLimit& limit, TimePoint now, Level level, std::string event,
                                 std::string text) const {
  const auto suppressed = limit.pass(now);
  if (!suppressed) return;
  if (*suppressed > 0) text += " (and " + std::to_string(*suppressed) + " more like it)";
  tell(now, level, std::move(event), std::move(text));
}

std::optional<RouterStatus::Peer> VirtualRouter::peer_status() const {
  if (!neighbour_) return std::nullopt;
  return RouterStatus::Peer{neighbour_->address.to_string(), neighbour_->priority, neighbour_->heard};
}

RouterStatus VirtualRouter::status() const {
  RouterStatus status;
  status.name = config_.name;
  status.interface = config_.key.interface;
  status.vrid = config_.key.vrid;
  status.family = config_.key.family;
  status.version = config_.version;
  status.state = role();
  status.reason = to_string(reason_);
  status.since = since_;
  status.priority = config_.priority;
  status.effective_priority = effective_priority();
  status.faults = faults_.texts();
  if (auto elsewhere = group_ ? group_->fault_elsewhere(*this) : std::nullopt)
    status.faults.push_back(std::move(*elsewhere));
  for (const IpPrefix& prefix : config_.addresses()) status.addresses.push_back(prefix.to_string());
  status.peer = peer_status();
  status.counters = counters_.list();
  return status;
}

PeerReport VirtualRouter::report(TimePoint now) const {
  return {name_of(state()), effective_priority(), group_ ? group_->penalty() : 0, is_group_healthy(), now};
}

std::vector<std::string> VirtualRouter::warnings(TimePoint now) const {
  std::vector<std::string> warnings;
  if (neighbour_ && neighbour_->lists_other_addresses) {
    warnings.push_back(label_ + ": " + neighbour_->address.to_string() +
                       " advertises other addresses than this node is configured with");
  }
  if (disagreement_ && now - disagreement_->heard < kDisagreementRemembered) {
    warnings.push_back(label_ + ": " + explain_refusal(disagreement_->reason, disagreement_->source));
  }
  if (neighbour_ && config_.version == 3 && neighbour_->advertised_interval != config_.advertisement_interval) {
    warnings.push_back(label_ + ": " +
                       explain_interval(parameters(), neighbour_->address, neighbour_->advertised_interval));
  }
  if (reclaim_at_)
    warnings.push_back(label_ + ": somebody keeps removing our addresses from " + config_.key.interface);
  return warnings;
}

}  // namespace vipair::vrrp
