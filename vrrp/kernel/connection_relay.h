#pragma once
// The new Active's side of a planned move that breaks no connection. Segments of connections that live on the old
// Active now arrive here, where nobody knows them and TCP would answer with a reset. For the drain time they are
// sent on to the old Active (lingering_addresses.h), which answers the client directly.
//
// How: one nf_tables table per move. A set remembers every connection whose SYN was seen here (client and virtual
// address and port); any other TCP segment that comes in on the interface for a virtual address is duplicated to
// the old Active's own address and dropped. The table is made before the addresses are claimed, so that no SYN is
// missed, and it carries the OWNER flag: it vanishes with our netlink socket, a crash leaves nothing. Connections
// from the node itself are not touched. When nf_tables is missing or not permitted, the move goes on without it.
//
// No blocking: one transaction, about a millisecond. Time is passed in. One owner, one thread.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/expected.h"
#include "common/base/time.h"
#include "common/runtime/unique_fd.h"
#include "vrrp/agent/host.h"
#include "vrrp/kernel/lingering_addresses.h"

namespace vipair::vrrp {

class ConnectionRelay {
 public:
  // Connections opened here during one drain time; those beyond are taken for old ones and fail.
  static constexpr std::uint32_t kConnectionsMax = 262'144;

  explicit ConnectionRelay(Duration drain_time) : drain_time_(drain_time) {}
  ~ConnectionRelay();  // ends everything
  ConnectionRelay(const ConnectionRelay&) = delete;
  ConnectionRelay& operator=(const ConnectionRelay&) = delete;

  void set_drain_time(Duration drain_time) { drain_time_ = drain_time; }

  // Tries the whole thing in one transaction that ends as it began. At start: it has the kernel load its modules,
  // off the path of a takeover, and its error text is what the operator should read once.
  Expected<void, std::string> check();

  // To be called before the addresses are added to the interface. Addresses of the other family than `old_active`
  // are left out. `own`: connections of these addresses that live on this node already
  // (LingeringAddresses::connections). A relay of any of them that still runs is replaced. `input_index`: where
  // segments for the addresses come in, if not on the interface of the set. On an error nothing is left behind.
  Expected<void, std::string> start(TimePoint now, const AddressSet& set, const IpAddress& old_active,
                                    std::span<const TcpConnection> own,
                                    std::optional<int> input_index = std::nullopt);
  void stop(const AddressSet& set);     // ends what relays any of them: the claim failed
  void release(const AddressSet& set);  // these are released: a relay ends with the last of its addresses

  void on_time(TimePoint now);
  std::optional<TimePoint> next_deadline() const;
  bool is_idle() const { return relays_.empty(); }

 private:
  struct Relay {
    AddressSet set;  // those that are not released yet
    IpFamily family = IpFamily::ipv4;
    std::string table;
    TimePoint until;
  };
  using Iterator = std::vector<Relay>::iterator;
  Expected<void, std::string> open();
  Iterator end(Iterator relay);

  Duration drain_time_;
  UniqueFd nftables_;
  std::uint64_t tables_made_ = 0;
  std::vector<Relay> relays_;
};

}  // namespace vipair::vrrp
