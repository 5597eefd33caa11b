#pragma once
// Changes of addresses and of IPv4 device settings, as many as there are in as few system calls as possible. The
// kernel carries them out before send() returns; only refusals are answered. Allocates in its constructor alone, so
// that the supervisor can use it at the moment of a death.

#include <cstdint>

#include "common/base/ip_address.h"
#include "common/base/time.h"
#include "common/runtime/unique_fd.h"
#include "vrrp/kernel/netlink_writer.h"

namespace vipair::vrrp {

// A NETLINK_ROUTE socket, non-blocking and close-on-exec; invalid with errno set when there is none to be had.
UniqueFd open_rtnetlink();

class RtnetlinkBatch {
 public:
  // Bytes per system call: should the kernel refuse every request of one, its answers still fit the receive buffer.
  static constexpr std::size_t kSizeMax = 8 * 1024;

  explicit RtnetlinkBatch(int socket) : socket_(socket), writer_(kSizeMax) {}

  // For `lo`: of host scope and deprecated, so that nobody picks it as a source; without duplicate address
  // detection. The kernel removes it after its lifetime if nobody else has. One that is there already is no error.
  void add_host_address(int interface_index, const IpAddress& address, Duration lifetime);
  // IPv4: whatever its prefix length. IPv6: with the prefix length it was added with. One that is gone is no error.
  void remove_address(int interface_index, const IpPrefix& address);
  void take_down(int interface_index);
  void set_ipv4_setting(int interface_index, int id, int value);  // IPV4_DEVCONF_…

  // Sends what is left. Returns the first refusal since the last flush as errno, 0 when there was none.
  int flush();

 private:
  void address_message(int type, int flags, int interface_index, const IpAddress& address, int length, int scope);
  void make_room();
  void send();
  void read_refusals();

  int socket_;
  int error_ = 0;
  std::uint32_t sequence_ = 0;
  NetlinkWriter writer_;
};

}  // namespace vipair::vrrp
