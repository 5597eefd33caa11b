#pragma once
// What the peer last said of each instance, and what follows from it: who could take over from this node, what may
// be handed over or drained. The errors are for the operator. Groups belong to the Agent.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/expected.h"
#include "common/base/time.h"
#include "vrrp/agent/group.h"
#include "vrrp/agent/peer_report.h"
#include "vrrp/agent/plan.h"

namespace vipair::vrrp {

class PeerReports {
 public:
  using Groups = std::vector<std::unique_ptr<Group>>;
  using Movable = Expected<std::vector<Group*>, std::string>;

  void set(const InstanceKey& key, const PeerReport& report) { reports_[key] = report; }
  void forget(const InstanceKey& key) { reports_.erase(key); }
  bool is_empty() const { return reports_.empty(); }

  // As configured over there: what it advertises, and what its checks took from it, unless that ended at the least.
  PeerPriorities priorities() const;
  // The peer as one that could take over the group now; the error says why it could not.
  Expected<PeerReport, std::string> taker_of(TimePoint now, const Group& group) const;
  // The peer has said what it is, and it is none that could take over. Of strangers nothing is known.
  bool is_alone(TimePoint now, const Group& group) const;

  // The groups that are Active here and meant (all of them, or that of one virtual router); the error says why they
  // cannot be handed over.
  Movable to_hand_over(TimePoint now, const Groups& groups, const std::optional<std::string>& router) const;
  // The groups that are Active here; the error says why they would find no taker.
  Movable to_drain(TimePoint now, const Groups& groups, bool force) const;

 private:
  std::map<InstanceKey, PeerReport> reports_;
};

}  // namespace vipair::vrrp
