#pragma once
// Telling the LAN where a virtual address lives now: gratuitous ARP (RFC 5227 section 3, RFC 9568 section 8.1.2)
// and unsolicited neighbour advertisements (RFC 4861 section 7.2.6, RFC 9568 section 8.2.2) as whole Ethernet
// frames, and the schedule of their repetition. One burst is not enough: two nodes that announce in the same
// instant leave a switch with the wrong one of them until somebody speaks again.

#include <array>
#include <chrono>

#include "common/base/bytes.h"
#include "common/base/ip_address.h"
#include "common/base/mac_address.h"
#include "vrrp/core/types.h"

namespace vipair::vrrp {

// An ARP request for the address with itself as the sender, to everybody: 42 bytes, padded to the 60 of Ethernet.
Bytes gratuitous_arp(const MacAddress& mac, const IpAddress& address);

// Override flag set, target link-layer address option, to ff02::1; the source is the address itself. The router
// flag must be what the kernel's own advertisements say, or hosts drop their default route.
Bytes unsolicited_neighbour_advertisement(const MacAddress& mac, const IpAddress& address, bool is_router);

// Either of the two, by the family of the address.
Bytes announcement(const MacAddress& mac, const IpAddress& address, bool is_router);

// The MAC address of a virtual router, 00-00-5E-00-01-VRID for IPv4 and 00-00-5E-00-02-VRID for IPv6 (RFC 9568
// section 7.3).
MacAddress virtual_mac_address(IpFamily family, std::uint8_t vrid);

// A VRRP message to its multicast group as a whole frame from the virtual router's MAC address (RFC 9568 section
// 7.2), so that switches know where that lives. Not fragmented: it may be larger than the link takes.
Bytes advertisement_frame(const MacAddress& source_mac, const IpAddress& source, const IpAddress& group,
                          ByteView message);

// Bursts after the first one, counted from its start; after the last the refresh interval.
inline constexpr std::array<Duration, 4> kAnnouncementRepeats = {std::chrono::milliseconds(50),
                                                                 std::chrono::milliseconds(250),
                                                                 std::chrono::seconds(1), std::chrono::seconds(5)};
inline constexpr Duration kAnnouncementRefresh = std::chrono::seconds(60);
// A schedule that has to start again (a second Active was heard) does so at most this often.
inline constexpr Duration kAnnouncementRestartMin = std::chrono::seconds(1);

// The schedule whose first burst goes out now.
AnnouncementSchedule start_announcements(TimePoint now);
// The schedule after the burst that goes out now; bursts missed meanwhile are not made up for.
AnnouncementSchedule after_announcement(const AnnouncementSchedule& schedule, TimePoint now);

}  // namespace vipair::vrrp
