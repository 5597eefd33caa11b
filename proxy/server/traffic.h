#pragma once
// What was served, in numbers, of one site or one upstream: requests by class, bytes, and how long they took, as
// Prometheus counts it. The same object in every snapshot that has the site, so that a reload loses no number.
//
// Each worker writes a part of its own, made when it serves the first request: 100,000 sites that are seldom asked
// for cost next to nothing.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/time.h"
#include "proxy/server/counters.h"

namespace vipair::proxy {

inline constexpr std::size_t kDurationBounds = 13;
// Upper bounds in milliseconds; one more bucket has none.
inline constexpr std::array<double, kDurationBounds> kDurationBoundsMs{1,   2.5, 5,    10,   25,   50,   100,
                                                                       250, 500, 1000, 2500, 5000, 10000};
std::size_t duration_bucket(Duration duration);

struct Served {
  int status = 0;                                       // 0: the client went away
  std::uint64_t request_bytes = 0, response_bytes = 0;  // payload
  Duration duration{};
};

class Traffic {
 public:
  explicit Traffic(std::size_t workers) : parts_(workers) {}
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;
  ~Traffic();

  void add(std::size_t worker, const Served& served);  // in that worker's thread

  // The sum over all workers; from any thread.
  struct Sum {
    std::array<std::uint64_t, 6> responses{};  // by first digit
    std::uint64_t requests = 0, request_bytes = 0, response_bytes = 0;
    std::array<std::uint64_t, kDurationBounds + 1> durations{};  // per bucket, not cumulative
    double seconds = 0;
  };
  Sum sum() const;

 private:
  struct Part {
    std::array<Counter, 6> responses;
    Counter request_bytes, response_bytes;
    std::array<Counter, kDurationBounds + 1> durations;
    Counter micros;
  };
  std::vector<std::atomic<Part*>> parts_;
};

}  // namespace vipair::proxy
