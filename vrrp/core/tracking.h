#pragma once
// What keeps a virtual router from taking part: a set of faults keyed by their source, so that each source speaks
// for itself and clears only its own. Any fault: hand over now.

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace vipair::vrrp {

enum class FaultSource {
  interface,  // missing, down, without an address to speak from
  proxy,      // the proxy of this node does not serve
  claim,      // the addresses cannot be had
  stopping,   // the agent stops, or the virtual router left the configuration
};
inline constexpr std::size_t kFaultSources = static_cast<std::size_t>(FaultSource::stopping) + 1;

class FaultSet {
 public:
  // text: for the operator. Both return whether anything changed.
  bool raise(FaultSource source, std::string text);
  bool clear(FaultSource source);

  bool empty() const;
  bool has(FaultSource source) const { return at(source).has_value(); }
  std::vector<std::string> texts() const;  // "proxy: not connected"; in the order of FaultSource

 private:
  const std::optional<std::string>& at(FaultSource source) const {
    return faults_[static_cast<std::size_t>(source)];
  }
  std::array<std::optional<std::string>, kFaultSources> faults_;
};

}  // namespace vipair::vrrp
