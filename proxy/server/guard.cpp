#include "proxy/server/guard.h"

#include <algorithm>
#include <functional>

#include "common/base/assert.h"

namespace vipair::proxy {

std::unique_ptr<const Guard> Guard::make(const Protection& protection, const std::string& name) {
  if (protection == Protection{}) return nullptr;
  auto guard = std::make_unique<Guard>();
  if (protection.allow) guard->allow = policy::AddressSet(*protection.allow);
  guard->deny = policy::AddressSet(protection.deny);
  auto id_of = [&name](const std::string& what) {
    return static_cast<std::uint64_t>(std::hash<std::string>{}(name + '\0' + what));
  };
  for (const RateLimit& limit : protection.rate_limits) {
    const Duration interval = std::max(Duration{1}, limit.per / limit.requests);
    guard->rates.push_back(
        {id_of("rate" + std::to_string(guard->rates.size())), {interval, limit.burst}, limit.is_per_address});
  }
  guard->running = protection.connection_limit;
  guard->running_id = id_of("running");
  if (protection.basic_auth) {
    guard->basic_auth = &*protection.basic_auth;
    guard->challenge =
        "WWW-Authenticate: Basic realm=\"" + protection.basic_auth->realm + "\", charset=\"UTF-8\"\r\n";
  }
  return guard;
}

namespace {

bool is_denied(const Guards& guards, const IpAddress& client) {
  const policy::AddressSet* allow = nullptr;
  for (const Guard* guard : guards) {
    if (guard == nullptr) continue;
    if (!guard->deny.empty() && guard->deny.contains(client)) return true;
    if (guard->allow) allow = &*guard->allow;
  }
  return allow != nullptr && !allow->contains(client);
}

bool enter(const Guard& guard, LimitTables& tables, const IpAddress& client, RunningHolds& holds,
           std::size_t& used) {
  const std::uint64_t seed = tables.seed, id = guard.running_id;
  if (guard.running.per_address > 0 &&
      !tables.running.enter(policy::limit_key(seed, id, client), guard.running.per_address, holds[used++]))
    return false;
  return guard.running.total == 0 ||
         tables.running.enter(policy::limit_key(seed, id), guard.running.total, holds[used++]);
}

}  // namespace

std::optional<policy::Refusal> check(const Guards& guards, LimitTables* tables, const IpAddress& client,
                                     TimePoint now, RunningHolds& holds, Duration& retry_after) {
  if (is_denied(guards, client)) return policy::Refusal::address_denied;
  for (const Guard* guard : guards) {
    if (guard == nullptr) continue;
    for (const Guard::Limit& limit : guard->rates) {
      const std::uint64_t key = limit.is_per_address ? policy::limit_key(tables->seed, limit.id, client)
                                                     : policy::limit_key(tables->seed, limit.id);
      retry_after = tables->rates.take(key, limit.rate, now);
      if (retry_after > Duration{0}) return policy::Refusal::rate;
    }
  }
  std::size_t used = 0;
  for (const Guard* guard : guards) {
    if (guard == nullptr || guard->running == ConnectionLimit{}) continue;
    if (enter(*guard, *tables, client, holds, used)) continue;
    for (auto& hold : holds) hold.release();
    return policy::Refusal::running_requests;
  }
  return {};
}

const Guard* asks_for_password(const Guards& guards) {
  const Guard* innermost = nullptr;
  for (const Guard* guard : guards) {
    if (guard != nullptr && guard->basic_auth != nullptr) innermost = guard;
  }
  return innermost != nullptr && innermost->basic_auth->is_enabled ? innermost : nullptr;
}

}  // namespace vipair::proxy
