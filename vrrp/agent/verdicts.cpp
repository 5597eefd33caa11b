#include "vrrp/agent/verdicts.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace vipair::vrrp {

void Burden::add(const Burden& other) {
  faults.insert(other.faults.begin(), other.faults.end());
  not_run.insert(other.not_run.begin(), other.not_run.end());
  weights.insert(other.weights.begin(), other.weights.end());
}

int Burden::penalty() const {
  return std::accumulate(weights.begin(), weights.end(), 0,
                         [](int sum, const auto& weight) { return sum + weight.second; });
}

void Verdicts::configure(const std::vector<CheckConfig>& checks) {
  std::vector<Check> next;
  for (const CheckConfig& config : checks) {
    const Check* known = find(config.name);
    next.push_back(known && known->config == config ? *known : Check{config, std::nullopt, ""});
  }
  checks_ = std::move(next);
  evaluate();
}

std::vector<CheckStatus> Verdicts::record(std::string_view name, bool success, std::string reason) {
  std::vector<CheckVerdict> before;
  for (const Check& check : checks_) before.push_back(check.verdict);
  for (Check& check : checks_) {
    if (check.config.name != name) continue;
    check.reason = std::move(reason);
    if (check.health) {
      check.health->report(success);
    } else {
      check.health.emplace(check.config.rise, check.config.fall, success);
    }
    break;
  }
  evaluate();
  std::vector<CheckStatus> changed;
  for (std::size_t i = 0; i < checks_.size(); ++i) {
    if (checks_[i].verdict != before[i]) changed.push_back(status_of(checks_[i]));
  }
  return changed;
}

CheckVerdict Verdicts::of(std::string_view name) const {
  const Check* check = find(name);
  return check ? check->verdict : CheckVerdict::unknown;
}

Burden Verdicts::burden(const std::vector<std::string>& tracked) const {
  Burden burden;
  for (const std::string& name : tracked) {
    const Check* check = find(name);
    if (!check) continue;
    const CheckVerdict verdict = check->verdict;
    if (check->config.weight) {
      if (verdict == CheckVerdict::down) burden.weights[name] = *check->config.weight;
    } else if (verdict != CheckVerdict::up) {
      (verdict == CheckVerdict::down ? burden.faults : burden.not_run)[name] = reason_of(*check);
    }
  }
  return burden;
}

std::vector<CheckStatus> Verdicts::status() const {
  std::vector<CheckStatus> all;
  for (const Check& check : checks_) all.push_back(status_of(check));
  return all;
}

const Verdicts::Check* Verdicts::find(std::string_view name) const {
  const auto found =
      std::find_if(checks_.begin(), checks_.end(), [&](const Check& check) { return check.config.name == name; });
  return found == checks_.end() ? nullptr : &*found;
}

// Expressions may stand before what they speak of, so one pass is not enough; each further one settles at least
// one. One that refers to itself stays unknown.
void Verdicts::evaluate() {
  for (Check& check : checks_) check.verdict = CheckVerdict::unknown;
  for (bool has_changed = true; has_changed;) {
    has_changed = false;
    for (Check& check : checks_) {
      const CheckVerdict before = std::exchange(check.verdict, evaluate(check));
      has_changed |= before != check.verdict;
    }
  }
}

CheckVerdict Verdicts::evaluate(const Check& check) const {
  CheckVerdict verdict = CheckVerdict::unknown;
  if (const auto* expression = std::get_if<CombinedCheck>(&check.config.what)) {
    std::vector<CheckVerdict> parts;
    for (const std::string& name : expression->checks) parts.push_back(of(name));
    verdict = combined(expression->at_least, parts);
  } else if (check.health) {
    verdict = check.health->up() ? CheckVerdict::up : CheckVerdict::down;
  }
  return check.config.reverse ? reversed(verdict) : verdict;
}

std::string Verdicts::reason_of(const Check& check) const {
  const auto* expression = std::get_if<CombinedCheck>(&check.config.what);
  if (!expression) return check.health ? check.reason : "not run yet";
  std::size_t up = 0;
  std::string others;
  for (const std::string& name : expression->checks) {
    const CheckVerdict verdict = of(name);
    up += verdict == CheckVerdict::up ? 1 : 0;
    if (verdict != CheckVerdict::up) {
      others +=
          (others.empty() ? ": " : ", ") + name + (verdict == CheckVerdict::down ? " is down" : " has not run yet");
    }
  }
  return std::to_string(up) + " of " + std::to_string(expression->checks.size()) + " up, " +
         std::to_string(expression->at_least) + " wanted" + others;
}

CheckStatus Verdicts::status_of(const Check& check) const {
  return {check.config.name, check.config.type, check.verdict == CheckVerdict::up, reason_of(check)};
}

}  // namespace vipair::vrrp
