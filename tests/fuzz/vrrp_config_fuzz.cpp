// node.conf from anybody: the loader ends with a configuration that keeps its own promises, or with errors that say
// where. Files that name further files are left out: what is fuzzed is the text.
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <tuple>

#include "common/base/assert.h"
#include "vrrp/config.h"
#include "vrrp/config_reader.h"

namespace {

using namespace vipair;
using namespace std::chrono_literals;

// Every check has a name of its own, and combinations lead to checks that run.
void check_checks(const vrrp::Config& config, std::set<std::string>& names) {
  for (const vrrp::CheckConfig& check : config.checks) {
    VIPAIR_ASSERT(names.insert(check.name).second && check.name != "proxy", "a name of its own");
    VIPAIR_ASSERT(!check.type.empty() && check.rise >= 1 && check.fall >= 1, "a kind that counts");
    VIPAIR_ASSERT(check.interval > 0s && check.timeout > 0s, "a rhythm");
    VIPAIR_ASSERT(!check.weight || (*check.weight >= 1 && *check.weight <= 253), "a weight");
  }
  std::set<std::string> resolved;
  for (bool is_progress = true; is_progress;) {
    is_progress = false;
    for (const vrrp::CheckConfig& check : config.checks) {
      const auto* what = std::get_if<vrrp::CombinedCheck>(&check.what);
      bool is_resolved = true;
      if (what) {
        VIPAIR_ASSERT(what->at_least >= 1 && what->at_least <= static_cast<int>(what->checks.size()), "a number");
        for (const std::string& name : what->checks) {
          VIPAIR_ASSERT(names.contains(name), "a check to combine");
          is_resolved &= resolved.contains(name);
        }
      }
      if (is_resolved) is_progress |= resolved.insert(check.name).second;
    }
  }
  VIPAIR_ASSERT(resolved.size() == names.size(), "no circle");
}

void check(const vrrp::Config& config) {
  VIPAIR_ASSERT(!config.node.empty() && config.node.size() <= vrrp::kNameMax, "a node");
  VIPAIR_ASSERT(!config.virtual_routers.empty(), "a virtual router");
  VIPAIR_ASSERT(config.control_socket != config.gate_socket, "two sockets");
  std::set<std::string> names, checks;
  check_checks(config, checks);
  std::set<std::tuple<std::string, int, IpFamily>> vrids;
  for (const vrrp::VirtualRouterConfig& router : config.virtual_routers) {
    VIPAIR_ASSERT(names.insert(router.name).second, "a name of its own");
    VIPAIR_ASSERT(router.vrid >= 1 && router.priority >= 1, "identity");
    VIPAIR_ASSERT(!router.interface.empty() && router.interface.size() <= vrrp::kInterfaceNameMax, "an interface");
    if (router.version == 2) {
      VIPAIR_ASSERT(router.advertisement_interval % 1s == 0s && router.advertisement_interval >= 1s &&
                        router.advertisement_interval <= 255s,
                    "an interval in whole seconds");
    } else {
      VIPAIR_ASSERT(router.advertisement_interval >= 10ms && router.advertisement_interval <= 40950ms,
                    "an interval");
    }
    for (const std::string& check : router.track) VIPAIR_ASSERT(checks.contains(check), "a check to track");
    VIPAIR_ASSERT(!router.unicast || config.peer, "unicast goes to a peer");
    VIPAIR_ASSERT(!router.addresses.empty(), "an address");
    std::set<IpFamily> families;
    for (const IpPrefix& prefix : router.addresses) families.insert(prefix.address.family());
    for (const IpPrefix& prefix : router.excluded_addresses)
      VIPAIR_ASSERT(families.contains(prefix.address.family()),
                    "an excluded address has an instance that moves it");
    for (IpFamily family : families)
      VIPAIR_ASSERT(vrids.insert({router.interface, router.vrid, family}).second, "a VRID of its own");
    for (const auto* list : {&router.addresses, &router.excluded_addresses})
      for (const IpPrefix& prefix : *list)
        VIPAIR_ASSERT(!prefix.address.is_multicast() && !prefix.address.is_unspecified(), "an address to hold");
  }
}

}  // namespace

// libconfig forgets the text of a string that is never closed.
extern "C" const char* __lsan_default_suppressions() { return "leak:libconfig"; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (text.find("include") != std::string::npos || text.find("_file") != std::string::npos) return 0;
  const auto config = vrrp::parse_config(text, "/nonexistent/node.conf");
  if (config) {
    check(*config);
  } else {
    VIPAIR_ASSERT(!config.error().empty(), "a refusal has a reason");
    for (const ConfigError& error : config.error()) {
      VIPAIR_ASSERT(!error.file.empty() && !error.message.empty() && error.line >= 0, "a place and a reason");
      for (char c : error.to_string())
        VIPAIR_ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "an error is one printable line");
    }
  }
  return 0;
}
