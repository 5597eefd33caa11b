#include "vrrp/core/tracking.h"

#include <algorithm>

#include "vrrp/core/types.h"

namespace vipair::vrrp {

bool FaultSet::raise(FaultSource source, std::string text, std::string_view name) {
  auto [fault, is_new] = faults_.try_emplace({source, std::string(name)});
  if (!is_new && fault->second == text) return false;
  fault->second = std::move(text);
  return true;
}

bool FaultSet::clear(FaultSource source, std::string_view name) {
  return faults_.erase({source, std::string(name)}) > 0;
}

bool FaultSet::has(FaultSource source) const {
  return std::any_of(faults_.begin(), faults_.end(),
                     [&](const auto& fault) { return fault.first.first == source; });
}

std::vector<std::string> FaultSet::names(FaultSource source) const {
  std::vector<std::string> names;
  for (const auto& [key, text] : faults_) {
    if (key.first == source) names.push_back(key.second);
  }
  return names;
}

std::vector<std::string> FaultSet::texts() const {
  std::vector<std::string> texts;
  for (const auto& [key, text] : faults_) texts.push_back(text);
  return texts;
}

std::uint8_t effective_priority(std::uint8_t configured, int penalty) {
  if (configured == kPriorityOwner) return configured;
  return static_cast<std::uint8_t>(std::max(1, configured - penalty));
}

int share_of_weight(int weight, std::uint32_t lost, std::uint32_t total) {
  if (lost == 0 || total == 0) return 0;
  const std::uint64_t whole = static_cast<std::uint64_t>(weight) * std::min(lost, total);
  return static_cast<int>((whole + total - 1) / total);
}

bool is_outweighed(const Standing& active, const Standing& peer) {
  return active.penalty > peer.penalty && active.effective_priority < peer.effective_priority;
}

}  // namespace vipair::vrrp
