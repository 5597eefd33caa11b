#pragma once
// What keeps a virtual router from taking part, and what makes it take part with less right: a set of faults keyed
// by their source, so that each source speaks for itself and clears only its own, and the priority that is left.
// Any fault: hand over now.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vipair::vrrp {

enum class FaultSource {
  interface,  // missing, down, without an address to speak from
  proxy,      // the proxy of this node does not serve
  check,      // a tracked check without a weight is down; named by the check
  claim,      // the addresses cannot be had
  drained,    // an operator wants this node empty
  stopping,   // the agent stops, or the virtual router left the configuration
};

class FaultSet {
 public:
  // text: for the operator; name: which one of a source that can have several. Both return whether anything
  // changed.
  bool raise(FaultSource source, std::string text, std::string_view name = "");
  bool clear(FaultSource source, std::string_view name = "");

  bool empty() const { return faults_.empty(); }
  bool has(FaultSource source) const;
  std::vector<std::string> names(FaultSource source) const;
  std::vector<std::string> texts() const;  // "proxy: not connected"; in the order of FaultSource

 private:
  std::map<std::pair<FaultSource, std::string>, std::string> faults_;
};

// What is left of the configured priority: at least 1, and 255 (the owner of the address) is not touched.
std::uint8_t effective_priority(std::uint8_t configured, int penalty);

// What a weight takes when `lost` of `total` are lost: its share of them, and at least 1 if any is.
int share_of_weight(int weight, std::uint32_t lost, std::uint32_t total);

// Where a node stands in an election. penalty: what its failing checks took from its priority.
struct Standing {
  std::uint8_t effective_priority = 0;
  int penalty = 0;
};
// Without preemption nobody takes the role from an Active that lost priority: it hands over itself, if it lost more
// than the peer did and is the lesser now. Two nodes that both lost the same stay as they are.
bool is_outweighed(const Standing& active, const Standing& peer);

}  // namespace vipair::vrrp
