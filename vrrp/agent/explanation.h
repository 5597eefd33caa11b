#pragma once
// What an instance has to say, in sentences for the journal and the status: why it changed its role, what it
// refused, what is wrong with its interface. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ip_address.h"
#include "common/base/time.h"
#include "vrrp/agent/host.h"
#include "vrrp/agent/instances.h"
#include "vrrp/core/advertisement.h"
#include "vrrp/core/parameters.h"
#include "vrrp/core/state_machine.h"

namespace vipair::vrrp {

std::string in_milliseconds(Duration duration);  // "250 ms"

// In which a decision was made.
struct Circumstances {
  std::optional<IpAddress> neighbour;  // the last one that was heard
  std::uint8_t neighbour_priority = 0;
  Duration silence{};  // since then
  std::uint8_t own_priority = 0;
  int version = 3;
  std::vector<std::string> faults;
};
std::string explain(Reason reason, const Circumstances& seen);

// `why`: more exactly than the reason says; empty or null: the reason says it all.
std::string explain_refusal(DropReason reason, const IpAddress& source, const char* why = nullptr);
std::string explain_interval(const Parameters& own, const IpAddress& source, Centiseconds advertised);
// Empty: nothing is wrong.
std::string interface_fault(const InterfaceInfo& interface, const InstanceKey& key);

}  // namespace vipair::vrrp
