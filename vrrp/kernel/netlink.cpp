#include "vrrp/kernel/netlink.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ipv6.h>
#include <linux/netconf.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "common/base/assert.h"

namespace vipair::vrrp {
namespace {

constexpr std::size_t kReceiveBuffer = 64u << 10;  // the kernel fills at most 32 KiB per dump message
constexpr int kDumpAttempts = 5;
#ifndef IFA_PROTO
constexpr int kIfaProto = 11;
#else
constexpr int kIfaProto = IFA_PROTO;
#endif

// A request of which every attribute fits: small and of fixed size, so running out of room is our mistake.
class Request {
 public:
  Request(int type, int flags) : message_(nlmsg_alloc_size(256)) {
    if (!message_) throw std::bad_alloc();
    VIPAIR_ASSERT(nlmsg_put(message_.get(), 0, 0, type, 0, NLM_F_REQUEST | NLM_F_ACK | flags), "a header fits");
  }
  template <class Header>
  void header(const Header& header) {
    Header copy = header;
    VIPAIR_ASSERT(nlmsg_append(message_.get(), &copy, sizeof copy, NLMSG_ALIGNTO) == 0, "a family header fits");
  }
  void put(int attribute, const void* data, std::size_t size) {
    VIPAIR_ASSERT(nla_put(message_.get(), attribute, static_cast<int>(size), data) == 0, "an attribute fits");
  }
  void put_u8(int attribute, std::uint8_t value) { put(attribute, &value, sizeof value); }
  void put_text(int attribute, const std::string& text) { put(attribute, text.c_str(), text.size() + 1); }
  void put_u32(int attribute, std::uint32_t value) { put(attribute, &value, sizeof value); }
  template <class Inside>
  void nest(int attribute, Inside inside) {
    nlattr* start = nla_nest_start(message_.get(), attribute);
    VIPAIR_ASSERT(start, "a nested attribute fits");
    inside();
    nla_nest_end(message_.get(), start);
  }
  NetlinkMessage take() { return std::move(message_); }

