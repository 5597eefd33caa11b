#include "vrrp/agent/virtual_router.h"

#include <algorithm>
#include <utility>

#include "common/base/assert.h"
#include "common/base/overloaded.h"
#include "vrrp/agent/explanation.h"
#include "vrrp/agent/group.h"
#include "vrrp/agent/instance_advertisement.h"
#include "vrrp/core/announcement.h"
#include "vrrp/core/timers.h"

namespace vipair::vrrp {

namespace {

using Level = JournalEntry::Level;

bool contains(const std::vector<IpPrefix>& prefixes, const IpAddress& address) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const IpPrefix& prefix) { return prefix.address == address; });
}

std::string label_of(const InstanceConfig& config) { return config.name + "/" + to_string(config.key.family); }

}  // namespace

VirtualRouter::VirtualRouter(InstanceConfig config, Surroundings surroundings, TimePoint now)
    : config_(std::move(config)),
      surroundings_(std::move(surroundings)),
      label_(label_of(config_)),
      place_(surroundings_.deadlines.add(*this)),
      since_(now) {
  // not told: the host reports the interface before anything else, and what is wrong with it then is
  faults_.raise(FaultSource::interface, "interface " + config_.key.interface + ": not seen yet");
}

VirtualRouter::~VirtualRouter() { surroundings_.deadlines.remove(place_); }

Parameters VirtualRouter::parameters() const {
  Parameters parameters;
  parameters.version = config_.version;
  parameters.priority = config_.priority;
  parameters.advertisement_interval = config_.advertisement_interval;
  parameters.preempt = config_.preempt;
  parameters.preempt_delay = config_.preempt_delay;
  parameters.join_hold = config_.join_hold;
  parameters.is_pair = config_.is_pair;
  parameters.source = source_.value_or(IpAddress());
  return parameters;
}

// ---- what comes in ----

void VirtualRouter::on_packet(TimePoint now, const ReceivedPacket& packet) {
  if (packet.source == source_) return refuse(now, DropReason::own_advertisement, packet.source);
  if (config_.peer && packet.source != *config_.peer) return refuse(now, DropReason::not_the_peer, packet.source);
  if (packet.source.is_v6() && !packet.source.is_link_local()) {
    return refuse(now, DropReason::source_not_link_local, packet.source);
  }
  ReceivedPacket bare = packet;
  if (surroundings_.link && config_.is_pair) {
    const auto checked = surroundings_.link->check(now, packet, window_, config_.peer.has_value());
    if (checked.trust != PeerLink::Checked::Trust::peer) {
      // a last will is sent twice, since one may be lost: nothing to tell
      if (checked.trailer == latest_ && latest_.counter >= kLastWillCounter) return;
      if (!checked.reason) ++counters_.unproven;
      if (checked.reason) refuse(now, *checked.reason, packet.source, checked.why);
      if (checked.trust == PeerLink::Checked::Trust::unverified) handle(now, AdvertUnverified{});
      return;
    }
    bare.message = checked.message;
    if (is_stale(checked.trailer)) return;
  }
  const auto decoded = decode(bare, config_.version);
  const auto refusal = decoded ? disagreement(config_, decoded->advertisement) : std::optional(decoded.error());
  if (refusal) return refuse(now, *refusal, packet.source);
  accept(now, bare, *decoded);
}

// Over two paths the older of two advertisements may come last.
bool VirtualRouter::is_stale(const Trailer& trailer) {
  if (trailer.epoch == latest_.epoch && trailer.counter < latest_.counter) return true;
  latest_ = trailer;
  return false;
}

void VirtualRouter::on_path_advert(TimePoint now, const PeerLink::Heard::Advert& heard) {
  ++counters_.received_path_advertisements;
  if (is_stale(heard.trailer)) return;
  const PathAdvert& advert = heard.advert;
  const IpAddress source = config_.peer.value_or(advert.source);
  if (!neighbour_ || neighbour_->address != source) {
    neighbour_ = Neighbour();
    neighbour_->address = source;
  }
  neighbour_->priority = advert.priority;
  neighbour_->heard = now;
  neighbour_->advertised_interval = advert.max_advertise_interval;
  AdvertReceived event{source, advert.priority, advert.max_advertise_interval};
  event.is_reachable = advert.is_reachable;
  handle(now, event);
}

// A flood of these must cost nothing: the words are made for the few that are told.
void VirtualRouter::refuse(TimePoint now, DropReason reason, const IpAddress& source, const char* why) {
  const auto index = static_cast<std::size_t>(reason);
  ++counters_.dropped[index];
  if (advice(reason)) disagreement_ = Disagreement{source, reason, now};
  const auto suppressed = refusal_limits_[index].pass(now);
  if (!suppressed) return;
  // a multicast socket hears itself: nothing to tell
  const Level level = reason == DropReason::own_advertisement ? Level::debug : Level::warn;
  std::string text = explain_refusal(reason, source, why);
  if (*suppressed > 0) text += " (and " + std::to_string(*suppressed) + " more like it)";
  tell(now, level, "refused", std::move(text));
}

