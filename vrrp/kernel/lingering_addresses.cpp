#include "vrrp/kernel/lingering_addresses.h"

#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "vrrp/kernel/netlink_reader.h"
#include "vrrp/kernel/netlink_writer.h"

namespace vipair::vrrp {
namespace {

bool has_v4(const AddressSet& set) {
  return std::any_of(set.addresses.begin(), set.addresses.end(),
                     [](const IpPrefix& prefix) { return prefix.address.is_v4(); });
}

IpPrefix host_prefix(const IpAddress& address) { return {address, address.bits_max()}; }

int loopback_index() { return static_cast<int>(::if_nametoindex("lo")); }

std::optional<IpEndpoint> endpoint(int family, const std::uint32_t* words, std::uint16_t port) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(words);
  auto address = IpAddress::from_bytes({bytes, family == AF_INET ? 4u : 16u});
  constexpr std::array<std::uint8_t, 12> mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  if (family == AF_INET6 && std::equal(mapped.begin(), mapped.end(), bytes)) {  // IPv4 over an IPv6 socket
    address = IpAddress::from_bytes({bytes + mapped.size(), 4});
  }
  if (!address) return std::nullopt;
  return IpEndpoint{*address, ntohs(port)};
}

}  // namespace

std::vector<IpPrefix> take_out(AddressSet& from, const AddressSet& those) {
  std::vector<IpPrefix> taken;
  if (from.interface_index != those.interface_index) return taken;
  const std::set<IpPrefix> wanted(those.addresses.begin(), those.addresses.end());
  std::erase_if(from.addresses, [&](const IpPrefix& prefix) {
    const bool is_wanted = wanted.contains(prefix);
    if (is_wanted) taken.push_back(prefix);
    return is_wanted;
  });
  return taken;
}

LingeringAddresses::LingeringAddresses(Duration drain_time, std::function<void()> changed)
    : drain_time_(drain_time),
      changed_(std::move(changed)),
      settings_([this] { tell(); }),
      rtnetlink_(open_rtnetlink()),
      batch_(rtnetlink_.get()) {}

LingeringAddresses::~LingeringAddresses() { stop(); }

Expected<void, std::string> LingeringAddresses::start(TimePoint now, const AddressSet& set) {
  for (Lingering& old : lingering_) take_out(old.set, set);  // they begin anew
  lingering_.push_back(Lingering{set, now + drain_time_, now + kLookInterval, has_v4(set)});
  // told before anything of it is done
  if (!has_v4(set) || !settings_.hold(set.interface_index, InterfaceNeed::quiet)) tell();
  forget_empty();

  const int lo = loopback_index();
  for (const IpPrefix& prefix : set.addresses)
    batch_.add_host_address(lo, prefix.address, drain_time_ + kLifetimeMargin);
  const int add_error = batch_.flush();
  for (const IpPrefix& prefix : set.addresses) batch_.remove_address(set.interface_index, prefix);
  const int remove_error = batch_.flush();

  if (add_error == 0 && remove_error == 0) return {};
  end(lingering_.end() - 1);
  if (remove_error != 0) {
    return Unexpected{
        fmt::format("cannot remove the addresses of {} from it: {}", set.interface, std::strerror(remove_error))};
  }
  return Unexpected{fmt::format("cannot keep the addresses of {} on lo for their connections, which break now: {}",
                                set.interface, std::strerror(add_error))};
}

LingeringState LingeringAddresses::state(const std::vector<AddressSet>& also) {
  LingeringState state;
  state.drain_time = drain_time_;
  state.settings = settings_.saved();
  for (const Lingering& lingering : lingering_) state.entries.push_back({lingering.set, lingering.until});
  std::map<int, std::vector<InterfaceSetting>> read;
  for (AddressSet set : also) {
    for (const Lingering& lingering : lingering_) take_out(set, lingering.set);
    if (set.addresses.empty()) continue;
    const int index = set.interface_index;
    if (has_v4(set) && !read.contains(index)) {
      const auto known = read_.find(index);
      read[index] = known == read_.end() ? settings_.to_change(index, InterfaceNeed::quiet) : known->second;
    }
    state.entries.push_back({std::move(set), std::nullopt});
  }
  read_ = std::move(read);
  for (const auto& [index, settings] : read_)
    for (const InterfaceSetting& setting : settings)
      if (!settings_.is_saved(setting.interface_index, setting.id)) state.settings.push_back(setting);
  return state;
}

void LingeringAddresses::adopt(TimePoint now, const LingeringState& left) {
  settings_.adopt(left.settings);
  for (const LingeringState::Entry& entry : left.entries) {
    AddressSet set = entry.set;
    for (const Lingering& lingering : lingering_) take_out(set, lingering.set);
    if (set.addresses.empty()) continue;
    if (has_v4(set)) settings_.hold(set.interface_index, InterfaceNeed::quiet);
    const bool is_quiet = has_v4(set);
    lingering_.push_back(
        {std::move(set), entry.until.value_or(now + left.drain_time), now + kLookInterval, is_quiet});
  }
  if (!settings_.restore_unneeded() && !left.entries.empty()) tell();
}

void LingeringAddresses::forget() {
  lingering_.clear();
  settings_.forget();
}

bool LingeringAddresses::lingers(const IpAddress& address) const {
  return std::any_of(lingering_.begin(), lingering_.end(), [&](const Lingering& lingering) {
    return std::any_of(lingering.set.addresses.begin(), lingering.set.addresses.end(),
                       [&](const IpPrefix& prefix) { return prefix.address == address; });
  });
}

