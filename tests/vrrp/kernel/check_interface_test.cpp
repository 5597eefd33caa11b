#include <gtest/gtest.h>

#include "tests/support/probing.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using test::look;
using test::soon;

InterfaceInfo state(bool is_up, int index = 7) {
  InterfaceInfo info;
  info.name = "eth1";
  info.index = index;
  info.is_up = is_up;
  return info;
}

class InterfaceProbeTest : public testing::Test {
 protected:
  void make(Duration up_delay, Duration down_delay) {
    probe = make_interface_probe(io, {"eth1", up_delay, down_delay}, [this] { ++news; });
  }
  boost::asio::io_context io;
  int news = 0;
  std::unique_ptr<Probe> probe;
};

TEST_F(InterfaceProbeTest, TellsWhatIsKnown) {
  make(0s, 0s);
  EXPECT_EQ(look(io, *probe, 20ms).reason, "gave up: nothing is known of eth1 yet");
  probe->on_interface(state(true));
  EXPECT_EQ(news, 1);
  EXPECT_TRUE(look(io, *probe).success);
  probe->on_interface(state(false));
  EXPECT_EQ(news, 2);
  const Observation down = look(io, *probe);
  EXPECT_FALSE(down.success);
  EXPECT_EQ(down.reason, "down, or without carrier");
  probe->on_interface(state(false, 0));
  EXPECT_EQ(news, 2) << "it was down before";
  EXPECT_EQ(look(io, *probe).reason, "there is no interface eth1");
}

TEST_F(InterfaceProbeTest, WhoeverWaitsIsTold) {
  make(0s, 0s);
  std::optional<Observation> result;
  probe->start([&](Observation told) { result = told; });
  probe->on_interface(state(true));
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->success);
}

TEST_F(InterfaceProbeTest, OtherInterfacesAreNoMatter) {
  make(0s, 0s);
  InterfaceInfo other = state(false);
  other.name = "eth0";
  probe->on_interface(other);
  EXPECT_EQ(news, 0);
}

TEST_F(InterfaceProbeTest, ChangeThatDoesNotLastIsNone) {
  make(0s, 1h);
  probe->on_interface(state(true));
  probe->on_interface(state(false));
  EXPECT_TRUE(look(io, *probe).success);
  probe->on_interface(state(true));
  io.restart();
  io.run_for(30ms);
  EXPECT_EQ(news, 1);
  EXPECT_TRUE(look(io, *probe).success);
}

TEST_F(InterfaceProbeTest, ChangeCountsAfterItsDelay) {
  make(30ms, 0s);
  probe->on_interface(state(false));
  probe->on_interface(state(true));
  EXPECT_FALSE(look(io, *probe).success);
  EXPECT_TRUE(soon(io, [&] { return news == 2; }));
  EXPECT_TRUE(look(io, *probe).success);
}

TEST_F(InterfaceProbeTest, FirstStateCountsAtOnce) {
  make(1h, 1h);
  probe->on_interface(state(true));
  EXPECT_TRUE(look(io, *probe).success);
}

}  // namespace
}  // namespace vipair::vrrp
