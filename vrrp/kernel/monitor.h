#pragma once
// The node's interfaces and addresses, followed by rtnetlink events: a full list at the start and after every loss
// of events (the socket's buffer overflowed), changes in between. InterfaceTable is the bookkeeping without the
// socket.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "vrrp/agent/host.h"
#include "vrrp/kernel/netlink.h"

namespace vipair::vrrp {

// fe80::200:5eff:fe00:2xx, made from a virtual router MAC address (RFC 9568 section 7.3): never a node's own.
bool is_virtual_router_link_local(const IpAddress& address);

class InterfaceTable {
 public:
  // Addresses that are nobody's own, by configuration; those with our mark and the link-local addresses that belong
  // to a virtual router's MAC address are known without. `peers`: an own address in a peer's network is preferred.
  void set_virtual(std::set<IpAddress> addresses);
  void set_peers(std::vector<IpAddress> peers);

  void clear();
  void apply(const nlmsghdr& message);
  void add(const KernelLink& link);
  void remove_link(int index);
  void add(const KernelAddress& address);
  void remove(const KernelAddress& address);
  void set_forwarding(int index, bool forwards_v6);

  // index 0 when there is no interface of that name. The sources are the node's own: for IPv4 the first address
  // that is not a secondary one, else the first at all; for IPv6 the first link-local one that is usable.
  InterfaceInfo info(const std::string& name) const;
  bool has(int interface_index, const IpPrefix& prefix) const;
  bool is_own(const IpAddress& address) const;  // held by an interface of this node, and not as a virtual one

  // Whether the address is in a network of the interface. True as well when there is no such interface to ask.
  bool is_neighbour(const std::string& interface, const IpAddress& address) const;

  // Every address that went since the last call, in order; it may be there again.
  struct Removed {
    int interface_index = 0;
    IpPrefix prefix;
    bool was_foreign = false;  // a virtual address without our mark: somebody who held it let go of it
  };
  std::vector<Removed> take_removed() { return std::exchange(removed_, {}); }
  std::uint64_t version() const { return version_; }  // grows with every change

 private:
  struct Address {
    std::uint64_t order = 0;  // of appearance
    std::uint32_t flags = 0;
    std::uint8_t protocol = 0;
  };
  struct Link {
    KernelLink link;
    std::map<IpPrefix, Address> addresses;
  };
  bool is_virtual(const IpAddress& address, std::uint8_t protocol) const;
  std::optional<IpPrefix> source(const Link& link, IpFamily family) const;

  std::map<int, Link> links_;  // an address may come before its link: then without a name
  std::set<IpAddress> virtual_;
  std::vector<IpAddress> peers_;
  std::uint64_t next_order_ = 0;
  std::uint64_t version_ = 0;
  bool knows_marks_ = false;  // does the kernel?
  std::vector<Removed> removed_;
};

class Monitor {
 public:
  static constexpr int kReceiveBuffer = 4 << 20;  // bytes: thousands of addresses come and go in one batch

  // Subscribes and reads the full list.
  static Expected<std::unique_ptr<Monitor>, std::string> open();

  int poll_fd() const { return fd_.get(); }
  // Reads all that is there. An error means that the table may be out of date; the next call tries again.
  Expected<void, std::string> drain();
  const InterfaceTable& table() const { return table_; }
  InterfaceTable& table() { return table_; }
  // Times the full list was read again because events were lost: what went meanwhile was not seen to go.
  std::uint64_t resyncs() const { return resyncs_; }

 private:
  Monitor(UniqueFd fd, NetlinkSocket socket) : fd_(std::move(fd)), socket_(std::move(socket)) {}
  Expected<void, std::string> list_all();

  UniqueFd fd_;
  NetlinkSocket socket_;  // for the lists, apart from the events
  InterfaceTable table_;
  std::vector<std::uint8_t> buffer_;
  bool is_stale_ = true;
  std::uint64_t resyncs_ = 0;
};

}  // namespace vipair::vrrp
