#include "vrrp/kernel/connector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/probing.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using test::closed_port;
using test::Server;
using test::soon;
using testing::ElementsAre;
using testing::HasSubstr;

// What came of it: the peer or the error.
std::string outcome(boost::asio::io_context& io, Connector& connector) {
  std::optional<std::string> text;
  connector.connect([&](Expected<Connector::Connected, std::string> result) {
    text = result ? "connected to " + result->peer.to_string() : result.error();
  });
  if (!soon(io, [&] { return text.has_value(); })) return "gave up: " + connector.give_up();
  return *text;
}

TEST(Connector, ConnectsToAnAddress) {
  boost::asio::io_context io;
  const Server server(Server::wait_for_end);
  Connector connector(io, "127.0.0.1", server.port());
  EXPECT_EQ(outcome(io, connector), "connected to 127.0.0.1:" + std::to_string(server.port()));
}

TEST(Connector, RefusalIsNamed) {
  boost::asio::io_context io;
  const std::uint16_t port = closed_port();
  Connector connector(io, "127.0.0.1", port);
  EXPECT_EQ(outcome(io, connector), "127.0.0.1:" + std::to_string(port) + ": Connection refused");
}

TEST(Connector, NameIsLookedUpAndItsAddressesAreTriedInTurn) {
  boost::asio::io_context io;
  const Server server(Server::wait_for_end);
  Connector connector(io, "localhost", server.port());
  EXPECT_EQ(outcome(io, connector), "connected to 127.0.0.1:" + std::to_string(server.port()));
  EXPECT_EQ(outcome(io, connector), "connected to 127.0.0.1:" + std::to_string(server.port()));
}

TEST(Connector, UnknownNameIsExplained) {
  boost::asio::io_context io;
  Connector connector(io, "no-such-host.invalid", 80);
  EXPECT_THAT(outcome(io, connector), HasSubstr("the name no-such-host.invalid: "));
}

TEST(Connector, GivenUpConnectsTellNobody) {
  boost::asio::io_context io;
  const Server server(Server::wait_for_end);
  for (const char* host : {"127.0.0.1", "localhost"}) {
    Connector connector(io, host, server.port());
    bool is_told = false;
    connector.connect([&](const auto&) { is_told = true; });
    const std::string missing = connector.give_up();
    EXPECT_EQ(missing, host == std::string("localhost") ? "the name localhost is not resolved" : "no connection");
    io.restart();
    io.run_for(50ms);
    EXPECT_FALSE(is_told);
  }
}

TEST(Connector, AddressesOfANameAreBoundedAndUnique) {
  EXPECT_THAT(parse_addresses("192.0.2.1\nnonsense\n2001:db8::1\n192.0.2.1\n"),
              ElementsAre(*IpAddress::parse("192.0.2.1"), *IpAddress::parse("2001:db8::1")));
  std::string many;
  for (int i = 0; i < 100; ++i) many += "192.0.2." + std::to_string(i) + "\n";
  EXPECT_EQ(parse_addresses(many).size(), Connector::kAddressesMax);
  EXPECT_TRUE(parse_addresses("").empty());
}

}  // namespace
}  // namespace vipair::vrrp
