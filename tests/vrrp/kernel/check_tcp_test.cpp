#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/network.h"
#include "tests/support/probing.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using test::look;
using test::Server;
using testing::EndsWith;

TEST(TcpProbe, AcceptedConnectionIsASuccess) {
  boost::asio::io_context io;
  const Server server(Server::wait_for_end);
  const auto probe = make_tcp_probe(io, {"127.0.0.1", server.port()});
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(look(io, *probe).reason, "connected to 127.0.0.1:" + std::to_string(server.port()));
}

TEST(TcpProbe, RefusedConnectionIsAFailure) {
  boost::asio::io_context io;
  const auto probe = make_tcp_probe(io, {"127.0.0.1", test::closed_port()});
  const Observation result = look(io, *probe);
  EXPECT_FALSE(result.success);
  EXPECT_THAT(result.reason, EndsWith("Connection refused"));
}

TEST(TcpProbe, HostThatDoesNotAnswerIsGivenUp) {
  vipair::test::in_new_network([] {
    vipair::test::run(
        "ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up && "
        "ip addr add 192.0.2.11/24 dev v0");
    boost::asio::io_context io;
    const auto probe = make_tcp_probe(io, {"192.0.2.1", 80});
    EXPECT_EQ(look(io, *probe, 50ms).reason, "gave up: no connection");
  });
}

}  // namespace
}  // namespace vipair::vrrp
