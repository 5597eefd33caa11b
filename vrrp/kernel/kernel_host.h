#pragma once
// KernelHost: the agent's effects on a real machine, by rtnetlink, raw and packet sockets. Addresses are claimed in
// batches that the kernel acknowledges while they are sent; nothing here waits for the network. Every address that
// is added carries our mark (kAddressProtocol), so that a later run recognises what a crashed one left behind. One
// owner, one thread.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/runtime/log.h"
#include "vrrp/agent/config.h"
#include "vrrp/agent/host.h"
#include "vrrp/kernel/accept_guard.h"
#include "vrrp/kernel/advert_socket.h"
#include "vrrp/kernel/announcer.h"
#include "vrrp/kernel/answer_lease.h"
#include "vrrp/kernel/connection_relay.h"
#include "vrrp/kernel/last_will.h"
#include "vrrp/kernel/lingering_addresses.h"
#include "vrrp/kernel/netlink.h"
#include "vrrp/kernel/virtual_mac.h"

namespace vipair::vrrp {

// What the supervisor does for its child, as functions: a test stands in for it.
struct SupervisorLink {
  std::function<void()> heartbeat = [] {};
  std::function<void(TimePoint)> sleep_until = [](TimePoint) {};
  std::function<Duration()> beat_interval = [] { return std::chrono::milliseconds(100); };  // at most
  std::function<void()> ready = [] {};
  std::function<void(std::string_view)> notify = [](std::string_view) {};
  std::function<void(Duration)> set_hang_timeout = [](Duration) {};
  std::function<void(bool)> set_relievable = [](bool) {};
  std::function<Expected<void, std::string>(const KernelWill&)> set_last_will = [](const KernelWill&) {
    return Expected<void, std::string>{};
  };
  LingeringState inherited;  // what lingers from the processes before us
  int parent_fd = -1;        // readable when the parent is gone; -1: there is none
};

class KernelHost final : public Host {
 public:
  struct Counters {
    std::uint64_t claims = 0;
    std::uint64_t claim_failures = 0;
    std::uint64_t releases = 0;
    std::uint64_t frames_sent = 0;
    std::uint64_t frames_lost = 0;
    std::uint64_t relay_errors = 0;
    std::uint64_t lease_errors = 0;
  };
  using Held = std::pair<int, IpPrefix>;  // interface index, address

  // Each address that is held is renewed so often, kRenewedMax at a time: see kAddressLifetime.
  static constexpr Duration kRenewInterval = std::chrono::seconds(10);
  static constexpr std::size_t kRenewedMax = 64;

  // `link` must outlive the host, which adopts what lingers.
  static Expected<std::unique_ptr<KernelHost>, std::string> open(const SupervisorLink& link, Duration drain_time);

  // Removes what a crashed run left: every address with our mark, on whatever interface; where the kernel knows no
  // marks, the addresses of this configuration on its interfaces and on `lo`. Returns them. What lingers stays. To
  // be called before the first claim.
  Expected<std::vector<std::string>, std::string> release_leftovers(const Config& config);
  // Tries what a planned move needs; the error is what the operator should read once.
  Expected<void, std::string> check_relay() { return relay_.check(); }

  Expected<void, HostError> claim(const AddressSet& slice) override;
  void release(const AddressSet& slice, ReleaseMode mode) override;
  void relay(const AddressSet& all, const IpAddress& to) override;
  Expected<void, HostError> send(const OutgoingAdvertisement& advertisement) override;
  void announce(const std::vector<OutgoingFrame>& frames) override;
  void set_last_will(const LastWill& will) override;

  void flush() { sockets_.flush(); }  // what waits to be sent, at the end of a turn
  AdvertSockets& sockets() { return sockets_; }
  const std::set<Held>& held() const { return held_; }
  void forget(const Held& held) { held_.erase(held); }  // it is gone from the interface

  // The virtual MAC addresses that may be needed, on interfaces that are there: made in advance.
  void make_virtual_macs(const std::set<VirtualMac>& wanted) { virtual_macs_.make_ready(wanted); }
  // The agent's name for an interface: a virtual MAC address is part of its parent.
  int agents_index(int interface_index) const;

  void set_drain_time(Duration drain_time);
  void set_lease_duration(Duration duration) { lease_.set_duration(duration); }
  void on_time(TimePoint now);
  std::optional<TimePoint> next_deadline() const;
  bool is_draining() const { return !lingering_.is_idle(); }
  void stop_draining();  // ends lingering and relaying now
  const Counters& counters() const { return counters_; }

 private:
  KernelHost(const SupervisorLink& link, Duration drain_time, NetlinkSocket netlink);
  std::vector<NetlinkAnswer> execute(const std::vector<NetlinkMessage>& requests);
  void keep_real_addresses();
  // The set as it is on the interface that carries it: the macvlan of its virtual MAC address, if it has one.
  Expected<AddressSet, HostError> make_place(const AddressSet& set);
  std::optional<AddressSet> placed(const AddressSet& set) const;  // nullopt: there is no such interface
  void remove(const AddressSet& set);                             // from the interface that it names
  void leave_place(const AddressSet& set);                        // when nothing is held there any more
  void cover_by_lease(const AddressSet& set);
  bool may_linger(const AddressSet& set, ReleaseMode mode) const;
  void tell_last_will();
  void renew(TimePoint now);
  HostError claim_error(const AddressSet& set, const IpPrefix& prefix, const NetlinkAnswer& answer) const;

  const SupervisorLink& link_;
  Duration drain_time_;
  NetlinkSocket netlink_;
  AdvertSockets sockets_;
  Announcer announcer_;
  LastWill will_;
  VirtualMacs virtual_macs_;
  std::set<VirtualMac> up_;  // whose parents are quiet for them
  LingeringAddresses lingering_;
  ConnectionRelay relay_;
  AcceptGuard guard_;
  AnswerLease lease_;
  std::set<Held> held_;
  TimePoint renew_at_;  // the next round; passed within one
  TimePoint renew_round_at_;
  std::optional<Held> renewed_last_;  // in this round; none: between two
  std::set<int> promoting_;           // interfaces whose secondaries outlive their primary
  Counters counters_;
  log::RateLimit relay_log_;
  log::RateLimit lease_log_;
};

}  // namespace vipair::vrrp
