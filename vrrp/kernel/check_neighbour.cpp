// Whether a neighbour on the link is there: we ask it ourselves, by ARP or neighbour discovery. The kernel's own
// neighbour table would tell of a death after half a minute.
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "vrrp/core/solicitation.h"
#include "vrrp/kernel/check_probe.h"
#include "vrrp/kernel/route.h"
#include "vrrp/kernel/socket_address.h"
#include "vrrp/kernel/watch.h"

namespace vipair::vrrp {
namespace {

constexpr int kHopLimit = 255;  // anything less is not from this link (RFC 4861 section 7.1.2)

Unexpected<std::string> failed(const std::string& what) { return Unexpected{what + ": " + std::strerror(errno)}; }

Expected<MacAddress, std::string> mac_of(const UniqueFd& socket, const std::string& interface) {
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  if (::ioctl(socket.get(), SIOCGIFHWADDR, &request) != 0) return failed(interface);
  MacAddress mac;
  std::copy_n(reinterpret_cast<const std::uint8_t*>(request.ifr_hwaddr.sa_data), mac.bytes.size(),
              mac.bytes.begin());
  return mac;
}

// The kernel keeps everything else on the link from waking us: ARP replies whose sender is the wanted address.
bool hear_only_answers(const UniqueFd& socket, const IpAddress& wanted) {
  constexpr std::uint32_t kOperation = 20, kSender = 28, kReply = 2;  // offsets in the frame
  std::array<sock_filter, 6> code = {{{BPF_LD | BPF_H | BPF_ABS, 0, 0, kOperation},
                                      {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, kReply},
                                      {BPF_LD | BPF_W | BPF_ABS, 0, 0, kSender},
                                      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, wanted.v4_value()},
                                      {BPF_RET | BPF_K, 0, 0, 0xffff},
                                      {BPF_RET | BPF_K, 0, 0, 0}}};
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  return ::setsockopt(socket.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

class NeighbourProbe final : public Probe {
 public:
  NeighbourProbe(boost::asio::io_context& io, NeighbourCheck check) : io_(io), check_(std::move(check)) {}

  void start(Done done) override {
    auto asked = ask();
    if (!asked) return done({false, asked.error()});
    socket_ = WatchedFd(io_, std::move(*asked));
    done_ = std::move(done);
    receive();
  }

  std::string give_up() override {
    known_at_.reset();  // the next question goes to everybody: it may have moved
    done_ = nullptr;
    socket_.reset();
    return check_.address.to_string() + " does not answer on " + interface_;
  }

 private:
  // Sends the question; returns the socket that will hear the answer.
  Expected<UniqueFd, std::string> ask() {
    int interface_index = 0;
    if (!check_.interface.empty()) {
      interface_index = static_cast<int>(::if_nametoindex(check_.interface.c_str()));
      if (interface_index == 0) return Unexpected{"there is no interface " + check_.interface};
    }
    const auto route = find_route(check_.address, interface_index);
    if (!route) return Unexpected{check_.address.to_string() + ": " + route.error()};
    if (route->is_local) return Unexpected{check_.address.to_string() + " is this node's own address"};
    if (route->gateway)
      return Unexpected{check_.address.to_string() + " is in no network of this node: it is reached through " +
                        route->gateway->to_string()};
    std::array<char, IF_NAMESIZE> name{};
    if (!::if_indextoname(static_cast<unsigned>(route->interface_index), name.data())) return failed("interface");
    interface_ = name.data();
    return check_.address.is_v4() ? ask_by_arp(*route) : ask_by_discovery(*route);
  }

  Expected<UniqueFd, std::string> ask_by_arp(const Route& route) {
    if (!route.source) return Unexpected{interface_ + " has no address of its own to ask from"};
    UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return failed("packet socket (needs CAP_NET_RAW)");
    const auto mac = mac_of(fd, interface_);
    if (!mac) return Unexpected{mac.error()};
    sockaddr_ll link{};
    link.sll_family = AF_PACKET;
    link.sll_protocol = htons(ETH_P_ARP);
    link.sll_ifindex = route.interface_index;
    if (!hear_only_answers(fd, check_.address) ||
        ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&link), sizeof link) != 0)
      return failed(interface_);
    const Bytes frame =
        arp_request(known_at_.value_or(MacAddress::broadcast()), *mac, *route.source, check_.address);
    if (::send(fd.get(), frame.data(), frame.size(), 0) < 0) return failed(interface_);
    return fd;
  }

  Expected<UniqueFd, std::string> ask_by_discovery(const Route& route) {
    UniqueFd fd(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6));
    if (!fd) return failed("raw socket (needs CAP_NET_RAW)");
    const auto mac = mac_of(fd, interface_);
    if (!mac) return Unexpected{mac.error()};
    icmp6_filter filter;
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(ND_NEIGHBOR_ADVERT, &filter);
    const int on = 1;
    if (::setsockopt(fd.get(), IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter) != 0 ||
        ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &kHopLimit, sizeof kHopLimit) != 0 ||
        ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof on) != 0 ||
        ::setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, interface_.c_str(),
                     static_cast<socklen_t>(interface_.size())) != 0)
      return failed(interface_);
    const SocketAddress group(solicited_node_group(check_.address), 0, route.interface_index);
    const Bytes message = neighbour_solicitation(*mac, check_.address);
    if (::sendto(fd.get(), message.data(), message.size(), 0, group.get(), group.size) < 0)
      return failed(interface_);
    return fd;
  }

  void receive() {
    socket_.when_readable([this] {
      std::array<std::uint8_t, 1500> packet;
      std::array<char, CMSG_SPACE(sizeof(int))> control;
      for (;;) {
        iovec piece{packet.data(), packet.size()};
        msghdr header{};
        header.msg_iov = &piece;
        header.msg_iovlen = 1;
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        const ssize_t size = ::recvmsg(socket_.get(), &header, 0);
        if (size < 0 && errno == EAGAIN) return receive();
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return finish({false, interface_ + ": " + std::strerror(errno)});
        if (is_answer(ByteView(packet.data(), static_cast<std::size_t>(size)), header)) {
          const std::string where = known_at_ ? " at " + known_at_->to_string() : "";
          return finish({true, check_.address.to_string() + " answers on " + interface_ + where});
        }
      }
    });
  }

  bool is_answer(ByteView packet, msghdr& header) {
    if (check_.address.is_v4()) {
      const auto mac = arp_answer(packet, check_.address);
      if (mac) known_at_ = mac;
      return mac.has_value();
    }
    for (cmsghdr* control = CMSG_FIRSTHDR(&header); control; control = CMSG_NXTHDR(&header, control)) {
      if (control->cmsg_level != IPPROTO_IPV6 || control->cmsg_type != IPV6_HOPLIMIT) continue;
      int hops = 0;
      std::memcpy(&hops, CMSG_DATA(control), sizeof hops);
      if (hops == kHopLimit) return is_neighbour_advertisement(packet, check_.address);
    }
    return false;
  }

  void finish(Observation result) {
    socket_.reset();
    if (auto call = std::exchange(done_, nullptr)) call(std::move(result));
  }

  boost::asio::io_context& io_;
  NeighbourCheck check_;
  std::string interface_;               // the one that was asked on last
  std::optional<MacAddress> known_at_;  // its last answer's: asked there, the others on the link are left in peace
  WatchedFd socket_;
  Done done_;
};

}  // namespace

std::unique_ptr<Probe> make_neighbour_probe(boost::asio::io_context& io, const NeighbourCheck& check) {
  return std::make_unique<NeighbourProbe>(io, check);
}

}  // namespace vipair::vrrp
