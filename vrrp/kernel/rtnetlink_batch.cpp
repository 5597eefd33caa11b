#include "vrrp/kernel/rtnetlink_batch.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "vrrp/kernel/netlink.h"

#ifndef IFA_PROTO
#define IFA_PROTO 11  // since Linux 5.18; the headers may be older than the kernel
#endif

namespace vipair::vrrp {
namespace {

constexpr std::size_t kMessageMax = 128;  // bytes of the largest message written here

}  // namespace

UniqueFd open_rtnetlink() {
  UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  const int one = 1;
  if (socket)
    (void)::setsockopt(socket.get(), SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);  // refusals stay small
  return socket;
}

void RtnetlinkBatch::address_message(int type, int flags, int interface_index, const IpAddress& address, int length,
                                     int scope) {
  make_room();
  ifaddrmsg header{};
  header.ifa_family = address.is_v4() ? AF_INET : AF_INET6;
  header.ifa_prefixlen = static_cast<std::uint8_t>(length);
  header.ifa_scope = static_cast<std::uint8_t>(scope);
  header.ifa_index = static_cast<std::uint32_t>(interface_index);
  writer_.message(type, flags, ++sequence_, header);
  writer_.attribute(IFA_LOCAL, address.bytes());
}

void RtnetlinkBatch::add_host_address(int interface_index, const IpAddress& address, Duration lifetime) {
  address_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, interface_index, address, address.bits_max(),
                  RT_SCOPE_HOST);
  writer_.attribute(IFA_ADDRESS, address.bytes());
  writer_.attribute_u8(IFA_PROTO, kAddressProtocol);
  ifa_cacheinfo lifetimes{};
  lifetimes.ifa_prefered = 0;
  lifetimes.ifa_valid = static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::seconds>(lifetime).count());
  writer_.attribute_raw(IFA_CACHEINFO, lifetimes);
  if (address.is_v6()) writer_.attribute_u32(IFA_FLAGS, IFA_F_NODAD);
}

void RtnetlinkBatch::remove_address(int interface_index, const IpPrefix& address) {
  address_message(RTM_DELADDR, 0, interface_index, address.address, address.length, 0);
}

void RtnetlinkBatch::take_down(int interface_index) {
  make_room();
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = interface_index;
  header.ifi_change = IFF_UP;
  writer_.message(RTM_NEWLINK, 0, ++sequence_, header);
}

void RtnetlinkBatch::set_ipv4_setting(int interface_index, int id, int value) {
  make_room();
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = interface_index;
  writer_.message(RTM_SETLINK, 0, ++sequence_, header);
  writer_.nested(IFLA_AF_SPEC, [&] {
    writer_.nested(AF_INET, [&] {
      writer_.nested(IFLA_INET_CONF, [&] { writer_.attribute_u32(id, static_cast<std::uint32_t>(value)); });
    });
  });
}

int RtnetlinkBatch::flush() {
  send();
  return std::exchange(error_, 0);
}

void RtnetlinkBatch::make_room() {
  if (writer_.bytes().size() + kMessageMax > kSizeMax) send();
}

void RtnetlinkBatch::send() {
  if (writer_.bytes().empty()) return;
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  const ssize_t sent = ::sendto(socket_, writer_.bytes().data(), writer_.bytes().size(), MSG_NOSIGNAL,
                                reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
  if (sent < 0 && error_ == 0) error_ = errno;
  writer_.clear();
  read_refusals();
}

void RtnetlinkBatch::read_refusals() {
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t size = ::recv(socket_, buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_TRUNC);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno == ENOBUFS) {
        if (error_ == 0) error_ = ENOBUFS;
        continue;
      }
      return;
    }
    if (static_cast<std::size_t>(size) < NLMSG_LENGTH(sizeof(nlmsgerr))) continue;
    nlmsghdr header;
    nlmsgerr answer;
    std::memcpy(&header, buffer.data(), sizeof header);
    if (header.nlmsg_type != NLMSG_ERROR) continue;
    std::memcpy(&answer, buffer.data() + NLMSG_HDRLEN, sizeof answer);
    const int error = -answer.error;
    const bool is_there_already = error == EEXIST && answer.msg.nlmsg_type == RTM_NEWADDR;
    const bool is_gone_already =
        (error == EADDRNOTAVAIL || error == ENODEV) && answer.msg.nlmsg_type != RTM_NEWADDR;
    if (error != 0 && !is_there_already && !is_gone_already && error_ == 0) error_ = error;
  }
}

}  // namespace vipair::vrrp
