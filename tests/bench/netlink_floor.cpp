// What the kernel alone takes for addresses: adds and removes so many, by bare netlink messages in batches, and
// prints the milliseconds of both. The floor under any takeover.
//
//   netlink_floor INTERFACE COUNT [LIFETIME]        10.64.0.1/32 and on; LIFETIME in seconds

#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "net.h"

namespace {

constexpr int kBatch = 128;

struct Request {
  nlmsghdr header;
  ifaddrmsg address;
  struct {
    rtattr header;
    std::uint32_t value;
  } local;
  struct {
    rtattr header;
    ifa_cacheinfo value;
  } lifetime;
};

double milliseconds_for(int socket, int type, unsigned interface, int count, unsigned lifetime) {
  const auto start = std::chrono::steady_clock::now();
  for (int done = 0; done < count;) {
    std::vector<Request> batch;
    for (; done < count && batch.size() < kBatch; ++done) {
      Request request{};
      request.header.nlmsg_len = sizeof request;
      request.header.nlmsg_type = static_cast<std::uint16_t>(type);
      request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
      if (type == RTM_NEWADDR) request.header.nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
      request.address.ifa_family = AF_INET;
      request.address.ifa_prefixlen = 32;
      request.address.ifa_index = interface;
      request.local.header = {sizeof request.local, IFA_LOCAL};
      request.local.value = __builtin_bswap32(0x0A400001u + static_cast<std::uint32_t>(done));
      request.lifetime.header = {sizeof request.lifetime, IFA_CACHEINFO};
      request.lifetime.value.ifa_prefered = request.lifetime.value.ifa_valid = lifetime;
      batch.push_back(request);
    }
    const std::size_t size = batch.size() * sizeof(Request);
    if (::send(socket, batch.data(), size, 0) != static_cast<ssize_t>(size)) std::abort();
    for (std::size_t answered = 0; answered < batch.size();) {
      alignas(nlmsghdr) char buffer[32768];
      auto left = static_cast<std::size_t>(::recv(socket, buffer, sizeof buffer, 0));
      for (auto* message = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(message, left);
           message = NLMSG_NEXT(message, left), ++answered) {
        const auto* answer = static_cast<const nlmsgerr*>(NLMSG_DATA(message));
        if (answer->error != 0) {
          std::fprintf(stderr, "refused: %s\n", std::strerror(-answer->error));
          std::exit(1);
        }
      }
    }
  }
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  bench::be_realtime(50);  // as the agent is
  const unsigned interface = ::if_nametoindex(argv[1]);
  const int count = std::atoi(argv[2]);
  const unsigned lifetime = argc > 3 ? static_cast<unsigned>(std::atoi(argv[3])) : 0xFFFFFFFFu;
  const int socket = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  const int one = 1;
  ::setsockopt(socket, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
  const double add = milliseconds_for(socket, RTM_NEWADDR, interface, count, lifetime);
  const double remove = milliseconds_for(socket, RTM_DELADDR, interface, count, lifetime);
  std::printf("%.2f %.2f\n", add, remove);
}