void LingeringAddresses::cancel(const AddressSet& set) {
  const int lo = loopback_index();
  bool has_changed = false;
  for (Lingering& lingering : lingering_) {
    for (const IpPrefix& prefix : take_out(lingering.set, set)) {
      batch_.remove_address(lo, host_prefix(prefix.address));
      has_changed = true;
    }
  }
  if (!has_changed) return;
  (void)batch_.flush();
  forget_empty();
  tell();
}

void LingeringAddresses::forget_empty() {
  for (auto it = lingering_.begin(); it != lingering_.end();) {
    if (!it->set.addresses.empty()) {
      ++it;
      continue;
    }
    const Lingering gone = std::move(*it);
    it = lingering_.erase(it);
    if (gone.is_quiet) settings_.let_go(gone.set.interface_index, InterfaceNeed::quiet);
  }
}

std::vector<TcpConnection> LingeringAddresses::connections(const AddressSet& set) const {
  std::vector<TcpConnection> found;
  std::unordered_set<IpAddress> ours;
  for (const Lingering& lingering : lingering_) {
    AddressSet rest = lingering.set;
    for (const IpPrefix& prefix : take_out(rest, set)) ours.insert(prefix.address);
  }
  if (ours.empty()) return found;
  (void)for_each_tcp_connection([&](const TcpConnection& connection) {
    if (ours.contains(connection.local.address)) found.push_back(connection);
    return true;
  });
  return found;
}

void LingeringAddresses::on_time(TimePoint now) {
  for (auto it = lingering_.begin(); it != lingering_.end();) it = now >= it->until ? end(it) : it + 1;

  // one walk over the sockets serves all whose time to look has come; it ends as soon as each has shown a
  // connection
  std::unordered_map<IpAddress, std::size_t> index_of;
  std::vector<bool> is_idle(lingering_.size(), false);
  std::size_t unknown = 0;
  for (std::size_t i = 0; i < lingering_.size(); ++i) {
    if (now < lingering_[i].look_at) continue;
    lingering_[i].look_at = now + kLookInterval;
    is_idle[i] = true;
    ++unknown;
    for (const IpPrefix& prefix : lingering_[i].set.addresses) index_of.emplace(prefix.address, i);
  }
  if (unknown == 0) return;
  const bool is_complete = for_each_tcp_connection([&](const TcpConnection& connection) {
    const auto found = index_of.find(connection.local.address);
    if (found != index_of.end() && is_idle[found->second]) {
      is_idle[found->second] = false;
      --unknown;
    }
    return unknown != 0;
  });
  if (!is_complete) return;
  for (std::size_t i = lingering_.size(); i-- > 0;) {
    if (is_idle[i]) end(lingering_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

std::optional<TimePoint> LingeringAddresses::next_deadline() const {
  std::optional<TimePoint> next;
  for (const Lingering& lingering : lingering_) {
    const TimePoint at = std::min(lingering.until, lingering.look_at);
    next = next ? std::min(*next, at) : at;
  }
  return next;
}

void LingeringAddresses::stop() {
  while (!lingering_.empty()) end(lingering_.begin());
}

LingeringAddresses::Iterator LingeringAddresses::end(Iterator lingering) {
  const int lo = loopback_index();
  const AddressSet ended = std::move(lingering->set);
  for (const IpPrefix& prefix : ended.addresses) {
    batch_.remove_address(lo, IpPrefix{prefix.address, prefix.address.bits_max()});
  }
  (void)batch_.flush();
  const Iterator next = lingering_.erase(lingering);
  if (!has_v4(ended) || !settings_.let_go(ended.interface_index, InterfaceNeed::quiet)) tell();
  return next;
}

void LingeringAddresses::tell() const {
  if (changed_) changed_();
}

bool for_each_tcp_connection(const std::function<bool(const TcpConnection&)>& each) {
  // a socket of its own: closing it ends a dump that is not wanted any longer
  const UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG));
  if (!socket) return false;
  std::size_t read = 0;
  for (const int family : {AF_INET, AF_INET6}) {
    NetlinkWriter request;
    inet_diag_req_v2 header{};
    header.sdiag_family = static_cast<std::uint8_t>(family);
    header.sdiag_protocol = IPPROTO_TCP;
    header.idiag_states = ~(1u << TCP_CLOSE | 1u << TCP_LISTEN | 1u << TCP_TIME_WAIT);
    request.message(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, 1, header);
    bool has_enough = false;
    const int error = ask(socket.get(), request, [&](const nlmsghdr& message) {
      if (message.nlmsg_len < NLMSG_LENGTH(sizeof(inet_diag_msg))) return true;
      if (++read > LingeringAddresses::kSocketsReadMax) return false;
      inet_diag_msg entry;
      std::memcpy(&entry, NLMSG_DATA(&message), sizeof entry);
      const auto local = endpoint(entry.idiag_family, entry.id.idiag_src, entry.id.idiag_sport);
      const auto remote = endpoint(entry.idiag_family, entry.id.idiag_dst, entry.id.idiag_dport);
      if (!local || !remote) return true;
      has_enough = !each(TcpConnection{*local, *remote});
      return !has_enough;
    });
    if (has_enough) return true;
    if (error != 0 && error != ENOENT) return false;  // ENOENT: the family is not compiled in
  }
  return true;
}

}  // namespace vipair::vrrp