 private:
  NetlinkMessage message_;
};

Request address_request(int type, int flags, int interface_index, const IpPrefix& prefix) {
  Request request(type, flags);
  ifaddrmsg header{};
  header.ifa_family = prefix.address.is_v4() ? AF_INET : AF_INET6;
  header.ifa_prefixlen = static_cast<std::uint8_t>(prefix.length);
  header.ifa_index = static_cast<std::uint32_t>(interface_index);
  request.header(header);
  const auto bytes = prefix.address.bytes();
  request.put(IFA_LOCAL, bytes.data(), bytes.size());
  request.put(IFA_ADDRESS, bytes.data(), bytes.size());
  return request;
}

// `change`: which of the flags (IFF_…) count.
Request link_request(int type, int flags, int interface_index, unsigned change = 0, unsigned value = 0) {
  Request request(type, flags);
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = interface_index;
  header.ifi_change = change;
  header.ifi_flags = value;
  request.header(header);
  return request;
}

NetlinkMessage lasting_address_request(int message_flags, int interface_index, const IpPrefix& prefix,
                                       NetworkRoute route) {
  Request request = address_request(RTM_NEWADDR, message_flags, interface_index, prefix);
  ifa_cacheinfo lifetimes{};
  lifetimes.ifa_valid = static_cast<std::uint32_t>(kAddressLifetime / std::chrono::seconds(1));
  lifetimes.ifa_prefered = prefix.address.is_v4() ? lifetimes.ifa_valid : 0;
  request.put(IFA_CACHEINFO, &lifetimes, sizeof lifetimes);
  std::uint32_t flags = prefix.address.is_v6() ? IFA_F_NODAD : 0;
  if (route == NetworkRoute::no && !prefix.address.is_link_local()) flags |= IFA_F_NOPREFIXROUTE;
  if (flags != 0) request.put_u32(IFA_FLAGS, flags);
  request.put_u8(kIfaProto, kAddressProtocol);
  return request.take();
}

// The attributes of one message by type, the last one of a kind winning; nullptr when absent.
template <std::size_t Count>
struct Attributes {
  std::array<const nlattr*, Count> at{};
  Attributes(const nlattr* first, int length) {
    // libnl's walkers take and return mutable pointers but change nothing
    auto* attribute = const_cast<nlattr*>(first);
    for (int rest = length; nla_ok(attribute, rest); attribute = nla_next(attribute, &rest)) {
      const auto type = static_cast<std::size_t>(nla_type(attribute));
      if (type < Count) at[type] = attribute;
    }
  }
  const nlattr* operator[](int type) const { return at[static_cast<std::size_t>(type)]; }
};

template <std::size_t Count>
Attributes<Count> attributes_of(const nlmsghdr& message, std::size_t header_size) {
  auto* mutable_message = const_cast<nlmsghdr*>(&message);
  const int size = static_cast<int>(header_size);
  return {nlmsg_attrdata(mutable_message, size), nlmsg_attrlen(mutable_message, size)};
}

template <std::size_t Count>
Attributes<Count> nested(const nlattr* attribute) {
  return {static_cast<const nlattr*>(nla_data(attribute)), nla_len(attribute)};
}

std::span<const std::uint8_t> bytes_of(const nlattr* attribute) {
  return {static_cast<const std::uint8_t*>(nla_data(attribute)), static_cast<std::size_t>(nla_len(attribute))};
}

template <class Value>
std::optional<Value> value_of(const nlattr* attribute) {
  if (!attribute || nla_len(attribute) < static_cast<int>(sizeof(Value))) return std::nullopt;
  Value value;
  std::memcpy(&value, nla_data(attribute), sizeof value);
  return value;
}

std::string text_of(const nlattr* attribute) {
  const auto bytes = bytes_of(attribute);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return std::string(text.substr(0, text.find('\0')));
}

template <class Header>
std::optional<Header> header_of(const nlmsghdr& message) {
  if (message.nlmsg_len < NLMSG_LENGTH(sizeof(Header))) return std::nullopt;
  Header header;
  std::memcpy(&header, NLMSG_DATA(const_cast<nlmsghdr*>(&message)), sizeof header);
  return header;
}

// struct nlmsgerr, then (NETLINK_CAP_ACK) not the request, then (NETLINK_EXT_ACK) attributes.
NetlinkAnswer parse_answer(const nlmsghdr& message) {
  const auto error = header_of<nlmsgerr>(message);
  if (!error) return {EPROTO, {}};
  NetlinkAnswer answer{-error->error, {}};
  if (answer.error != 0 && (message.nlmsg_flags & NLM_F_ACK_TLVS)) {
    std::size_t header_size = sizeof(nlmsgerr);
    if (!(message.nlmsg_flags & NLM_F_CAPPED)) header_size += error->msg.nlmsg_len - sizeof(nlmsghdr);
    if (message.nlmsg_len >= NLMSG_LENGTH(header_size)) {
      const auto attributes = attributes_of<NLMSGERR_ATTR_MSG + 1>(message, header_size);
      if (attributes[NLMSGERR_ATTR_MSG]) answer.text = text_of(attributes[NLMSGERR_ATTR_MSG]);
    }
  }
  return answer;
}

}  // namespace

NetlinkMessage new_address_request(int interface_index, const IpPrefix& prefix, NetworkRoute route) {
  return lasting_address_request(NLM_F_CREATE | NLM_F_EXCL, interface_index, prefix, route);
}

NetlinkMessage renew_address_request(int interface_index, const IpPrefix& prefix, NetworkRoute route) {
  return lasting_address_request(NLM_F_CREATE | NLM_F_REPLACE, interface_index, prefix, route);
}

NetlinkMessage delete_address_request(int interface_index, const IpPrefix& prefix) {
  return address_request(RTM_DELADDR, 0, interface_index, prefix).take();
}

NetlinkMessage bridging_route_request(const IpAddress& address) {
  constexpr std::uint32_t kLifetime = 2;       // seconds, rounded down by the kernel
  constexpr std::uint32_t kMetric = 1;         // behind the address's own, which has none
  constexpr std::uint32_t kLoopbackIndex = 1;  // of every network namespace
  Request request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
  rtmsg header{};
  header.rtm_family = AF_INET6;
  header.rtm_dst_len = static_cast<std::uint8_t>(address.bits_max());
  header.rtm_table = RT_TABLE_LOCAL;
  header.rtm_protocol = kAddressProtocol;
  header.rtm_scope = RT_SCOPE_UNIVERSE;
  header.rtm_type = RTN_LOCAL;
  request.header(header);
  request.put(RTA_DST, address.bytes().data(), address.bytes().size());
  request.put_u32(RTA_OIF, kLoopbackIndex);
  request.put_u32(RTA_PRIORITY, kMetric);
  request.put_u32(RTA_EXPIRES, kLifetime);
  return request.take();
}

NetlinkMessage ipv4_setting_request(int interface_index, int setting, std::uint32_t value) {
  Request request = link_request(RTM_NEWLINK, 0, interface_index);
  request.nest(IFLA_AF_SPEC, [&] {
    request.nest(AF_INET, [&] { request.nest(IFLA_INET_CONF, [&] { request.put_u32(setting, value); }); });
  });
  return request.take();
}

NetlinkMessage new_macvlan_request(const std::string& name, int parent_index, const MacAddress& mac) {
  Request request = link_request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
  request.put_text(IFLA_IFNAME, name);
  request.put_u32(IFLA_LINK, static_cast<std::uint32_t>(parent_index));
  request.put(IFLA_ADDRESS, mac.bytes.data(), mac.bytes.size());
  request.nest(IFLA_LINKINFO, [&] {
    request.put_text(IFLA_INFO_KIND, "macvlan");
    request.nest(IFLA_INFO_DATA, [&] { request.put_u32(IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE); });
  });
  return request.take();
}

NetlinkMessage link_alias_request(int interface_index, const std::string& alias) {
  Request request = link_request(RTM_NEWLINK, 0, interface_index);
  request.put_text(IFLA_IFALIAS, alias);
  return request.take();
}

NetlinkMessage link_state_request(int interface_index, bool is_up) {
  return link_request(RTM_NEWLINK, 0, interface_index, IFF_UP, is_up ? IFF_UP : 0).take();
}

NetlinkMessage no_link_local_request(int interface_index) {
  Request request = link_request(RTM_NEWLINK, 0, interface_index);
  request.nest(IFLA_AF_SPEC, [&] {
    request.nest(AF_INET6, [&] { request.put_u8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE); });
  });
  return request.take();
}

