#include "vrrp/agent/instance_advertisement.h"

#include <algorithm>
#include <set>

#include "vrrp/core/announcement.h"

namespace vipair::vrrp {
namespace {

std::optional<AuthenticationData> password_of(const InstanceConfig& config) {
  if (config.version != 2 || config.password.empty()) return std::nullopt;
  return authentication_data(config.password);
}

}  // namespace

OutgoingAdvertisement make_advertisement(const InstanceConfig& config, std::uint8_t priority, int interface_index,
                                         const IpAddress& source, std::optional<ChecksumKind> heard) {
  Advertisement advertisement{config.key.vrid, priority, config.advertisement_interval, {}};
  advertisement.version = config.version;
  advertisement.password = password_of(config);
  for (const IpPrefix& prefix : config.advertised) advertisement.addresses.push_back(prefix.address);

  ChecksumKind checksum = ChecksumKind::pseudo_header;
  if (config.checksum == ChecksumForm::rfc9568) checksum = ChecksumKind::message_only;
  if (config.checksum == ChecksumForm::automatic && heard) checksum = *heard;

  const IpAddress destination = config.is_unicast ? *config.peer : multicast_group(config.key.family);
  OutgoingAdvertisement outgoing{interface_index, source, destination,
                                 encode(advertisement, source, destination, checksum)};
  if (config.virtual_mac && destination.is_multicast())
    outgoing.source_mac = virtual_mac_address(config.key.family, config.key.vrid);
  return outgoing;
}

std::optional<DropReason> disagreement(const InstanceConfig& own, const Advertisement& heard) {
  if (heard.version != 2) return std::nullopt;
  if (heard.max_advertise_interval != own.advertisement_interval) return DropReason::interval_mismatch;
  const auto password = password_of(own);
  if (heard.password.has_value() != password.has_value()) return DropReason::auth_type_mismatch;
  if (heard.password != password) return DropReason::auth_failure;
  return std::nullopt;
}

bool lists_the_same(const std::vector<IpAddress>& listed, const std::vector<IpPrefix>& own) {
  auto is_same = [](const IpAddress& address, const IpPrefix& prefix) { return address == prefix.address; };
  if (std::equal(listed.begin(), listed.end(), own.begin(), own.end(), is_same)) return true;
  std::set<IpAddress> ours;
  for (const IpPrefix& prefix : own) ours.insert(prefix.address);
  return std::set<IpAddress>(listed.begin(), listed.end()) == ours;
}

}  // namespace vipair::vrrp
