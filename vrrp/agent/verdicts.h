#pragma once
// What every configured check says, made of the results of its runs: rise and fall, the reverse, the expressions;
// and what that means for a virtual router that tracks some of them. Names that are not configured say nothing.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/health.h"
#include "vrrp/agent/check_config.h"
#include "vrrp/agent/status.h"
#include "vrrp/core/check_verdict.h"

namespace vipair::vrrp {

// The consequence of what somebody tracks, by the name of the check.
struct Burden {
  std::map<std::string, std::string> faults;   // down, and why
  std::map<std::string, std::string> not_run;  // would be a fault if down, and is not known yet
  std::map<std::string, int> weights;          // down, and what that takes from the priority

  void add(const Burden& other);
  int penalty() const;
};

class Verdicts {
 public:
  // Checks that are the same as before keep what is known of them.
  void configure(const std::vector<CheckConfig>& checks);

  // The result of one run. Returns the checks that say something else now: this one and expressions over it. The
  // first result decides at once, later ones by rise and fall.
  std::vector<CheckStatus> record(std::string_view name, bool success, std::string reason);

  CheckVerdict of(std::string_view name) const;
  Burden burden(const std::vector<std::string>& tracked) const;
  std::vector<CheckStatus> status() const;  // in the order of the configuration

 private:
  struct Check {
    CheckConfig config;
    std::optional<Health> health;  // none: has not run
    std::string reason;            // of its last run
    CheckVerdict verdict = CheckVerdict::unknown;
  };

  const Check* find(std::string_view name) const;
  void evaluate();
  CheckVerdict evaluate(const Check& check) const;
  std::string reason_of(const Check& check) const;
  CheckStatus status_of(const Check& check) const;

  std::vector<Check> checks_;
};

}  // namespace vipair::vrrp
