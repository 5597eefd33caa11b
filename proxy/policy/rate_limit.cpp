#include "proxy/policy/rate_limit.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace vipair::policy {

namespace {
constexpr std::uint64_t mix(std::uint64_t value) {  // every bit of the result depends on every bit of the value
  value ^= value >> 32;
  value *= 0xd6e8feb86659fd93u;
  value ^= value >> 32;
  value *= 0xd6e8feb86659fd93u;
  value ^= value >> 32;
  return value;
}

std::size_t set_count(std::size_t places, std::size_t ways) {
  return std::bit_ceil(std::max<std::size_t>(1, (places + ways - 1) / ways));
}
}  // namespace

std::uint64_t limit_key(std::uint64_t seed, std::uint64_t limit) { return mix(mix(seed ^ limit) + seed); }

std::uint64_t limit_key(std::uint64_t seed, std::uint64_t limit, const IpAddress& client) {
  std::uint64_t network = 0;
  if (client.is_v4()) {
    network = client.v4_value();
  } else {
    std::memcpy(&network, client.bytes().data(), sizeof network);
    network = mix(network ^ seed) + 1;  // apart from the IPv4 addresses
  }
  return mix(limit_key(seed, limit) ^ mix(network + seed));
}

RateTable::RateTable(std::size_t places) : sets_(set_count(places, kWays)), table_(new Set[sets_]) {}

RateTable::Place& RateTable::place_for(std::uint64_t key, std::int64_t now) {
  Set& set = table_[key % sets_];
  Place* least = nullptr;
  std::int64_t least_full_at = std::numeric_limits<std::int64_t>::max();
  for (Place& place : set.places) {
    if (place.key.load(std::memory_order_relaxed) == key) return place;
    const std::int64_t full_at = place.full_at.load(std::memory_order_relaxed);
    if (full_at < least_full_at) {
      least_full_at = full_at;
      least = &place;
    }
  }
  least->key.store(key, std::memory_order_relaxed);
  least->full_at.store(now, std::memory_order_relaxed);
  return *least;
}

Duration RateTable::take(std::uint64_t key, const Rate& rate, TimePoint at) {
  if (key == 0) key = 1;
  const std::int64_t now = at.time_since_epoch().count();
  const std::int64_t interval = std::max<std::int64_t>(1, rate.interval.count());
  const std::int64_t tolerance = interval * std::max<std::int64_t>(1, rate.burst);
  Place& place = place_for(key, now);
  std::int64_t seen = place.full_at.load(std::memory_order_relaxed);
  for (;;) {
    const std::int64_t full_at = std::max(seen, now) + interval;
    if (full_at - now > tolerance) return Duration(full_at - now - tolerance);
    if (place.full_at.compare_exchange_weak(seen, full_at, std::memory_order_relaxed)) return Duration{0};
  }
}

ConcurrencyTable::ConcurrencyTable(std::size_t places)
    : sets_(set_count(places, kWays)), table_(new Set[sets_]()) {}

bool ConcurrencyTable::enter(std::uint64_t key, std::uint32_t max, Hold& hold) {
  hold.release();
  const std::uint64_t tag = key & ~kCountMask;
  Set& set = set_of(key);
  for (Place& place : set.places) {
    std::uint64_t seen = place.load(std::memory_order_relaxed);
    while ((seen & ~kCountMask) == tag && (seen & kCountMask) != 0) {
      if ((seen & kCountMask) >= std::min(max, kCountMax)) return false;
      if (place.compare_exchange_weak(seen, seen + 1, std::memory_order_relaxed)) {
        hold.place_ = &place;
        return true;
      }
    }
  }
  if (max == 0) return false;
  for (Place& place : set.places) {
    std::uint64_t seen = place.load(std::memory_order_relaxed);
    if ((seen & kCountMask) != 0) continue;
    if (place.compare_exchange_strong(seen, tag | 1, std::memory_order_relaxed)) {
      hold.place_ = &place;
      return true;
    }
  }
  return true;
}

std::uint32_t ConcurrencyTable::count(std::uint64_t key) const {
  std::uint64_t total = 0;
  for (const Place& place : set_of(key).places) {
    const std::uint64_t seen = place.load(std::memory_order_relaxed);
    if ((seen & ~kCountMask) == (key & ~kCountMask)) total += seen & kCountMask;
  }
  return static_cast<std::uint32_t>(total);
}

}  // namespace vipair::policy