NetlinkMessage delete_link_request(int interface_index) {
  return link_request(RTM_DELLINK, 0, interface_index).take();
}

std::optional<KernelAddress> parse_address(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWADDR && message.nlmsg_type != RTM_DELADDR) return std::nullopt;
  const auto header = header_of<ifaddrmsg>(message);
  if (!header || (header->ifa_family != AF_INET && header->ifa_family != AF_INET6)) return std::nullopt;
  const auto attributes = attributes_of<kIfaProto + 1>(message, sizeof *header);
  // on a point-to-point link IFA_ADDRESS is the other end; IPv6 has IFA_LOCAL only there
  const nlattr* local = attributes[IFA_LOCAL] ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
  if (!local) return std::nullopt;
  const auto address = IpAddress::from_bytes(bytes_of(local));
  if (!address || address->is_v4() != (header->ifa_family == AF_INET)) return std::nullopt;
  return KernelAddress{static_cast<int>(header->ifa_index),
                       {*address, header->ifa_prefixlen},
                       value_of<std::uint32_t>(attributes[IFA_FLAGS]).value_or(header->ifa_flags),
                       value_of<std::uint8_t>(attributes[kIfaProto]).value_or(0)};
}

std::optional<KernelLink> parse_link(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWLINK && message.nlmsg_type != RTM_DELLINK) return std::nullopt;
  const auto header = header_of<ifinfomsg>(message);
  if (!header || header->ifi_family != AF_UNSPEC) return std::nullopt;  // AF_BRIDGE: a port's bridge state
  const auto attributes = attributes_of<IFLA_AF_SPEC + 1>(message, sizeof *header);
  if (!attributes[IFLA_IFNAME]) return std::nullopt;
  KernelLink link;
  link.index = header->ifi_index;
  link.name = text_of(attributes[IFLA_IFNAME]);
  if (attributes[IFLA_IFALIAS]) link.alias = text_of(attributes[IFLA_IFALIAS]);
  constexpr unsigned kUp = IFF_UP | IFF_RUNNING | IFF_LOWER_UP;
  link.is_up = (header->ifi_flags & kUp) == kUp;
  if (attributes[IFLA_ADDRESS]) {
    const auto bytes = bytes_of(attributes[IFLA_ADDRESS]);
    if (bytes.size() == link.mac.bytes.size()) std::copy(bytes.begin(), bytes.end(), link.mac.bytes.begin());
  }
  if (attributes[IFLA_AF_SPEC]) {
    const auto families = nested<AF_INET6 + 1>(attributes[IFLA_AF_SPEC]);
    if (families[AF_INET6]) {
      const auto inet6 = nested<IFLA_INET6_CONF + 1>(families[AF_INET6]);
      // an array of 32-bit settings by DEVCONF_… number; forwarding is the first
      static_assert(DEVCONF_FORWARDING == 0);
      if (auto forwarding = value_of<std::int32_t>(inet6[IFLA_INET6_CONF])) link.forwards_v6 = *forwarding != 0;
    }
  }
  return link;
}

