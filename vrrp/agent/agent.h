#pragma once
// The agent: all virtual routers of this node, fed with datagrams, interface changes, health and time; it acts
// through Host alone. Single-threaded, no clock, no I/O: the same object runs in vipair-vrrpd and in the
// simulation. An early on_time() is harmless; after it no deadline lies in the past.

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/gate_protocol.h"
#include "common/base/time.h"
#include "vrrp/agent/config.h"
#include "vrrp/agent/host.h"
#include "vrrp/agent/status.h"

namespace vipair::vrrp {

struct DatagramInfo {
  int interface_index = 0;
  IpAddress source;
  IpAddress destination;
  int ttl = 0;  // or hop limit
};

class Agent {
 public:
  Agent(Config config, Host& host, TimePoint now);
  ~Agent();

  void on_datagram(TimePoint now, const DatagramInfo& info, ByteView message);
  void on_interface(TimePoint now, const InterfaceInfo& interface);
  // Somebody else removed an address from an interface (or it vanished with it).
  void on_address_removed(TimePoint now, int interface_index, const IpAddress& address);
  // The gate: nullopt when no proxy is connected.
  void on_proxy_report(TimePoint now, const std::optional<ProxyReport>& report);
  void on_time(TimePoint now);
  std::optional<TimePoint> next_deadline() const;

  // Switches to a validated configuration: unchanged routers are untouched, nothing flaps.
  void reload(TimePoint now, Config config);
  // Resigns everywhere (make before break in pair mode); is_stopped() once nothing is held any more.
  void shutdown(TimePoint now);
  bool is_stopped() const;

  // active while any tracked instance holds its addresses: what the gate tells the proxy.
  NodeRole role() const;
  Status status(TimePoint now) const;
  // Journal entries since the last call, oldest first: for the log and GET /events.
  std::vector<JournalEntry> take_journal();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vipair::vrrp
