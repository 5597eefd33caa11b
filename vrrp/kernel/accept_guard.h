#pragma once
// Accept_Mode = false (RFC 9568 section 6.1): what is sent to the addresses of a virtual router is dropped, but for
// neighbour solicitations and advertisements; ARP goes on as well. One nf_tables table per VRRP instance, which is
// there before the first of its addresses and goes after the last. The kernel removes it when this process dies.
//
// One owner, one thread; nothing waits for the network.

#include <map>
#include <set>
#include <string>
#include <tuple>

#include "common/base/expected.h"
#include "common/runtime/unique_fd.h"
#include "vrrp/agent/host.h"

namespace vipair::vrrp {

class AcceptGuard {
 public:
  // Before the addresses are added, and whenever their Accept_Mode is another: makes it what the set says. On an
  // error, which is for the operator, nothing has changed.
  Expected<void, std::string> apply(const AddressSet& set);
  // After the addresses were removed; unknown ones are fine.
  void remove(const AddressSet& set);

 private:
  using Key = std::tuple<int, IpFamily, std::uint8_t>;  // interface, family, VRID
  struct Guarded {
    std::string table;
    std::set<IpAddress> addresses;
  };

  UniqueFd nftables_;
  std::map<Key, Guarded> guarded_;
};

}  // namespace vipair::vrrp
