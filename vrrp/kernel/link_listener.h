#pragma once
// What goes on on one link besides what the agent reads: who answers for an address (ARP, neighbour discovery), and
// who advertises which VRID, as the device sees it, before any socket's filter. For `doctor`: opened for a moment,
// asks, and is read once. What arrives meanwhile waits in the sockets' buffers; only ARP, VRRP and neighbour
// advertisements get there. Needs CAP_NET_RAW. Nothing blocks.

#include <cstdint>
#include <set>
#include <string>

#include "common/base/expected.h"
#include "common/base/ip_address.h"
#include "common/base/mac_address.h"
#include "common/runtime/unique_fd.h"
#include "vrrp/agent/host.h"

namespace vipair::vrrp {

class LinkListener {
 public:
  struct Answer {  // "address is at mac"
    IpAddress address;
    MacAddress mac;
    friend auto operator<=>(const Answer&, const Answer&) = default;
  };
  struct Advertiser {
    IpAddress source;
    std::uint8_t vrid = 0;
    int version = 0;
    bool to_group = false;  // else to a single node
    friend auto operator<=>(const Advertiser&, const Advertiser&) = default;
  };
  struct Heard {
    std::set<Answer> answers;
    std::set<Advertiser> advertisers;
  };
  static constexpr std::size_t kHeardMax = 1024;  // of each kind

  static Expected<LinkListener, std::string> open(const InterfaceInfo& interface);

  // Asks the link who has the address. An ARP request comes from nobody (0.0.0.0), as in RFC 5227, so that nobody
  // learns anything from it; a neighbour solicitation from our link-local address. False: it could not be sent.
  bool ask(const IpAddress& address);
  Heard take();  // since the last call; what this node sends itself is not in it

 private:
  LinkListener(InterfaceInfo interface, UniqueFd arp, UniqueFd v4, UniqueFd v6)
      : interface_(std::move(interface)), arp_(std::move(arp)), v4_(std::move(v4)), v6_(std::move(v6)) {}
  bool send(const UniqueFd& fd, std::uint16_t type, const MacAddress& destination, const Bytes& packet) const;

  InterfaceInfo interface_;
  UniqueFd arp_, v4_, v6_;
};

}  // namespace vipair::vrrp