void VirtualRouter::accept(TimePoint now, const ReceivedPacket& packet, const DecodedAdvertisement& decoded) {
  const Advertisement& advertisement = decoded.advertisement;
  ++counters_.received_advertisements;
  if (disagreement_ && disagreement_->source == packet.source) disagreement_.reset();
  if (advertisement.priority == kPriorityResigned) ++counters_.received_priority_zero;
  ++(decoded.checksum == ChecksumKind::pseudo_header ? counters_.received_checksums_pseudo_header
                                                     : counters_.received_checksums_message_only);

  const bool lists_other_addresses = !lists_the_same(advertisement.addresses, config_.advertised);
  if (lists_other_addresses) {
    ++counters_.address_list_errors;
    tell_at_most(address_list_limit_, now, Level::warn, "address_list",
                 packet.source.to_string() + " advertises other addresses than this node is configured with");
  }
  if (advertisement.max_advertise_interval != config_.advertisement_interval) {
    // a SHOULD of RFC 9568 section 7.1; the interval is learned all the same
    ++counters_.dropped[static_cast<std::size_t>(DropReason::interval_mismatch)];
    tell_at_most(interval_limit_, now, Level::warn, "interval",
                 explain_interval(parameters(), packet.source, advertisement.max_advertise_interval));
  }
  const bool is_known = neighbour_ && neighbour_->address == packet.source && hears_somebody(now);
  if (!is_known) {
    tell_at_most(neighbour_limit_, now, Level::info, "peer_seen",
                 packet.source.to_string() + " is heard with priority " + std::to_string(advertisement.priority));
  }
  neighbour_ = Neighbour{packet.source,    advertisement.priority, now, advertisement.max_advertise_interval,
                         decoded.checksum, lists_other_addresses};
  handle(now, AdvertReceived{packet.source, advertisement.priority, advertisement.max_advertise_interval});
}

void VirtualRouter::on_interface(TimePoint now, const InterfaceInfo& interface) {
  const InterfaceInfo before = std::exchange(interface_, interface);
  if (before == interface) return;
  if (before.index != 0 && interface.index != 0 && before.index != interface.index) {
    raise(now, FaultSource::interface, "interface " + config_.key.interface + ": replaced by another of this name");
  }
  const auto& source = config_.key.family == IpFamily::ipv4 ? interface.primary_v4 : interface.link_local_v6;
  const bool source_changed = source && source != source_;
  if (source) source_ = source;

  const std::string fault = interface_fault(interface, config_.key);
  if (!fault.empty()) {
    raise(now, FaultSource::interface, fault);
    introductions_.reset();
    return;
  }
  const bool is_back = faults_.has(FaultSource::interface);
  clear(now, FaultSource::interface);
  clear(now, FaultSource::claim);  // whatever stood in the way of the claim may be gone
  const bool place_changed = before.mac != interface.mac || before.forwards_v6 != interface.forwards_v6;
  if (is_active() && (source_changed || place_changed)) handle(now, ParametersChanged{place_changed});
  if (source_changed && holds_addresses()) surroundings_.will_changed();
  if (config_.is_unicast && (is_back || source_changed || place_changed)) {
    introductions_ = start_announcements(now);
    introduce();
    plan(now);
  }
}

void VirtualRouter::on_address_removed(TimePoint now, int interface_index, const IpAddress& address) {
  const bool hindered = faults_.has(FaultSource::claim);
  if (hindered && (contains(config_.advertised, address) || contains(config_.excluded, address))) {
    clear(now, FaultSource::claim);
  }
  const bool was_held = is_on(interface_index) && holdings_.lose(address);
  if (!was_held || !is_active()) return;
  ++counters_.addresses_lost;
  if (reclaim_at_) return;
  const bool is_fight = address_lost_at_ && now - *address_lost_at_ < kReclaimFightForgotten;
  if (!is_fight) fight_backoff_.reset();
  address_lost_at_ = now;
  const Duration delay = is_fight ? fight_backoff_.next() : kReclaimDelay;
  reclaim_at_ = now + delay;
  plan(now);
  tell(now, Level::warn, "address_lost",
       "somebody removed " + address.to_string() + " from " + config_.key.interface + "; it is claimed again in " +
           in_milliseconds(delay));
}

void VirtualRouter::raise(TimePoint now, FaultSource source, const std::string& text, std::string_view name) {
  const bool was_healthy = is_group_healthy();
  if (note_fault(now, source, text, name) && was_healthy) handle(now, Shutdown{});
}

