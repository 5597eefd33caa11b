#pragma once
// The old Active's side of a move that breaks no connection: the addresses leave the interface but stay on `lo`
// (/32, /128) until the drain time ends or no TCP connection to them is left, so that the node keeps its sockets
// and answers its clients directly while the new Active relays their segments here (connection_relay.h).
//
// Meanwhile the node must not claim them on the link: the interface is quiet for that time (interface_settings.h).
// Neighbour discovery needs nothing: Linux answers for addresses of the interface only.
//
// What lingers may change hands: the agent's process cares for it, and when that dies, its supervisor does, until
// the next process of the agent adopts it. At every moment one of them does, and whoever does ends it.
//
// No blocking: rtnetlink is synchronous, the look at the TCP sockets is bounded. Time is passed in. One owner, one
// thread.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/expected.h"
#include "common/base/ip_address.h"
#include "common/base/time.h"
#include "common/runtime/unique_fd.h"
#include "vrrp/agent/host.h"
#include "vrrp/kernel/interface_settings.h"
#include "vrrp/kernel/rtnetlink_batch.h"

namespace vipair::vrrp {

// What lingers, or is to linger from a death on, as one process tells another.
struct LingeringState {
  struct Entry {
    AddressSet set;                  // as it was on its interface
    std::optional<TimePoint> until;  // none: it does not linger yet, and then does for the drain time
  };
  std::vector<Entry> entries;
  std::vector<InterfaceSetting> settings;  // to be put back in the end
  Duration drain_time{};
};

// A TCP connection of this node.
struct TcpConnection {
  IpEndpoint local;
  IpEndpoint remote;
  friend bool operator==(const TcpConnection&, const TcpConnection&) = default;
};

class LingeringAddresses {
 public:
  // Should nobody end it, the kernel does so much after the drain time.
  static constexpr Duration kLifetimeMargin = std::chrono::seconds(10);
  static constexpr Duration kLookInterval = std::chrono::milliseconds(100);
  // Sockets read per look; a node that has more lingers for the whole drain time.
  static constexpr std::size_t kSocketsReadMax = 16'384;

  // `changed` is called before state() grows on the machine and after it has shrunk there: a last will that is
  // renewed then covers every moment. `drain_time` counts for addresses that begin to linger from now on.
  LingeringAddresses(Duration drain_time, std::function<void()> changed);
  ~LingeringAddresses();  // ends everything
  LingeringAddresses(const LingeringAddresses&) = delete;
  LingeringAddresses& operator=(const LingeringAddresses&) = delete;

  void set_drain_time(Duration drain_time) { drain_time_ = drain_time; }

  // Moves the addresses of the set from its interface to `lo`: added there first, so that no segment finds the node
  // without them. On an error the addresses are gone from the interface all the same, but do not linger. A loss of
  // the interface addresses that shows up as an address event is this call's.
  Expected<void, std::string> start(TimePoint now, const AddressSet& set);

  // What lingers now, and what would if the sets of `also` began to: with the settings that their interfaces had
  // when they came into `also`. To ask takes the kernel's lock of the whole network configuration, which others may
  // hold for long.
  LingeringState state(const std::vector<AddressSet>& also = {});
  // Cares for what another process has left; its entries without an end linger for its drain time from now on.
  void adopt(TimePoint now, const LingeringState& left);
  // Another process has adopted state(): everything goes on, without us.
  void forget();
  bool lingers(const IpAddress& address) const;

  // This node is Active again: to be called right after the addresses were added to the interface.
  void cancel(const AddressSet& set);
  // The connections that an address of the set has kept while lingering; empty when none lingers. For the relay of
  // a claim that takes the addresses back.
  std::vector<TcpConnection> connections(const AddressSet& set) const;

  void on_time(TimePoint now);
  std::optional<TimePoint> next_deadline() const;
  bool is_idle() const { return lingering_.empty(); }
  // Whoever else needs settings of an interface shares them with what lingers there; they are part of state().
  InterfaceSettings& settings() { return settings_; }
  void stop();  // ends everything now

 private:
  struct Lingering {
    AddressSet set;
    TimePoint until;
    TimePoint look_at;
    bool is_quiet = false;  // holds this need of its interface
  };
  using Iterator = std::vector<Lingering>::iterator;
  Iterator end(Iterator lingering);
  void forget_empty();
  void tell() const;

  Duration drain_time_;
  std::function<void()> changed_;
  InterfaceSettings settings_;
  UniqueFd rtnetlink_;
  RtnetlinkBatch batch_;
  std::vector<Lingering> lingering_;
  std::map<int, std::vector<InterfaceSetting>> read_;  // of the interfaces of the last `also`
};

// Takes those addresses out of a set, if it is of the same interface; returns the ones that were in it.
std::vector<IpPrefix> take_out(AddressSet& from, const AddressSet& those);

// Calls `each` with every TCP connection of this node (not the listening ones, not TIME_WAIT), as the kernel tells
// by sock_diag, until it returns false. False when not all were seen for another reason: more than kSocketsReadMax,
// or the kernel did not tell.
bool for_each_tcp_connection(const std::function<bool(const TcpConnection&)>& each);

}  // namespace vipair::vrrp
