#pragma once
// Which server of an upstream takes the next request. One balancer per worker and upstream: where it stands is not
// shared. Servers are asked about one by one, and no more of them than needed.
//
//   primaries first; backups when no primary can take the request
//   then, unless one is merely full, a server that was ejected: if all were, that proves nothing
//   `excluded` has failed this very request and is taken only if there is no other
//
// Weights are shares: smooth weighted round robin (each turn everybody gains its weight, the richest serves and
// pays the sum), least connections per weight, two random servers of which the one with fewer connections per
// weight is taken, consistent hashing with a bound on load if one is given.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/time.h"
#include "proxy/policy/hash.h"
#include "proxy/policy/hash_ring.h"

namespace vipair::policy {

enum class Algorithm : std::uint8_t { round_robin, least_connections, random, hash };

enum class Usability : std::uint8_t {
  usable,
  full,     // max_connections are in use
  ejected,  // it failed of late
  down,     // its health check, or the operator, says so
};

// A Server, as the balancer asks about it:
//   Usability usability(TimePoint now)
//   TimePoint ejected_until()
//   std::uint64_t weight(TimePoint now)    above 0; grows while it starts slowly
//   std::uint64_t load()                   requests it works on, of all workers
class Balancer {
 public:
  struct Settings {
    Algorithm algorithm = Algorithm::round_robin;
    std::size_t primaries = 0;       // the first so many; backups stand behind them
    std::vector<unsigned> weights;   // of all; the configured ones
    bool weights_change = false;     // a slow start is configured
    const HashRing* ring = nullptr;  // of the primaries, with hash; not owned
    unsigned hash_load_max = 0;      // percent of the mean load; 0: any
    std::uint64_t seed = 0;          // of random choices
  };
  struct Choice {
    std::optional<std::size_t> index;
    bool is_full = false;  // nobody, but there will be when a request ends
  };

  Balancer() = default;
  explicit Balancer(Settings settings) : settings_(std::move(settings)), state_(mix(settings_.seed) | 1) {
    const std::vector<unsigned>& weights = settings_.weights;
    is_weighted_ = settings_.weights_change || std::any_of(weights.begin(), weights.end(), [&](unsigned weight) {
                     return weight != weights.front();
                   });
    if (is_weighted_) gained_.resize(weights.size());
    std::uint64_t sum = 0;
    if (settings_.algorithm == Algorithm::random) {
      for (unsigned weight : weights) sums_.push_back(sum += weight);
    }
  }

  // server_at(index) gives a Server. `key` is the hash of what the request is to be told by.
  template <class ServerAt>
  Choice pick(ServerAt server_at, TimePoint now, std::uint64_t key = 0, std::optional<std::size_t> excluded = {}) {
    const std::size_t count = settings_.weights.size();
    Choice choice;
    auto is_usable = [&](std::size_t index) {
      if (index == excluded) return false;
      const Usability usability = server_at(index).usability(now);
      choice.is_full |= usability == Usability::full;
      return usability == Usability::usable;
    };
    choice.index = pick_of({0, settings_.primaries, &next_primary_}, server_at, is_usable, now, key);
    if (!choice.index && settings_.primaries < count) {
      choice.index = pick_of({settings_.primaries, count, &next_backup_}, server_at, is_usable, now, key);
    }
    if (!choice.index && !choice.is_full) choice.index = last_resort(server_at, now, excluded);
    if (choice.index) choice.is_full = false;
    return choice;
  }

 private:
  struct Range {
    std::size_t begin, end;
    std::size_t* next;  // where the next turn begins
    std::size_t size() const { return end - begin; }
    std::size_t at(std::size_t turn) const { return begin + (*next + turn) % size(); }
    void took(std::size_t index) { *next = index - begin + 1; }
  };

  template <class ServerAt, class IsUsable>
  std::optional<std::size_t> pick_of(Range range, ServerAt& server_at, IsUsable& is_usable, TimePoint now,
                                     std::uint64_t key) {
    switch (settings_.algorithm) {
      case Algorithm::round_robin:
        return is_weighted_ ? smooth(range, server_at, is_usable, now) : next_of(range, is_usable);
      case Algorithm::least_connections:
        return least_loaded(range, server_at, is_usable, now);
      case Algorithm::random:
        return less_loaded_of_two(range, server_at, is_usable, now);
      case Algorithm::hash:
        return range.next == &next_primary_ ? owner_of(key, range, server_at, is_usable, now)
                                            : next_of(range, is_usable);
    }
    return {};
  }

  template <class IsUsable>
  std::optional<std::size_t> next_of(Range range, IsUsable& is_usable) {
    for (std::size_t turn = 0; turn < range.size(); ++turn) {
      const std::size_t index = range.at(turn);
      if (!is_usable(index)) continue;
      range.took(index);
      return index;
    }
    return {};
  }

