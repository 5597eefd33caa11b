#include "vrrp/kernel/answer_lease.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "vrrp/kernel/nftables.h"

namespace vipair::vrrp {

Duration lease_duration(Duration hang_timeout) { return std::max(kLeaseMin, hang_timeout * 5 / 4); }

AnswerLease::~AnswerLease() {
  if (!covered_v4_.empty() || !covered_v6_.empty()) (void)remove_leftovers();
}

Expected<void, std::string> AnswerLease::open() {
  if (!nftables_) nftables_ = open_nftables();
  if (!nftables_) return Unexpected{fmt::format("nf_tables: {}", std::strerror(errno))};
  return {};
}

Expected<void, std::string> AnswerLease::remove_leftovers() {
  if (auto opened = open(); !opened) return opened;
  covered_v4_.clear();
  covered_v6_.clear();
  Expected<void, std::string> done;
  for (const IpFamily family : {IpFamily::ipv4, IpFamily::ipv6})
    if (auto removed = transact(nftables_.get(), encode_lease_removal(family)); !removed) done = removed;
  return done;
}

Expected<void, std::string> AnswerLease::cover(const AddressSet& set) {
  if (set.addresses.empty()) return {};
  if (auto opened = open(); !opened) return opened;
  const IpFamily family = set.addresses.front().address.family();
  std::set<IpAddress>& known = covered(family);
  std::vector<IpAddress> added;
  for (const IpPrefix& prefix : set.addresses)
    if (!known.contains(prefix.address)) added.push_back(prefix.address);
  if (added.empty()) return {};
  const Bytes transaction =
      known.empty() ? encode_lease_table(family, added, duration_) : encode_lease_change(family, added, {});
  if (auto done = transact(nftables_.get(), transaction); !done) return done;
  known.insert(added.begin(), added.end());
  return {};
}

void AnswerLease::uncover(const AddressSet& set) {
  if (set.addresses.empty()) return;
  const IpFamily family = set.addresses.front().address.family();
  std::set<IpAddress>& known = covered(family);
  std::vector<IpAddress> removed;
  for (const IpPrefix& prefix : set.addresses)
    if (known.erase(prefix.address) > 0) removed.push_back(prefix.address);
  if (removed.empty()) return;
  (void)transact(nftables_.get(),
                 known.empty() ? encode_lease_removal(family) : encode_lease_change(family, {}, removed));
}

void LeaseKeeper::renew(TimePoint now, Duration duration, std::uint32_t held) {
  if (std::exchange(held_, held) == 0) return restart(now);  // nothing to renew, or it is new
  if (held == 0 || now - renewed_at_ < duration / 4) return;
  if (now - renewed_at_ > duration && !silent_until_) silent_until_ = now + duration;
  if (silent_until_ && now < *silent_until_) return;
  silent_until_.reset();
  renewed_at_ = now;
  if (!nftables_) nftables_ = open_nftables();
  if (!nftables_) return;
  for (const IpFamily family : {IpFamily::ipv4, IpFamily::ipv6}) {
    const std::uint32_t bit = held_bit(family);
    if (!(held & bit) || (!(seen_ & bit) && !has_lease_table(nftables_.get(), family))) continue;
    const bool is_renewed = renew_lease(nftables_.get(), family, duration);
    seen_ = is_renewed ? seen_ | bit : seen_ & ~bit;
  }
}

void LeaseKeeper::restart(TimePoint now) {
  renewed_at_ = now;
  seen_ = 0;
  silent_until_.reset();
}

}  // namespace vipair::vrrp
