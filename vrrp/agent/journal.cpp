#include "vrrp/agent/journal.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace vipair::vrrp {

void Journal::add(JournalEntry entry) {
  if (entries_.size() == kJournalMax) {
    entries_.pop_front();
    ++lost_;
  }
  entries_.push_back(std::move(entry));
}

std::vector<JournalEntry> Journal::take() {
  std::vector<JournalEntry> taken(std::make_move_iterator(entries_.begin()),
                                  std::make_move_iterator(entries_.end()));
  entries_.clear();
  return taken;
}

std::optional<std::uint64_t> RateLimit::pass(TimePoint now) {
  if (passed_at_ && now - *passed_at_ < kInterval) {
    ++suppressed_;
    return std::nullopt;
  }
  passed_at_ = now;
  return std::exchange(suppressed_, 0);
}

Duration Backoff::next() {
  const Duration current = next_;
  next_ = std::min(last_, 2 * current);
  return current;
}

}  // namespace vipair::vrrp
