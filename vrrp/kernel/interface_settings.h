#pragma once
// IPv4 settings of interfaces that the agent changes while it needs them and puts back afterwards, by rtnetlink and
// without /proc. What a setting was before is remembered once, however many need the change.
//
// What is remembered may change hands, as lingering addresses do (lingering_addresses.h): it is part of the last
// will, and who adopts it puts back what nobody needs any longer. One owner, one thread; nothing blocks.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "common/runtime/unique_fd.h"
#include "vrrp/kernel/rtnetlink_batch.h"

namespace vipair::vrrp {

// A device setting of IPv4 as it was before.
struct InterfaceSetting {
  int interface_index = 0;
  int id = 0;  // IPV4_DEVCONF_…
  int value = 0;
  friend bool operator==(const InterfaceSetting&, const InterfaceSetting&) = default;
};

enum class InterfaceNeed {
  // The interface speaks of its own addresses only, not of those that the node has elsewhere: arp_ignore=1 keeps it
  // from answering ARP for them, arp_announce=2 from putting one into its own ARP requests.
  quiet,
  // An address of the node's own survives the removal of a virtual one that came first: promote_secondaries=1.
  lasting_secondaries,
};

// The least value of a setting that fills its need; nullopt when `id` is none of these settings.
std::optional<std::int32_t> needed_value(int id);

class InterfaceSettings {
 public:
  // `changed` is called when saved() has grown, before the machine is touched, and after it has shrunk.
  explicit InterfaceSettings(std::function<void()> changed);

  // Each hold is let go of once. Both say whether anything changed, and `changed` was called therefore.
  bool hold(int interface_index, InterfaceNeed need);
  bool let_go(int interface_index, InterfaceNeed need);

  const std::vector<InterfaceSetting>& saved() const { return saved_; }
  bool is_saved(int interface_index, int id) const;
  // What hold() would save at this moment.
  std::vector<InterfaceSetting> to_change(int interface_index, InterfaceNeed need) const;

  void adopt(const std::vector<InterfaceSetting>& saved);  // of another process; to be held or put back
  bool restore_unneeded();
  void forget();  // another process has adopted saved()

 private:
  bool is_needed(const InterfaceSetting& setting) const;

  std::function<void()> changed_;
  UniqueFd rtnetlink_;
  RtnetlinkBatch batch_;
  std::vector<InterfaceSetting> saved_;
  std::map<std::pair<int, InterfaceNeed>, int> holds_;
};

}  // namespace vipair::vrrp
