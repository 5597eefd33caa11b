#include "vrrp/core/tracking.h"

#include <algorithm>
#include <utility>

namespace vipair::vrrp {

bool FaultSet::raise(FaultSource source, std::string text) {
  auto& fault = faults_[static_cast<std::size_t>(source)];
  if (fault == text) return false;
  fault = std::move(text);
  return true;
}

bool FaultSet::clear(FaultSource source) {
  auto& fault = faults_[static_cast<std::size_t>(source)];
  if (!fault) return false;
  fault.reset();
  return true;
}

bool FaultSet::empty() const {
  return std::none_of(faults_.begin(), faults_.end(), [](const auto& fault) { return fault.has_value(); });
}

std::vector<std::string> FaultSet::texts() const {
  std::vector<std::string> texts;
  for (const auto& fault : faults_) {
    if (fault) texts.push_back(*fault);
  }
  return texts;
}

}  // namespace vipair::vrrp
