#include "vrrp/kernel/advert_socket.h"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

#include "common/base/assert.h"

namespace vipair::vrrp {
namespace {

constexpr int kProtocol = 112;
constexpr int kTtl = 255;
constexpr int kTrafficClass = 0xC0;  // internetwork control, as routing protocols use
constexpr std::size_t kControlSize = CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(int)) + 64;

sockaddr_storage socket_address(const IpAddress& address, int interface_index, socklen_t& size) {
  sockaddr_storage storage{};
  if (address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    std::memcpy(&v4.sin_addr, address.bytes().data(), sizeof v4.sin_addr);
    std::memcpy(&storage, &v4, size = sizeof v4);
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    std::memcpy(&v6.sin6_addr, address.bytes().data(), sizeof v6.sin6_addr);
    if (address.is_link_local() || address.is_multicast())
      v6.sin6_scope_id = static_cast<std::uint32_t>(interface_index);
    std::memcpy(&storage, &v6, size = sizeof v6);
  }
  return storage;
}

template <class T>
IpAddress address_from(const T& raw) {
  auto address = IpAddress::from_bytes({reinterpret_cast<const std::uint8_t*>(&raw), sizeof raw});
  VIPAIR_ASSERT(address, "an in_addr has 4 bytes and an in6_addr 16");
  return *address;
}

// Sets options until one fails; then says which.
class Options {
 public:
  explicit Options(int fd) : fd_(fd) {}
  void set(int level, int name, int value, const char* what) { set(level, name, &value, sizeof value, what); }
  void set(int level, int name, const void* value, std::size_t size, const char* what) {
    if (failed_) return;
    if (::setsockopt(fd_, level, name, value, static_cast<socklen_t>(size)) != 0) {
      error_ = errno;
      failed_ = what;
    }
  }
  const char* failed() const { return failed_; }
  int error() const { return error_; }

 private:
  int fd_;
  const char* failed_ = nullptr;
  int error_ = 0;
};

void set_ipv4(Options& options, int interface_index) {
  options.set(IPPROTO_IP, IP_PKTINFO, 1, "IP_PKTINFO");
  options.set(IPPROTO_IP, IP_RECVTTL, 1, "IP_RECVTTL");
  options.set(IPPROTO_IP, IP_TTL, kTtl, "IP_TTL");
  options.set(IPPROTO_IP, IP_TOS, kTrafficClass, "IP_TOS");
  options.set(IPPROTO_IP, IP_MULTICAST_TTL, kTtl, "IP_MULTICAST_TTL");
  options.set(IPPROTO_IP, IP_MULTICAST_LOOP, 0, "IP_MULTICAST_LOOP");
  options.set(IPPROTO_IP, IP_MULTICAST_ALL, 0, "IP_MULTICAST_ALL");  // our group only, not what others joined
  ip_mreqn group{};
  group.imr_multiaddr.s_addr = htonl(0xE0000012u);  // 224.0.0.18
  group.imr_ifindex = interface_index;
  options.set(IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group, "joining 224.0.0.18");
}

void set_ipv6(Options& options, int interface_index) {
  options.set(IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO");
  options.set(IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1, "IPV6_RECVHOPLIMIT");
  options.set(IPPROTO_IPV6, IPV6_UNICAST_HOPS, kTtl, "IPV6_UNICAST_HOPS");
  options.set(IPPROTO_IPV6, IPV6_TCLASS, kTrafficClass, "IPV6_TCLASS");
  options.set(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, kTtl, "IPV6_MULTICAST_HOPS");
  options.set(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0, "IPV6_MULTICAST_LOOP");
  options.set(IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0, "IPV6_MULTICAST_ALL");
  ipv6_mreq group{};
  group.ipv6mr_multiaddr.s6_addr[0] = 0xFF;  // ff02::12
  group.ipv6mr_multiaddr.s6_addr[1] = 0x02;
  group.ipv6mr_multiaddr.s6_addr[15] = 0x12;
  group.ipv6mr_interface = static_cast<std::uint32_t>(interface_index);
  options.set(IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &group, sizeof group, "joining ff02::12");
}

// The header of one message that is sent: where from and where to.
struct OutgoingHeader {
  sockaddr_storage address;
  iovec piece;
  alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof(in6_pktinfo))> control;

  void describe(const OutgoingAdvertisement& advertisement, msghdr& header) {
    address = socket_address(advertisement.destination, advertisement.interface_index, header.msg_namelen);
    piece = {const_cast<std::uint8_t*>(advertisement.message.data()), advertisement.message.size()};
    control.fill(0);
    header.msg_name = &address;
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    const auto source = advertisement.source.bytes();
    if (advertisement.source.is_v4()) {
      in_pktinfo packet{};
      packet.ipi_ifindex = advertisement.interface_index;
      std::memcpy(&packet.ipi_spec_dst, source.data(), source.size());
      put(header, IPPROTO_IP, IP_PKTINFO, packet);
    } else {
      in6_pktinfo packet{};
      packet.ipi6_ifindex = static_cast<std::uint32_t>(advertisement.interface_index);
      std::memcpy(&packet.ipi6_addr, source.data(), source.size());
      put(header, IPPROTO_IPV6, IPV6_PKTINFO, packet);
    }
  }

 private:
  template <class Value>
  static void put(msghdr& header, int level, int type, const Value& value) {
    header.msg_controllen = CMSG_SPACE(sizeof value);
    cmsghdr* part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = level;
    part->cmsg_type = type;
    part->cmsg_len = CMSG_LEN(sizeof value);
    std::memcpy(CMSG_DATA(part), &value, sizeof value);
  }
};

}  // namespace

