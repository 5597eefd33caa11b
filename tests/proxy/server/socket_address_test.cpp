#include "proxy/server/socket_address.h"

#include <gtest/gtest.h>

namespace vipair::proxy {
namespace {

TEST(SocketAddress, GoesThereAndBack) {
  for (const char* text : {"0.0.0.0:80", "192.0.2.1:65535", "[::]:443", "[2001:db8::1]:1"}) {
    const IpEndpoint endpoint = *IpEndpoint::parse(text);
    EXPECT_EQ(SocketAddress(endpoint).endpoint(), endpoint) << text;
  }
}

TEST(SocketAddress, AMappedAddressIsAnIpv4Address) {
  const IpEndpoint mapped = *IpEndpoint::parse("[::ffff:192.0.2.9]:8080");
  EXPECT_EQ(SocketAddress(mapped).endpoint().to_string(), "192.0.2.9:8080");
}

TEST(SocketAddress, AnotherFamilyIsNoAddress) {
  SocketAddress address;
  address.storage.ss_family = AF_UNIX;
  EXPECT_EQ(address.endpoint(), IpEndpoint{});
}

}  // namespace
}  // namespace vipair::proxy
