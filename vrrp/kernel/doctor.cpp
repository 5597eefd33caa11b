#include "vrrp/kernel/doctor.h"

#include <linux/capability.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "vrrp/agent/instances.h"

namespace vipair::vrrp {
namespace {

// Of /proc/sys/net; `otherwise` where there is none.
int setting(const std::string& path, int otherwise) {
  int value = otherwise;
  std::ifstream(("/proc/sys/net/" + path).c_str()) >> value;
  return value;
}

bool can_ask(const InterfaceInfo& interface, const IpAddress& address) {
  return address.is_v4() || interface.link_local_v6.has_value();
}

// "CapEff:\t00000000a80425fb": what follows the name; empty when there is none.
std::string own_status(const std::string& name) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(name + ":")) return line.substr(line.find_first_not_of(" \t", name.size() + 1));
  return "";
}

}  // namespace

PrivilegeEvidence own_privileges(const Config& config) {
  const std::uint64_t capabilities = std::strtoull(own_status("CapEff").c_str(), nullptr, 16);
  auto has = [&](int capability) { return (capabilities >> capability & 1) != 0; };
  const int policy = ::sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
  PrivilegeEvidence privileges;
  privileges.net_admin = has(CAP_NET_ADMIN);
  privileges.net_raw = has(CAP_NET_RAW);
  privileges.sys_nice = has(CAP_SYS_NICE);
  privileges.is_realtime = config.realtime_priority == 0 || policy == SCHED_FIFO || policy == SCHED_RR;
  privileges.is_locked = !config.lock_memory || std::strtoull(own_status("VmLck").c_str(), nullptr, 10) > 0;
  return privileges;
}

std::vector<PathEvidence> path_evidence(const std::vector<PathProbe>& probes, const Doctor::Chart& chart) {
  std::vector<PathEvidence> paths;
  const std::vector<InstanceConfig> instances = instances_of(chart.config);
  for (const PathProbe& probe : probes) {
    PathEvidence& path = paths.emplace_back();
    path.interface = probe.interface;
    path.peer = probe.peer;
    const auto known = std::find_if(chart.interfaces.begin(), chart.interfaces.end(),
                                    [&](const InterfaceInfo& info) { return info.name == probe.interface; });
    if (probe.prefix_length > 0 && known != chart.interfaces.end() && known->primary_v4)
      path.own = IpPrefix{*known->primary_v4, probe.prefix_length};
    path.probes_sent = probe.is_sent ? 1 : 0;
    path.probes_answered = probe.is_heard ? 1 : 0;
    path.multicast_answered = probe.is_multicast_heard;
    path.multicast_needed = probe.is_multicast_sent &&
                            std::any_of(instances.begin(), instances.end(), [&](const InstanceConfig& instance) {
                              return instance.key.interface == probe.interface &&
                                     instance.key.family == probe.peer.family() && !instance.is_unicast;
                            });
    path.peer_is_heard =
        std::any_of(chart.status.paths.begin(), chart.status.paths.end(),
                    [&](const PathStatus& each) { return each.interface == probe.interface && each.is_heard; });
    if (probe.is_heard) path.clock_offset = probe.clock_ahead;
    if (probe.peer_prefix_length > 0) path.peer_prefix_length = probe.peer_prefix_length;
  }
  return paths;
}

void Doctor::examine(Done done) {
  waiting_.push_back(std::move(done));
  if (waiting_.size() > 1) return;
  const Chart chart = patient_.chart();
  before_ = chart.status;
  beds_.clear();
  paths_.clear();
  patient_.start_probing();  // tells which paths there are; their first results count from the first round on
  paths_ = patient_.probed();
  for (PathEvidence& path : paths_) path.probes_sent = path.probes_answered = 0;
  for (const InterfaceInfo& info : chart.interfaces) lay_down(chart, info);
  Duration longest{};
  for (const VirtualRouterConfig& router : chart.config.virtual_routers)
    longest = std::max<Duration>(longest, router.advertisement_interval);
  rounds_left_ = static_cast<int>(std::clamp<Duration>(longest * 3 / 2, kExaminationMin, kExaminationMax) / kRound);
  begin_round();
}

void Doctor::lay_down(const Chart& chart, const InterfaceInfo& info) {
  Bed& bed = beds_.emplace_back();
  InterfaceEvidence& evidence = bed.evidence;
  evidence.info = info;
  for (const InstanceConfig& instance : instances_of(chart.config)) {
    if (instance.key.interface != info.name) continue;
    (instance.key.family == IpFamily::ipv4 ? evidence.uses_v4 : evidence.uses_v6) = true;
    for (const IpPrefix& prefix : instance.addresses())
      if (evidence.asked.size() < kAskedMax) evidence.asked.insert(prefix.address);
  }
  for (const PathEvidence& path : paths_)
    if (path.interface == info.name && !path.peer.is_multicast()) evidence.asked.insert(path.peer);
  evidence.ipv6_is_disabled = setting("ipv6/conf/" + info.name + "/disable_ipv6", 1) != 0;
  evidence.arp_ignore =
      std::max(setting("ipv4/conf/all/arp_ignore", 0), setting("ipv4/conf/" + info.name + "/arp_ignore", 0));
  evidence.promotes_secondaries = setting("ipv4/conf/all/promote_secondaries", 0) != 0 ||
                                  setting("ipv4/conf/" + info.name + "/promote_secondaries", 0) != 0;
  if (info.index > 0 && info.is_up) {
    auto listener = LinkListener::open(info);
    if (listener)
      bed.listener = std::move(*listener);
    else
      evidence.listen_error = listener.error();
  }
  for (auto it = evidence.asked.begin(); it != evidence.asked.end();)
    it = bed.listener && can_ask(info, *it) ? std::next(it) : evidence.asked.erase(it);
}

// What is asked once may be lost once.
void Doctor::begin_round() {
  for (Bed& bed : beds_)
    for (const IpAddress& address : bed.evidence.asked)
      (void)bed.listener->ask(address);  // none without a listener
  patient_.start_probing();
  timer_.expires_after(kRound);
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) end_round();
  });
}

void Doctor::end_round() {
  const std::vector<PathEvidence> round = patient_.probed();
  for (std::size_t i = 0; i < paths_.size() && i < round.size(); ++i) {
    PathEvidence& sum = paths_[i];
    const PathEvidence seen = round[i];
    const int sent = sum.probes_sent + seen.probes_sent, answered = sum.probes_answered + seen.probes_answered;
    const bool multicast = sum.multicast_answered || seen.multicast_answered;
    if (seen.probes_answered > 0 || sum.probes_answered == 0) sum = seen;
    sum.probes_sent = sent;
    sum.probes_answered = answered;
    sum.multicast_answered = multicast;
  }
  --rounds_left_ > 0 ? begin_round() : conclude();
}

void Doctor::conclude() {
  Chart chart = patient_.chart();
  Evidence evidence;
  evidence.privileges = own_privileges(chart.config);
  evidence.config = std::move(chart.config);
  evidence.before = std::move(before_);
  evidence.after = std::move(chart.status);
  evidence.paths = std::move(paths_);
  evidence.relay_error = std::move(chart.relay_error);
  for (Bed& bed : beds_) {
    if (bed.listener) bed.evidence.heard = bed.listener->take();
    evidence.interfaces.push_back(std::move(bed.evidence));
  }
  beds_.clear();
  const std::vector<Finding> findings = diagnose(evidence);
  for (const Done& done : std::exchange(waiting_, {})) done(findings);
}

}  // namespace vipair::vrrp
