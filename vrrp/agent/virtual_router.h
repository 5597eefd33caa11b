#pragma once
// One VRRP instance at work: one family of one virtual router on one interface. It tells its group what happened,
// performs through Host what the group decides, and remembers what the state machine need not know: faults,
// counters, the neighbour, what is held. Owned by the Agent, whose thread calls it.
//
// Deciding and doing are apart where doing takes time: addresses are claimed and released by work(), a slice at a
// time. An Active advertises once it holds its first slice, or all of them when it takes over from a node that
// answers until then; nothing is announced before that.

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "vrrp/agent/deadlines.h"
#include "vrrp/agent/holdings.h"
#include "vrrp/agent/host.h"
#include "vrrp/agent/instance_counters.h"
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
// Announcements of one turn.
inline constexpr std::size_t kAnnouncementSliceMax = 256;

class VirtualRouter {
 public:
  struct Surroundings {
    Host& host;
    Journal& journal;
    Deadlines& deadlines;
    std::function<void()> will_changed;  // add_to() would say something else now
    // Whether another virtual router of this node wants the address on the same interface: then it stays where it
    // is, as that one's, when this one lets go of it.
    std::function<bool(const VirtualRouter&, const IpPrefix&)> leave_to_another;
    PeerLink* link = nullptr;  // to the other node of a pair; none: a test without one
  };

  // Until it joins a group it notes what it is told and takes no part.
  VirtualRouter(InstanceConfig config, Surroundings surroundings, TimePoint now);
  ~VirtualRouter();
  VirtualRouter(const VirtualRouter&) = delete;
  VirtualRouter& operator=(const VirtualRouter&) = delete;

  const InstanceConfig& config() const { return config_; }
  const std::string& label() const { return label_; }             // "web/ipv4"
  std::size_t place() const { return place_; }                    // among the deadlines
  int held_on_index() const { return held_on_.interface_index; }  // the interface of what is held
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
  // While there are addresses to claim, release or announce the deadline is the time of the last change.
  std::optional<TimePoint> next_deadline() const;

  // Claims and releases up to so many addresses and announces some; returns how many it asked the host for. The
  // last will must be up to date.
  std::size_t work(TimePoint now, std::size_t addresses_max);
  bool is_busy() const;

  // To a new configuration of the same key, which the group is to be told of. Counters and role survive; addresses
  // that stay are not touched.
  void change(TimePoint now, const InstanceChange& change);

  bool holds_addresses() const { return !holdings_.is_empty(); }  // or is about to
  bool is_claiming() const { return holdings_.is_missing_any(); }
  // Takes over an address that another virtual router leaves on this one's interface, and announces it in its next
  // turn; false when it is not wanted.
  bool inherit(int interface_index, const IpPrefix& address);
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
  void perform(TimePoint now, const Action& action);
  void resign(TimePoint now);
  void tell(TimePoint now, JournalEntry::Level level, std::string event, std::string text) const;
  bool holds_enough() const;  // to be heard of as Active
  void plan(TimePoint now);   // the role, or who speaks for the group, is another one

 private:
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
  void want(std::vector<IpPrefix> addresses);
  std::size_t release_slice(std::size_t max);
  std::size_t claim_slice(TimePoint now, std::size_t max);
  void claim_failed(TimePoint now, const HostError& error);
  void finish_takeover(TimePoint now);
  void announce_slice();
  void send(TimePoint now, std::uint8_t priority);
  void introduce();
  bool is_stale(const Trailer& trailer);
  bool may_claim() const;
  AddressSet set_of(std::vector<IpPrefix> addresses) const;
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
  // From becoming Active to the first advertisement.
  struct Takeover {
    bool is_planned = false;            // the other one answers until it hears us
    std::optional<IpAddress> relay_to;  // until the relay is asked for
  };

  Holdings holdings_;
  AddressSet held_on_;  // where the holdings are, without the addresses
  std::optional<Takeover> takeover_;
  std::optional<TimePoint> work_at_;  // while there is any
  std::size_t place_;                 // among the deadlines
  Reason reason_ = Reason::none;
  TimePoint since_;
  std::size_t noted_state_ = State().index();
  std::string told_role_ = "initialize";
  std::optional<Neighbour> neighbour_;
  std::optional<Disagreement> disagreement_;
  ReplayWindow window_;  // of advertisements of the peer
  Trailer latest_;       // of those that were accepted, over whatever path
  InstanceCounters counters_;

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
