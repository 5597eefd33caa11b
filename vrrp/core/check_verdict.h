#pragma once
// What is known of something that is checked, and expressions over it. Three values: before its first run nothing
// is known of a check, and an expression is unknown as long as what is unknown can still decide it.

#include <vector>

namespace vipair::vrrp {

enum class CheckVerdict { unknown, up, down };

// The other way round; unknown stays unknown.
CheckVerdict reversed(CheckVerdict verdict);

// Up while at least so many of them are.
CheckVerdict combined(int at_least, const std::vector<CheckVerdict>& verdicts);

}  // namespace vipair::vrrp
