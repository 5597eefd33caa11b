// flood INTERFACE RATE SECONDS: sends whole IPv4 packets out of an interface, in turns, as fast as the rate says.
// They come from standard input, each with its length in front (two bytes, network order). Prints one JSON line:
// how many went out and in which time. Needs CAP_NET_RAW; runs at a high real-time priority when it may, as an
// attacker's machine is not slowed down by ours.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

namespace {

constexpr std::size_t kIpHeader = 20;
constexpr std::size_t kDestination = 16;  // where it stands in the header
constexpr unsigned kBatch = 64;           // packets per system call
constexpr double kTick = 0.001;           // seconds between bursts
constexpr int kPriority = 60;             // above the agents'

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "flood: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

double now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

struct Packet {
  std::vector<std::uint8_t> bytes;
  sockaddr_in to{};
};

std::vector<Packet> read_packets() {
  std::vector<Packet> packets;
  std::array<std::uint8_t, 2> size{};
  while (std::fread(size.data(), 1, size.size(), stdin) == size.size()) {
    Packet packet;
    packet.bytes.resize(static_cast<std::size_t>(size[0]) << 8 | size[1]);
    const bool is_whole = std::fread(packet.bytes.data(), 1, packet.bytes.size(), stdin) == packet.bytes.size();
    if (!is_whole || packet.bytes.size() < kIpHeader) {
      std::fprintf(stderr, "flood: not a packet\n");
      std::exit(2);
    }
    packet.to.sin_family = AF_INET;
    std::memcpy(&packet.to.sin_addr, packet.bytes.data() + kDestination, sizeof packet.to.sin_addr);
    packets.push_back(std::move(packet));
  }
  return packets;
}

class Sender {
 public:
  Sender(int socket, std::vector<Packet> packets) : socket_(socket), packets_(std::move(packets)) {}

  void send(std::uint64_t count) {
    while (count > 0) {
      const unsigned batch = static_cast<unsigned>(std::min<std::uint64_t>(count, kBatch));
      for (unsigned i = 0; i < batch; ++i) {
        Packet& packet = packets_[next_++ % packets_.size()];
        pieces_[i] = {packet.bytes.data(), packet.bytes.size()};
        headers_[i] = {};
        headers_[i].msg_hdr.msg_name = &packet.to;
        headers_[i].msg_hdr.msg_namelen = sizeof packet.to;
        headers_[i].msg_hdr.msg_iov = &pieces_[i];
        headers_[i].msg_hdr.msg_iovlen = 1;
      }
      const int done = ::sendmmsg(socket_, headers_.data(), batch, 0);
      if (done > 0) sent_ += static_cast<std::uint64_t>(done);
      if (done <= 0) ++refused_;  // a full queue: that is what the rate was worth
      count -= batch;
    }
  }
  std::uint64_t sent() const { return sent_; }
  std::uint64_t refused() const { return refused_; }

 private:
  int socket_;
  std::vector<Packet> packets_;
  std::array<mmsghdr, kBatch> headers_{};
  std::array<iovec, kBatch> pieces_{};
  std::size_t next_ = 0;
  std::uint64_t sent_ = 0, refused_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: flood INTERFACE RATE SECONDS < packets\n");
    return 2;
  }
  const double rate = std::atof(argv[2]), seconds = std::atof(argv[3]);
  std::vector<Packet> packets = read_packets();
  if (packets.empty() || rate <= 0 || seconds <= 0) {
    std::fprintf(stderr, "flood: nothing to send\n");
    return 2;
  }
  const int socket = ::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
  if (socket < 0) fail("socket");
  if (::setsockopt(socket, SOL_SOCKET, SO_BINDTODEVICE, argv[1],
                   static_cast<socklen_t>(std::strlen(argv[1]) + 1)) != 0)
    fail("SO_BINDTODEVICE");

  sched_param priority{};
  priority.sched_priority = kPriority;
  (void)::sched_setscheduler(0, SCHED_FIFO, &priority);
  Sender sender(socket, std::move(packets));
  const double began = now();
  double elapsed = 0;
  for (double due = 0; elapsed < seconds; elapsed = now() - began) {
    due = elapsed * rate - static_cast<double>(sender.sent());
    if (due >= 1) sender.send(static_cast<std::uint64_t>(std::min(due, rate * 0.1)));
    const timespec tick{0, static_cast<long>(kTick * 1e9)};
    ::nanosleep(&tick, nullptr);
  }
  std::printf("{\"sent\": %llu, \"seconds\": %.3f, \"refused\": %llu}\n",
              static_cast<unsigned long long>(sender.sent()), elapsed,
              static_cast<unsigned long long>(sender.refused()));
  return 0;
}
