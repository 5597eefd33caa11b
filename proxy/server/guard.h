#pragma once
// Who may come in and how often, compiled from a Protection: one Guard per level (proxy, site, route) that has one.
// Immutable; what is counted is in LimitTables, which all workers and all snapshots share.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/config_protection.h"
#include "proxy/policy/address_set.h"
#include "proxy/policy/rate_limit.h"
#include "proxy/policy/refusal.h"

namespace vipair::proxy {

inline constexpr std::size_t kRatesTracked = 1 << 18;        // keys at once; 4 MiB
inline constexpr std::size_t kConcurrencyTracked = 1 << 17;  // keys at once; 1 MiB

// Made when the first limit is configured and kept until the process ends: connections and requests refer to it.
struct LimitTables {
  explicit LimitTables(std::uint64_t random) : seed(random) {}
  const std::uint64_t seed;
  policy::RateTable rates{kRatesTracked};
  policy::ConcurrencyTable running{kConcurrencyTracked};
};

struct Guard {
  struct Limit {
    std::uint64_t id = 0;  // the same for the same limit in the next snapshot
    policy::Rate rate;
    bool is_per_address = true;
  };
  std::optional<policy::AddressSet> allow;
  policy::AddressSet deny;
  std::vector<Limit> rates;
  ConnectionLimit running;
  std::uint64_t running_id = 0;
  const BasicAuth* basic_auth = nullptr;  // of the configuration
  std::string challenge;                  // "WWW-Authenticate: …\r\n"

  // nullptr when it would let everybody pass. `name` tells apart whatever has limits of its own.
  static std::unique_ptr<const Guard> make(const Protection& protection, const std::string& name);
  bool has_limits() const { return !rates.empty() || running != ConnectionLimit{}; }
};

// The guards that a request has to pass, outer ones first; nullptr: there is none.
using Guards = std::array<const Guard*, 3>;

inline bool is_guarding(const Guards& guards) {
  return guards[0] != nullptr || guards[1] != nullptr || guards[2] != nullptr;
}

// What a running request holds of the limits on running requests.
using RunningHolds = std::array<policy::ConcurrencyTable::Hold, 6>;

// Access lists, then rates, then running requests. `retry_after` is set with Refusal::rate.
std::optional<policy::Refusal> check(const Guards& guards, LimitTables* tables, const IpAddress& client,
                                     TimePoint now, RunningHolds& holds, Duration& retry_after);

// The innermost guard that speaks of passwords, if it asks for one.
const Guard* asks_for_password(const Guards& guards);

}  // namespace vipair::proxy
