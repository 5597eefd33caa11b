#include "vrrp/core/state_machine.h"

#include <algorithm>

#include "common/base/overloaded.h"
#include "vrrp/core/announcement.h"
#include "vrrp/core/timers.h"

namespace vipair::vrrp {

namespace {

// The skew tells several Backups apart. In a pair there is one; half of it still brings two nodes that boot
// together forward one after the other, and with any priority the peer of a dead Active has waited 3.5 intervals at
// most.
Duration own_skew_time(const Parameters& parameters, Centiseconds active_adver_interval) {
  const Duration skew = skew_time(parameters.priority, active_adver_interval, parameters.version);
  return parameters.is_pair ? skew / 2 : skew;
}

Duration own_active_down_interval(const Parameters& parameters, Centiseconds active_adver_interval) {
  return 3 * Duration(active_adver_interval) + own_skew_time(parameters, active_adver_interval);
}

// ---- entering a state ----

Backup backup(const Parameters& parameters, Centiseconds active_adver_interval, TimePoint now) {
  Backup backup;
  backup.active_down_at = now + own_active_down_interval(parameters, active_adver_interval);
  backup.active_adver_interval = active_adver_interval;
  backup.preempt_at = now + parameters.preempt_delay;
  return backup;
}

Active active(const Parameters& parameters, TimePoint now) {
  return {next_advertisement(parameters.advertisement_interval, now), start_announcements(now), false};
}

// RFC 9568 sends the advertisement first. Here the addresses are there before anybody hears of them, so that
// whoever lets go of them for us leaves no gap.
Transition become_active(const Parameters& parameters, TimePoint now, Reason reason,
                         std::optional<IpAddress> relay_to = std::nullopt) {
  return {active(parameters, now),
          {ClaimAddresses{relay_to}, SendAdvertisement{parameters.priority}, AnnounceAddresses{}},
          reason};
}

// Section 6.4.1, and the join hold: a node whose network is still deaf must not conclude that nobody is there.
// Nodes that hold together, after a power cut for example, still come forward in the order of their priorities.
Transition start(const Parameters& parameters, TimePoint now) {
  if (parameters.is_owner()) return become_active(parameters, now, Reason::owner);
  Backup next = backup(parameters, parameters.advertisement_interval, now);
  const Duration skew = own_skew_time(parameters, parameters.advertisement_interval);
  next.active_down_at = std::max(next.active_down_at, now + parameters.join_hold + skew);
  return {next, {}, Reason::startup};
}

// Pair mode: the Active resigned when this node could not take its place, since a check was down or its proxy stood
// still. It need not wait for somebody who has said that he goes; only as long as the next one would be silent.
Transition start(const Parameters& parameters, const Initialize& state, TimePoint now) {
  Transition transition = start(parameters, now);
  const Duration patience = own_active_down_interval(parameters, parameters.advertisement_interval);
  auto* next = std::get_if<Backup>(&transition.next);
  if (next != nullptr && state.resigned_at && now <= *state.resigned_at + patience) {
    next->active_down_at =
        now + parameters.advertisement_interval + own_skew_time(parameters, parameters.advertisement_interval);
  }
  return transition;
}

Transition on_advert(const Parameters& parameters, const AdvertReceived& advert, TimePoint now) {
  Initialize next;
  if (parameters.is_pair && advert.priority == kPriorityResigned) next.resigned_at = now;
  return {next, {}, Reason::none};
}

// ---- section 6.4.2: Backup ----

bool may_preempt(const Parameters& parameters, const Backup& state, TimePoint now) {
  return parameters.preempt && now >= state.preempt_at;
}

Transition on_time(const Parameters& parameters, const Backup& state, TimePoint now) {
  if (now < state.active_down_at) return {state, {}, Reason::none};
  const Duration down_interval = own_active_down_interval(parameters, state.active_adver_interval);
  if (now > state.active_down_at + down_interval && !state.is_listening_again) {
    Backup next = state;
    next.is_listening_again = true;
    next.active_down_at =
        now + state.active_adver_interval + own_skew_time(parameters, state.active_adver_interval);
    return {next, {}, Reason::late_wakeup};
  }
  if (state.outranked && now <= state.outranked->heard_at + down_interval) {
    return become_active(parameters, now, Reason::preempted, state.outranked->source);
  }
  return become_active(parameters, now, Reason::active_down_timer);
}

Transition on_advert(const Parameters& parameters, const Backup& state, const AdvertReceived& advert,
                     TimePoint now) {
  if (advert.priority == kPriorityResigned) {
    // Pair mode: nobody else can want the addresses, and the Active keeps answering until it hears us.
    if (parameters.is_pair) {
      return become_active(parameters, now, Reason::priority_zero,
                           advert.is_reachable ? std::optional(advert.source) : std::nullopt);
    }
    Backup next = state;
    next.active_down_at = now + own_skew_time(parameters, state.active_adver_interval);
    next.outranked.reset();
    return {next, {}, Reason::priority_zero};
  }
  if (advert.priority < parameters.priority && may_preempt(parameters, state, now)) {
    Backup next = state;
    next.outranked = {advert.source, now};
    return {next, {}, Reason::outranked};
  }
  Backup next = backup(parameters, learned_interval(parameters, advert.max_advertise_interval), now);
  next.preempt_at = state.preempt_at;
  return {next, {}, Reason::accepted};
}

Transition on_unverified(const Parameters& parameters, const Backup& state, TimePoint now) {
  Backup next = state;
  next.active_down_at =
      std::max(next.active_down_at, now + own_active_down_interval(parameters, parameters.advertisement_interval));
  return {next, {}, Reason::unverified};
}

// ---- section 6.4.3: Active ----

// To another Active. Pair mode: it has claimed the addresses and relays our connections, and the resignation tells
// it that there were two, so that it announces again: a switch or a neighbour may have believed us.
Transition yield_to(const Parameters& parameters, const AdvertReceived& advert, TimePoint now, Reason reason) {
  Transition transition;
  transition.next = backup(parameters, learned_interval(parameters, advert.max_advertise_interval), now);
  transition.reason = reason;
  if (parameters.is_pair) {
    transition.actions = {SendAdvertisement{kPriorityResigned}, ReleaseAddresses{ReleaseMode::lingering}};
  } else {
    transition.actions = {ReleaseAddresses{ReleaseMode::immediate}};
  }
  return transition;
}

Transition yielding(const Parameters& parameters, TimePoint now, bool returns, Reason reason) {
  const Duration bound = yield_time(parameters.advertisement_interval, parameters.addresses);
  return {Yielding{now + bound, now + bound / kYieldRepeatPart, returns},
          {SendAdvertisement{kPriorityResigned}},
          reason};
}

Transition resign(const Parameters& parameters, TimePoint now) {
  if (parameters.is_pair) return yielding(parameters, now, false, Reason::shutdown);
  return {Initialize{},
          {SendAdvertisement{kPriorityResigned}, ReleaseAddresses{ReleaseMode::immediate}},
          Reason::shutdown};
}

Backup without_preemption(Backup backup) {
  backup.preempt_at = kNever;
  return backup;
}

// Among strangers whoever is there takes over after its Skew_Time, before our own timer runs out; if nobody is
// there, it does.
Transition hand_over(const Parameters& parameters, Reason reason, TimePoint now) {
  if (parameters.is_pair) return yielding(parameters, now, true, reason);
  return {without_preemption(backup(parameters, parameters.advertisement_interval, now)),
          {SendAdvertisement{kPriorityResigned}, ReleaseAddresses{ReleaseMode::immediate}},
          reason};
}

Transition advertise_now(const Parameters& parameters, const Active& state, TimePoint now, Reason reason) {
  Active next = state;
  next.adver_at = next_advertisement(parameters.advertisement_interval, now);
  next.is_listening = false;
  return {next, {SendAdvertisement{parameters.priority}}, reason};
}

void announce_again(Transition& transition, TimePoint now) {
  std::get<Active>(transition.next).announcements = start_announcements(now);
  transition.actions.push_back(AnnounceAddresses{});
}

// There is, or was, a second Active: the switch has learned both places, and hears of ours again.
Transition announce_if_due(Transition transition, const Active& state, TimePoint now) {
  if (now - state.announcements.started_at >= kAnnouncementRestartMin) announce_again(transition, now);
  return transition;
}

// Whoever repeats packets, and two nodes that each take the other one for the lesser (in a group whose networks do
// not agree on who hears whom), shall not make us talk as fast as the network carries it: an answer that went out a
// moment ago is one to this as well.
Transition answer(const Parameters& parameters, const Active& state, TimePoint now, Reason reason) {
  const Duration pause = Duration(parameters.advertisement_interval) / kAnswersPerInterval;
  if (now < state.answered_at + pause) return announce_if_due({state, {}, reason}, state, now);
  Transition transition = advertise_now(parameters, state, now, reason);
  std::get<Active>(transition.next).answered_at = now;
  return announce_if_due(std::move(transition), state, now);
}

// Version 2 discards without a word to the sender (RFC 3768 section 6.4.3).
Transition discard(const Active& state, TimePoint now) {
  return announce_if_due({state, {}, Reason::second_active}, state, now);
}

// So late that a Backup of any priority, if one lives, has declared us dead. (The last advertisement went out an
// interval before adver_at, or less: it counts as a whole one.)
bool was_declared_dead(const Parameters& parameters, const Active& state, TimePoint now) {
  const Duration since_last = now - state.adver_at + Duration(parameters.advertisement_interval);
  return since_last > longest_active_down_interval(parameters.advertisement_interval);
}

Transition on_time(const Parameters& parameters, const Active& state, TimePoint now) {
  if (!state.is_listening && was_declared_dead(parameters, state, now)) {
    Active next = state;
    next.is_listening = true;
    next.adver_at = now + parameters.advertisement_interval;
    next.announcements.next_at = next.adver_at;
    return {next, {}, Reason::late_wakeup};
  }
  Transition transition{state, {}, Reason::none};
  Active& next = std::get<Active>(transition.next);
  if (now >= state.adver_at) {
    transition.actions.push_back(SendAdvertisement{parameters.priority});
    next.adver_at = next_advertisement(parameters.advertisement_interval, now);
    next.is_listening = false;
  }
  if (now >= state.announcements.next_at) {
    transition.actions.push_back(AnnounceAddresses{});
    next.announcements = after_announcement(state.announcements, now);
  }
  return transition;
}

Transition on_advert(const Parameters& parameters, const Active& state, const AdvertReceived& advert,
                     TimePoint now) {
  const bool is_version_2 = parameters.version == 2;
  // RFC 3768 section 7.1; erratum 8298 made it "log" for version 3
  if (is_version_2 && parameters.is_owner()) return discard(state, now);
  if (advert.priority == kPriorityResigned) return answer(parameters, state, now, Reason::answered);

  if (advert.priority > parameters.priority) return yield_to(parameters, advert, now, Reason::higher_priority);
  if (advert.priority == parameters.priority && advert.decides_ties && advert.source > parameters.source) {
    return yield_to(parameters, advert, now, Reason::higher_address);
  }
  const bool slept = state.is_listening || was_declared_dead(parameters, state, now);
  if (slept && !parameters.preempt && !parameters.is_owner()) {
    return yield_to(parameters, advert, now, Reason::silent_too_long);
  }
  return is_version_2 ? discard(state, now) : answer(parameters, state, now, Reason::second_active);
}

Transition on_parameters(const Parameters& parameters, const Active& state, bool announce, TimePoint now) {
  Transition transition = advertise_now(parameters, state, now, Reason::parameters_changed);
  if (announce) announce_again(transition, now);
  return transition;
}

Transition claim_again(const Active& state, TimePoint now) {
  Active next = state;
  next.announcements = start_announcements(now);
  return {next, {ClaimAddresses{}, AnnounceAddresses{}}, Reason::address_lost};
}

// ---- Yielding (pair mode) ----

Transition on_time(const Parameters& parameters, const Yielding& state, TimePoint now) {
  if (now >= state.until) {
    if (state.returns) return become_active(parameters, now, Reason::yield_timeout);
    return {Initialize{}, {ReleaseAddresses{ReleaseMode::immediate}}, Reason::yield_timeout};
  }
  if (now < state.adver_at) return {state, {}, Reason::none};
  Yielding next = state;
  next.adver_at = now + parameters.advertisement_interval +
                  yield_time(parameters.advertisement_interval, parameters.addresses) / kYieldRepeatPart;
  return {next, {SendAdvertisement{kPriorityResigned}}, Reason::none};
}

Transition on_advert(const Parameters& parameters, const Yielding& state, const AdvertReceived& advert,
                     TimePoint now) {
  if (advert.priority == kPriorityResigned) return {state, {}, Reason::none};
  Transition transition{Initialize{}, {ReleaseAddresses{ReleaseMode::lingering}}, Reason::peer_took_over};
  if (state.returns) {
    const Centiseconds interval = learned_interval(parameters, advert.max_advertise_interval);
    transition.next = without_preemption(backup(parameters, interval, now));
  }
  return transition;
}

Transition start_again(const Parameters& parameters, TimePoint now) {
  Transition transition = start(parameters, now);
  if (std::holds_alternative<Backup>(transition.next)) {
    transition.actions.push_back(ReleaseAddresses{ReleaseMode::immediate});
  }
  return transition;
}

}  // namespace

Transition step(const Parameters& parameters, const State& state, const Event& event, TimePoint now) {
  const Transition stay{state, {}, Reason::none};
  return std::visit(
      overloaded{
          [&](const Initialize& initialize, const Startup&) { return start(parameters, initialize, now); },
          [&](const Initialize&, const AdvertReceived& advert) { return on_advert(parameters, advert, now); },
          [&](const Initialize&, const AdvertUnverified&) -> Transition {
            return {Initialize{}, {}, Reason::none};  // somebody is there
          },

          [&](const Backup&, const Shutdown&) -> Transition {
            return {Initialize{}, {}, Reason::shutdown};
          },
          [&](const Backup& backup, const TimeReached&) { return on_time(parameters, backup, now); },
          [&](const Backup& backup, const AdvertReceived& advert) {
            return on_advert(parameters, backup, advert, now);
          },
          [&](const Backup& backup, const AdvertUnverified&) { return on_unverified(parameters, backup, now); },
          [&](const Backup&, const ParametersChanged&) {
            return parameters.is_owner() ? become_active(parameters, now, Reason::owner) : stay;
          },

          [&](const Active&, const Shutdown&) { return resign(parameters, now); },
          [&](const Active& active, const TimeReached&) { return on_time(parameters, active, now); },
          [&](const Active& active, const AdvertReceived& advert) {
            return on_advert(parameters, active, advert, now);
          },
          [&](const Active& active, const ParametersChanged& changed) {
            return on_parameters(parameters, active, changed.announce, now);
          },
          [&](const Active&, const ClaimFailed&) -> Transition {
            return {Initialize{},
                    {SendAdvertisement{kPriorityResigned}, ReleaseAddresses{ReleaseMode::immediate}},
                    Reason::claim_failed};
          },
          [&](const Active& active, const AddressLost&) { return claim_again(active, now); },
          [&](const Active&, const Handover& handover) { return hand_over(parameters, handover.reason, now); },

          [&](const Yielding&, const Startup&) { return start_again(parameters, now); },
          [&](const Yielding& yielding, const TimeReached&) { return on_time(parameters, yielding, now); },
          [&](const Yielding& yielding, const AdvertReceived& advert) {
            return on_advert(parameters, yielding, advert, now);
          },
          [&](const Yielding& yielding, const Shutdown&) -> Transition {  // there is no way back any more
            return {Yielding{yielding.until, yielding.adver_at, false}, {}, Reason::none};
          },

          [&](const auto&, const auto&) { return stay; },
      },
      state, event);
}

std::optional<TimePoint> next_deadline(const State& state) {
  return std::visit(
      overloaded{
          [](const Initialize&) { return std::optional<TimePoint>(); },
          [](const Backup& backup) { return std::optional(backup.active_down_at); },
          [](const Active& active) {
            return std::optional(std::min(active.adver_at, active.announcements.next_at));
          },
          [](const Yielding& yielding) { return std::optional(std::min(yielding.until, yielding.adver_at)); },
      },
      state);
}

const char* to_string(Reason reason) {
  switch (reason) {
    case Reason::none:
      return "none";
    case Reason::startup:
      return "startup";
    case Reason::owner:
      return "owner";
    case Reason::shutdown:
      return "shutdown";
    case Reason::active_down_timer:
      return "active_down_timer";
    case Reason::preempted:
      return "preempted";
    case Reason::priority_zero:
      return "priority_zero";
    case Reason::higher_priority:
      return "higher_priority";
    case Reason::higher_address:
      return "higher_address";
    case Reason::handover:
      return "handover";
    case Reason::outweighed:
      return "outweighed";
    case Reason::peer_took_over:
      return "peer_took_over";
    case Reason::yield_timeout:
      return "yield_timeout";
    case Reason::claim_failed:
      return "claim_failed";
    case Reason::address_lost:
      return "address_lost";
    case Reason::accepted:
      return "accepted";
    case Reason::outranked:
      return "outranked";
    case Reason::unverified:
      return "unverified";
    case Reason::second_active:
      return "second_active";
    case Reason::answered:
      return "answered";
    case Reason::late_wakeup:
      return "late_wakeup";
    case Reason::silent_too_long:
      return "silent_too_long";
    case Reason::sync_group:
      return "sync_group";
    case Reason::parameters_changed:
      return "parameters_changed";
  }
  return "none";
}

}  // namespace vipair::vrrp
