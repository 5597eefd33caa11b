#include "vrrp/kernel/lingering_addresses.h"

#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <linux/if_link.h>
#include <linux/inet_diag.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "vrrp/kernel/netlink_writer.h"

namespace vipair::vrrp {
namespace {

constexpr int kAnswerTimeoutMs = 100;  // never reached: the kernel answers before the request returns

constexpr std::array kQuietInterface = {IPV4_DEVCONF_ARP_IGNORE, IPV4_DEVCONF_ARP_ANNOUNCE};

bool has_v4(const AddressSet& set) {
  return std::any_of(set.addresses.begin(), set.addresses.end(),
                     [](const IpPrefix& prefix) { return prefix.address.is_v4(); });
}

// Whether something lingers because of this set.
struct IsOf {
  const AddressSet& set;
  bool operator()(const auto& lingering) const {
    return lingering.set.interface_index == set.interface_index && lingering.set.addresses == set.addresses;
  }
};

int loopback_index() { return static_cast<int>(::if_nametoindex("lo")); }

// Sends one request and calls `each(message)` with what is answered, until it returns false or the answer ends. 0
// or errno; ECANCELED when `each` had enough.
template <class Each>
int ask(int socket, const NetlinkWriter& request, Each&& each) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (::sendto(socket, request.bytes().data(), request.bytes().size(), MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) < 0) {
    return errno;
  }
  alignas(nlmsghdr) std::array<char, 32 * 1024> buffer;
  for (;;) {
    pollfd readable = {socket, POLLIN, 0};
    if (::poll(&readable, 1, kAnswerTimeoutMs) == 0) return ETIMEDOUT;
    const ssize_t size = ::recv(socket, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno;
    auto left = static_cast<std::size_t>(size);
    for (auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data()); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_DONE) return 0;
      if (message->nlmsg_type == NLMSG_ERROR) {
        nlmsgerr answer{};
        if (message->nlmsg_len >= NLMSG_LENGTH(sizeof answer))
          std::memcpy(&answer, NLMSG_DATA(message), sizeof answer);
        return -answer.error;
      }
      if (!each(*message)) return ECANCELED;
    }
  }
}

ByteView content(const nlattr& attribute) {
  return {reinterpret_cast<const std::uint8_t*>(&attribute) + NLA_HDRLEN,
          static_cast<std::size_t>(attribute.nla_len - NLA_HDRLEN)};
}

// The attribute `type` in a row of attributes; empty when there is none.
ByteView find_attribute(ByteView row, int type) {
  while (row.size() >= sizeof(nlattr)) {
    nlattr header;
    std::memcpy(&header, row.data(), sizeof header);
    if (header.nla_len < sizeof header || header.nla_len > row.size()) break;
    if ((header.nla_type & NLA_TYPE_MASK) == type) return content(*reinterpret_cast<const nlattr*>(row.data()));
    row = row.subspan(std::min<std::size_t>(NLA_ALIGN(header.nla_len), row.size()));
  }
  return {};
}

// The IPv4 device settings of an interface as an array indexed by IPV4_DEVCONF_… - 1; empty when it has none.
std::vector<std::int32_t> read_ipv4_settings(int socket, int interface_index) {
  NetlinkWriter request;
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = interface_index;
  request.message(RTM_GETLINK, 0, 1, header);
  std::vector<std::int32_t> settings;
  (void)ask(socket, request, [&](const nlmsghdr& message) {
    if (message.nlmsg_type != RTM_NEWLINK || message.nlmsg_len < NLMSG_LENGTH(sizeof header)) return true;
    const ByteView attributes(reinterpret_cast<const std::uint8_t*>(&message) + NLMSG_SPACE(sizeof header),
                              message.nlmsg_len - NLMSG_SPACE(sizeof header));
    const ByteView ipv4 = find_attribute(find_attribute(attributes, IFLA_AF_SPEC), AF_INET);
    const ByteView values = find_attribute(ipv4, IFLA_INET_CONF);
    settings.resize(values.size() / sizeof(std::int32_t));
    std::memcpy(settings.data(), values.data(), settings.size() * sizeof(std::int32_t));
    return false;
  });
  return settings;
}

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

std::optional<std::int32_t> quiet_value(int id) {
  switch (id) {
    case IPV4_DEVCONF_ARP_IGNORE:
      return 1;
    case IPV4_DEVCONF_ARP_ANNOUNCE:
      return 2;
    default:
      return std::nullopt;
  }
}

LingeringAddresses::LingeringAddresses(Duration drain_time, std::function<void()> changed)
    : drain_time_(drain_time),
      changed_(std::move(changed)),
      rtnetlink_(open_rtnetlink()),
      batch_(rtnetlink_.get()) {}

LingeringAddresses::~LingeringAddresses() { stop(); }

