#pragma once
// The interfaces that the configuration speaks of, kept in step with the kernel: the agent is told what is new of
// them, their sockets are opened and closed, the virtual MAC addresses made that may be needed, and addresses that
// somebody else removed reported. What fails is tried again and a warning meanwhile. One owner, one thread.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/expected.h"
#include "vrrp/agent/agent.h"
#include "vrrp/agent/config.h"
#include "vrrp/kernel/kernel_host.h"
#include "vrrp/kernel/monitor.h"

namespace vipair::vrrp {

class Interfaces {
 public:
  // As last told to the agent; none: not told yet.
  using Known = std::map<std::string, std::optional<InterfaceInfo>>;

  // `host` must outlive it.
  static Expected<std::unique_ptr<Interfaces>, std::string> open(KernelHost& host);

  int poll_fd() const { return monitor_->poll_fd(); }
  // Before the agent gets the same configuration: a new virtual router finds its interface's sockets open.
  void use(const Config& config);
  // Reads what the kernel has to say; whether anything is new since the last time, or failed then.
  bool has_news();
  // Whether has_news() is to be asked although the kernel says nothing.
  bool is_behind() const { return is_failing_ || !deaf_.empty(); }
  void tell(TimePoint now, Agent& agent);
  // Leaves those that no virtual router uses since a reload; not before who resigns there is done.
  void leave_unused(TimePoint now, const Agent& agent);

  const InterfaceTable& table() const { return monitor_->table(); }
  const Known& known() const { return known_; }
  std::uint64_t resyncs() const { return monitor_->resyncs(); }
  // What is wrong with sockets, and with the peers' addresses.
  std::vector<std::string> warnings() const;

 private:
  Interfaces(KernelHost& host, std::unique_ptr<Monitor> monitor) : host_(host), monitor_(std::move(monitor)) {}
  std::set<VirtualMac> virtual_macs() const;
  void open_sockets(const InterfaceInfo& interface);
  void report_lost_addresses(TimePoint now, Agent& agent);

  KernelHost& host_;
  std::unique_ptr<Monitor> monitor_;
  Config config_;
  std::map<std::string, std::set<IpFamily>> spoken_on_;  // by the configuration
  Known known_;
  std::map<std::string, std::string> deaf_;  // interface → why its sockets cannot be opened
  bool is_failing_ = false;                  // the kernel could not be asked
  bool has_unused_ = false;
  std::optional<std::uint64_t> seen_version_;
  std::uint64_t seen_resyncs_ = 0;
};

}  // namespace vipair::vrrp
