#pragma once
// Host: everything the agent does to the machine it runs on. KernelHost (vrrp/kernel) does it by netlink and
// sockets, SimulatedHost (tests/vrrp/agent) on a simulated LAN. Calls come from the agent's one thread and do not
// block. Failures are returned, never thrown; the agent turns them into events of its next turn.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/expected.h"
#include "common/base/ip_address.h"
#include "common/base/mac_address.h"
#include "vrrp/core/types.h"

namespace vipair::vrrp {

// What the agent knows of an interface, pushed into Agent::on_interface whenever any of it changes.
struct InterfaceInfo {
  std::string name;
  int index = 0;       // 0: the interface does not exist
  bool is_up = false;  // administratively up with carrier
  MacAddress mac;
  std::optional<IpAddress> primary_v4;     // source of IPv4 advertisements: never a virtual address
  std::optional<IpAddress> link_local_v6;  // source of IPv6 advertisements
  int primary_v4_length = 0;               // of its network's prefix, bits
  bool forwards_v6 = false;                // the router flag of the kernel's own neighbour advertisements
  friend bool operator==(const InterfaceInfo&, const InterfaceInfo&) = default;
};

struct HostError {
  enum class Kind { not_permitted, no_interface, address_in_use, other };
  Kind kind = Kind::other;
  std::string text;  // for the operator: what failed, on what, and what to do; e.g. errno text and address
};

// The addresses of one VRRP instance (one family) on one interface.
struct AddressSet {
  std::string interface;
  int interface_index = 0;
  std::vector<IpPrefix> addresses;
  std::uint8_t vrid = 0;
  bool virtual_mac = false;  // they answer with the virtual router's MAC address
  bool accept = true;        // packets to them are for this node
};

// One advertisement as it goes on the wire: the VRRP message without IP header.
struct OutgoingAdvertisement {
  int interface_index = 0;
  IpAddress source;
  IpAddress destination;  // 224.0.0.18, ff02::12 or the peer; TTL and hop limit are always 255
  Bytes message;
  std::optional<MacAddress> source_mac = std::nullopt;  // multicast only; none: the interface's own
  friend bool operator==(const OutgoingAdvertisement&, const OutgoingAdvertisement&) = default;
};

// A gratuitous ARP or unsolicited neighbour advertisement: a whole Ethernet frame made by vrrp/core/announcement.
struct OutgoingFrame {
  int interface_index = 0;
  Bytes frame;
};

// What the supervisor does when this process dies without having done it: one entry per instance that holds
// addresses.
struct LastWill {
  struct Release {
    AddressSet set;
    ReleaseMode mode = ReleaseMode::immediate;
  };
  std::vector<OutgoingAdvertisement> resignations;  // ready-made, priority 0
  std::vector<Release> releases;
};

// The most addresses that are claimed or released at a time, so that advertisements go out in between.
inline constexpr std::size_t kSliceMax = 128;

class Host {
 public:
  virtual ~Host() = default;

  virtual std::size_t slice_max() const { return kSliceMax; }
  // Adds a slice of an instance's addresses in one batch; success means the kernel acknowledged every one (one that
  // is already there because we put it there counts). On failure nothing of the slice remains added by this call.
  virtual Expected<void, HostError> claim(const AddressSet& slice) = 0;
  virtual void release(const AddressSet& slice, ReleaseMode mode) = 0;
  // In a planned move, before the first claim: segments of connections that were opened on the old Active are
  // relayed to its own address `to` (unicast, on this interface's network) for the drain time, or until the last of
  // the addresses is released. Best effort.
  virtual void relay(const AddressSet& all, const IpAddress& to) = 0;
  virtual Expected<void, HostError> send(const OutgoingAdvertisement& advertisement) = 0;
  virtual void announce(
      const std::vector<OutgoingFrame>& frames) = 0;  // all in one batch; losses are the schedule's business
  virtual void set_last_will(
      const LastWill& will) = 0;  // replaces the previous one; takes effect before it returns
};

}  // namespace vipair::vrrp