std::optional<ForwardingChange> parse_ipv6_forwarding(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWNETCONF) return std::nullopt;
  const auto header = header_of<netconfmsg>(message);
  if (!header || header->ncm_family != AF_INET6) return std::nullopt;
  const auto attributes = attributes_of<NETCONFA_FORWARDING + 1>(message, sizeof *header);
  const auto index = value_of<std::int32_t>(attributes[NETCONFA_IFINDEX]);
  const auto forwarding = value_of<std::int32_t>(attributes[NETCONFA_FORWARDING]);
  if (!index || !forwarding) return std::nullopt;
  return ForwardingChange{*index, *forwarding != 0};
}

Expected<NetlinkSocket, std::string> NetlinkSocket::open() {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!fd) return Unexpected{"cannot open a netlink socket: " + std::string(std::strerror(errno))};
  const int on = 1;
  // short answers with the kernel's reason; a kernel without them answers longer and terser
  (void)::setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  (void)::setsockopt(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  return NetlinkSocket(std::move(fd));
}

int NetlinkSocket::receive() {
  buffer_.resize(kReceiveBuffer);
  for (;;) {
    sockaddr_nl sender{};
    iovec piece{buffer_.data(), buffer_.size()};
    msghdr header{};
    header.msg_name = &sender;
    header.msg_namelen = sizeof sender;
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    const ssize_t size = ::recvmsg(fd_.get(), &header, 0);
    if (size >= 0) {
      if (sender.nl_pid != 0) continue;  // not from the kernel
      if (header.msg_flags & MSG_TRUNC) return -EMSGSIZE;
      return static_cast<int>(size);
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return -errno;
    pollfd waiting{fd_.get(), POLLIN, 0};
    const int ready = ::poll(&waiting, 1, kAnswerTimeoutMs);
    if (ready == 0) return -ETIMEDOUT;
    if (ready < 0 && errno != EINTR) return -errno;
  }
}

std::vector<NetlinkAnswer> NetlinkSocket::execute(std::span<const NetlinkMessage> requests) {
  std::vector<NetlinkAnswer> answers(requests.size());
  for (std::size_t done = 0; done < requests.size(); done += kBatchMax) {
    const std::size_t count = std::min(kBatchMax, requests.size() - done);
    execute_batch(requests.subspan(done, count), answers.data() + done);
  }
  return answers;
}

void NetlinkSocket::execute_batch(std::span<const NetlinkMessage> requests, NetlinkAnswer* answers) {
  const std::uint32_t first = sequence_ + 1;
  std::vector<iovec> pieces;
  for (const NetlinkMessage& request : requests) {
    nlmsghdr* header = nlmsg_hdr(request.get());
    header->nlmsg_seq = ++sequence_;
    // a refusal is told in any case, and the last answer says that all before it were carried out
    header->nlmsg_flags = static_cast<std::uint16_t>(header->nlmsg_flags & ~NLM_F_ACK);
    if (&request == &requests.back()) header->nlmsg_flags |= NLM_F_ACK;
    pieces.push_back({header, NLMSG_ALIGN(header->nlmsg_len)});
  }
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  msghdr message{};
  message.msg_name = &kernel;
  message.msg_namelen = sizeof kernel;
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  ssize_t sent;
  do sent = ::sendmsg(fd_.get(), &message, 0);
  while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    std::fill_n(answers, requests.size(), NetlinkAnswer{errno, {}});
    return;
  }
  for (bool is_over = false; !is_over;) {
    const int size = receive();
    if (size < 0) {  // nobody knows what became of them
      for (std::size_t i = 0; i < requests.size(); ++i)
        if (answers[i].error == 0) answers[i] = {-size, {}};
      return;
    }
    int rest = size;
    for (auto* header = reinterpret_cast<nlmsghdr*>(buffer_.data()); nlmsg_ok(header, rest);
         header = nlmsg_next(header, &rest)) {
      const std::uint32_t index = header->nlmsg_seq - first;
      // an answer of an earlier batch that timed out has an older number
      if (header->nlmsg_type != NLMSG_ERROR || index >= requests.size()) continue;
      answers[index] = parse_answer(*header);
      is_over = index + 1 == requests.size();
    }
  }
}

