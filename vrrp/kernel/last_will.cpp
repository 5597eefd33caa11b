#include "vrrp/kernel/last_will.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <optional>

namespace vipair::vrrp {
namespace {

constexpr int kProtocolVrrp = 112;
constexpr int kTtl = 255;            // RFC 9568 sections 5.1.1.3 and 5.1.2.3
constexpr int kClassControl = 0xC0;  // CS6, network control

void write_address(ByteWriter& out, const IpAddress& address) {
  out.u8(static_cast<std::uint8_t>(address.bytes().size()));
  out.bytes(address.bytes());
}

std::optional<IpAddress> read_address(ByteReader& in) { return IpAddress::from_bytes(in.view(in.u8())); }

int set_option(const UniqueFd& socket, int level, int name, int value) {
  return ::setsockopt(socket.get(), level, name, &value, sizeof value);
}

// A raw socket that only sends: what arrives for the protocol is filtered out before it is queued.
UniqueFd open_raw(int family) {
  UniqueFd socket(::socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, kProtocolVrrp));
  if (!socket) return socket;
  sock_filter drop_all = {BPF_RET | BPF_K, 0, 0, 0};
  sock_fprog program = {1, &drop_all};
  int failed = ::setsockopt(socket.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
  if (family == AF_INET) {
    failed |= set_option(socket, IPPROTO_IP, IP_TTL, kTtl);
    failed |= set_option(socket, IPPROTO_IP, IP_MULTICAST_TTL, kTtl);
    failed |= set_option(socket, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
    failed |= set_option(socket, IPPROTO_IP, IP_TOS, kClassControl);
  } else {
    failed |= set_option(socket, IPPROTO_IPV6, IPV6_UNICAST_HOPS, kTtl);
    failed |= set_option(socket, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, kTtl);
    failed |= set_option(socket, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0);
    failed |= set_option(socket, IPPROTO_IPV6, IPV6_TCLASS, kClassControl);
  }
  if (failed != 0) socket.reset();
  return socket;
}

template <class PacketInfo>
void set_control(msghdr& message, int level, int type, const PacketInfo& info) {
  cmsghdr* control = CMSG_FIRSTHDR(&message);
  control->cmsg_level = level;
  control->cmsg_type = type;
  control->cmsg_len = CMSG_LEN(sizeof info);
  std::memcpy(CMSG_DATA(control), &info, sizeof info);
  message.msg_controllen = CMSG_SPACE(sizeof info);
}

int send_advertisement(int socket, int interface_index, const IpAddress& source, const IpAddress& destination,
                       ByteView payload) {
  iovec data = {const_cast<std::uint8_t*>(payload.data()), payload.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(in6_pktinfo))] = {};
  sockaddr_in to4{};
  sockaddr_in6 to6{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (destination.is_v4()) {
    to4.sin_family = AF_INET;
    std::memcpy(&to4.sin_addr, destination.bytes().data(), sizeof to4.sin_addr);
    message.msg_name = &to4;
    message.msg_namelen = sizeof to4;
    in_pktinfo info{};
    info.ipi_ifindex = interface_index;
    std::memcpy(&info.ipi_spec_dst, source.bytes().data(), sizeof info.ipi_spec_dst);
    set_control(message, IPPROTO_IP, IP_PKTINFO, info);
  } else {
    to6.sin6_family = AF_INET6;
    std::memcpy(&to6.sin6_addr, destination.bytes().data(), sizeof to6.sin6_addr);
    to6.sin6_scope_id = static_cast<std::uint32_t>(interface_index);
    message.msg_name = &to6;
    message.msg_namelen = sizeof to6;
    in6_pktinfo info{};
    info.ipi6_ifindex = static_cast<unsigned>(interface_index);
    std::memcpy(&info.ipi6_addr, source.bytes().data(), sizeof info.ipi6_addr);
    set_control(message, IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
  return ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? errno : 0;
}

}  // namespace

void encode_last_will(const LastWill& will, const LingeringState& lingering, Bytes& out) {
  out.clear();
  ByteWriter writer(out);
  writer.u32(static_cast<std::uint32_t>(will.resignations.size()));
  for (const OutgoingAdvertisement& advertisement : will.resignations) {
    writer.u32(static_cast<std::uint32_t>(advertisement.interface_index));
    write_address(writer, advertisement.source);
    write_address(writer, advertisement.destination);
    writer.u32(static_cast<std::uint32_t>(advertisement.message.size()));
    writer.bytes(advertisement.message);
  }
  std::size_t addresses = 0;
  for (const AddressSet& set : will.addresses) addresses += set.addresses.size();
  for (const AddressSet& set : lingering.addresses) addresses += set.addresses.size();
  writer.u32(static_cast<std::uint32_t>(addresses));
  for (const auto* sets : {&will.addresses, &lingering.addresses}) {
    for (const AddressSet& set : *sets) {
      for (const IpPrefix& address : set.addresses) {
        writer.u32(static_cast<std::uint32_t>(set.interface_index));
        write_address(writer, address.address);
        writer.u8(static_cast<std::uint8_t>(address.length));
      }
    }
  }
  writer.u32(static_cast<std::uint32_t>(lingering.settings.size()));
  for (const InterfaceSetting& setting : lingering.settings) {
    writer.u32(static_cast<std::uint32_t>(setting.interface_index));
    writer.u32(static_cast<std::uint32_t>(setting.id));
    writer.u32(static_cast<std::uint32_t>(setting.value));
  }
}

LastWillExecutor::LastWillExecutor() : rtnetlink_(open_rtnetlink()), batch_(rtnetlink_.get()) { (void)prepare(); }

int LastWillExecutor::prepare() {
  int error = 0;
  if (!rtnetlink_) error = EPROTONOSUPPORT;
  if (!socket_v4_) socket_v4_ = open_raw(AF_INET);
  if (!socket_v4_) error = errno;
  if (!socket_v6_) socket_v6_ = open_raw(AF_INET6);
  if (!socket_v6_ && errno != EAFNOSUPPORT) error = errno;
  return error;
}

LastWillExecutor::Result LastWillExecutor::execute(ByteView will) {
  Result result;
  (void)prepare();
  ByteReader reader(will);

  auto send_all = [&](ByteReader& in, bool is_first) {
    const std::uint32_t count = in.u32();
    for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
      const int interface_index = static_cast<int>(in.u32());
      const std::optional<IpAddress> source = read_address(in);
      const std::optional<IpAddress> destination = read_address(in);
      const ByteView message = in.view(in.u32());
      if (!in.ok() || !source || !destination || source->family() != destination->family()) continue;
      const UniqueFd& socket = destination->is_v4() ? socket_v4_ : socket_v6_;
      const int error = send_advertisement(socket.get(), interface_index, *source, *destination, message);
      if (!is_first) continue;
      ++(error == 0 ? result.advertisements_sent : result.advertisements_failed);
      if (error != 0 && result.error == 0) result.error = error;
    }
  };
  send_all(reader, true);

  const std::uint32_t addresses = reader.u32();
  for (std::uint32_t i = 0; i < addresses && reader.ok(); ++i) {
    const int interface_index = static_cast<int>(reader.u32());
    const std::optional<IpAddress> address = read_address(reader);
    const int length = reader.u8();
    if (!reader.ok() || !address || length > address->bits_max()) continue;
    batch_.remove_address(interface_index, IpPrefix{*address, length});
    ++result.addresses_withdrawn;
  }
  const std::uint32_t settings = reader.u32();
  for (std::uint32_t i = 0; i < settings && reader.ok(); ++i) {
    const int interface_index = static_cast<int>(reader.u32());
    const int id = static_cast<int>(reader.u32());
    const int value = static_cast<int>(reader.u32());
    if (reader.ok()) batch_.set_ipv4_setting(interface_index, id, value);
  }
  const int error = batch_.flush();
  if (error != 0 && result.error == 0) result.error = error;

  ByteReader again(will);
  send_all(again, false);
  return result;
}

}  // namespace vipair::vrrp