Expected<void, std::string> LingeringAddresses::start(TimePoint now, const AddressSet& set) {
  if (auto old = find(set); old != lingering_.end()) lingering_.erase(old);  // it begins anew
  lingering_.push_back(Lingering{set, now + drain_time_, now + kLookInterval});
  quiet(set);

  const int lo = loopback_index();
  for (const IpPrefix& prefix : set.addresses) batch_.add_host_address(lo, prefix.address);
  const int add_error = batch_.flush();
  for (const IpPrefix& prefix : set.addresses) batch_.remove_address(set.interface_index, prefix);
  const int remove_error = batch_.flush();

  if (add_error == 0 && remove_error == 0) return {};
  end(find(set));
  if (remove_error != 0) {
    return Unexpected{
        fmt::format("cannot remove the addresses of {} from it: {}", set.interface, std::strerror(remove_error))};
  }
  return Unexpected{fmt::format("cannot keep the addresses of {} on lo for their connections, which break now: {}",
                                set.interface, std::strerror(add_error))};
}

void LingeringAddresses::quiet(const AddressSet& set) {
  if (has_v4(set) && !is_quiet(set.interface_index)) {
    for (const InterfaceSetting& setting : settings_to_change(set.interface_index)) {
      saved_.push_back(setting);
      batch_.set_ipv4_setting(setting.interface_index, setting.id, *quiet_value(setting.id));
    }
  }
  tell();  // before anything of it is done
}

bool LingeringAddresses::is_quiet(int interface_index) const {
  return std::any_of(saved_.begin(), saved_.end(),
                     [&](const InterfaceSetting& saved) { return saved.interface_index == interface_index; });
}

std::vector<InterfaceSetting> LingeringAddresses::settings_to_change(int interface_index) const {
  std::vector<InterfaceSetting> found;
  const std::vector<std::int32_t> settings = read_ipv4_settings(rtnetlink_.get(), interface_index);
  for (const int id : kQuietInterface) {
    const auto index = static_cast<std::size_t>(id - 1);
    // one that cannot be read is taken for the kernel's default: rather quiet for nothing than two who answer
    const std::int32_t value = index < settings.size() ? settings[index] : 0;
    if (value < *quiet_value(id)) found.push_back(InterfaceSetting{interface_index, id, value});
  }
  return found;
}

LingeringState LingeringAddresses::state(const std::vector<AddressSet>& also) const {
  LingeringState state;
  state.drain_time = drain_time_;
  state.settings = saved_;
  for (const Lingering& lingering : lingering_) state.entries.push_back({lingering.set, lingering.until});
  std::unordered_set<int> read;
  for (const AddressSet& set : also) {
    if (std::any_of(lingering_.begin(), lingering_.end(), IsOf{set})) continue;
    state.entries.push_back({set, std::nullopt});
    if (!has_v4(set) || is_quiet(set.interface_index) || !read.insert(set.interface_index).second) continue;
    const auto settings = settings_to_change(set.interface_index);
    state.settings.insert(state.settings.end(), settings.begin(), settings.end());
  }
  return state;
}

void LingeringAddresses::adopt(TimePoint now, const LingeringState& left) {
  if (left.entries.empty()) return;
  for (const LingeringState::Entry& entry : left.entries) {
    if (find(entry.set) != lingering_.end()) continue;
    lingering_.push_back({entry.set, entry.until.value_or(now + left.drain_time), now + kLookInterval});
  }
  for (const InterfaceSetting& setting : left.settings) {
    const bool is_saved = std::any_of(saved_.begin(), saved_.end(), [&](const InterfaceSetting& saved) {
      return saved.interface_index == setting.interface_index && saved.id == setting.id;
    });
    if (!is_saved) saved_.push_back(setting);
  }
  tell();
}

void LingeringAddresses::forget() {
  lingering_.clear();
  saved_.clear();
}

bool LingeringAddresses::lingers(const IpAddress& address) const {
  return std::any_of(lingering_.begin(), lingering_.end(), [&](const Lingering& lingering) {
    return std::any_of(lingering.set.addresses.begin(), lingering.set.addresses.end(),
                       [&](const IpPrefix& prefix) { return prefix.address == address; });
  });
}

void LingeringAddresses::cancel(const AddressSet& set) {
  if (auto found = find(set); found != lingering_.end()) end(found);
}

std::vector<TcpConnection> LingeringAddresses::connections(const AddressSet& set) const {
  std::vector<TcpConnection> found;
  if (std::none_of(lingering_.begin(), lingering_.end(), IsOf{set})) return found;
  std::unordered_set<IpAddress> ours;
  for (const IpPrefix& prefix : set.addresses) ours.insert(prefix.address);
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

LingeringAddresses::Iterator LingeringAddresses::find(const AddressSet& set) {
  return std::find_if(lingering_.begin(), lingering_.end(), IsOf{set});
}

LingeringAddresses::Iterator LingeringAddresses::end(Iterator lingering) {
  const int lo = loopback_index();
  for (const IpPrefix& prefix : lingering->set.addresses) {
    batch_.remove_address(lo, IpPrefix{prefix.address, prefix.address.bits_max()});
  }
  const Iterator next = lingering_.erase(lingering);
  restore_settings_without_user();
  (void)batch_.flush();  // an interface that is gone took its settings along
  tell();
  return next;
}

void LingeringAddresses::restore_settings_without_user() {
  std::erase_if(saved_, [&](const InterfaceSetting& saved) {
    const bool is_used = std::any_of(lingering_.begin(), lingering_.end(), [&](const Lingering& lingering) {
      return lingering.set.interface_index == saved.interface_index && has_v4(lingering.set);
    });
    if (!is_used) batch_.set_ipv4_setting(saved.interface_index, saved.id, saved.value);
    return !is_used;
  });
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
