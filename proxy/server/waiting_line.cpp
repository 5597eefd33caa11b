#include "proxy/server/waiting_line.h"

#include <algorithm>

namespace vipair::proxy {

namespace {
constexpr auto kRelaxed = std::memory_order_relaxed;
}

void WaitingLine::enter(Place& place) {
  (place.wanted == nullptr ? for_any_ : for_one_).push_back(place);
  if (place.wanted == nullptr) numbers_->waiting_for_any.fetch_add(1, kRelaxed);
  ++size_;
  slot().waiting.add();
  tell();
}

void WaitingLine::leave(Place& place) {
  if (!place.is_linked()) return;
  place.unlink();
  if (place.wanted == nullptr) numbers_->waiting_for_any.fetch_sub(1, kRelaxed);
  --size_;
  slot().waiting.subtract();
  tell();
}

bool WaitingLine::is_first(const Place& place) const {
  if (place.wanted == nullptr) return for_any_.front() == &place;
  const Place* first = nullptr;
  for_one_.for_each([&](const Place& each) {
    if (first == nullptr && each.wanted == place.wanted) first = &each;
  });
  return first == &place;
}

void WaitingLine::wake_next(const Server& server) {
  Place* next = for_any_.front();
  for_one_.for_each([&](Place& each) {
    if (each.wanted == &server && (next == nullptr || each.since < next->since)) next = &each;
  });
  if (next != nullptr) next->waiter->wake();
}

std::size_t WaitingLine::longest_waiting() const {
  std::size_t longest = worker_;
  std::int64_t since = slot().waits_since.load(kRelaxed);
  for (std::size_t i = 0; i < numbers_->slots.size(); ++i) {
    const std::int64_t each = numbers_->slots[i].waits_since.load(kRelaxed);
    if (each == 0 || (since != 0 && each >= since)) continue;
    since = each;
    longest = i;
  }
  return longest;
}

void WaitingLine::tell() {
  TimePoint since = TimePoint::max();
  for (const Place* first : {for_any_.front(), for_one_.front()}) {
    if (first != nullptr) since = std::min(since, first->since);
  }
  slot().waits_since.store(size_ == 0 ? 0 : std::max<std::int64_t>(1, since.time_since_epoch().count()), kRelaxed);
}

}  // namespace vipair::proxy