HostError::Kind host_error_kind(int error) {
  switch (error) {
    case EPERM:
    case EACCES:
      return HostError::Kind::not_permitted;
    case ENODEV:
    case ENXIO:
      return HostError::Kind::no_interface;
    default:
      return HostError::Kind::other;
  }
}

struct AdvertSockets::Receiver {
  struct Slot {
    std::array<std::uint8_t, kMessageMax> bytes;
    sockaddr_storage source;
    alignas(cmsghdr) std::array<std::uint8_t, kControlSize> control;
    iovec piece;
  };
  std::array<Slot, kBatch> slots;
  std::array<mmsghdr, kBatch> headers;
  unsigned used = kBatch;  // of the headers, which the kernel has written to

  void prepare() {
    for (unsigned i = 0; i < used; ++i) {
      Slot& slot = slots[i];
      slot.piece = {slot.bytes.data(), slot.bytes.size()};
      headers[i] = {};
      msghdr& header = headers[i].msg_hdr;
      header.msg_name = &slot.source;
      header.msg_namelen = sizeof slot.source;
      header.msg_iov = &slot.piece;
      header.msg_iovlen = 1;
      header.msg_control = slot.control.data();
      header.msg_controllen = slot.control.size();
    }
    used = 0;
  }
  int receive(int fd) {
    prepare();
    const int count = ::recvmmsg(fd, headers.data(), kBatch, MSG_DONTWAIT, nullptr);
    used = count >= 0 ? static_cast<unsigned>(count) : 1;
    return count;
  }

  // nullopt: not a whole datagram of the family.
  std::optional<std::pair<DatagramInfo, ByteView>> datagram(unsigned i, IpFamily family) {
    Slot& slot = slots[i];
    msghdr& header = headers[i].msg_hdr;
    DatagramInfo info;
    ByteView message(slot.bytes.data(), headers[i].msg_len);
    if (family == IpFamily::ipv4) {
      sockaddr_in source;
      std::memcpy(&source, &slot.source, sizeof source);
      info.source = address_from(source.sin_addr);
      if (message.size() < sizeof(iphdr)) return std::nullopt;
      const std::size_t header_size = (message[0] & 0x0Fu) * 4u;  // raw IPv4 sockets deliver the IP header
      if (header_size < sizeof(iphdr) || header_size > message.size()) return std::nullopt;
      message = message.subspan(header_size);
    } else {
      sockaddr_in6 source;
      std::memcpy(&source, &slot.source, sizeof source);
      info.source = address_from(source.sin6_addr);
    }
    for (cmsghdr* control = CMSG_FIRSTHDR(&header); control; control = CMSG_NXTHDR(&header, control)) {
      const auto is = [&](int level, int type) {
        return control->cmsg_level == level && control->cmsg_type == type;
      };
      if (is(IPPROTO_IP, IP_PKTINFO)) {
        in_pktinfo packet;
        std::memcpy(&packet, CMSG_DATA(control), sizeof packet);
        info.interface_index = packet.ipi_ifindex;
        info.destination = address_from(packet.ipi_addr);
      } else if (is(IPPROTO_IPV6, IPV6_PKTINFO)) {
        in6_pktinfo packet;
        std::memcpy(&packet, CMSG_DATA(control), sizeof packet);
        info.interface_index = static_cast<int>(packet.ipi6_ifindex);
        info.destination = address_from(packet.ipi6_addr);
      } else if (is(IPPROTO_IP, IP_TTL) || is(IPPROTO_IPV6, IPV6_HOPLIMIT)) {
        std::memcpy(&info.ttl, CMSG_DATA(control), sizeof info.ttl);
      }
    }
    return std::pair{info, message};
  }
};

