#include "vrrp/kernel/connection_relay.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <optional>
#include <ostream>
#include <thread>

#include "common/runtime/clock.h"
#include "tests/support/network.h"
#include "vrrp/kernel/lingering_addresses.h"

namespace vipair::vrrp {
namespace {

using test::In;
using test::in_new_network;
using test::Namespace;
using test::run;

constexpr std::uint16_t kPort = 8080;
constexpr int kPatienceMs = 5000;
constexpr Duration kDrainTime = std::chrono::seconds(10);

// One family's addresses of the little network: a client and two nodes on one bridge.
struct Plan {
  const char* name;
  const char* client;
  const char* a;
  const char* b;
  const char* address;  // the floating one
  friend std::ostream& operator<<(std::ostream& out, const Plan& plan) { return out << plan.name; }
};
constexpr Plan kPlans[] = {
    {"ipv4", "10.9.0.1/24", "10.9.0.2/24", "10.9.0.3/24", "10.9.0.100/24"},
    {"ipv6", "fd09::1/64", "fd09::2/64", "fd09::3/64", "fd09::100/64"},
};

sockaddr_storage socket_address(const IpEndpoint& endpoint, socklen_t& size) {
  sockaddr_storage storage{};
  if (endpoint.address.is_v4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    std::memcpy(&v4.sin_addr, endpoint.address.bytes().data(), 4);
    size = sizeof v4;
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    std::memcpy(&v6.sin6_addr, endpoint.address.bytes().data(), 16);
    size = sizeof v6;
  }
  return storage;
}

// Answers every byte of every connection with the name of its node, until it goes.
class Server {
 public:
  Server(const Namespace& where, char name) : name_(name) {
    const In in(where);
    listener_ = UniqueFd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int off = 0;
    const int on = 1;
    ::setsockopt(listener_.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_port = htons(kPort);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
    EXPECT_EQ(::listen(listener_.get(), 64), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    stop_ = true;
    thread_.join();
  }

 private:
  void serve() {
    std::vector<pollfd> fds = {{listener_.get(), POLLIN, 0}};
    std::vector<UniqueFd> connections;
    while (!stop_) {
      if (::poll(fds.data(), fds.size(), 20) <= 0) continue;
      if (fds[0].revents != 0) {
        UniqueFd accepted(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        fds.push_back({accepted.get(), POLLIN, 0});
        connections.push_back(std::move(accepted));
      }
      for (std::size_t i = 1; i < fds.size(); ++i) {
        if (fds[i].revents == 0) continue;
        char byte = 0;
        if (::recv(fds[i].fd, &byte, 1, 0) == 1) {
          (void)::send(fds[i].fd, &name_, 1, MSG_NOSIGNAL);
        } else {
          connections[i - 1].reset();
          fds[i].fd = -1;
        }
      }
    }
  }
  char name_;
  UniqueFd listener_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

class Client {
 public:
  explicit Client(const IpEndpoint& server) {
    socklen_t size = 0;
    const sockaddr_storage address = socket_address(server, size);
    socket_ = UniqueFd(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int one = 1;
    ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    const timeval patience = {kPatienceMs / 1000, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) error_ = errno;
  }
  // Which node answers; 0 when the connection is broken.
  char ask() {
    const char byte = '?';
    char answer = 0;
    if (::send(socket_.get(), &byte, 1, MSG_NOSIGNAL) != 1 || ::recv(socket_.get(), &answer, 1, 0) != 1) {
      error_ = errno;
      return 0;
    }
    return answer;
  }
  int error() const { return error_; }

 private:
  UniqueFd socket_;
  int error_ = 0;
};

// The bridge and the client in the test's own namespace, a node in each of two others.
class Network {
 public:
  explicit Network(const Plan& plan)
      : address(*IpPrefix::parse(plan.address)),
        a_address(IpPrefix::parse(plan.a)->address),
        b_address(IpPrefix::parse(plan.b)->address) {
    run("ip link add br0 type bridge && ip link set br0 up");
    run(add(plan.client, "br0"));
    connect(a, "pa", plan.a);
    connect(b, "pb", plan.b);
  }
  IpEndpoint service() const { return {address.address, kPort}; }
  AddressSet set(const Namespace& node) const {
    const In in(node);
    return {"eth0", static_cast<int>(::if_nametoindex("eth0")), {address}};
  }
  void add_address(const Namespace& node) const {
    const In in(node);
    run(add(address.to_string(), "eth0"));
  }
  void del_address(const Namespace& node) const {
    const In in(node);
    run("ip addr del " + address.to_string() + " dev eth0");
  }
  // What the announcement of the new Active does.
  void forget_neighbours() const { run("ip neigh flush dev br0"); }

  Namespace a, b;
  IpPrefix address;
  IpAddress a_address, b_address;

 private:
  static std::string add(const std::string& address, const std::string& interface) {
    const bool is_v6 = address.find(':') != std::string::npos;
    return "ip addr add " + address + " dev " + interface + (is_v6 ? " nodad" : "");
  }
  static void connect(const Namespace& node, const std::string& port, const std::string& address) {
    run("ip link add " + port + " type veth peer name eth0 netns " + node.path());
    run("ip link set " + port + " master br0 up");
    const In in(node);
    run("ip link set eth0 up && " + add(address, "eth0"));
    run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");  // the harder case: see nftables.h
  }
};

class ConnectionRelayMove : public testing::TestWithParam<Plan> {};

TEST_P(ConnectionRelayMove, KeepsEstablishedConnectionsAndServesNewOnesOnTheNewNode) {
  in_new_network([] {
    const Network network(GetParam());
    const Server server_a(network.a, 'a');
    const Server server_b(network.b, 'b');
    network.add_address(network.a);
    Client old_client(network.service());
    ASSERT_EQ(old_client.ask(), 'a');

    const TimePoint now = monotonic_now();
    ConnectionRelay relay(kDrainTime);
    {
      const In in(network.b);
      ASSERT_TRUE(relay.check());
      const auto started = relay.start(now, network.set(network.b), network.a_address, {});
      ASSERT_TRUE(started) << started.error();
    }
    network.add_address(network.b);
    std::optional<LingeringAddresses> lingering;
    {
      const In in(network.a);
      lingering.emplace(kDrainTime, nullptr);
      const auto started = lingering->start(now, network.set(network.a));
      ASSERT_TRUE(started) << started.error();
    }
    network.forget_neighbours();

    for (int i = 0; i < 20; ++i) ASSERT_EQ(old_client.ask(), 'a') << std::strerror(old_client.error());
    Client new_client(network.service());
    EXPECT_EQ(new_client.ask(), 'b') << std::strerror(new_client.error());
    EXPECT_EQ(new_client.ask(), 'b') << std::strerror(new_client.error());
    EXPECT_EQ(old_client.ask(), 'a') << std::strerror(old_client.error());

    // and back: every connection stays where it lives
    std::optional<ConnectionRelay> relay_back;
    std::optional<LingeringAddresses> lingering_b;
    {
      const In in(network.a);
      const AddressSet set = network.set(network.a);
      const auto own = lingering->connections(set);
      EXPECT_EQ(own.size(), 1u);
      relay_back.emplace(kDrainTime);
      ASSERT_TRUE(relay_back->start(now, set, network.b_address, own));
      network.add_address(network.a);
      lingering->cancel(set);
      EXPECT_TRUE(lingering->is_idle());
    }
    {
      const In in(network.b);
      relay.stop(network.set(network.b));
      lingering_b.emplace(kDrainTime, nullptr);
      ASSERT_TRUE(lingering_b->start(now, network.set(network.b)));
    }
    network.forget_neighbours();
    EXPECT_EQ(old_client.ask(), 'a') << std::strerror(old_client.error());
    EXPECT_EQ(new_client.ask(), 'b') << std::strerror(new_client.error());
    EXPECT_EQ(Client(network.service()).ask(), 'a');
    {
      const In in(network.b);
      lingering_b.reset();
    }
  });
}

TEST_P(ConnectionRelayMove, BreaksTheConnectionWithoutTheRelay) {
  in_new_network([] {
    const Network network(GetParam());
    const Server server_a(network.a, 'a');
    const Server server_b(network.b, 'b');
    network.add_address(network.a);
    Client old_client(network.service());
    ASSERT_EQ(old_client.ask(), 'a');

    network.add_address(network.b);
    network.del_address(network.a);
    network.forget_neighbours();

    EXPECT_EQ(old_client.ask(), 0);
    EXPECT_EQ(old_client.error(), ECONNRESET);
  });
}

TEST_P(ConnectionRelayMove, EndsWithTheDrainTime) {
  in_new_network([] {
    const Network network(GetParam());
    const In in(network.b);
    ConnectionRelay relay(kDrainTime);
    const TimePoint now = monotonic_now();
    ASSERT_TRUE(relay.start(now, network.set(network.b), network.a_address, {}));
    EXPECT_EQ(relay.next_deadline(), now + kDrainTime);
    relay.on_time(now + kDrainTime - Duration(1));
    EXPECT_FALSE(relay.is_idle());
    EXPECT_NE(test::output_of("nft list tables").find("vipair-relay-eth0-1"), std::string::npos);
    relay.on_time(now + kDrainTime);
    EXPECT_TRUE(relay.is_idle());
    EXPECT_EQ(test::output_of("nft list tables"), "");
  });
}

INSTANTIATE_TEST_SUITE_P(Families, ConnectionRelayMove, testing::ValuesIn(kPlans),
                         [](const auto& plan) { return std::string(plan.param.name); });

TEST(ConnectionRelay, LeavesNothingBehindWhenItsProcessIsKilled) {
  in_new_network([] {
    run("ip link add v0 type veth peer name v1");
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    const pid_t pid = ::fork();
    if (pid == 0) {
      ConnectionRelay relay(kDrainTime);
      const AddressSet set{"v0", static_cast<int>(::if_nametoindex("v0")), {*IpPrefix::parse("192.0.2.100/24")}};
      if (relay.start(TimePoint{}, set, *IpAddress::parse("192.0.2.2"), {}) && ::write(ready[1], "1", 1) == 1)
        ::pause();
      ::_exit(1);
    }
    char byte = 0;
    ASSERT_EQ(::read(ready[0], &byte, 1), 1);
    EXPECT_NE(test::output_of("nft list tables"), "");
    ::kill(pid, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(test::output_of("nft list tables"), "");
  });
}

TEST(ConnectionRelay, StartsForThousandsOfAddressesOfEitherFamily) {
  in_new_network([] {
    AddressSet v4{"lo", 1, {}};
    AddressSet v6{"lo", 1, {}};
    for (std::uint32_t i = 0; i < 4000; ++i) {
      v4.addresses.push_back({IpAddress::v4(0x0A000000 + i), 24});
      std::array<std::uint8_t, 16> bytes = {0x20, 0x01, 0x0D, 0xB8};
      bytes[14] = static_cast<std::uint8_t>(i >> 8);
      bytes[15] = static_cast<std::uint8_t>(i);
      v6.addresses.push_back({IpAddress::v6(bytes), 64});
    }
    ConnectionRelay relay(kDrainTime);
    const auto started_v4 = relay.start(TimePoint{}, v4, *IpAddress::parse("192.0.2.2"), {});
    EXPECT_TRUE(started_v4) << started_v4.error();
    const auto started_v6 = relay.start(TimePoint{}, v6, *IpAddress::parse("fe80::2"), {});
    EXPECT_TRUE(started_v6) << started_v6.error();
    const std::string shown = test::output_of("nft list ruleset");
    EXPECT_NE(shown.find("10.0.15.159"), std::string::npos);
    EXPECT_NE(shown.find("2001:db8::f9f"), std::string::npos);
  });
}

TEST(ConnectionRelay, SaysWhatIsMissingWithoutPermission) {
  in_new_network([] {
    if (::setuid(65534) != 0) return;
    ConnectionRelay relay(kDrainTime);
    const auto checked = relay.check();
    ASSERT_FALSE(checked);
    EXPECT_NE(checked.error().find("CAP_NET_ADMIN"), std::string::npos) << checked.error();
    EXPECT_TRUE(relay.is_idle());
  });
}

TEST(ConnectionRelay, LeavesAddressesOfTheOtherFamilyAlone) {
  in_new_network([] {
    ConnectionRelay relay(kDrainTime);
    const AddressSet set{"lo", 1, {*IpPrefix::parse("2001:db8::100/64")}};
    ASSERT_TRUE(relay.start(TimePoint{}, set, *IpAddress::parse("192.0.2.2"), {}));
    EXPECT_TRUE(relay.is_idle());
    EXPECT_EQ(relay.next_deadline(), std::nullopt);
  });
}

}  // namespace
}  // namespace vipair::vrrp
