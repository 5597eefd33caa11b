#include "proxy/policy/breaker.h"

#include <algorithm>

namespace vipair::policy {

namespace {
constexpr auto kRelaxed = std::memory_order_relaxed;
std::int64_t ticks(TimePoint time) { return std::max<std::int64_t>(1, time.time_since_epoch().count()); }
}  // namespace

Duration Breaker::length(const BreakerSettings& settings) const {
  Duration result = settings.eject;
  for (unsigned i = 1; i < ejections_.load(kRelaxed) && result < settings.eject_max; ++i) result *= 2;
  return std::min(result, settings.eject_max);
}

bool Breaker::try_probe(const BreakerSettings& settings, TimePoint now) {
  std::int64_t until = open_until_.load(kRelaxed);
  if (until == 0 || until > ticks(now)) return false;
  return open_until_.compare_exchange_strong(until, ticks(now + length(settings)), kRelaxed);
}

void Breaker::abandon_probe(TimePoint now) {
  std::int64_t until = open_until_.load(kRelaxed);
  if (until > ticks(now)) open_until_.compare_exchange_strong(until, ticks(now), kRelaxed);
}

bool Breaker::on_failure(const BreakerSettings& settings, bool is_probe) {
  if (settings.failures == 0) return false;
  if (!is_closed()) return is_probe;
  return (failures_.fetch_add(1, kRelaxed) + 1) % settings.failures == 0;
}

Duration Breaker::open(const BreakerSettings& settings, TimePoint now) {
  // One that worked for longer than it was away starts anew.
  const bool is_soon = !is_closed() || TimePoint(Duration(closed_at_.load(kRelaxed))) + length(settings) > now;
  ejections_.store(is_soon ? ejections_.load(kRelaxed) + 1 : 1, kRelaxed);
  const Duration result = length(settings);
  open_until_.store(ticks(now + result), kRelaxed);
  failures_.store(0, kRelaxed);
  return result;
}

void Breaker::close(TimePoint now) {
  failures_.store(0, kRelaxed);
  closed_at_.store(ticks(now), kRelaxed);
  open_until_.store(0, kRelaxed);
}

}  // namespace vipair::policy
