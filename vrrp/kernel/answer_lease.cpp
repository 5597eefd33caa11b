#include "vrrp/kernel/answer_lease.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "vrrp/kernel/nftables.h"

namespace vipair::vrrp {

AnswerLease::~AnswerLease() {
  if (arp_.is_made || ip6_.is_made) (void)remove_leftovers();
}

Expected<void, std::string> AnswerLease::open() {
  if (!nftables_) nftables_ = open_nftables();
  if (!nftables_) return Unexpected{fmt::format("nf_tables: {}", std::strerror(errno))};
  return {};
}

Expected<void, std::string> AnswerLease::remove_leftovers() {
  if (auto opened = open(); !opened) return opened;
  arp_ = ip6_ = {};
  Expected<void, std::string> done;
  for (const IpFamily family : {IpFamily::ipv4, IpFamily::ipv6})
    if (auto removed = transact(nftables_.get(), encode_lease_removal(family)); !removed) done = removed;
  return done;
}

Expected<void, std::string> AnswerLease::cover(TimePoint now, const AddressSet& set) {
  if (set.addresses.empty()) return {};
  if (auto opened = open(); !opened) return opened;
  const IpFamily family = set.addresses.front().address.family();
  const bool was_idle = arp_.addresses.empty() && ip6_.addresses.empty();
  Table& table = table_of(family);
  std::vector<IpAddress> added;
  for (const IpPrefix& prefix : set.addresses)
    if (!table.addresses.contains(prefix.address)) added.push_back(prefix.address);
  if (added.empty()) return {};
  const Bytes transaction =
      table.is_made ? encode_lease_change(family, added, {}) : encode_lease_table(family, added, duration_);
  if (auto done = transact(nftables_.get(), transaction); !done) return done;
  table.is_made = true;
  table.addresses.insert(added.begin(), added.end());
  if (was_idle) {
    silent_until_.reset();
    renewed_at_ = now - duration_;
    renew(now);
  }
  return {};
}

void AnswerLease::uncover(const AddressSet& set) {
  if (set.addresses.empty()) return;
  const IpFamily family = set.addresses.front().address.family();
  Table& table = table_of(family);
  std::vector<IpAddress> removed;
  for (const IpPrefix& prefix : set.addresses)
    if (table.addresses.erase(prefix.address) > 0) removed.push_back(prefix.address);
  if (!removed.empty()) (void)transact(nftables_.get(), encode_lease_change(family, {}, removed));
}

void AnswerLease::renew(TimePoint now) {
  if (arp_.addresses.empty() && ip6_.addresses.empty()) return;
  if (now - renewed_at_ < duration_ / 4) return;
  if (now - renewed_at_ > duration_ && !silent_until_) silent_until_ = now + duration_;
  if (silent_until_ && now < *silent_until_) return;
  silent_until_.reset();
  renewed_at_ = now;
  for (const IpFamily family : {IpFamily::ipv4, IpFamily::ipv6})
    if (table_of(family).is_made) renew_lease(nftables_.get(), family, duration_);
}

}  // namespace vipair::vrrp