Expected<void, std::string> NetlinkSocket::dump(int request_type, const std::function<void()>& restart,
                                                const std::function<void(const nlmsghdr&)>& each) {
  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    restart();
    struct {
      nlmsghdr header;
      rtgenmsg family;
    } request{};
    request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.family);
    request.header.nlmsg_type = static_cast<std::uint16_t>(request_type);
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request.header.nlmsg_seq = ++sequence_;
    request.family.rtgen_family = AF_UNSPEC;
    if (::send(fd_.get(), &request, request.header.nlmsg_len, 0) < 0)
      return Unexpected{"asking the kernel for its list failed: " + std::string(std::strerror(errno))};
    bool is_done = false, is_interrupted = false;
    while (!is_done) {
      const int size = receive();
      if (size < 0) return Unexpected{"reading the kernel's list failed: " + std::string(std::strerror(-size))};
      int rest = size;
      for (auto* header = reinterpret_cast<nlmsghdr*>(buffer_.data()); nlmsg_ok(header, rest);
           header = nlmsg_next(header, &rest)) {
        if (header->nlmsg_seq != sequence_) continue;
        is_interrupted |= (header->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
        if (header->nlmsg_type == NLMSG_DONE) {
          is_done = true;
        } else if (header->nlmsg_type == NLMSG_ERROR) {
          return Unexpected{"the kernel refused its list: " +
                            std::string(std::strerror(parse_answer(*header).error))};
        } else {
          each(*header);
        }
      }
    }
    if (!is_interrupted) return {};
  }
  return Unexpected{std::string("the kernel's list changed faster than it could be read")};
}

Expected<std::vector<KernelLink>, std::string> list_links(NetlinkSocket& socket) {
  std::vector<KernelLink> links;
  auto listed = socket.dump(
      RTM_GETLINK, [&] { links.clear(); },
      [&](const nlmsghdr& message) {
        if (auto link = parse_link(message)) links.push_back(std::move(*link));
      });
  if (!listed) return Unexpected{listed.error()};
  return links;
}

Expected<std::vector<KernelAddress>, std::string> list_addresses(NetlinkSocket& socket) {
  std::vector<KernelAddress> addresses;
  auto listed = socket.dump(
      RTM_GETADDR, [&] { addresses.clear(); },
      [&](const nlmsghdr& message) {
        if (auto address = parse_address(message)) addresses.push_back(*address);
      });
  if (!listed) return Unexpected{listed.error()};
  return addresses;
}

}  // namespace vipair::vrrp
