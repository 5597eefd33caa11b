#pragma once
// What one VRRP instance wants to hold and what it holds: thousands of addresses take longer to come and go than a
// peer may be kept waiting for an advertisement, so the difference is worked off in slices, each a call of Host.
// Bookkeeping only: the virtual router asks what is next, does it and says so. Slices follow the order of the
// configuration (RFC 9568 section 5.2.9 wants the IPv6 link-local address first).

#include <cstddef>
#include <deque>
#include <set>
#include <vector>

#include "common/base/ip_address.h"
#include "vrrp/core/types.h"

namespace vipair::vrrp {

class Holdings {
 public:
  // ---- what is wanted

  // These and no others from now on. What is held beyond them is to be released at once.
  void want(std::vector<IpPrefix> addresses);
  // None any more.
  void let_go(ReleaseMode mode);
  // What is held is claimed once more: how it is held has changed.
  void claim_again();
  // Somebody else removed it; false when it was not held. It is missing from the next want() on.
  bool lose(const IpAddress& address);
  // Another virtual router of this node leaves it where it is; false when it is not wanted here.
  bool inherit(const IpPrefix& address);

  // ---- what is next, at most `max` at a time

  bool is_missing_any() const { return !missing_.empty(); }
  bool is_holding_too_many() const { return !surplus_.empty(); }
  bool is_announcing() const { return !unannounced_.empty() || may_repeat(); }

  std::vector<IpPrefix> next_to_claim(std::size_t max) const { return first(missing_, max); }
  void claimed(std::size_t count);  // the first so many of them; they are to be announced

  std::vector<IpPrefix> next_to_release(std::size_t max) const { return first(surplus_, max); }
  ReleaseMode release_mode() const { return release_mode_; }
  void released(std::size_t count);

  // What was not announced yet goes first; the others follow when nothing is missing any more.
  void announce_all();
  std::vector<IpAddress> take_announcements(std::size_t max);

  // ---- what is

  // All that is there or may be: what a last will has to name.
  std::vector<IpPrefix> named() const;
  bool wants_nothing() const { return wanted_.empty(); }
  bool is_empty() const { return wanted_.empty() && surplus_.empty(); }
  std::size_t held() const { return held_.size(); }

 private:
  static std::vector<IpPrefix> first(const std::deque<IpPrefix>& list, std::size_t max);
  bool may_repeat() const { return !to_repeat_.empty() && missing_.empty(); }
  bool is_wanted(const IpPrefix& address) const { return wanted_set_.contains(address); }

  std::vector<IpPrefix> wanted_;   // in order
  std::set<IpPrefix> wanted_set_;  // the same
  std::set<IpPrefix> held_;        // put there by us and not known to be gone
  std::deque<IpPrefix> missing_;   // wanted, not held
  std::deque<IpPrefix> surplus_;   // held, not wanted
  std::deque<IpPrefix> unannounced_, to_repeat_;
  ReleaseMode release_mode_ = ReleaseMode::immediate;
};

}  // namespace vipair::vrrp
