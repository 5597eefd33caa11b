#pragma once
// How many requests in which time, and how many things at once, per key: a client's address and what is limited.
// Both tables have a fixed size, are shared by all workers and use no lock: memory is bounded however many clients
// come, and what a race can cost is one request counted too few.
//
// RateTable is the generic cell rate algorithm, a token bucket in one number per key: the moment at which the
// bucket will be full again. A key that was not seen for as long as its bucket needs is the same as one never seen,
// so its place is free. When all places of a set are taken, the key that is nearest to its full bucket gives way:
// somebody with a million addresses displaces small debts, not the large ones.
//
// ConcurrencyTable counts. A place is taken while its count is not zero; without a free place nothing is refused
// and nothing is counted.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "common/base/ip_address.h"
#include "common/base/time.h"

namespace vipair::policy {

// The key of a client for one limit. An IPv6 client is its /64: within that it chooses its addresses as it likes.
// `seed` is secret and random, so that nobody can choose addresses which meet in one set.
std::uint64_t limit_key(std::uint64_t seed, std::uint64_t limit, const IpAddress& client);
std::uint64_t limit_key(std::uint64_t seed, std::uint64_t limit);  // of everybody together

struct Rate {
  Duration interval{};      // one request per interval on average
  std::uint32_t burst = 1;  // and so many at once; at least 1
  friend bool operator==(const Rate&, const Rate&) = default;
};

class RateTable {
 public:
  static constexpr std::size_t kWays = 4;  // places per set: one cache line
  explicit RateTable(std::size_t places);  // rounded up to a power of two
  RateTable(const RateTable&) = delete;
  RateTable& operator=(const RateTable&) = delete;

  // Zero: the request may pass and was counted. Else it was not counted, and the next one may pass after so long.
  Duration take(std::uint64_t key, const Rate& rate, TimePoint now);
  std::size_t places() const { return sets_ * kWays; }

 private:
  struct Place {
    std::atomic<std::uint64_t> key{0};     // 0: never used
    std::atomic<std::int64_t> full_at{0};  // nanoseconds
  };
  struct alignas(64) Set {
    Place places[kWays];
  };
  Place& place_for(std::uint64_t key, std::int64_t now);

  std::size_t sets_;
  std::unique_ptr<Set[]> table_;
};

class ConcurrencyTable {
 public:
  static constexpr std::size_t kWays = 8;
  static constexpr std::uint32_t kCountMax = (1u << 24) - 1;
  explicit ConcurrencyTable(std::size_t places);
  ConcurrencyTable(const ConcurrencyTable&) = delete;
  ConcurrencyTable& operator=(const ConcurrencyTable&) = delete;

  // One of those that are counted, as long as it lives. The table outlives it.
  class Hold {
   public:
    Hold() = default;
    Hold(Hold&& other) noexcept : place_(other.place_) { other.place_ = nullptr; }
    Hold& operator=(Hold&& other) noexcept {
      if (this != &other) {
        release();
        place_ = other.place_;
        other.place_ = nullptr;
      }
      return *this;
    }
    ~Hold() { release(); }
    void release() {
      if (place_ != nullptr) place_->fetch_sub(1, std::memory_order_relaxed);
      place_ = nullptr;
    }
    bool is_counted() const { return place_ != nullptr; }

   private:
    friend class ConcurrencyTable;
    std::atomic<std::uint64_t>* place_ = nullptr;
  };

  // False: there are `max` already.
  bool enter(std::uint64_t key, std::uint32_t max, Hold& hold);
  std::uint32_t count(std::uint64_t key) const;  // for tests

 private:
  // The upper 40 bits are the key's, the lower 24 the count. With a count of zero the place is free.
  using Place = std::atomic<std::uint64_t>;
  struct alignas(64) Set {
    Place places[kWays];
  };
  static constexpr std::uint64_t kCountMask = kCountMax;
  Set& set_of(std::uint64_t key) const { return table_[key % sets_]; }

  std::size_t sets_;
  std::unique_ptr<Set[]> table_;
};

}  // namespace vipair::policy
