#include "vrrp/kernel/virtual_mac.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/ip.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "common/runtime/log.h"
#include "common/runtime/unique_fd.h"
#include "vrrp/core/announcement.h"
#include "vrrp/kernel/advert_socket.h"

namespace vipair::vrrp {
namespace {

std::string name_of(int interface_index) {
  std::array<char, IF_NAMESIZE> name{};
  return ::if_indextoname(static_cast<unsigned>(interface_index), name.data()) ? name.data() : "";
}

std::string sysctl_path(IpFamily family, const std::string& interface, const char* setting) {
  return fmt::format("/proc/sys/net/{}/conf/{}/{}", to_string(family), interface, setting);
}

// Empty when it cannot be read.
std::string read_sysctl(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 16> buffer;
  const ssize_t size = file ? ::read(file.get(), buffer.data(), buffer.size()) : 0;
  std::string_view text(buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  return std::string(text.substr(0, text.find('\n')));
}

void write_sysctl(const std::string& path, const std::string& value) {
  if (read_sysctl(path) == value) return;
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file && ::write(file.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size())) return;
  if (errno == ENOENT) return;  // the node has no IPv6
  log::warn(fmt::format("cannot set {} to {}: {}; set it by hand", path, value, std::strerror(errno)));
}

HostError make_error(const VirtualMac& mac, const NetlinkAnswer& answer) {
  const std::string name = interface_name(mac), parent = name_of(mac.parent_index);
  std::string text = fmt::format("cannot make the virtual MAC address {} on {}: ",
                                 virtual_mac_address(mac.family, mac.vrid).to_string(), parent);
  switch (answer.error) {
    case EEXIST:
      return {HostError::Kind::other,
              text + fmt::format("there is an interface {} already; remove it (ip link del {})", name, name)};
    case EBUSY:
    case EADDRINUSE:
      return {
          HostError::Kind::address_in_use,
          text + fmt::format("another interface above {} has it: another VRRP implementation with the same VRID? "
                             "Stop it, or take another vrid",
                             parent)};
    case EPERM:
      return {HostError::Kind::not_permitted,
              text + "not permitted; run the daemon as root or give it CAP_NET_ADMIN"};
    case ENODEV:
      return {HostError::Kind::no_interface, text + "the interface is gone"};
    case EOPNOTSUPP:
      return {HostError::Kind::other, text + "the kernel has no macvlan interfaces; set virtual_mac = false"};
    default:
      return {host_error_kind(answer.error),
              text + std::strerror(answer.error) + (answer.text.empty() ? "" : " (" + answer.text + ")")};
  }
}

}  // namespace

std::string interface_name(const VirtualMac& mac) {
  const int family = mac.family == IpFamily::ipv4 ? 4 : 6;
  std::string name = fmt::format("vrrp{}.{}.{}", family, mac.vrid, mac.parent_index);
  if (name.size() < IF_NAMESIZE) return name;
  return fmt::format("vr{}.{:02x}.{:x}", family, mac.vrid, mac.parent_index);
}

VirtualMacs::~VirtualMacs() {
  while (!made_.empty()) remove(made_.begin()->first);
}

void VirtualMacs::make_ready(const std::set<VirtualMac>& wanted) {
  for (const VirtualMac& mac : wanted)
    if (!made_.contains(mac)) (void)make(mac);  // the claim tries again, and tells why it cannot
}

Expected<int, HostError> VirtualMacs::bring_up(const VirtualMac& mac) {
  if (const auto made = made_.find(mac); made != made_.end()) {
    const int error = set_state(made->second.index, true);
    if (error == 0) {
      made->second.is_up = true;
      return made->second.index;
    }
    if (error != ENODEV) return Unexpected{make_error(mac, {error, {}})};
    made_.erase(made);  // it is gone: with its parent, or by somebody's hand
  }
  auto index = make(mac);
  if (!index) return index;
  if (const int error = set_state(*index, true); error != 0) {
    remove(mac);
    return Unexpected{make_error(mac, {error, {}})};
  }
  made_[mac].is_up = true;
  return index;
}

void VirtualMacs::take_down(const VirtualMac& mac) {
  const auto made = made_.find(mac);
  if (made == made_.end()) return;
  (void)set_state(made->second.index, false);
  made->second.is_up = false;
}

std::optional<int> VirtualMacs::index_of(const VirtualMac& mac) const {
  const auto made = made_.find(mac);
  return made == made_.end() ? std::nullopt : std::optional(made->second.index);
}

std::optional<VirtualMac> VirtualMacs::at(int interface_index) const {
  for (const auto& [mac, made] : made_)
    if (made.index == interface_index) return mac;
  return std::nullopt;
}

bool VirtualMacs::is_up(const VirtualMac& mac) const {
  const auto made = made_.find(mac);
  return made != made_.end() && made->second.is_up;
}

Expected<int, HostError> VirtualMacs::make(const VirtualMac& mac) {
  const std::string name = interface_name(mac);
  std::vector<NetlinkMessage> request;
  request.push_back(new_macvlan_request(name, mac.parent_index, virtual_mac_address(mac.family, mac.vrid)));
  if (const NetlinkAnswer answer = execute_(request).front(); answer.error != 0)
    return Unexpected{make_error(mac, answer)};
  const int index = static_cast<int>(::if_nametoindex(name.c_str()));
  if (index == 0) return Unexpected{make_error(mac, {ENODEV, {}})};
  made_[mac] = {index, false};
  configure(mac, index);
  return index;
}

void VirtualMacs::configure(const VirtualMac& mac, int index) {
  std::vector<NetlinkMessage> requests;
  requests.push_back(link_alias_request(index, kVirtualMacAlias));
  requests.push_back(ipv4_setting_request(index, IPV4_DEVCONF_ARP_IGNORE, 1));
  requests.push_back(ipv4_setting_request(index, IPV4_DEVCONF_ARP_ANNOUNCE, 2));
  requests.push_back(ipv4_setting_request(index, IPV4_DEVCONF_RP_FILTER, 2));
  requests.push_back(no_link_local_request(index));  // refused on a node without IPv6
  execute_(requests);
  // netlink reads these but does not set them
  const std::string name = interface_name(mac), parent = name_of(mac.parent_index);
  if (mac.family == IpFamily::ipv4) {
    write_sysctl(sysctl_path(IpFamily::ipv6, name, "disable_ipv6"), "1");
  } else {
    write_sysctl(sysctl_path(IpFamily::ipv6, name, "accept_ra"), "0");
    write_sysctl(sysctl_path(IpFamily::ipv6, name, "autoconf"), "0");
  }
  if (const std::string forwards = read_sysctl(sysctl_path(mac.family, parent, "forwarding")); !forwards.empty())
    write_sysctl(sysctl_path(mac.family, name, "forwarding"), forwards);
}

void VirtualMacs::remove(const VirtualMac& mac) {
  const auto made = made_.find(mac);
  std::vector<NetlinkMessage> request;
  request.push_back(delete_link_request(made->second.index));
  const int error = execute_(request).front().error;
  if (error != 0 && error != ENODEV)
    log::error(fmt::format("cannot remove {}: {}; remove it by hand (ip link del {})", interface_name(mac),
                           std::strerror(error), interface_name(mac)));
  made_.erase(made);
}

int VirtualMacs::set_state(int index, bool is_up) {
  std::vector<NetlinkMessage> request;
  request.push_back(link_state_request(index, is_up));
  return execute_(request).front().error;
}

Expected<std::vector<std::string>, std::string> remove_virtual_mac_leftovers(NetlinkSocket& netlink) {
  auto links = list_links(netlink);
  if (!links) return Unexpected{links.error()};
  std::vector<std::string> names;
  std::vector<NetlinkMessage> requests;
  for (const KernelLink& link : *links) {
    if (link.alias != kVirtualMacAlias) continue;
    names.push_back(link.name);
    requests.push_back(delete_link_request(link.index));
  }
  const auto answers = netlink.execute(requests);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (answers[i].error != 0 && answers[i].error != ENODEV)
      return Unexpected{"cannot remove " + names[i] +
                        ", left by an earlier run: " + std::strerror(answers[i].error)};
  }
  return names;
}

}  // namespace vipair::vrrp
