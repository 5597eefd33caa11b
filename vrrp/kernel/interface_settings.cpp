#include "vrrp/kernel/interface_settings.h"

#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "vrrp/kernel/netlink_reader.h"
#include "vrrp/kernel/netlink_writer.h"

namespace vipair::vrrp {
namespace {

struct NeededSetting {
  InterfaceNeed need;
  int id;
  std::int32_t value;
};
constexpr std::array kNeededSettings = {
    NeededSetting{InterfaceNeed::quiet, IPV4_DEVCONF_ARP_IGNORE, 1},
    NeededSetting{InterfaceNeed::quiet, IPV4_DEVCONF_ARP_ANNOUNCE, 2},
    NeededSetting{InterfaceNeed::lasting_secondaries, IPV4_DEVCONF_PROMOTE_SECONDARIES, 1},
};

// The IPv4 device settings of an interface as an array indexed by IPV4_DEVCONF_… - 1; empty when it has none.
std::vector<std::int32_t> read_ipv4_settings(int socket, int interface_index) {
  NetlinkWriter request;
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = interface_index;
  request.message(RTM_GETLINK, 0, 1, header);
  std::vector<std::int32_t> settings;
  (void)ask(socket, request, [&](const nlmsghdr& message) {
    if (message.nlmsg_type != RTM_NEWLINK || message.nlmsg_len < NLMSG_LENGTH(sizeof header)) return true;
    const ByteView attributes(reinterpret_cast<const std::uint8_t*>(&message) + NLMSG_SPACE(sizeof header),
                              message.nlmsg_len - NLMSG_SPACE(sizeof header));
    const ByteView ipv4 = find_attribute(find_attribute(attributes, IFLA_AF_SPEC), AF_INET);
    const ByteView values = find_attribute(ipv4, IFLA_INET_CONF);
    settings.resize(values.size() / sizeof(std::int32_t));
    std::memcpy(settings.data(), values.data(), settings.size() * sizeof(std::int32_t));
    return false;
  });
  return settings;
}

}  // namespace

std::optional<std::int32_t> needed_value(int id) {
  for (const NeededSetting& needed : kNeededSettings)
    if (needed.id == id) return needed.value;
  return std::nullopt;
}

InterfaceSettings::InterfaceSettings(std::function<void()> changed)
    : changed_(std::move(changed)), rtnetlink_(open_rtnetlink()), batch_(rtnetlink_.get()) {}

bool InterfaceSettings::hold(int interface_index, InterfaceNeed need) {
  if (holds_[{interface_index, need}]++ > 0) return false;
  const std::vector<InterfaceSetting> changing = to_change(interface_index, need);
  if (changing.empty()) return false;
  saved_.insert(saved_.end(), changing.begin(), changing.end());
  changed_();
  for (const InterfaceSetting& setting : changing)
    batch_.set_ipv4_setting(interface_index, setting.id, *needed_value(setting.id));
  (void)batch_.flush();
  return true;
}

bool InterfaceSettings::let_go(int interface_index, InterfaceNeed need) {
  const auto held = holds_.find({interface_index, need});
  if (held == holds_.end() || --held->second > 0) return false;
  holds_.erase(held);
  return restore_unneeded();
}

std::vector<InterfaceSetting> InterfaceSettings::to_change(int interface_index, InterfaceNeed need) const {
  std::vector<InterfaceSetting> found;
  const std::vector<std::int32_t> settings = read_ipv4_settings(rtnetlink_.get(), interface_index);
  for (const NeededSetting& needed : kNeededSettings) {
    if (needed.need != need || is_saved(interface_index, needed.id)) continue;
    const auto index = static_cast<std::size_t>(needed.id - 1);
    // one that cannot be read is taken for the kernel's default: rather quiet for nothing than two who answer
    const std::int32_t value = index < settings.size() ? settings[index] : 0;
    if (value < needed.value) found.push_back({interface_index, needed.id, value});
  }
  return found;
}

void InterfaceSettings::adopt(const std::vector<InterfaceSetting>& saved) {
  for (const InterfaceSetting& setting : saved)
    if (!is_saved(setting.interface_index, setting.id)) saved_.push_back(setting);
}

bool InterfaceSettings::restore_unneeded() {
  const auto unneeded = [&](const InterfaceSetting& setting) {
    if (is_needed(setting)) return false;
    batch_.set_ipv4_setting(setting.interface_index, setting.id, setting.value);
    return true;
  };
  if (std::erase_if(saved_, unneeded) == 0) return false;
  (void)batch_.flush();  // an interface that is gone took its settings along
  changed_();
  return true;
}

void InterfaceSettings::forget() {
  saved_.clear();
  holds_.clear();
}

bool InterfaceSettings::is_saved(int interface_index, int id) const {
  return std::any_of(saved_.begin(), saved_.end(), [&](const InterfaceSetting& saved) {
    return saved.interface_index == interface_index && saved.id == id;
  });
}

bool InterfaceSettings::is_needed(const InterfaceSetting& setting) const {
  return std::any_of(kNeededSettings.begin(), kNeededSettings.end(), [&](const NeededSetting& needed) {
    return needed.id == setting.id && holds_.contains({setting.interface_index, needed.need});
  });
}

}  // namespace vipair::vrrp
