#include "vrrp/kernel/connection_relay.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "vrrp/kernel/nftables.h"

namespace vipair::vrrp {

ConnectionRelay::~ConnectionRelay() {
  for (auto it = relays_.begin(); it != relays_.end();) it = end(it);
}

Expected<void, std::string> ConnectionRelay::open() {
  // kept open: the kernel waits for all packets in flight when the owner of a table closes its socket
  if (!nftables_) nftables_ = open_nftables();
  if (!nftables_) return Unexpected{fmt::format("nf_tables: {}", std::strerror(errno))};
  return {};
}

Expected<void, std::string> ConnectionRelay::check() {
  if (auto opened = open(); !opened) return opened;
  for (const char* address : {"192.0.2.1", "2001:db8::1"}) {
    RelayRules rules;
    rules.addresses = {*IpAddress::parse(address)};
    rules.old_active = rules.addresses.front();
    rules.family = rules.old_active.family();
    rules.table = "vipair-relay-trial";
    rules.input_index = rules.interface_index = 1;
    rules.connections_max = 1;
    if (auto tried = transact(nftables_.get(), encode_relay_trial(rules)); !tried) return tried;
  }
  return {};
}

Expected<void, std::string> ConnectionRelay::start(TimePoint now, const AddressSet& set,
                                                   const IpAddress& old_active, std::span<const TcpConnection> own,
                                                   std::optional<int> input_index) {
  stop(set);
  if (auto opened = open(); !opened) return opened;
  RelayRules rules;
  rules.family = old_active.family();
  rules.table = fmt::format("vipair-relay-{}-{}", set.interface, ++tables_made_);
  rules.interface_index = set.interface_index;
  rules.input_index = input_index.value_or(set.interface_index);
  rules.old_active = old_active;
  rules.connections_max = kConnectionsMax;
  for (const IpPrefix& prefix : set.addresses) {
    if (prefix.address.family() == rules.family) rules.addresses.push_back(prefix.address);
  }
  std::vector<TcpConnection> own_of_family;
  std::copy_if(own.begin(), own.end(), std::back_inserter(own_of_family),
               [&](const TcpConnection& connection) { return connection.local.address.family() == rules.family; });
  rules.own = own_of_family;
  if (rules.addresses.empty()) return {};
  if (auto made = transact(nftables_.get(), encode_relay_table(rules)); !made) return made;
  relays_.push_back(Relay{set, rules.family, rules.table, now + drain_time_});
  return {};
}

void ConnectionRelay::stop(const AddressSet& set) {
  for (auto it = relays_.begin(); it != relays_.end();) it = take_out(it->set, set).empty() ? it + 1 : end(it);
}

void ConnectionRelay::release(const AddressSet& set) {
  for (auto it = relays_.begin(); it != relays_.end();) {
    take_out(it->set, set);
    it = it->set.addresses.empty() ? end(it) : it + 1;
  }
}

void ConnectionRelay::on_time(TimePoint now) {
  for (auto it = relays_.begin(); it != relays_.end();) it = now >= it->until ? end(it) : it + 1;
}

std::optional<TimePoint> ConnectionRelay::next_deadline() const {
  if (relays_.empty()) return std::nullopt;
  return std::min_element(relays_.begin(), relays_.end(),
                          [](const Relay& a, const Relay& b) { return a.until < b.until; })
      ->until;
}

ConnectionRelay::Iterator ConnectionRelay::end(Iterator relay) {
  // refused only when the table is gone already
  (void)transact(nftables_.get(), encode_table_removal(relay->family, relay->table));
  return relays_.erase(relay);
}

}  // namespace vipair::vrrp
