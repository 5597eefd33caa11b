// Watches a takeover from inside the node: which addresses are on the interface, which of them were announced by
// gratuitous ARP, and how far apart the node's own VRRP advertisements are. For each newline on standard input it
// prints what it saw since the last one as a line of JSON; the end of the input ends it. Times are milliseconds.
//
//   takeover INTERFACE SOURCE          SOURCE: the node's own address, where its advertisements come from

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <time.h>

#include <algorithm>
#include <map>
#include <set>

#include "net.h"

namespace {

double now_ms() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

// When the members of a set came, from the first to the last new one.
struct Span {
  std::set<std::uint32_t> members;
  double first = 0, last = 0;

  void add(std::uint32_t member, double time) {
    if (!members.insert(member).second) return;
    if (members.size() == 1) first = time;
    last = time;
  }
};

struct Report {
  Span present, announced, removed;
  std::map<int, double> last_advert;  // by VRID
  double gap_max = 0;
  unsigned adverts = 0;
};

int open_netlink() {
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  own.nl_groups = RTMGRP_IPV4_IFADDR;
  const int buffer = 16 << 20;
  ::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&own), sizeof own) != 0) bench::fail("netlink");
  return fd;
}

int open_packet(unsigned interface) {
  const int fd = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
  sockaddr_ll own{};
  own.sll_family = AF_PACKET;
  own.sll_protocol = htons(ETH_P_ALL);
  own.sll_ifindex = static_cast<int>(interface);
  const int buffer = 16 << 20;
  ::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&own), sizeof own) != 0) bench::fail("packet socket");
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  return fd;
}

void read_netlink(int fd, unsigned interface, Report& report) {
  alignas(nlmsghdr) static char buffer[64 << 10];
  for (;;) {
    const ssize_t size = ::recv(fd, buffer, sizeof buffer, 0);
    if (size < 0 && errno == ENOBUFS) std::fprintf(stderr, "address events were lost\n");
    if (size <= 0) return;
    const double time = now_ms();
    auto left = static_cast<std::size_t>(size);
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      const auto* header = static_cast<ifaddrmsg*>(NLMSG_DATA(message));
      if (header->ifa_index != interface) continue;
      auto length = static_cast<int>(IFA_PAYLOAD(message));
      for (auto* attribute = IFA_RTA(header); RTA_OK(attribute, length); attribute = RTA_NEXT(attribute, length)) {
        if (attribute->rta_type != IFA_LOCAL) continue;
        std::uint32_t address;
        std::memcpy(&address, RTA_DATA(attribute), sizeof address);
        if (message->nlmsg_type == RTM_NEWADDR) report.present.add(address, time);
        if (message->nlmsg_type == RTM_DELADDR) report.removed.add(address, time);
      }
    }
  }
}

// The kernel's time stamps are of the calendar: `offset` is what the monotonic clock lags behind.
void read_packets(int fd, std::uint32_t source, Report& report) {
  for (;;) {
    static unsigned char frame[2048];
    alignas(cmsghdr) char control[64];
    iovec piece{frame, sizeof frame};
    msghdr header{};
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    const ssize_t size = ::recvmsg(fd, &header, 0);
    if (size < 42) {
      if (size < 0) return;
      continue;
    }
    double time = now_ms();
    for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
      if (part->cmsg_type != SCM_TIMESTAMPNS) continue;
      timespec stamp;
      std::memcpy(&stamp, CMSG_DATA(part), sizeof stamp);
      timespec calendar{};
      clock_gettime(CLOCK_REALTIME, &calendar);
      time -= static_cast<double>(calendar.tv_sec - stamp.tv_sec) * 1e3 +
              static_cast<double>(calendar.tv_nsec - stamp.tv_nsec) / 1e6;
    }
    const unsigned type = static_cast<unsigned>(frame[12] << 8 | frame[13]);
    if (type == ETH_P_ARP && std::memcmp(frame + 28, frame + 38, 4) == 0) {
      std::uint32_t address;
      std::memcpy(&address, frame + 28, sizeof address);
      if (address != source) report.announced.add(address, time);
    }
    if (type == ETH_P_IP && frame[23] == 112 && std::memcmp(frame + 26, &source, 4) == 0) {
      const unsigned char* vrrp = frame + 14 + (frame[14] & 15) * 4;
      if ((vrrp[0] & 15) != 1 || vrrp[2] == 0) continue;  // no advertisement, or a resignation
      const auto [last, is_first] = report.last_advert.try_emplace(vrrp[1], time);
      if (!is_first) report.gap_max = std::max(report.gap_max, time - last->second);
      last->second = time;
      ++report.adverts;
    }
  }
}

void print(const char* name, const Span& span) {
  std::printf("\"%s\": {\"count\": %zu, \"first\": %.3f, \"last\": %.3f}, ", name, span.members.size(), span.first,
              span.last);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  bench::be_realtime(80);
  const unsigned interface = if_nametoindex(argv[1]);
  const std::uint32_t source = inet_addr(argv[2]);
  pollfd watched[3] = {{0, POLLIN, 0}, {open_netlink(), POLLIN, 0}, {open_packet(interface), POLLIN, 0}};
  Report report;
  for (;;) {
    ::poll(watched, 3, -1);
    read_netlink(watched[1].fd, interface, report);
    read_packets(watched[2].fd, source, report);
    if (watched[0].revents == 0) continue;
    char line[64];
    const bool is_over = ::read(0, line, sizeof line) <= 0;
    std::printf("{");
    print("present", report.present);
    print("announced", report.announced);
    print("removed", report.removed);
    std::printf("\"adverts\": %u, \"gap_max\": %.3f, \"now\": %.3f}\n", report.adverts, report.gap_max, now_ms());
    std::fflush(stdout);
    if (is_over) return 0;
    Report next;
    next.last_advert = report.last_advert;
    report = next;
  }
}
