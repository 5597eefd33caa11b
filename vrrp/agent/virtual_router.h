#pragma once
// One VRRP instance at work: one family of one virtual router on one interface. It tells its group what happened,
// performs through Host what the group decides, and remembers what the state machine need not know: faults,
// counters, the neighbour, what is held. Owned by the Agent, whose thread calls it.

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
#include "vrrp/agent/peer_link.h"
#include "vrrp/agent/peer_report.h"
#include "vrrp/agent/status.h"
#include "vrrp/agent/verdicts.h"
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
// The status warns for so long of a neighbour that is configured differently, after it was last heard.
inline constexpr Duration kDisagreementRemembered = std::chrono::minutes(1);

class Group;

class VirtualRouter {
 public:
  struct Surroundings {
    Host& host;
    Journal& journal;
    std::function<void()> will_changed;  // add_to() would say something else now
    // Those that no other virtual router of this node holds on the same interface: an address that moved to another
    // virtual router stays where it is when this one lets go of it.
    std::function<std::vector<IpPrefix>(const VirtualRouter&, const std::vector<IpPrefix>&)> held_by_no_other;
    PeerLink* link = nullptr;  // to the other node of a pair; none: a test without one
  };

  // Until it joins a group it notes what it is told and takes no part.
  VirtualRouter(InstanceConfig config, Surroundings surroundings, TimePoint now);
  VirtualRouter(const VirtualRouter&) = delete;
  VirtualRouter& operator=(const VirtualRouter&) = delete;

  const InstanceConfig& config() const { return config_; }
  const std::string& label() const { return label_; }  // "web/ipv4"
  bool is_on(int interface_index) const { return interface_.index != 0 && interface_.index == interface_index; }

  // A packet whose VRID, family and interface are ours and that passed decode_vrid().
  void on_packet(TimePoint now, const ReceivedPacket& packet);
  // The peer's, over a further path; what it says was verified.
  void on_path_advert(TimePoint now, const PeerLink::Heard::Advert& heard);
  void refuse(TimePoint now, DropReason reason, const IpAddress& source, const char* why = nullptr);

  void on_interface(TimePoint now, const InterfaceInfo& interface);
  void on_address_removed(TimePoint now, int interface_index, const IpAddress& address);
  void raise(TimePoint now, FaultSource source, const std::string& text, std::string_view name = "");
  void clear(TimePoint now, FaultSource source, std::string_view name = "");
  void apply(TimePoint now, const Burden& burden, bool takes_part);  // what it tracks: the faults of it
  bool has_fault(FaultSource source) const { return faults_.has(source); }
  bool is_healthy() const { return faults_.empty(); }
  const FaultSet& faults() const { return faults_; }
  void on_time(TimePoint now);
  std::optional<TimePoint> next_deadline() const;

  // To a new configuration of the same key, which the group is to be told of. Counters and role survive; addresses
  // that stay are not touched.
  void change(TimePoint now, const InstanceChange& change);

  bool holds_addresses() const { return !held_.addresses.empty(); }
  const AddressSet& held() const { return held_; }
  bool is_stopped() const;  // holds nothing and takes no part
  void add_to(LastWill& will) const;
  RouterStatus status() const;
  PeerReport report(TimePoint now) const;         // of this node's instance, for the peer
  std::optional<PeerReport> peer_report() const;  // of the peer's
  HelloEntry hello_entry() const;                 // report(), as it goes on the wire
  Subject subject() const;
  std::vector<std::string> warnings(TimePoint now) const;

  // ---- for its group ----

  Group* group() const { return group_; }
  const State& state() const;
  void join(Group& group) { group_ = &group; }
  Parameters parameters() const;
  bool hears_somebody(TimePoint now) const;
  std::optional<IpAddress> relay_address() const;  // of the other node, on this network
  // Without telling the group.
  bool note_fault(TimePoint now, FaultSource source, const std::string& text, std::string_view name = "");
  // Something was decided; the role is another one now.
  void count(TimePoint now, Reason reason);
  void note(TimePoint now, Reason reason, const std::string& text);
  std::string explain(TimePoint now, Reason reason) const;
  // False: the claim failed.
  bool perform(TimePoint now, const Action& action);
  void resign(TimePoint now);
  void tell(TimePoint now, JournalEntry::Level level, std::string event, std::string text) const;

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
    std::uint64_t unproven = 0;
    std::uint64_t received_path_advertisements = 0;
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

  // A refusal that an operator can end, since it comes from a difference of configuration.
  struct Disagreement {
    IpAddress source;
    DropReason reason;
    TimePoint heard;
  };

  bool is_group_healthy() const;
  std::uint8_t effective_priority() const;
  bool is_active() const { return std::holds_alternative<Active>(state()); }
  void accept(TimePoint now, const ReceivedPacket& packet, const DecodedAdvertisement& decoded);
  void handle(TimePoint now, Event event);
  bool claim(TimePoint now, const std::vector<IpPrefix>& addresses, std::optional<IpAddress> relay_to);
  void release(const std::vector<IpPrefix>& addresses, ReleaseMode mode);
  void send(TimePoint now, std::uint8_t priority);
  void announce();
  void introduce();
  bool is_stale(const Trailer& trailer);
  OutgoingAdvertisement advertisement(std::uint8_t priority) const;
  PathAdvert path_advert(std::uint8_t priority) const;
  std::string role() const;
  RoleChange role_change(std::string text) const;
  std::optional<RouterStatus::Peer> peer_status() const;
  void report_soon(TimePoint now);
  void tell_at_most(RateLimit& limit, TimePoint now, JournalEntry::Level level, std::string event,
                    std::string text) const;

  InstanceConfig config_;
  Surroundings surroundings_;
  std::string label_;
  InterfaceInfo interface_;          // index 0 until it is known
  std::optional<IpAddress> source_;  // of our advertisements: the last known one, a resignation must get out
  Group* group_ = nullptr;
  FaultSet faults_;
  AddressSet held_;
  Reason reason_ = Reason::none;
  TimePoint since_;
  std::size_t noted_state_ = State().index();
  std::string told_role_ = "initialize";
  std::optional<Neighbour> neighbour_;
  std::optional<Disagreement> disagreement_;
  ReplayWindow window_;  // of advertisements of the peer
  Trailer latest_;       // of those that were accepted, over whatever path
  Counters counters_;

  Backoff claim_backoff_{kClaimRetryFirst, kClaimRetryLast};
  std::optional<TimePoint> claim_retry_at_;
  Backoff fight_backoff_{kReclaimFightFirst, kReclaimFightLast};
  std::optional<TimePoint> address_lost_at_;
  std::optional<TimePoint> reclaim_at_;
  std::optional<AnnouncementSchedule> introductions_;  // of our own address, while some are due

  std::array<RateLimit, kDropReasons> refusal_limits_;
  RateLimit neighbour_limit_, address_list_limit_, interval_limit_, send_limit_, second_active_limit_,
      outranked_limit_;
};

}  // namespace vipair::vrrp
