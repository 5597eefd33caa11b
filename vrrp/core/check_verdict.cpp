#include "vrrp/core/check_verdict.h"

#include <algorithm>

namespace vipair::vrrp {

CheckVerdict reversed(CheckVerdict verdict) {
  if (verdict == CheckVerdict::unknown) return verdict;
  return verdict == CheckVerdict::up ? CheckVerdict::down : CheckVerdict::up;
}

CheckVerdict combined(int at_least, const std::vector<CheckVerdict>& verdicts) {
  const auto up = std::count(verdicts.begin(), verdicts.end(), CheckVerdict::up);
  const auto unknown = std::count(verdicts.begin(), verdicts.end(), CheckVerdict::unknown);
  if (up >= at_least) return CheckVerdict::up;
  return up + unknown < at_least ? CheckVerdict::down : CheckVerdict::unknown;
}

}  // namespace vipair::vrrp