  template <class ServerAt, class IsUsable>
  std::optional<std::size_t> smooth(Range range, ServerAt& server_at, IsUsable& is_usable, TimePoint now) {
    std::optional<std::size_t> richest;
    std::int64_t sum = 0;
    for (std::size_t index = range.begin; index < range.end; ++index) {
      if (!is_usable(index)) continue;
      const auto weight = static_cast<std::int64_t>(server_at(index).weight(now));
      sum += weight;
      gained_[index] += weight;
      if (!richest || gained_[index] > gained_[*richest]) richest = index;
    }
    if (richest) gained_[*richest] -= sum;
    return richest;
  }

  // Equals take turns. One more than the load, so that a weight means something to idle servers too.
  template <class ServerAt, class IsUsable>
  std::optional<std::size_t> least_loaded(Range range, ServerAt& server_at, IsUsable& is_usable, TimePoint now) {
    std::optional<std::size_t> least;
    std::uint64_t least_load = 0, least_weight = 1;
    for (std::size_t turn = 0; turn < range.size(); ++turn) {
      const std::size_t index = range.at(turn);
      if (!is_usable(index)) continue;
      const std::uint64_t load = server_at(index).load() + 1, weight = server_at(index).weight(now);
      if (least && load * least_weight >= least_load * weight) continue;
      least = index;
      least_load = load;
      least_weight = weight;
    }
    if (least) range.took(*least);
    return least;
  }

  template <class ServerAt, class IsUsable>
  std::optional<std::size_t> less_loaded_of_two(Range range, ServerAt& server_at, IsUsable& is_usable,
                                                TimePoint now) {
    constexpr int kDraws = 8;  // most servers are usable; if not, all are looked at
    std::optional<std::size_t> first;
    for (int draw = 0; draw < kDraws && range.size() > 1; ++draw) {
      const std::size_t index = drawn_of(range);
      if (!is_usable(index)) continue;
      if (!first) {
        first = index;
        continue;
      }
      auto&& one = server_at(*first);
      auto&& other = server_at(index);
      return other.load() * one.weight(now) < one.load() * other.weight(now) ? index : *first;
    }
    return first ? first : least_loaded(range, server_at, is_usable, now);
  }

  template <class ServerAt, class IsUsable>
  std::optional<std::size_t> owner_of(std::uint64_t key, Range range, ServerAt& server_at, IsUsable& is_usable,
                                      TimePoint now) {
    if (settings_.hash_load_max != 0) {
      std::uint64_t load = 1, weight = 0;  // with the request that is being placed
      for (std::size_t index = range.begin; index < range.end; ++index) {
        if (server_at(index).usability(now) != Usability::usable) continue;
        load += server_at(index).load();
        weight += server_at(index).weight(now);
      }
      auto has_room = [&](std::size_t index) {
        if (!is_usable(index)) return false;
        auto&& server = server_at(index);
        return server.load() * weight * 100 < load * server.weight(now) * settings_.hash_load_max;
      };
      if (const auto found = settings_.ring->find(key, has_room)) return found;
    }
    return settings_.ring->find(key, is_usable);
  }

  template <class ServerAt>
  std::optional<std::size_t> last_resort(ServerAt& server_at, TimePoint now, std::optional<std::size_t> excluded) {
    std::optional<std::size_t> first;
    TimePoint until{};
    for (std::size_t index = 0; index < settings_.weights.size(); ++index) {
      if (index == excluded || server_at(index).usability(now) != Usability::ejected) continue;
      const TimePoint ends = server_at(index).ejected_until();
      if (first && ends >= until) continue;
      first = index;
      until = ends;
    }
    if (first || !excluded || *excluded >= settings_.weights.size()) return first;
    const Usability usability = server_at(*excluded).usability(now);
    return usability == Usability::usable || usability == Usability::ejected ? excluded : std::nullopt;
  }

  // By weight: the smallest sum above a random number.
  std::size_t drawn_of(Range range) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    const std::uint64_t before = range.begin == 0 ? 0 : sums_[range.begin - 1];
    const std::uint64_t drawn = before + mix(state_) % (sums_[range.end - 1] - before);
    return static_cast<std::size_t>(std::upper_bound(sums_.begin(), sums_.end(), drawn) - sums_.begin());
  }

  Settings settings_;
  std::uint64_t state_ = 1;
  bool is_weighted_ = false;
  std::size_t next_primary_ = 0, next_backup_ = 0;
  std::vector<std::int64_t> gained_;
  std::vector<std::uint64_t> sums_;
};

}  // namespace vipair::policy
