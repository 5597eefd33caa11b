#pragma once
// The virtual router MAC address (RFC 9568 section 7.3): a macvlan interface above the one that the virtual router
// is on, with the address 00-00-5E-00-01-VRID (IPv4) or 00-00-5E-00-02-VRID (IPv6), which the virtual addresses are
// put on. The kernel then answers ARP and neighbour solicitations for them with it. It is up only while they are
// held: a macvlan that is down leaves the frames of the other node, which come from the same MAC address, alone.
//
// Bridge mode: in private mode a frame from the macvlan's own MAC address goes to the macvlan alone, and two nodes
// that are Active after a split would never hear each other again.
//
// Each of the two interfaces answers for its own addresses only: arp_ignore and arp_announce here, a quiet parent
// (interface_settings.h). The way out is the parent: no route leads over the macvlan, so rp_filter is loose. It
// forwards when the parent does, and takes no address or route from router advertisements.
//
// What a crashed run left is recognised by its alias. One owner, one thread; nothing waits for the network.

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/expected.h"
#include "common/base/ip_address.h"
#include "vrrp/agent/host.h"
#include "vrrp/kernel/netlink.h"

namespace vipair::vrrp {

inline constexpr const char* kVirtualMacAlias = "vipair";

struct VirtualMac {
  int parent_index = 0;
  IpFamily family = IpFamily::ipv4;
  std::uint8_t vrid = 0;
  friend auto operator<=>(const VirtualMac&, const VirtualMac&) = default;
};

// "vrrp4.51.2": family, VRID, index of the parent; at most the 15 characters of an interface's name.
std::string interface_name(const VirtualMac& mac);

class VirtualMacs {
 public:
  using Execute = std::function<std::vector<NetlinkAnswer>(const std::vector<NetlinkMessage>&)>;
  explicit VirtualMacs(Execute execute) : execute_(std::move(execute)) {}
  ~VirtualMacs();  // removes them all

  // Makes what is missing, to have it at hand. What was made stays until the end: the kernel takes long to remove
  // it.
  void make_ready(const std::set<VirtualMac>& wanted);

  // The index of its interface, which is up. Anew when somebody removed it.
  Expected<int, HostError> bring_up(const VirtualMac& mac);
  void take_down(const VirtualMac& mac);

  std::optional<int> index_of(const VirtualMac& mac) const;  // made, up or down
  std::optional<VirtualMac> at(int interface_index) const;   // the other way round
  bool is_up(const VirtualMac& mac) const;

 private:
  struct Made {
    int index = 0;
    bool is_up = false;
  };
  Expected<int, HostError> make(const VirtualMac& mac);
  void configure(const VirtualMac& mac, int index);
  void remove(const VirtualMac& mac);
  int set_state(int index, bool is_up);  // errno

  Execute execute_;
  std::map<VirtualMac, Made> made_;
};

// Those that a crashed run left; their names. May take a second.
Expected<std::vector<std::string>, std::string> remove_virtual_mac_leftovers(NetlinkSocket& netlink);

}  // namespace vipair::vrrp
