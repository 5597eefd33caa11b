#include "vrrp/agent/virtual_router.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/base/assert.h"
#include "common/base/overloaded.h"
#include "vrrp/agent/group.h"
#include "vrrp/core/announcement.h"
#include "vrrp/core/timers.h"

namespace vipair::vrrp {

namespace {

using Level = JournalEntry::Level;

std::string milliseconds(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) + " ms";
}

std::set<IpAddress> addresses_of(const std::vector<IpPrefix>& prefixes) {
  std::set<IpAddress> addresses;
  for (const IpPrefix& prefix : prefixes) addresses.insert(prefix.address);
  return addresses;
}

bool contains(const std::vector<IpPrefix>& prefixes, const IpAddress& address) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const IpPrefix& prefix) { return prefix.address == address; });
}

std::string label_of(const InstanceConfig& config) { return config.name + "/" + to_string(config.key.family); }

std::optional<AuthenticationData> password_of(const InstanceConfig& config) {
  if (config.version != 2 || config.password.empty()) return std::nullopt;
  return authentication_data(config.password);
}

// What version 2 wants to be configured alike (RFC 3768 section 7.1). Version 3 learns the interval.
std::optional<DropReason> disagreement(const InstanceConfig& own, const Advertisement& heard) {
  if (heard.version != 2) return std::nullopt;
  if (heard.max_advertise_interval != own.advertisement_interval) return DropReason::interval_mismatch;
  const auto password = password_of(own);
  if (heard.password.has_value() != password.has_value()) return DropReason::auth_type_mismatch;
  if (heard.password != password) return DropReason::auth_failure;
  return std::nullopt;
}

// `why`: more exactly than the reason says; empty or null: the reason says it all.
std::string explain_refusal(DropReason reason, const IpAddress& source, const char* why = nullptr) {
  std::string text =
      "advertisement from " + source.to_string() + " refused: " + (why && *why ? why : to_string(reason));
  if (const char* what_to_do = advice(reason)) text += std::string("; ") + what_to_do;
  return text;
}

std::string explain_interval(const Parameters& own, const IpAddress& source, Centiseconds advertised) {
  std::string text = source.to_string() + " advertises every " + milliseconds(advertised) + ", this node every " +
                     milliseconds(own.advertisement_interval);
  const Centiseconds counted = learned_interval(own, advertised);
  if (counted < advertised) text += ", more than ten times our own interval: it counts as " + milliseconds(counted);
  return text;
}

// What is wrong with the interface for this family; empty: nothing.
std::string interface_fault(const InterfaceInfo& interface, const InstanceKey& key) {
  const std::string prefix = "interface " + key.interface + ": ";
  if (interface.index == 0) return prefix + "missing";
  if (!interface.is_up) return prefix + "down or no carrier";
  if (key.family == IpFamily::ipv4 && !interface.primary_v4) return prefix + "no IPv4 address to advertise from";
  if (key.family == IpFamily::ipv6 && !interface.link_local_v6) {
    return prefix + "no link-local IPv6 address to advertise from";
  }
  return "";
}

}  // namespace

VirtualRouter::VirtualRouter(InstanceConfig config, Surroundings surroundings, TimePoint now)
    : config_(std::move(config)), surroundings_(std::move(surroundings)), label_(label_of(config_)), since_(now) {
  // not told: the host reports the interface before anything else, and what is wrong with it then is
  faults_.raise(FaultSource::interface, "interface " + config_.key.interface + ": not seen yet");
}

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

  const std::set<IpAddress> listed(advertisement.addresses.begin(), advertisement.addresses.end());
  const bool lists_other_addresses = listed != addresses_of(config_.advertised);
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
  }
}

void VirtualRouter::on_address_removed(TimePoint now, int interface_index, const IpAddress& address) {
  if (contains(config_.advertised, address) || contains(config_.excluded, address)) clear(now, FaultSource::claim);
  if (!is_active() || !is_on(interface_index) || !contains(held_.addresses, address)) return;
  ++counters_.addresses_lost;
  if (reclaim_at_) return;
  const bool is_fight = address_lost_at_ && now - *address_lost_at_ < kReclaimFightForgotten;
  if (!is_fight) fight_backoff_.reset();
  address_lost_at_ = now;
  const Duration delay = is_fight ? fight_backoff_.next() : kReclaimDelay;
  reclaim_at_ = now + delay;
  tell(now, Level::warn, "address_lost",
       "somebody removed " + address.to_string() + " from " + config_.key.interface + "; it is claimed again in " +
           milliseconds(delay));
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
}