bool VirtualRouter::note_fault(TimePoint now, FaultSource source, const std::string& text, std::string_view name) {
  if (!faults_.raise(source, text, name)) return false;
  report_soon(now);
  if (source != FaultSource::stopping) tell(now, Level::warn, "fault", text);
  return true;
}

void VirtualRouter::clear(TimePoint now, FaultSource source, std::string_view name) {
  if (!faults_.clear(source, name)) return;
  report_soon(now);
  if (source == FaultSource::claim) claim_retry_at_.reset();
  if (is_group_healthy()) handle(now, Startup{});
  plan(now);
}

void VirtualRouter::on_time(TimePoint now) {
  if (claim_retry_at_ && now >= *claim_retry_at_) clear(now, FaultSource::claim);
  if (reclaim_at_ && now >= *reclaim_at_) {
    reclaim_at_.reset();
    handle(now, AddressLost{});
  }
  if (introductions_ && now >= introductions_->next_at) {
    introductions_ = after_announcement(*introductions_, now);
    introduce();
    if (introductions_->sent >= kIntroductions) introductions_.reset();
  }
  const auto deadline = vrrp::next_deadline(state());
  if (deadline && now >= *deadline) handle(now, TimeReached{});
  plan(now);
}

std::optional<TimePoint> VirtualRouter::next_deadline() const {
  // one member calls for all
  auto earliest = group_ && group_->speaks_for_all(*this) ? vrrp::next_deadline(state()) : std::nullopt;
  const auto introduce_at = introductions_ ? std::optional(introductions_->next_at) : std::nullopt;
  for (const auto& deadline : {claim_retry_at_, reclaim_at_, introduce_at, work_at_}) {
    if (deadline && (!earliest || *deadline < *earliest)) earliest = deadline;
  }
  return earliest;
}

void VirtualRouter::change(TimePoint now, const InstanceChange& change) {
  VIPAIR_ASSERT(change.config.key == config_.key, "another key is another instance");
  if (change.config.virtual_mac != config_.virtual_mac && holds_addresses()) {
    holdings_.let_go(ReleaseMode::immediate);  // another MAC address is another place
    while (release_slice(surroundings_.host.slice_max()) > 0) {
    }
  }
  config_ = change.config;
  label_ = label_of(config_);
  if (is_active()) {
    want(config_.addresses());
  } else if (std::holds_alternative<Yielding>(state())) {
    want(without(holdings_.named(), change.removed));
  }
  clear(now, FaultSource::claim);
  if (holds_addresses()) surroundings_.will_changed();
  plan(now);
}

void VirtualRouter::apply(TimePoint now, const Burden& burden, bool takes_part) {
  std::map<std::string, std::string> faults = burden.faults;
  // what is not known yet keeps nobody from going on, only from beginning
  if (!takes_part) faults.insert(burden.not_run.begin(), burden.not_run.end());
  for (const auto& [name, reason] : faults) raise(now, FaultSource::check, "check " + name + ": " + reason, name);
  for (const std::string& name : faults_.names(FaultSource::check)) {
    if (!faults.contains(name)) clear(now, FaultSource::check, name);
  }
}

// ---- what is decided, and done ----

const State& VirtualRouter::state() const {
  static const State kNoPart = Initialize{};
  return group_ ? group_->state() : kNoPart;
}

std::uint8_t VirtualRouter::effective_priority() const {
  return vrrp::effective_priority(config_.priority, group_ ? group_->penalty() : 0);
}

bool VirtualRouter::is_group_healthy() const { return group_ ? group_->is_healthy() : is_healthy(); }

void VirtualRouter::handle(TimePoint now, Event event) {
  if (group_) group_->handle(now, *this, std::move(event));
}

bool VirtualRouter::hears_somebody(TimePoint now) const {
  return neighbour_ && now - neighbour_->heard <= longest_active_down_interval(neighbour_->advertised_interval);
}

std::optional<IpAddress> VirtualRouter::relay_address() const {
  return neighbour_ ? std::optional(neighbour_->address) : config_.peer;
}

void VirtualRouter::count(TimePoint now, Reason reason) {
  switch (reason) {
    case Reason::outranked:
      ++counters_.lower_priority_discarded;
      tell_at_most(outranked_limit_, now, Level::debug, "outranked", explain(now, reason));
      break;
    case Reason::second_active:
      ++counters_.second_active_heard;
      tell_at_most(second_active_limit_, now, Level::warn, "second_active", explain(now, reason));
      break;
    case Reason::late_wakeup:
      ++counters_.late_wakeups;
      tell(now, Level::warn, "late_wakeup", explain(now, reason));
      break;
    default:
      break;
  }
}