AdvertSockets::AdvertSockets() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), receiver_(std::make_unique<Receiver>()) {
  if (!epoll_) throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

AdvertSockets::~AdvertSockets() = default;

Expected<void, HostError> AdvertSockets::open(int interface_index, const std::string& interface, IpFamily family) {
  if (is_open(interface_index, family)) return {};
  const bool is_v4 = family == IpFamily::ipv4;
  const std::string what =
      std::string("cannot listen for ") + (is_v4 ? "IPv4" : "IPv6") + " advertisements on " + interface;
  auto failure = [&](int error, const std::string& step) {
    std::string text = what + ": " + step + ": " + std::strerror(error);
    if (host_error_kind(error) == HostError::Kind::not_permitted)
      text += "; run the daemon as root or give it CAP_NET_RAW";
    if (error == EAFNOSUPPORT) text += "; the node has no IPv6: enable it or remove the IPv6 addresses";
    return Unexpected{HostError{host_error_kind(error), text}};
  };
  UniqueFd fd(::socket(is_v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, kProtocol));
  if (!fd) return failure(errno, "socket");
  Options options(fd.get());
  // before anything else: from here on nothing arrives from another interface
  options.set(SOL_SOCKET, SO_BINDTODEVICE, interface.c_str(), interface.size() + 1, "SO_BINDTODEVICE");
  options.set(SOL_SOCKET, SO_PRIORITY, 7, "SO_PRIORITY");
  is_v4 ? set_ipv4(options, interface_index) : set_ipv6(options, interface_index);
  if (options.failed()) return failure(options.error(), options.failed());
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer) != 0)
    (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = static_cast<std::uint64_t>(interface_index) << 1 | (is_v4 ? 0u : 1u);
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0) return failure(errno, "epoll_ctl");
  sockets_.emplace(Key{interface_index, family}, Socket{std::move(fd), interface, {}, {}});
  return {};
}

void AdvertSockets::close(int interface_index) {
  sockets_.erase({interface_index, IpFamily::ipv4});
  sockets_.erase({interface_index, IpFamily::ipv6});
}

std::vector<int> AdvertSockets::interfaces() const {
  std::vector<int> indexes;
  for (const auto& [key, socket] : sockets_)
    if (indexes.empty() || indexes.back() != key.first) indexes.push_back(key.first);
  return indexes;
}

Expected<void, HostError> AdvertSockets::send(const OutgoingAdvertisement& advertisement) {
  const auto found = sockets_.find({advertisement.interface_index, advertisement.source.family()});
  if (found == sockets_.end())
    return Unexpected{HostError{HostError::Kind::no_interface,
                                "cannot send to " + advertisement.destination.to_string() +
                                    ": no socket for interface " + std::to_string(advertisement.interface_index)}};
  Socket& socket = found->second;
  socket.waiting.push_back(advertisement);
  if (socket.waiting.size() >= kWaitingMax) flush(socket);
  if (!socket.failure) return {};
  return Unexpected{*std::exchange(socket.failure, std::nullopt)};
}

void AdvertSockets::flush() {
  for (auto& [key, socket] : sockets_)
    if (!socket.waiting.empty()) flush(socket);
}

void AdvertSockets::flush(Socket& socket) {
  std::array<OutgoingHeader, kBatch> outgoing;
  std::array<mmsghdr, kBatch> headers;
  for (std::size_t next = 0; next < socket.waiting.size();) {
    const std::size_t count = std::min<std::size_t>(kBatch, socket.waiting.size() - next);
    for (std::size_t i = 0; i < count; ++i) {
      headers[i] = {};
      outgoing[i].describe(socket.waiting[next + i], headers[i].msg_hdr);
    }
    const int sent = ::sendmmsg(socket.fd.get(), headers.data(), static_cast<unsigned>(count), MSG_NOSIGNAL);
    if (sent > 0) {
      next += static_cast<std::size_t>(sent);
    } else if (errno != EINTR) {  // this one failed: the others may pass
      const int error = errno;
      const OutgoingAdvertisement& failed = socket.waiting[next++];
      socket.failure = HostError{host_error_kind(error), "cannot send from " + failed.source.to_string() + " to " +
                                                             failed.destination.to_string() + " on " +
                                                             socket.interface + ": " + std::strerror(error)};
    }
  }
  socket.waiting.clear();
}

void AdvertSockets::drain(const Handler& handler) {
  bool may_have_more = true;
  for (unsigned round = 0; may_have_more && round < kBatchesPerDrain; ++round) {
    may_have_more = false;
    for (const Key& key : ready()) {
      const auto socket = sockets_.find(key);
      if (socket == sockets_.end()) continue;  // a handler closed it
      const int count = receiver_->receive(socket->second.fd.get());
      // an error here is the pending one of the socket (ENETDOWN, …): it is consumed; link events tell the rest
      for (int i = 0; i < count; ++i)
        if (auto datagram = receiver_->datagram(static_cast<unsigned>(i), key.second))
          handler(datagram->first, datagram->second);
      may_have_more |= count == static_cast<int>(kBatch);
    }
  }
}

// Few are asked for what they have: that takes no longer than to ask which of them has something.
const std::vector<AdvertSockets::Key>& AdvertSockets::ready() {
  ready_.clear();
  if (sockets_.size() <= kAskedDirectlyMax) {
    for (const auto& [key, socket] : sockets_) ready_.push_back(key);
    return ready_;
  }
  std::array<epoll_event, 64> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    const std::uint64_t tag = events[static_cast<std::size_t>(i)].data.u64;
    ready_.push_back({static_cast<int>(tag >> 1), tag & 1 ? IpFamily::ipv6 : IpFamily::ipv4});
  }
  return ready_;
}

}  // namespace vipair::vrrp
