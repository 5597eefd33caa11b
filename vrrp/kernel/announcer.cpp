#include "vrrp/kernel/announcer.h"

#include <linux/if_packet.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "vrrp/kernel/advert_socket.h"

namespace vipair::vrrp {

Expected<void, HostError> Announcer::open() {
  if (fd_) return {};
  UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));  // protocol 0: receives nothing
  if (!fd) {
    const int error = errno;
    std::string text = std::string("cannot announce addresses: packet socket: ") + std::strerror(error);
    if (host_error_kind(error) == HostError::Kind::not_permitted)
      text += "; run the daemon as root or give it CAP_NET_RAW";
    return Unexpected{HostError{host_error_kind(error), text}};
  }
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, &kSendBuffer, sizeof kSendBuffer) != 0)
    (void)::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);
  fd_ = std::move(fd);
  return {};
}

std::size_t Announcer::send(const std::vector<OutgoingFrame>& frames) {
  if (!fd_) return frames.size();
  std::array<sockaddr_ll, kBatch> addresses{};
  std::array<iovec, kBatch> pieces;
  std::array<mmsghdr, kBatch> headers;
  std::size_t lost = 0;
  for (std::size_t next = 0; next < frames.size();) {
    const std::size_t count = std::min<std::size_t>(kBatch, frames.size() - next);
    for (std::size_t i = 0; i < count; ++i) {
      const OutgoingFrame& frame = frames[next + i];
      addresses[i].sll_family = AF_PACKET;
      addresses[i].sll_ifindex = frame.interface_index;
      if (frame.frame.size() >= 14) std::memcpy(&addresses[i].sll_protocol, frame.frame.data() + 12, 2);
      pieces[i] = {const_cast<std::uint8_t*>(frame.frame.data()), frame.frame.size()};
      headers[i] = {};
      headers[i].msg_hdr.msg_name = &addresses[i];
      headers[i].msg_hdr.msg_namelen = sizeof addresses[i];
      headers[i].msg_hdr.msg_iov = &pieces[i];
      headers[i].msg_hdr.msg_iovlen = 1;
    }
    const int sent = ::sendmmsg(fd_.get(), headers.data(), static_cast<unsigned>(count), 0);
    if (sent > 0) {
      next += static_cast<std::size_t>(sent);
    } else if (errno != EINTR) {  // this frame failed (its interface is down or full): the others may pass
      ++lost;
      ++next;
    }
  }
  return lost;
}

}  // namespace vipair::vrrp
