#include "vrrp/kernel/announcer.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include "tests/support/network.h"

namespace vipair::vrrp {
namespace {

using test::in_new_network;
using test::run;
using testing::HasSubstr;

Bytes frame(std::uint8_t number) {
  Bytes bytes(60, number);
  for (std::size_t i = 0; i < 6; ++i) bytes[i] = 0xFF;
  bytes[12] = 0x08;
  bytes[13] = 0x06;
  return bytes;
}

// What arrives at the other end of the link, as it is.
class Sniffer {
 public:
  explicit Sniffer(const char* interface) : fd_(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ARP))) {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ARP);
    address.sll_ifindex = static_cast<int>(::if_nametoindex(interface));
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    const int size = 16 << 20;
    (void)::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  }
  std::vector<Bytes> take() {
    std::vector<Bytes> frames;
    for (;;) {
      pollfd waiting{fd_.get(), POLLIN, 0};
      if (::poll(&waiting, 1, 50) <= 0) return frames;
      Bytes buffer(2048);
      const ssize_t size = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
      if (size <= 0) return frames;
      buffer.resize(static_cast<std::size_t>(size));
      frames.push_back(std::move(buffer));
    }
  }

 private:
  UniqueFd fd_;
};

TEST(Announcer, SendsFramesAsTheyAreInOrder) {
  in_new_network([] {
    run("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up");
    Sniffer sniffer("v1");
    Announcer announcer;
    ASSERT_TRUE(announcer.open());
    ASSERT_TRUE(announcer.open()) << "open is open";
    const int index = static_cast<int>(::if_nametoindex("v0"));
    std::vector<OutgoingFrame> frames;
    for (int i = 0; i < 1000; ++i) frames.push_back({index, frame(static_cast<std::uint8_t>(i))});
    EXPECT_EQ(announcer.send(frames), 0u);
    const auto heard = sniffer.take();
    ASSERT_EQ(heard.size(), frames.size());
    for (std::size_t i = 0; i < heard.size(); ++i) ASSERT_EQ(heard[i], frames[i].frame);
  });
}

TEST(Announcer, CountsWhatIsLostAndSendsTheRest) {
  in_new_network([] {
    run("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up");
    Sniffer sniffer("v1");
    Announcer announcer;
    EXPECT_EQ(announcer.send({{1, frame(1)}}), 1u) << "not open";
    ASSERT_TRUE(announcer.open());
    const int index = static_cast<int>(::if_nametoindex("v0"));
    EXPECT_EQ(announcer.send(
                  {{4711, frame(1)}, {index, frame(2)}, {4711, frame(3)}, {index, Bytes{1, 2}}, {index, frame(5)}}),
              3u);
    EXPECT_EQ(sniffer.take(), (std::vector<Bytes>{frame(2), frame(5)}));
    EXPECT_EQ(announcer.send({}), 0u);
  });
}

TEST(Announcer, SaysNotPermittedWithoutTheCapability) {
  in_new_network([] {
    ASSERT_EQ(::setresuid(65534, 65534, 65534), 0);
    Announcer announcer;
    auto opened = announcer.open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, HostError::Kind::not_permitted);
    EXPECT_THAT(opened.error().text, HasSubstr("CAP_NET_RAW"));
  });
}

}  // namespace
}  // namespace vipair::vrrp
