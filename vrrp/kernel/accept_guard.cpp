#include "vrrp/kernel/accept_guard.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "common/runtime/log.h"
#include "vrrp/kernel/nftables.h"

namespace vipair::vrrp {

Expected<void, std::string> AcceptGuard::apply(const AddressSet& set) {
  if (set.accept) {
    remove(set);
    return {};
  }
  if (set.addresses.empty()) return {};
  const IpFamily family = set.addresses.front().address.family();
  const Key key{set.interface_index, family, set.vrid};
  const auto known = guarded_.find(key);
  std::vector<IpAddress> added;
  for (const IpPrefix& prefix : set.addresses)
    if (known == guarded_.end() || !known->second.addresses.contains(prefix.address))
      added.push_back(prefix.address);
  if (added.empty()) return {};

  const auto failed = [&](const std::string& why) {
    return Unexpected{fmt::format(
        "packets to the addresses on {} cannot be refused, which accept = false asks for: {}", set.interface, why)};
  };
  // kept open: the kernel waits for all packets in flight when the owner of a table closes its socket
  if (!nftables_) nftables_ = open_nftables();
  if (!nftables_) return failed(fmt::format("nf_tables: {}", std::strerror(errno)));
  const std::string table = known == guarded_.end()
                                ? fmt::format("vipair-guard-{}-{}", set.interface_index, set.vrid)
                                : known->second.table;
  const Bytes transaction = known == guarded_.end() ? encode_guard_table(family, table, added)
                                                    : encode_guard_change(family, table, added, {});
  if (auto done = transact(nftables_.get(), transaction); !done) return failed(done.error());
  Guarded& guarded = guarded_[key];
  guarded.table = table;
  guarded.addresses.insert(added.begin(), added.end());
  return {};
}

void AcceptGuard::remove(const AddressSet& set) {
  if (set.addresses.empty()) return;
  const IpFamily family = set.addresses.front().address.family();
  const auto known = guarded_.find({set.interface_index, family, set.vrid});
  if (known == guarded_.end()) return;
  Guarded& guarded = known->second;
  std::vector<IpAddress> removed;
  for (const IpPrefix& prefix : set.addresses)
    if (guarded.addresses.erase(prefix.address) > 0) removed.push_back(prefix.address);
  if (removed.empty()) return;
  const bool is_last = guarded.addresses.empty();
  const Bytes transaction = is_last ? encode_table_removal(family, guarded.table)
                                    : encode_guard_change(family, guarded.table, {}, removed);
  if (auto done = transact(nftables_.get(), transaction); !done)
    log::error(fmt::format("packets to {} may still be refused: {}", removed.front().to_string(), done.error()));
  if (is_last) guarded_.erase(known);
}

}  // namespace vipair::vrrp
