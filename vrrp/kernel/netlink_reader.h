#pragma once
// Asking netlink one question and reading what comes back, without a library: the counterpart of netlink_writer.h.
// Bounded by the kernel's answer; nothing waits for the network.

#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "common/base/bytes.h"
#include "vrrp/kernel/netlink_writer.h"

namespace vipair::vrrp {

inline constexpr int kNetlinkAnswerTimeoutMs = 100;  // never reached: the kernel answers before the request returns

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
    if (::poll(&readable, 1, kNetlinkAnswerTimeoutMs) == 0) return ETIMEDOUT;
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

inline ByteView attribute_content(const nlattr& attribute) {
  return {reinterpret_cast<const std::uint8_t*>(&attribute) + NLA_HDRLEN,
          static_cast<std::size_t>(attribute.nla_len - NLA_HDRLEN)};
}

// The attribute `type` in a row of attributes; empty when there is none.
inline ByteView find_attribute(ByteView row, int type) {
  while (row.size() >= sizeof(nlattr)) {
    nlattr header;
    std::memcpy(&header, row.data(), sizeof header);
    if (header.nla_len < sizeof header || header.nla_len > row.size()) break;
    if ((header.nla_type & NLA_TYPE_MASK) == type)
      return attribute_content(*reinterpret_cast<const nlattr*>(row.data()));
    row = row.subspan(std::min<std::size_t>(NLA_ALIGN(header.nla_len), row.size()));
  }
  return {};
}

}  // namespace vipair::vrrp