std::optional<TimePoint> VirtualRouter::next_deadline() const {
  auto earliest = vrrp::next_deadline(state());
  const auto introduce_at = introductions_ ? std::optional(introductions_->next_at) : std::nullopt;
  for (const auto& deadline : {claim_retry_at_, reclaim_at_, introduce_at}) {
    if (deadline && (!earliest || *deadline < *earliest)) earliest = deadline;
  }
  return earliest;
}

void VirtualRouter::change(TimePoint now, const InstanceChange& change) {
  VIPAIR_ASSERT(change.config.key == config_.key, "another key is another instance");
  if (change.config.virtual_mac != config_.virtual_mac && holds_addresses()) {
    const std::vector<IpPrefix> all = held_.addresses;  // another MAC address is another place
    release(all, ReleaseMode::immediate);
  }
  config_ = change.config;
  label_ = label_of(config_);
  if (is_active() && !change.added.empty() && !claim(now, change.added, std::nullopt))
    return handle(now, ClaimFailed{});
  if (holds_addresses() && !change.removed.empty()) release(change.removed, ReleaseMode::immediate);
  clear(now, FaultSource::claim);
  if (holds_addresses()) surroundings_.will_changed();
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

bool VirtualRouter::perform(TimePoint now, const Action& action) {
  return std::visit(
      overloaded{
          [&](const ClaimAddresses& wanted) { return claim(now, config_.addresses(), wanted.relay_to); },
          [&](const SendAdvertisement& wanted) { return send(now, wanted.priority), true; },
          [&](const AnnounceAddresses&) { return announce(), true; },
          [&](const ReleaseAddresses& wanted) {
            const std::vector<IpPrefix> all = held_.addresses;
            return release(all, wanted.mode), true;
          },
      },
      action);
}

void VirtualRouter::resign(TimePoint now) {
  perform(now, SendAdvertisement{kPriorityResigned});
  perform(now, ReleaseAddresses{config_.is_pair ? ReleaseMode::lingering : ReleaseMode::immediate});
}

// The will speaks of the addresses before they are there: whatever happens in between, they do not stay behind.
bool VirtualRouter::claim(TimePoint now, const std::vector<IpPrefix>& addresses,
                          std::optional<IpAddress> relay_to) {
  AddressSet before = held_;
  held_.interface = config_.key.interface;
  held_.interface_index = interface_.index;
  held_.vrid = config_.key.vrid;
  held_.virtual_mac = config_.virtual_mac;
  held_.accept = config_.accept || config_.priority == kPriorityOwner;  // RFC 9568 section 6.1
  const auto added = without(addresses, held_.addresses);
  held_.addresses.insert(held_.addresses.end(), added.begin(), added.end());
  surroundings_.will_changed();

  AddressSet claiming = held_;
  claiming.addresses = addresses;
  const auto claimed = surroundings_.host.claim(claiming, std::move(relay_to));
  if (claimed) {
    claim_backoff_.reset();
    return true;
  }
  held_ = std::move(before);
  surroundings_.will_changed();
  ++counters_.claim_errors;
  const Duration delay = claim_backoff_.next();
  claim_retry_at_ = now + delay;
  faults_.raise(FaultSource::claim, "claim: " + claimed.error().text);
  tell(now, Level::error, "claim_failed",
       "the addresses cannot be claimed: " + claimed.error().text + "; next try in " + milliseconds(delay));
  return false;
}

void VirtualRouter::release(const std::vector<IpPrefix>& addresses, ReleaseMode mode) {
  AddressSet released = held_;
  released.addresses = surroundings_.held_by_no_other(*this, addresses);
  held_.addresses = without(held_.addresses, addresses);
  if (!released.addresses.empty()) surroundings_.host.release(released, mode);
  surroundings_.will_changed();
}

void VirtualRouter::send(TimePoint now, std::uint8_t priority) {
  if (!source_) return;
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

void VirtualRouter::announce() {
  const MacAddress mac =
      config_.virtual_mac ? virtual_mac_address(config_.key.family, config_.key.vrid) : interface_.mac;
  std::vector<OutgoingFrame> frames;
  frames.reserve(held_.addresses.size());
  for (const IpPrefix& prefix : held_.addresses) {
    frames.push_back({interface_.index, announcement(mac, prefix.address, interface_.forwards_v6)});
  }
  ++counters_.announcements;
  surroundings_.host.announce(frames);
}

void VirtualRouter::introduce() {
  surroundings_.host.announce({{interface_.index, announcement(interface_.mac, *source_, interface_.forwards_v6)}});
}

OutgoingAdvertisement VirtualRouter::advertisement(std::uint8_t priority) const {
  VIPAIR_ASSERT(source_.has_value(), "an advertisement has a source");
  Advertisement advertisement{config_.key.vrid, priority, config_.advertisement_interval, {}};
  advertisement.version = config_.version;
  advertisement.password = password_of(config_);
  for (const IpPrefix& prefix : config_.advertised) advertisement.addresses.push_back(prefix.address);

  ChecksumKind checksum = ChecksumKind::pseudo_header;
  if (config_.checksum == ChecksumForm::rfc9568) checksum = ChecksumKind::message_only;
  if (config_.checksum == ChecksumForm::automatic && neighbour_) checksum = neighbour_->checksum;

  const IpAddress destination = config_.is_unicast ? *config_.peer : multicast_group(config_.key.family);
  const int index = interface_.index != 0 ? interface_.index : held_.interface_index;
  OutgoingAdvertisement outgoing{index, *source_, destination,
                                 encode(advertisement, *source_, destination, checksum)};
  if (config_.virtual_mac && destination.is_multicast())
    outgoing.source_mac = virtual_mac_address(config_.key.family, config_.key.vrid);
  return outgoing;
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
  will.releases.push_back({held_, config_.is_pair ? ReleaseMode::lingering : ReleaseMode::immediate});
}

// ---- what is told ----

std::string VirtualRouter::explain(TimePoint now, Reason reason) const {
  const std::string who = neighbour_ ? neighbour_->address.to_string() : "nobody";
  const std::string its = neighbour_ ? std::to_string(neighbour_->priority) : "0";
  const std::string own = std::to_string(effective_priority());
  const auto faults = faults_.texts();
  const std::string why = faults.empty() ? std::string("told to stop") : faults.front();
  switch (reason) {
    case Reason::startup:
      return "takes part as a Backup";
    case Reason::owner:
      return "priority 255: this node owns the addresses";
    case Reason::shutdown:
      return why;
    case Reason::active_down_timer:
      return neighbour_ ? "nothing acceptable heard, the last advertisement came from " + who + " " +
                              milliseconds(now - neighbour_->heard) + " ago"
                        : std::string("nobody was ever heard");
    case Reason::preempted:
      return "own priority " + own + " is higher than " + its + " of " + who + ", which is alive";
    case Reason::priority_zero:
      return who + " resigned with priority 0";
    case Reason::higher_priority:
      return who + " has the higher priority " + its + ", ours is " + own;
    case Reason::higher_address:
      return who + " has the same priority " + its + " and a higher address than ours";
    case Reason::peer_took_over:
      return who + " is heard as the new Active";
    case Reason::handover:
      return "told to hand over";
    case Reason::outweighed:
      return "the peer is the better one";
    case Reason::yield_timeout:
      return "nobody was heard taking over";
    case Reason::claim_failed:
      return why;
    case Reason::late_wakeup:
      return "woke up too late to trust the silence: listening first";
    case Reason::silent_too_long:
      return "was silent for too long, " + who + " has taken over by right";
    case Reason::second_active:
      return who + " is Active as well, with priority " + its + " below ours of " + own +
             (config_.version == 2 ? ": discarded" : ": answered");
    case Reason::outranked:
      return who + " is Active with priority " + its + " below ours of " + own;
    case Reason::sync_group:
    case Reason::none:
    case Reason::address_lost:
    case Reason::accepted:
    case Reason::unverified:
    case Reason::answered:
    case Reason::parameters_changed:
      break;
  }
  return to_string(reason);
}

std::string VirtualRouter::role() const {
  return std::holds_alternative<Initialize>(state()) && !is_group_healthy() ? "fault" : name_of(state());
}

RoleChange VirtualRouter::role_change(std::string text) const {
  RoleChange change;
  change.router = config_.name;
  change.family = config_.key.family;
  change.interface = config_.key.interface;
  change.vrid = config_.key.vrid;
  change.from = told_role_;
  change.to = role();
  change.reason = to_string(reason_);
  change.text = std::move(text);
  if (is_active()) change.phase = "post_acquire";
  for (const IpPrefix& prefix : config_.addresses()) change.addresses.push_back(prefix.to_string());
  change.peer = peer_status();
  return change;
}

void VirtualRouter::report_soon(TimePoint now) {
  if (surroundings_.link) surroundings_.link->report_soon(now);
}

void VirtualRouter::tell(TimePoint now, Level level, std::string event, std::string text) const {
  surroundings_.journal.add({now, level, label_, std::move(event), std::move(text)});
}

void VirtualRouter::tell_at_most(RateLimit& limit, TimePoint now, Level level, std::string event,
                                 std::string text) const {
  const auto suppressed = limit.pass(now);
  if (!suppressed) return;
  if (*suppressed > 0) text += " (and " + std::to_string(*suppressed) + " more like it)";
  tell(now, level, std::move(event), std::move(text));
}

std::optional<RouterStatus::Peer> VirtualRouter::peer_status() const {
  if (!neighbour_) return std::nullopt;
  return RouterStatus::Peer{neighbour_->address.to_string(), neighbour_->priority, neighbour_->heard};
}

RouterStatus VirtualRouter::status() const {
  RouterStatus status;
  status.name = config_.name;
  status.interface = config_.key.interface;
  status.vrid = config_.key.vrid;
  status.family = config_.key.family;
  status.version = config_.version;
  status.state = role();
  status.reason = to_string(reason_);
  status.since = since_;
  status.priority = config_.priority;
  status.effective_priority = effective_priority();
  status.faults = faults_.texts();
  if (auto elsewhere = group_ ? group_->fault_elsewhere(*this) : std::nullopt)
    status.faults.push_back(std::move(*elsewhere));
  for (const IpPrefix& prefix : config_.addresses()) status.addresses.push_back(prefix.to_string());
  status.peer = peer_status();
  status.counters = {
      {"active_transitions", counters_.active_transitions},
      {"received_advertisements", counters_.received_advertisements},
      {"sent_advertisements", counters_.sent_advertisements},
      {"received_priority_zero", counters_.received_priority_zero},
      {"sent_priority_zero", counters_.sent_priority_zero},
      {"received_checksums_pseudo_header", counters_.received_checksums_pseudo_header},
      {"received_checksums_message_only", counters_.received_checksums_message_only},
      {"address_list_errors", counters_.address_list_errors},
      {"lower_priority_discarded", counters_.lower_priority_discarded},
      {"second_active_heard", counters_.second_active_heard},
      {"unproven", counters_.unproven},
      {"received_path_advertisements", counters_.received_path_advertisements},
      {"late_wakeups", counters_.late_wakeups},
      {"announcements", counters_.announcements},
      {"send_errors", counters_.send_errors},
      {"claim_errors", counters_.claim_errors},
      {"addresses_lost", counters_.addresses_lost},
  };
  for (std::size_t i = 0; i < kDropReasons; ++i) {
    status.counters.emplace_back(counter_name(static_cast<DropReason>(i)), counters_.dropped[i]);
  }
  return status;
}

PeerReport VirtualRouter::report(TimePoint now) const {
  return {name_of(state()), effective_priority(), group_ ? group_->penalty() : 0, is_group_healthy(), now};
}

std::vector<std::string> VirtualRouter::warnings(TimePoint now) const {
  std::vector<std::string> warnings;
  if (neighbour_ && neighbour_->lists_other_addresses) {
    warnings.push_back(label_ + ": " + neighbour_->address.to_string() +
                       " advertises other addresses than this node is configured with");
  }
  if (disagreement_ && now - disagreement_->heard < kDisagreementRemembered) {
    warnings.push_back(label_ + ": " + explain_refusal(disagreement_->reason, disagreement_->source));
  }
  if (neighbour_ && config_.version == 3 && neighbour_->advertised_interval != config_.advertisement_interval) {
    warnings.push_back(label_ + ": " +
                       explain_interval(parameters(), neighbour_->address, neighbour_->advertised_interval));
  }
  if (reclaim_at_)
    warnings.push_back(label_ + ": somebody keeps removing our addresses from " + config_.key.interface);
  return warnings;
}

}  // namespace vipair::vrrp
