#include "vrrp/kernel/doctor.h"

#include <linux/capability.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "vrrp/agent/instances.h"

namespace vipair::vrrp {
namespace {

constexpr Duration kAskAgain = std::chrono::milliseconds(500);  // the first question may be lost

// Of /proc/sys/net; `otherwise` where there is none.
int setting(const std::string& path, int otherwise) {
  int value = otherwise;
  std::ifstream(("/proc/sys/net/" + path).c_str()) >> value;
  return value;
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

void Doctor::examine(Done done) {
  waiting_.push_back(std::move(done));
  if (waiting_.size() > 1) return;
  const Chart chart = patient_.chart();
  before_ = chart.status;
  beds_.clear();
  for (const InterfaceInfo& info : chart.interfaces) lay_down(chart, info);
  patient_.start_probing();
  Duration longest{};
  for (const VirtualRouterConfig& router : chart.config.virtual_routers)
    longest = std::max<Duration>(longest, router.advertisement_interval);
  left_ = std::clamp<Duration>(longest * 3 / 2, kExaminationMin, kExaminationMax) - kAskAgain;
  wait(kAskAgain, &Doctor::ask_again);
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
  for (const PathEvidence& path : chart.paths)
    if (path.interface == info.name) evidence.asked.insert(path.peer);
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
    it = bed.listener && bed.listener->ask(*it) ? std::next(it) : evidence.asked.erase(it);
}

void Doctor::wait(Duration duration, void (Doctor::*next)()) {
  timer_.expires_after(duration);
  timer_.async_wait([this, next](boost::system::error_code error) {
    if (!error) (this->*next)();
  });
}

void Doctor::ask_again() {
  for (Bed& bed : beds_)
    for (const IpAddress& address : bed.evidence.asked)
      (void)bed.listener->ask(address);  // none without a listener
  wait(left_, &Doctor::conclude);
}

void Doctor::conclude() {
  Chart chart = patient_.chart();
  Evidence evidence;
  evidence.privileges = own_privileges(chart.config);
  evidence.config = std::move(chart.config);
  evidence.before = std::move(before_);
  evidence.after = std::move(chart.status);
  evidence.paths = std::move(chart.paths);
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
