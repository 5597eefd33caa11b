// probe ADDRESS [INTERVAL_US]: for how long did an address not answer? One ICMP echo request per millisecond; for
// each line on standard input one JSON line about the time since the last one, and a last one at end of file.
//
// A gap runs from the first request that is sent after a reply to the next reply that arrives, by the kernel's time
// of arrival: being scheduled late ourselves makes no gap (nothing was asked meanwhile), an answer that comes late
// does. Needs CAP_NET_RAW; runs at real-time priority when it may.

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

namespace {

using Nanoseconds = std::int64_t;
constexpr Nanoseconds kNever = -1;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "probe: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

Nanoseconds to_ns(const timespec& time) { return time.tv_sec * 1'000'000'000LL + time.tv_nsec; }

Nanoseconds now() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);  // the clock of SO_TIMESTAMPNS
  return to_ns(time);
}

struct Lap {
  std::uint64_t sent = 0, answered = 0, refused_by_kernel = 0;
  Nanoseconds gap = 0, own_lateness = 0;
};

std::uint16_t internet_checksum(const std::uint8_t* data, std::size_t size) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < size; i += 2) sum += static_cast<std::uint32_t>(data[i] << 8 | data[i + 1]);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

class Probe {
 public:
  Probe(const char* address, long interval_us) : interval_(interval_us * 1000) {
    if (inet_pton(AF_INET, address, &target4_.sin_addr) == 1) {
      target4_.sin_family = AF_INET;
    } else if (inet_pton(AF_INET6, address, &target6_.sin6_addr) == 1) {
      target6_.sin6_family = AF_INET6;
      is_v6_ = true;
    } else {
      errno = EINVAL;
      fail(address);
    }
    socket_ = ::socket(is_v6_ ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
                       is_v6_ ? static_cast<int>(IPPROTO_ICMPV6) : static_cast<int>(IPPROTO_ICMP));
    if (socket_ < 0) fail("raw socket");
    if (is_v6_) {
      icmp6_filter filter;
      ICMP6_FILTER_SETBLOCKALL(&filter);
      ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
      setsockopt(socket_, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter);
    } else {
      const std::uint32_t all_but_echo_reply = ~(1u << ICMP_ECHOREPLY);
      setsockopt(socket_, SOL_RAW, 1 /* ICMP_FILTER */, &all_but_echo_reply, sizeof all_but_echo_reply);
    }
    const int on = 1;
    if (setsockopt(socket_, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) != 0) fail("SO_TIMESTAMPNS");
    timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    itimerspec period{};
    period.it_interval.tv_nsec = period.it_value.tv_nsec = interval_us * 1000;
    if (timer_ < 0 || timerfd_settime(timer_, 0, &period, nullptr) != 0) fail("timerfd");
  }

  int run() {
    for (;;) {
      std::array<pollfd, 3> fds{{{timer_, POLLIN, 0}, {socket_, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}}};
      if (poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) fail("poll");
      if (fds[1].revents != 0) receive();
      if (fds[0].revents != 0) send_due();
      if (fds[2].revents != 0) {
        receive();
        std::array<char, 64> line{};
        const ssize_t size = read(STDIN_FILENO, line.data(), line.size());
        if (size <= 0) {
          report();
          return 0;
        }
        for (ssize_t i = 0; i < size; ++i) {
          if (line[static_cast<std::size_t>(i)] == '\n') report();
        }
      }
    }
  }

 private:
  void send_due() {
    std::uint64_t due = 0;
    if (read(timer_, &due, sizeof due) != sizeof due) return;
    if (due > 1) lap_.own_lateness = std::max(lap_.own_lateness, static_cast<Nanoseconds>(due - 1) * interval_);
    std::array<std::uint8_t, 16> message{};
    message[0] = is_v6_ ? std::uint8_t{ICMP6_ECHO_REQUEST} : std::uint8_t{ICMP_ECHO};
    std::memcpy(&message[4], &id_, 2);
    const std::uint16_t sequence = htons(sequence_++);
    std::memcpy(&message[6], &sequence, 2);
    if (!is_v6_) {  // the kernel fills in ICMPv6's
      const std::uint16_t checksum = htons(internet_checksum(message.data(), message.size()));
      std::memcpy(&message[2], &checksum, 2);
    }
    if (waiting_since_ == kNever) waiting_since_ = now();
    ++lap_.sent;
    const auto* target =
        is_v6_ ? reinterpret_cast<const sockaddr*>(&target6_) : reinterpret_cast<const sockaddr*>(&target4_);
    const socklen_t target_size = is_v6_ ? sizeof target6_ : sizeof target4_;
    if (sendto(socket_, message.data(), message.size(), 0, target, target_size) < 0) ++lap_.refused_by_kernel;
  }

  void receive() {
    for (;;) {
      std::array<std::uint8_t, 256> packet{};
      std::array<char, 128> control{};
      iovec data{packet.data(), packet.size()};
      msghdr message{};
      message.msg_iov = &data;
      message.msg_iovlen = 1;
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      const ssize_t size = recvmsg(socket_, &message, 0);
      if (size < 0) return;
      std::size_t offset = 0;
      if (!is_v6_) offset = static_cast<std::size_t>(packet[0] & 0x0f) * 4;
      if (static_cast<std::size_t>(size) < offset + 8) continue;
      if (std::memcmp(&packet[offset + 4], &id_, 2) != 0) continue;
      ++lap_.answered;
      if (waiting_since_ == kNever) continue;
      Nanoseconds arrived = now();
      for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_TIMESTAMPNS) {
          timespec time{};
          std::memcpy(&time, CMSG_DATA(part), sizeof time);
          arrived = to_ns(time);
        }
      }
      lap_.gap = std::max(lap_.gap, arrived - waiting_since_);
      waiting_since_ = kNever;
    }
  }

  void report() {
    const Nanoseconds dark = waiting_since_ == kNever ? 0 : now() - waiting_since_;
    std::printf(
        "{\"sent\": %llu, \"answered\": %llu, \"send_errors\": %llu, \"gap_ms\": %.3f, \"dark_ms\": %.3f, "
        "\"own_lateness_ms\": %.3f}\n",
        static_cast<unsigned long long>(lap_.sent), static_cast<unsigned long long>(lap_.answered),
        static_cast<unsigned long long>(lap_.refused_by_kernel),
        static_cast<double>(std::max(lap_.gap, dark)) / 1e6, static_cast<double>(dark) / 1e6,
        static_cast<double>(lap_.own_lateness) / 1e6);
    std::fflush(stdout);
    lap_ = Lap{};
  }

  sockaddr_in target4_{};
  sockaddr_in6 target6_{};
  bool is_v6_ = false;
  Nanoseconds interval_;
  int socket_ = -1;
  int timer_ = -1;
  std::uint16_t id_ = static_cast<std::uint16_t>(getpid());
  std::uint16_t sequence_ = 0;
  Nanoseconds waiting_since_ = kNever;
  Lap lap_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: probe ADDRESS [INTERVAL_US]\n");
    return 2;
  }
  const long interval_us = argc == 3 ? std::strtol(argv[2], nullptr, 10) : 1000;
  if (interval_us < 100 || interval_us > 999'999) {
    std::fprintf(stderr, "probe: the interval is 100 to 999999 microseconds\n");
    return 2;
  }
  sched_param priority{};
  priority.sched_priority = 10;
  sched_setscheduler(0, SCHED_FIFO, &priority);  // without the permission it measures as well as it can
  return Probe(argv[1], interval_us).run();
}
