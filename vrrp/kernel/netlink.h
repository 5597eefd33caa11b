#pragma once
// Talking rtnetlink: batches of requests with the kernel's answer to each, dumps, and the few messages the agent
// needs, as values. Nothing here waits for the network: the kernel handles a batch while it is being sent and its
// answers are there when the send returns. A socket belongs to one thread.

#include <netlink/msg.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/expected.h"
#include "common/base/ip_address.h"
#include "common/base/mac_address.h"
#include "common/base/time.h"
#include "common/runtime/unique_fd.h"

namespace vipair::vrrp {

// The mark (IFA_PROTO, since Linux 5.18) on every address that the agent adds, so that it and everybody else can
// tell them from the administrator's. Older kernels ignore it.
inline constexpr std::uint8_t kAddressProtocol = 112;

// The kernel itself removes an address of ours that was not renewed for so long: its owner is dead or frozen, and
// so is whoever should have removed it.
inline constexpr Duration kAddressLifetime = std::chrono::seconds(30);

struct KernelAddress {
  int interface_index = 0;
  IpPrefix prefix;
  std::uint32_t flags = 0;    // IFA_F_…
  std::uint8_t protocol = 0;  // 0: unknown, or the kernel does not tell
  friend bool operator==(const KernelAddress&, const KernelAddress&) = default;
};

struct KernelLink {
  int index = 0;
  std::string name;
  MacAddress mac;
  bool is_up = false;               // administratively up with carrier
  std::optional<bool> forwards_v6;  // nullopt: the message did not say
  std::string alias = {};           // a free text
  friend bool operator==(const KernelLink&, const KernelLink&) = default;
};

struct NetlinkMessageDeleter {
  void operator()(nl_msg* message) const { nlmsg_free(message); }
};
using NetlinkMessage = std::unique_ptr<nl_msg, NetlinkMessageDeleter>;

// Requests. A virtual IPv6 address is added without duplicate address detection (the election decided already) and
// deprecated, so that it never becomes the source of the node's own new connections; a virtual IPv4 address in the
// network of a real one is a secondary and never becomes a source either. Without a route to its network
// (link-local networks excepted) the interface takes packets in but is no way out.
enum class NetworkRoute { yes, no };
NetlinkMessage new_address_request(int interface_index, const IpPrefix& prefix,
                                   NetworkRoute route = NetworkRoute::yes);
// Its lifetime begins again. An address that is gone comes back.
NetlinkMessage renew_address_request(int interface_index, const IpPrefix& prefix, NetworkRoute route);
NetlinkMessage delete_address_request(int interface_index, const IpPrefix& prefix);
// The kernel acknowledges an IPv6 address some time before it takes in packets for it: a connection that comes at
// once would be lost. This route takes them in from its acknowledgement on, and vanishes by itself after a second
// or two.
NetlinkMessage bridging_route_request(const IpAddress& address);
// An interface's IPv4 sysctl, such as IPV4_DEVCONF_PROMOTE_SECONDARIES, without /proc.
NetlinkMessage ipv4_setting_request(int interface_index, int setting, std::uint32_t value);

// A macvlan interface in bridge mode, down. What is sent to `mac` on the parent's link then comes in on it.
NetlinkMessage new_macvlan_request(const std::string& name, int parent_index, const MacAddress& mac);
NetlinkMessage link_alias_request(int interface_index, const std::string& alias);
NetlinkMessage link_state_request(int interface_index, bool is_up);
NetlinkMessage no_link_local_request(int interface_index);  // none is made by the kernel when it comes up
NetlinkMessage delete_link_request(int interface_index);

// What the kernel reports; nullopt when the message is of another kind or incomplete.
std::optional<KernelAddress> parse_address(const nlmsghdr& message);  // RTM_NEWADDR, RTM_DELADDR
std::optional<KernelLink> parse_link(const nlmsghdr& message);        // RTM_NEWLINK, RTM_DELLINK
struct ForwardingChange {
  int interface_index = 0;
  bool forwards_v6 = false;
};
std::optional<ForwardingChange> parse_ipv6_forwarding(const nlmsghdr& message);  // RTM_NEWNETCONF

// The kernel's answer to one request: 0, or an errno with the kernel's own words where it has some.
struct NetlinkAnswer {
  int error = 0;
  std::string text;
};

class NetlinkSocket {
 public:
  static constexpr std::size_t kBatchMax = 128;  // requests per send: their answers fit the default receive buffer
  static constexpr int kAnswerTimeoutMs = 100;   // never reached by a kernel that works

  static Expected<NetlinkSocket, std::string> open();

  // One answer per request, in order. The requests get their sequence numbers here.
  std::vector<NetlinkAnswer> execute(std::span<const NetlinkMessage> requests);

  // Calls `each` with every message of a dump: RTM_GETLINK or RTM_GETADDR. Repeats an interrupted dump from its
  // start: `restart` is called first each time.
  Expected<void, std::string> dump(int request_type, const std::function<void()>& restart,
                                   const std::function<void(const nlmsghdr&)>& each);

 private:
  explicit NetlinkSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  void execute_batch(std::span<const NetlinkMessage> requests, NetlinkAnswer* answers);
  int receive();  // bytes, or -errno

  UniqueFd fd_;
  std::uint32_t sequence_ = 0;
  std::vector<std::uint8_t> buffer_;
};

// Every interface, every address of the node.
Expected<std::vector<KernelLink>, std::string> list_links(NetlinkSocket& socket);
Expected<std::vector<KernelAddress>, std::string> list_addresses(NetlinkSocket& socket);

}  // namespace vipair::vrrp
