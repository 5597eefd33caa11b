// The addresses of an instance, slice by slice: claimed, announced, released, and the takeover that is under way
// meanwhile.
#include <utility>

#include "vrrp/agent/explanation.h"
#include "vrrp/agent/group.h"
#include "vrrp/agent/virtual_router.h"
#include "vrrp/core/announcement.h"

namespace vipair::vrrp {

using Level = JournalEntry::Level;

bool VirtualRouter::may_claim() const {
  const Active* active = std::get_if<Active>(&state());
  return active && !active->is_listening;
}

bool VirtualRouter::is_busy() const {
  return holdings_.is_holding_too_many() || (may_claim() && (takeover_ || holdings_.is_missing_any())) ||
         (is_active() && !takeover_ && holdings_.is_announcing());
}

void VirtualRouter::plan(TimePoint now) {
  work_at_ = is_busy() ? std::optional(now) : std::nullopt;
  surroundings_.deadlines.set(place_, next_deadline());
}

// An Active speaks when it holds enough, with all of its group.
bool VirtualRouter::holds_enough() const {
  if (!takeover_) return true;
  return !holdings_.is_missing_any() || (!takeover_->is_planned && holdings_.held() > 0);
}

AddressSet VirtualRouter::set_of(std::vector<IpPrefix> addresses) const {
  AddressSet set = held_on_;
  set.addresses = std::move(addresses);
  return set;
}

// The will speaks of the addresses before they are there: whatever happens in between, they do not stay behind.
void VirtualRouter::want(std::vector<IpPrefix> addresses) {
  const AddressSet before = held_on_;
  if (is_active()) {
    held_on_ = {config_.key.interface,
                interface_.index,
                {},
                config_.key.vrid,
                config_.virtual_mac,
                config_.accept || config_.priority == kPriorityOwner};  // RFC 9568 section 6.1
  }
  if (before.interface_index != held_on_.interface_index) holdings_ = {};  // what was held went with the interface
  holdings_.want(std::move(addresses));
  if (before.accept != held_on_.accept) holdings_.claim_again();
  surroundings_.will_changed();
}

std::size_t VirtualRouter::work(TimePoint now, std::size_t addresses_max) {
  const std::size_t released = release_slice(addresses_max);
  const std::size_t claimed = claim_slice(now, addresses_max - released);
  finish_takeover(now);
  announce_slice();
  plan(now);
  return released + claimed;
}

std::size_t VirtualRouter::release_slice(std::size_t max) {
  const auto slice = holdings_.next_to_release(max);
  if (slice.empty()) return 0;
  AddressSet released = set_of({});
  for (const IpPrefix& prefix : slice) {
    const bool stays = !held_on_.virtual_mac && surroundings_.leave_to_another(*this, prefix);
    if (!stays) released.addresses.push_back(prefix);
  }
  if (!released.addresses.empty()) surroundings_.host.release(released, holdings_.release_mode());
  holdings_.released(slice.size());
  if (!holdings_.is_holding_too_many()) surroundings_.will_changed();
  return slice.size();
}

std::size_t VirtualRouter::claim_slice(TimePoint now, std::size_t max) {
  if (!may_claim()) return 0;
  if (takeover_ && takeover_->relay_to) {
    surroundings_.host.relay(set_of(config_.addresses()), *std::exchange(takeover_->relay_to, std::nullopt));
  }
  const auto slice = holdings_.next_to_claim(max);
  if (slice.empty()) return 0;
  const auto claimed = surroundings_.host.claim(set_of(slice));
  if (claimed) {
    claim_backoff_.reset();
    holdings_.claimed(slice.size());
  } else {
    claim_failed(now, claimed.error());
  }
  return slice.size();
}

void VirtualRouter::claim_failed(TimePoint now, const HostError& error) {
  ++counters_.claim_errors;
  const Duration delay = claim_backoff_.next();
  claim_retry_at_ = now + delay;
  faults_.raise(FaultSource::claim, "claim: " + error.text);
  tell(now, Level::error, "claim_failed",
       "the addresses cannot be claimed: " + error.text + "; next try in " + in_milliseconds(delay));
  handle(now, ClaimFailed{});
}

void VirtualRouter::finish_takeover(TimePoint now) {
  if (!takeover_ || !may_claim() || !group_->holds_enough()) return;
  takeover_.reset();
  send(now, effective_priority());
}

void VirtualRouter::announce_slice() {
  if (!is_active() || takeover_) return;
  const MacAddress mac =
      config_.virtual_mac ? virtual_mac_address(config_.key.family, config_.key.vrid) : interface_.mac;
  std::vector<OutgoingFrame> frames;
  for (const IpAddress& address : holdings_.take_announcements(kAnnouncementSliceMax)) {
    frames.push_back({interface_.index, announcement(mac, address, interface_.forwards_v6)});
  }
  if (!frames.empty()) surroundings_.host.announce(frames);
}

bool VirtualRouter::inherit(int interface_index, const IpPrefix& address) {
  return is_active() && is_on(interface_index) && !config_.virtual_mac && holdings_.inherit(address);
}

}  // namespace vipair::vrrp
