// An ICMP echo, by a raw socket that hears its target alone.
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <linux/icmp.h>  // after net/if.h, which does not know of its own twin

#include "vrrp/core/solicitation.h"
#include "vrrp/kernel/check_probe.h"
#include "vrrp/kernel/socket_address.h"
#include "vrrp/kernel/watch.h"

namespace vipair::vrrp {
namespace {

class PingProbe final : public Probe {
 public:
  PingProbe(boost::asio::io_context& io, PingCheck check) : io_(io), check_(std::move(check)) {}

  void start(Done done) override {
    echo_.family = check_.address.family();
    ++echo_.sequence;
    (void)!::getrandom(&echo_.identifier, sizeof echo_.identifier, 0);
    (void)!::getrandom(echo_.token.data(), echo_.token.size(), 0);
    if (std::string problem = send(); !problem.empty()) {
      socket_.reset();
      return done({false, std::move(problem)});
    }
    done_ = std::move(done);
    receive();
  }

  std::string give_up() override {
    done_ = nullptr;
    socket_.reset();
    return "no answer from " + check_.address.to_string();
  }

 private:
  // Returns the error.
  std::string send() {
    const bool is_v4 = check_.address.is_v4();
    int interface_index = 0;
    if (!check_.interface.empty()) {
      interface_index = static_cast<int>(::if_nametoindex(check_.interface.c_str()));
      if (interface_index == 0) return "there is no interface " + check_.interface;
    }
    const auto failed = [](const char* what) { return std::string(what) + ": " + std::strerror(errno); };
    UniqueFd fd(::socket(is_v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                         is_v4 ? static_cast<int>(IPPROTO_ICMP) : static_cast<int>(IPPROTO_ICMPV6)));
    if (!fd) return failed("raw socket (needs CAP_NET_RAW)");
    const int on = 1;
    if (is_v4) {
      icmp_filter filter{};
      filter.data = ~(1u << ICMP_ECHOREPLY);
      (void)::setsockopt(fd.get(), SOL_RAW, ICMP_FILTER, &filter, sizeof filter);
      (void)::setsockopt(fd.get(), SOL_IP, IP_RECVERR, &on, sizeof on);  // "host unreachable" in place of silence
    } else {
      icmp6_filter filter;
      ICMP6_FILTER_SETBLOCKALL(&filter);
      ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
      (void)::setsockopt(fd.get(), IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter);
      (void)::setsockopt(fd.get(), SOL_IPV6, IPV6_RECVERR, &on, sizeof on);
    }
    if (interface_index != 0 && ::setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, check_.interface.c_str(),
                                             static_cast<socklen_t>(check_.interface.size())) != 0)
      return failed(check_.interface.c_str());
    const SocketAddress to(check_.address, 0, interface_index);
    if (::connect(fd.get(), to.get(), to.size) != 0) return failed(check_.address.to_string().c_str());
    const Bytes request = echo_request(echo_);
    if (::send(fd.get(), request.data(), request.size(), 0) < 0) return failed(check_.address.to_string().c_str());
    socket_ = WatchedFd(io_, std::move(fd));
    return "";
  }

  void receive() {
    socket_.when_readable([this] {
      std::array<std::uint8_t, 1500> packet;
      for (;;) {
        const ssize_t size = ::recv(socket_.get(), packet.data(), packet.size(), 0);
        if (size < 0 && errno == EAGAIN) return receive();
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return finish({false, std::strerror(errno)});
        if (is_echo_reply(echo_, ByteView(packet.data(), static_cast<std::size_t>(size))))
          return finish({true, check_.address.to_string() + " answers"});
      }
    });
  }

  void finish(Observation result) {
    socket_.reset();
    if (auto call = std::exchange(done_, nullptr)) call(std::move(result));
  }

  boost::asio::io_context& io_;
  PingCheck check_;
  Echo echo_;
  WatchedFd socket_;
  Done done_;
};

}  // namespace

std::unique_ptr<Probe> make_ping_probe(boost::asio::io_context& io, const PingCheck& check) {
  return std::make_unique<PingProbe>(io, check);
}

}  // namespace vipair::vrrp
