#pragma once
// One VRRP instance at work: one family of one virtual router on one interface. It feeds step() with what happened,
// performs the actions through Host, and remembers what the state machine need not know: faults, counters, the
// neighbour, what is held. Owned by the Agent, whose thread calls it.

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "vrrp/agent/host.h"
#include "vrrp/agent/journal.h"
#include "vrrp/agent/peer_report.h"
#include "vrrp/agent/status.h"
#include "vrrp/core/advertisement.h"
#include "vrrp/core/reload.h"
#include "vrrp/core/state_machine.h"
#include "vrrp/core/tracking.h"

namespace vipair::vrrp {

// After a failed claim the instance stays away for so long, then takes part again.
inline constexpr Duration kClaimRetryFirst = std::chrono::seconds(1);
inline constexpr Duration kClaimRetryLast = std::chrono::seconds(30);
// An address that somebody removed is claimed again: at once the first time (removals come in bursts, which the few
// milliseconds gather), ever more slowly while somebody keeps removing it, and at once again after a quiet minute.
inline constexpr Duration kReclaimDelay = std::chrono::milliseconds(5);
inline constexpr Duration kReclaimFightFirst = std::chrono::seconds(1);
inline constexpr Duration kReclaimFightLast = std::chrono::seconds(30);
inline constexpr Duration kReclaimFightForgotten = std::chrono::seconds(60);
// In unicast a node whose interface came up, or changed its address, tells the LAN so many times where it is: a
// peer that still knows another MAC address would advertise into the void, and this node would conclude that it is
// dead.
inline constexpr int kIntroductions = 4;

class VirtualRouter {
 public:
  struct Surroundings {
    Host& host;
    Journal& journal;
    std::function<void()> will_changed;  // add_to() would say something else now
    // Those that no other virtual router of this node holds on the same interface: an address that moved to another
    // virtual router stays where it is when this one lets go of it.
    std::function<std::vector<IpPrefix>(const VirtualRouter&, const std::vector<IpPrefix>&)> held_by_no_other;
  };

  VirtualRouter(InstanceConfig config, Surroundings surroundings, TimePoint now);

  const InstanceConfig& config() const { return config_; }
  const std::string& label() const { return label_; }  // "web/ipv4"
  bool is_on(int interface_index) const { return interface_.index != 0 && interface_.index == interface_index; }

  // A packet whose VRID, family and interface are ours and that passed decode_vrid().
  void on_packet(TimePoint now, const ReceivedPacket& packet);
  void refuse(TimePoint now, DropReason reason, const IpAddress& source);

  void on_interface(TimePoint now, const InterfaceInfo& interface);
  void on_address_removed(TimePoint now, int interface_index, const IpAddress& address);
  void raise(TimePoint now, FaultSource source, std::string text);
  void clear(TimePoint now, FaultSource source);
  bool has_fault(FaultSource source) const { return faults_.has(source); }
  void on_time(TimePoint now);
  std::optional<TimePoint> next_deadline() const;

  // To a new configuration of the same key. Counters and role survive; addresses that stay are not touched.
  void change(TimePoint now, const InstanceChange& change);

  bool holds_addresses() const { return !held_.addresses.empty(); }
  const AddressSet& held() const { return held_; }
  bool is_stopped() const;  // holds nothing and takes no part
  void add_to(LastWill& will) const;
  RouterStatus status() const;
  PeerReport report(TimePoint now) const;  // of this node's instance, for the peer
  std::vector<std::string> warnings() const;

 private:
  struct Counters {
    std::uint64_t active_transitions = 0;
    std::uint64_t received_advertisements = 0;
    std::uint64_t sent_advertisements = 0;
    std::uint64_t received_priority_zero = 0;
    std::uint64_t sent_priority_zero = 0;
    std::uint64_t address_list_errors = 0;
    std::uint64_t received_checksums_pseudo_header = 0;
    std::uint64_t received_checksums_message_only = 0;
    std::uint64_t lower_priority_discarded = 0;
    std::uint64_t second_active_heard = 0;
    std::uint64_t late_wakeups = 0;
    std::uint64_t announcements = 0;
    std::uint64_t send_errors = 0;
    std::uint64_t claim_errors = 0;
    std::uint64_t addresses_lost = 0;
    std::array<std::uint64_t, kDropReasons> dropped{};
  };
  struct Neighbour {
    IpAddress address;
    std::uint8_t priority = 0;
    TimePoint heard;
    Centiseconds advertised_interval{};
    ChecksumKind checksum = ChecksumKind::pseudo_header;
    bool lists_other_addresses = false;  // than we do
  };

  Parameters parameters() const;
  bool is_active() const { return std::holds_alternative<Active>(state_); }
  void accept(TimePoint now, const ReceivedPacket& packet, const DecodedAdvertisement& decoded);
  void handle(TimePoint now, Event event);
  void note(TimePoint now, const State& before, const Transition& transition);
  bool perform(TimePoint now, const std::vector<Action>& actions);
  bool claim(TimePoint now, const std::vector<IpPrefix>& addresses, std::optional<IpAddress> relay_to);
  void release(const std::vector<IpPrefix>& addresses, ReleaseMode mode);
  void send(TimePoint now, std::uint8_t priority);
  void announce();
  void introduce();
  OutgoingAdvertisement advertisement(std::uint8_t priority) const;
  std::string explain(TimePoint now, Reason reason) const;
  RoleChange role_change(std::string from, std::string text) const;
  void tell(TimePoint now, JournalEntry::Level level, std::string event, std::string text) const;
  void tell_at_most(RateLimit& limit, TimePoint now, JournalEntry::Level level, std::string event,
                    std::string text) const;

  InstanceConfig config_;
  Surroundings surroundings_;
  std::string label_;
  InterfaceInfo interface_;          // index 0 until it is known
  std::optional<IpAddress> source_;  // of our advertisements: the last known one, a resignation must get out
  State state_;
  FaultSet faults_;
  AddressSet held_;
  Reason reason_ = Reason::none;
  TimePoint since_;
  std::string told_role_ = "initialize";  // of the last change of role
  std::optional<Neighbour> neighbour_;
  Counters counters_;

  Backoff claim_backoff_{kClaimRetryFirst, kClaimRetryLast};
  std::optional<TimePoint> claim_retry_at_;
  Backoff fight_backoff_{kReclaimFightFirst, kReclaimFightLast};
  std::optional<TimePoint> address_lost_at_;
  std::optional<TimePoint> reclaim_at_;
  std::optional<AnnouncementSchedule> introductions_;  // of our own address, while some are due

  std::array<RateLimit, kDropReasons> refusal_limits_;
  RateLimit neighbour_limit_, address_list_limit_, send_limit_, second_active_limit_, outranked_limit_;
};

}  // namespace vipair::vrrp