void VirtualRouter::note(TimePoint now, Reason reason, const std::string& text) {
  if (!is_active()) reclaim_at_.reset();
  if (std::exchange(noted_state_, state().index()) == state().index()) return;
  reason_ = reason;
  since_ = now;
  report_soon(now);
  if (is_active()) ++counters_.active_transitions;
  RoleChange change = role_change(text);
  told_role_ = change.to;
  std::string line = change.from + " → " + change.to + ": " + text;
  surroundings_.journal.add({now, Level::info, label_, "state", std::move(line), std::move(change)});
}

void VirtualRouter::perform(TimePoint now, const Action& action) {
  std::visit(overloaded{
                 [&](const ClaimAddresses& claim) {
                   if (holdings_.wants_nothing()) takeover_ = Takeover{claim.relay_to.has_value(), claim.relay_to};
                   want(config_.addresses());
                 },
                 [&](const SendAdvertisement& advert) { send(now, advert.priority); },
                 [&](const AnnounceAddresses&) {
                   ++counters_.announcements;
                   if (!takeover_) holdings_.announce_all();
                 },
                 [&](const ReleaseAddresses& release) {
                   takeover_.reset();
                   holdings_.let_go(release.mode);
                   surroundings_.will_changed();
                 },
             },
             action);
  plan(now);
}

void VirtualRouter::resign(TimePoint now) {
  perform(now, SendAdvertisement{kPriorityResigned});
  perform(now, ReleaseAddresses{config_.is_pair ? ReleaseMode::lingering : ReleaseMode::immediate});
}

// ---- what is sent ----

void VirtualRouter::send(TimePoint now, std::uint8_t priority) {
  if (!source_) return;
  if (takeover_ && priority != kPriorityResigned) return;  // finish_takeover() makes up for it
  OutgoingAdvertisement outgoing = advertisement(priority);
  PeerLink* link = config_.is_pair ? surroundings_.link : nullptr;
  if (link) link->seal(outgoing.message, outgoing.source, outgoing.destination, name_hash(config_.name));
  const auto sent = surroundings_.host.send(outgoing);
  if (link && link->has_further_paths()) link->send(path_advert(priority));
  if (sent) {
    ++counters_.sent_advertisements;
    if (priority == kPriorityResigned) ++counters_.sent_priority_zero;
  } else {
    ++counters_.send_errors;
    tell_at_most(send_limit_, now, Level::warn, "send_failed",
                 "an advertisement could not be sent: " + sent.error().text);
  }
}

void VirtualRouter::introduce() {
  surroundings_.host.announce({{interface_.index, announcement(interface_.mac, *source_, interface_.forwards_v6)}});
}

OutgoingAdvertisement VirtualRouter::advertisement(std::uint8_t priority) const {
  VIPAIR_ASSERT(source_.has_value(), "an advertisement has a source");
  const int index = interface_.index != 0 ? interface_.index : held_on_.interface_index;
  return make_advertisement(config_, priority, index, *source_,
                            neighbour_ ? std::optional(neighbour_->checksum) : std::nullopt);
}

Subject VirtualRouter::subject() const { return {name_hash(config_.name), config_.key.family, config_.key.vrid}; }

PathAdvert VirtualRouter::path_advert(std::uint8_t priority) const {
  const bool is_reachable = !faults_.has(FaultSource::interface);
  return {subject(), priority, config_.advertisement_interval, is_reachable, *source_};
}

HelloEntry VirtualRouter::hello_entry() const {
  const PeerReport own = report(TimePoint());
  HelloEntry entry;
  entry.subject = subject();
  for (const PeerState state : {PeerState::backup, PeerState::active, PeerState::yielding, PeerState::fault})
    if (own.state == to_string(state)) entry.state = state;
  entry.effective_priority = own.effective_priority;
  entry.penalty = static_cast<std::uint8_t>(std::clamp(own.penalty, 0, 255));
  entry.is_eligible = own.is_eligible;
  return entry;
}

std::optional<PeerReport> VirtualRouter::peer_report() const {
  return surroundings_.link ? surroundings_.link->report(subject()) : std::nullopt;
}

bool VirtualRouter::is_stopped() const { return std::holds_alternative<Initialize>(state()) && !holds_addresses(); }

// The peer takes the death for a move like any other, and relays.
void VirtualRouter::add_to(LastWill& will) const {
  if (!holds_addresses() || !source_) return;
  OutgoingAdvertisement resignation = advertisement(kPriorityResigned);
  if (PeerLink* link = surroundings_.link; link && config_.is_pair) {
    link->seal_last_will(resignation.message, resignation.source, resignation.destination, name_hash(config_.name));
    link->add_to(will, path_advert(kPriorityResigned));
  }
  will.resignations.push_back(std::move(resignation));
  will.releases.push_back(
      {set_of(holdings_.named()), config_.is_pair ? ReleaseMode::lingering : ReleaseMode::immediate});
}

}  // namespace vipair::vrrp
