#include "proxy/server/traffic.h"

#include <algorithm>

namespace vipair::proxy {

std::size_t duration_bucket(Duration duration) {
  const double milliseconds = std::chrono::duration<double, std::milli>(duration).count();
  const auto found = std::lower_bound(kDurationBoundsMs.begin(), kDurationBoundsMs.end(), milliseconds);
  return static_cast<std::size_t>(found - kDurationBoundsMs.begin());
}

Traffic::~Traffic() {
  for (auto& part : parts_) delete part.load(std::memory_order_relaxed);
}

void Traffic::add(std::size_t worker, const Served& served) {
  std::atomic<Part*>& place = parts_[worker];
  Part* part = place.load(std::memory_order_relaxed);
  if (part == nullptr) {
    part = new Part;
    place.store(part, std::memory_order_release);
  }
  part->responses[static_cast<std::size_t>(served.status / 100) % part->responses.size()].add();
  part->request_bytes.add(served.request_bytes);
  part->response_bytes.add(served.response_bytes);
  part->durations[duration_bucket(served.duration)].add();
  part->micros.add(
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, served.duration / std::chrono::microseconds(1))));
}

Traffic::Sum Traffic::sum() const {
  Sum sum;
  std::uint64_t micros = 0;
  for (const auto& place : parts_) {
    const Part* part = place.load(std::memory_order_acquire);
    if (part == nullptr) continue;
    for (std::size_t i = 0; i < sum.responses.size(); ++i) sum.responses[i] += part->responses[i].get();
    for (std::size_t i = 0; i < sum.durations.size(); ++i) sum.durations[i] += part->durations[i].get();
    sum.request_bytes += part->request_bytes.get();
    sum.response_bytes += part->response_bytes.get();
    micros += part->micros.get();
  }
  for (const std::uint64_t count : sum.durations) sum.requests += count;
  sum.seconds = static_cast<double>(micros) / 1e6;
  return sum;
}

}  // namespace vipair::proxy
