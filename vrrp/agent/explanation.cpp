#include "vrrp/agent/explanation.h"

#include "vrrp/core/timers.h"

namespace vipair::vrrp {

std::string in_milliseconds(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) + " ms";
}

std::string explain(Reason reason, const Circumstances& seen) {
  const std::string who = seen.neighbour ? seen.neighbour->to_string() : "nobody";
  const std::string its = std::to_string(seen.neighbour_priority);
  const std::string own = std::to_string(seen.own_priority);
  const std::string why = seen.faults.empty() ? std::string("told to stop") : seen.faults.front();
  switch (reason) {
    case Reason::startup:
      return "takes part as a Backup";
    case Reason::owner:
      return "priority 255: this node owns the addresses";
    case Reason::shutdown:
      return why;
    case Reason::active_down_timer:
      return seen.neighbour ? "nothing acceptable heard, the last advertisement came from " + who + " " +
                                  in_milliseconds(seen.silence) + " ago"
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
             (seen.version == 2 ? ": discarded" : ": answered");
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

std::string explain_refusal(DropReason reason, const IpAddress& source, const char* why) {
  std::string text =
      "advertisement from " + source.to_string() + " refused: " + (why && *why ? why : to_string(reason));
  if (const char* what_to_do = advice(reason)) text += std::string("; ") + what_to_do;
  return text;
}

std::string explain_interval(const Parameters& own, const IpAddress& source, Centiseconds advertised) {
  std::string text = source.to_string() + " advertises every " + in_milliseconds(advertised) +
                     ", this node every " + in_milliseconds(own.advertisement_interval);
  const Centiseconds counted = learned_interval(own, advertised);
  if (counted < advertised)
    text += ", more than ten times our own interval: it counts as " + in_milliseconds(counted);
  return text;
}

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

}  // namespace vipair::vrrp
