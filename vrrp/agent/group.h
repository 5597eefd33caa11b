#pragma once
// VRRP instances that are Active together or not at all: the families of one virtual router, and every virtual
// router of one sync group. They share one state machine, so there is no order in which they could change and no
// moment in which they differ; each member keeps its interface, its faults, its addresses and its words.
//
// One fault of any member is a fault of all. An advertisement that any member hears was heard by all: the other
// node lives, and is Active with its whole group. Members are configured alike in priority, preemption and
// interval. Owned by the Agent; refers to its members, which the Agent owns too.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "vrrp/agent/virtual_router.h"
#include "vrrp/core/settling.h"
#include "vrrp/core/state_machine.h"
#include "vrrp/core/tracking.h"

namespace vipair::vrrp {

// To which group an instance belongs: its sync group, else the one that its virtual router is by itself.
std::string group_name(const InstanceConfig& config);

inline constexpr Duration kOutweighedRetry = std::chrono::seconds(10);

class Group {
 public:
  explicit Group(std::string name) : name_(std::move(name)) {}
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  bool is_of(const std::string& name, std::vector<VirtualRouter*> members) const;
  const std::vector<VirtualRouter*>& members() const { return members_; }  // by name, VRID, family
  const State& state() const { return state_; }
  bool is_active() const { return std::holds_alternative<Active>(state_); }
  bool takes_part() const { return !std::holds_alternative<Initialize>(state_); }
  bool is_pair() const { return is_pair_; }
  int penalty() const { return penalty_; }  // what checks that are down take from the priority
  Standing standing() const;
  bool is_healthy() const;    // no member has a fault
  bool holds_enough() const;  // every member does
  bool speaks_for_all(const VirtualRouter& member) const {
    return !members_.empty() && members_.front() == &member;
  }
  // The first fault of another member than this one, for its words: "mail/ipv4: interface eth1: down".
  std::optional<std::string> fault_elsewhere(const VirtualRouter& member) const;

  // Takes the members out of their former groups. If all that run already have one role, the group has it; else
  // those that are Active resign and all begin again as Backups. Newcomers follow.
  void form(TimePoint now, const std::vector<VirtualRouter*>& members,
            const std::vector<const VirtualRouter*>& newcomers);
  // Takes part if all members can, and not otherwise: after a change of members.
  void settle(TimePoint now);
  // Out of its group and alone from now on, in the same state.
  void split_off(VirtualRouter& member);
  void remove(VirtualRouter& member);

  // Something happened at one member. `why`: in words, for events that no member can explain.
  void handle(TimePoint now, VirtualRouter& origin, Event event, const std::string& why = "");
  // The same fault at every member at once.
  void raise(TimePoint now, FaultSource source, const std::string& text);
  void clear(TimePoint now, FaultSource source);
  // The checks with a weight that are down, of all that any member tracks.
  void weigh(TimePoint now, const std::map<std::string, int>& weights);
  SettlingLoss& upstream_loss() { return upstream_loss_; }
  // To a peer that lost less; after a try that came to nothing not again before outweighed_again_at().
  void hand_over_outweighed(TimePoint now, const PeerReport& peer);
  TimePoint outweighed_again_at() const { return outweighed_again_at_; }
  // The configuration of a member is another one. announce: the LAN has to learn an address.
  void configured(TimePoint now, bool announce);

 private:
  void take(VirtualRouter& member);
  void members_changed();
  Parameters parameters(const VirtualRouter& origin) const;
  bool decides_ties(TimePoint now, const VirtualRouter& origin) const;
  void perform(TimePoint now, const VirtualRouter& origin, const Event& event, const std::vector<Action>& actions);
  void plan(TimePoint now);
  std::string explain(TimePoint now, const VirtualRouter& member, const VirtualRouter& origin, const Event& event,
                      Reason reason) const;

  std::string name_;
  std::vector<VirtualRouter*> members_;
  State state_;
  std::map<std::string, int> weights_;
  SettlingLoss upstream_loss_;
  TimePoint outweighed_again_at_{};
  int penalty_ = 0;
  bool is_pair_ = false;  // all members are; and the longest of their times
  Duration join_hold_{}, preempt_delay_{};
  std::size_t addresses_ = 0;  // of all members
};

}  // namespace vipair::vrrp
