#include "vrrp/kernel/route.h"

#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "common/runtime/unique_fd.h"
#include "vrrp/kernel/netlink_writer.h"

namespace vipair::vrrp {
namespace {

std::optional<IpAddress> address_of(const nlattr* attribute) {
  const auto* bytes = static_cast<const std::uint8_t*>(nla_data(attribute));
  return IpAddress::from_bytes({bytes, static_cast<std::size_t>(nla_len(attribute))});
}

}  // namespace

Expected<Route, std::string> find_route(const IpAddress& destination, int interface_index) {
  const auto failed = [](int error) { return Unexpected{std::string(std::strerror(error))}; };
  const UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!fd) return failed(errno);

  rtmsg question{};
  question.rtm_family = destination.is_v4() ? AF_INET : AF_INET6;
  question.rtm_dst_len = static_cast<unsigned char>(destination.bits_max());
  NetlinkWriter writer;
  writer.message(RTM_GETROUTE, 0, 1, question);
  writer.attribute(RTA_DST, destination.bytes());
  if (interface_index != 0) writer.attribute_u32(RTA_OIF, static_cast<std::uint32_t>(interface_index));
  const ByteView bytes = writer.bytes();
  if (::send(fd.get(), bytes.data(), bytes.size(), 0) < 0) return failed(errno);

  alignas(nlmsghdr) std::array<std::uint8_t, 8192> buffer;
  const ssize_t size = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
  if (size < 0) return failed(errno);
  const auto* header = reinterpret_cast<const nlmsghdr*>(buffer.data());
  if (!nlmsg_ok(header, static_cast<int>(size))) return failed(EBADMSG);
  if (header->nlmsg_type == NLMSG_ERROR) return failed(-static_cast<const nlmsgerr*>(nlmsg_data(header))->error);
  if (header->nlmsg_type != RTM_NEWROUTE || !nlmsg_valid_hdr(header, sizeof(rtmsg))) return failed(EBADMSG);

  Route route;
  const unsigned char type = static_cast<const rtmsg*>(nlmsg_data(header))->rtm_type;
  if (type == RTN_UNREACHABLE || type == RTN_BLACKHOLE || type == RTN_PROHIBIT) return failed(EHOSTUNREACH);
  route.is_local = type == RTN_LOCAL;
  int remaining = nlmsg_attrlen(header, sizeof(rtmsg));
  for (const nlattr* attribute = nlmsg_attrdata(header, sizeof(rtmsg)); nla_ok(attribute, remaining);
       attribute = nla_next(attribute, &remaining)) {
    if (nla_type(attribute) == RTA_OIF && nla_len(attribute) == sizeof(std::uint32_t))
      route.interface_index = static_cast<int>(nla_get_u32(attribute));
    if (nla_type(attribute) == RTA_PREFSRC) route.source = address_of(attribute);
    if (nla_type(attribute) == RTA_GATEWAY || nla_type(attribute) == RTA_VIA) route.gateway = destination;
    if (nla_type(attribute) == RTA_GATEWAY) route.gateway = address_of(attribute);
  }
  return route;
}

}  // namespace vipair::vrrp
