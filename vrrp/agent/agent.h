#pragma once
// The agent: all virtual routers of this node, fed with datagrams, interface changes, health and time; it acts
// through Host alone. Single-threaded, no clock, no I/O: the same object runs in vipair-vrrpd and in the
// simulation. An early on_time() is harmless; after it no deadline lies in the past, and one lies at `now` only
// while addresses wait to be claimed, released or announced: that is done in slices, one per call, so that packets
// are read and advertisements go out in between. What a datagram decides is done in on_time(), to be called when
// all datagrams that are there were told.

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/expected.h"
#include "common/base/gate_protocol.h"
#include "common/base/time.h"
#include "vrrp/agent/config.h"
#include "vrrp/agent/host.h"
#include "vrrp/agent/peer_link.h"
#include "vrrp/agent/peer_report.h"
#include "vrrp/agent/plan.h"
#include "vrrp/agent/status.h"
#include "vrrp/core/reload.h"

namespace vipair::vrrp {

struct DatagramInfo {
  int interface_index = 0;
  IpAddress source;
  IpAddress destination;
  int ttl = 0;  // or hop limit
};

class Agent {
 public:
  // `identity` is needed when the configuration has keys, then or after a reload.
  Agent(Config config, Host& host, TimePoint now, const PairIdentity& identity = {});
  ~Agent();

  void on_datagram(TimePoint now, const DatagramInfo& info, ByteView message);
  void on_interface(TimePoint now, const InterfaceInfo& interface);
  // Somebody else removed an address from an interface (or it vanished with it).
  void on_address_removed(TimePoint now, int interface_index, const IpAddress& address);
  // The gate: nullopt when no proxy is connected.
  void on_proxy_report(TimePoint now, const std::optional<ProxyReport>& report);
  // One run of a check has ended. reason: what was seen, for the operator.
  void on_check_result(TimePoint now, std::string_view check, bool success, std::string reason);
  // What the peer says of its side of one of our instances.
  void on_peer_report(TimePoint now, const InstanceKey& key, const PeerReport& report);
  // The calendar, to be compared with the peer's; nothing else rests on it.
  void on_wall_clock(TimePoint now, WallTime wall);
  void on_time(TimePoint now);
  std::optional<TimePoint> next_deadline() const;

  // Switches to a validated configuration: unchanged routers are untouched, nothing flaps.
  void reload(TimePoint now, Config config);
  // Lets the other node be Active for this virtual router and its group, or for all; preemption rests until that
  // one is lost. In pair mode nothing is given up before somebody takes it. The error says why not, to the
  // operator.
  Expected<void, std::string> handover(TimePoint now, const std::optional<std::string>& router);
  // What it would move now: the names of the virtual routers. The error is handover()'s.
  Expected<std::vector<std::string>, std::string> may_hand_over(TimePoint now,
                                                                const std::optional<std::string>& router) const;
  // Keeps this node empty until undrain(). Refused when what is Active here would find no taker, unless forced.
  Expected<void, std::string> drain(TimePoint now, bool force);
  Expected<std::vector<std::string>, std::string> may_drain(TimePoint now, bool force) const;  // what it would move
  void undrain(TimePoint now);
  bool is_drained() const;
  // Resigns everywhere (make before break in pair mode); is_stopped() once nothing is held any more.
  void shutdown(TimePoint now);
  bool is_stopped() const;

  // Asks the peer over each path whether it hears us; what came back so far.
  void start_probe(TimePoint now);
  std::vector<PathProbe> probe_results() const;

  // active while any tracked instance holds its addresses: what the gate tells the proxy.
  NodeRole role() const;
  // Whether the death of this process should be seen at once: addresses are held, and as far as is known another
  // node could have them. Nobody could while the peer is away, and a claim that has only begun is for nobody else.
  bool is_relievable(TimePoint now) const;
  Status status(TimePoint now) const;
  std::vector<PlanRow> plan() const;  // who would be Active, with what the peer said of its priorities
  // Journal entries since the last call, oldest first: for the log and GET /events.
  std::vector<JournalEntry> take_journal();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vipair::vrrp
