#pragma once
// Which way the kernel would send a packet: one rtnetlink question, answered at once.

#include <optional>
#include <string>

#include "common/base/expected.h"
#include "common/base/ip_address.h"

namespace vipair::vrrp {

struct Route {
  int interface_index = 0;
  std::optional<IpAddress> source;   // what the kernel would choose
  std::optional<IpAddress> gateway;  // none: the destination is a neighbour
  bool is_local = false;             // the destination is this node itself
};

// interface_index: only by this interface; 0: any. The error is the kernel's: "Network is unreachable".
Expected<Route, std::string> find_route(const IpAddress& destination, int interface_index);

}  // namespace vipair::vrrp
