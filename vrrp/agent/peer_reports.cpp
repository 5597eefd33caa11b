#include "vrrp/agent/peer_reports.h"

#include <algorithm>

namespace vipair::vrrp {

PeerPriorities PeerReports::priorities() const {
  PeerPriorities priorities;
  for (const auto& [key, report] : reports_) {
    if (report.penalty > 0 && report.effective_priority == 1) continue;
    priorities[key] = static_cast<std::uint8_t>(std::min<int>(report.effective_priority + report.penalty, 255));
  }
  return priorities;
}

Expected<PeerReport, std::string> PeerReports::taker_of(TimePoint now, const Group& group) const {
  for (const VirtualRouter* member : group.members()) {
    const auto found = reports_.find(member->config().key);
    if (found == reports_.end() || now - found->second.heard > kPeerReportMax) {
      return Unexpected{member->label() +
                        ": the peer says nothing: it is down, cut off, or has no such virtual router"};
    }
    const PeerReport& peer = found->second;
    if (!peer.is_eligible) return Unexpected{member->label() + ": the peer has a fault and cannot take over"};
    if (peer.state != "backup") return Unexpected{member->label() + ": the peer is not Backup but " + peer.state};
  }
  return reports_.at(group.members().front()->config().key);
}

bool PeerReports::is_alone(TimePoint now, const Group& group) const {
  if (!group.is_pair()) return false;
  const auto& members = group.members();
  return std::any_of(members.begin(), members.end(), [&](const VirtualRouter* member) {
    const auto found = reports_.find(member->config().key);
    if (found == reports_.end()) return false;
    const PeerReport& peer = found->second;
    return now - peer.heard > kPeerReportMax || !peer.is_eligible || peer.state != "backup";
  });
}

PeerReports::Movable PeerReports::to_hand_over(TimePoint now, const Groups& groups,
                                               const std::optional<std::string>& router) const {
  auto is_meant = [&](const VirtualRouter* member) { return !router || member->config().name == *router; };
  bool is_known = !router;
  std::vector<Group*> meant;
  for (const auto& group : groups) {
    const auto& members = group->members();
    if (std::none_of(members.begin(), members.end(), is_meant)) continue;
    is_known = true;
    if (group->is_active()) meant.push_back(group.get());
  }
  if (!is_known) return Unexpected{"no virtual router is named " + *router};
  if (meant.empty()) return Unexpected{router.value_or("this node") + " is not Active here: nothing to hand over"};
  for (const Group* group : meant) {
    const VirtualRouter& first = *group->members().front();
    if (first.config().priority == kPriorityOwner) {
      return Unexpected{first.label() + ": priority 255 means that this node owns the addresses"};
    }
    if (!group->is_pair()) continue;  // strangers cannot be asked; if nobody takes over, this node does again
    if (const auto peer = taker_of(now, *group); !peer) return Unexpected{peer.error()};
  }
  return meant;
}

PeerReports::Movable PeerReports::to_drain(TimePoint now, const Groups& groups, bool force) const {
  std::vector<Group*> active;
  for (const auto& group : groups) {
    if (!group->is_active()) continue;
    active.push_back(group.get());
    if (force) continue;
    if (!group->is_pair()) {
      return Unexpected{group->members().front()->label() +
                        ": without a configured peer nobody can be asked to take over; force it if somebody will"};
    }
    if (const auto peer = taker_of(now, *group); !peer) return Unexpected{peer.error()};
  }
  return active;
}

}  // namespace vipair::vrrp
