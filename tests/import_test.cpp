// What `vipairctl import` writes is a node.conf: the agent's loader takes it, with the values that keepalived had.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "common/ctl/import_command.h"
#include "vrrp/config.h"

namespace vipair {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::ElementsAre;

class Import : public testing::Test {
 protected:
  Import() {
    std::string pattern = (fs::temp_directory_path() / "vipair-import-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    folder_ = pattern;
  }
  ~Import() override { fs::remove_all(folder_); }

  vrrp::Config imported(const std::string& name) {
    ctl::CommandLine line;
    line.files = {VIPAIR_SOURCE_DIR "/tests/common/ctl/import/" + name, folder_ / "node.conf"};
    std::ostringstream out, err;
    EXPECT_EQ(ctl::run_import(line, out, err), 0) << err.str();
    auto config = vrrp::load_config(folder_ / "node.conf");
    if (config) return *config;
    for (const ConfigError& error : config.error()) ADD_FAILURE() << error.to_string();
    return {};
  }
  fs::path folder_;
};

TEST_F(Import, OfAPairOfOldLoads) {
  const vrrp::Config config = imported("pair.conf");
  EXPECT_EQ(config.node, "lb-a");
  EXPECT_FALSE(config.peer);
  ASSERT_EQ(config.virtual_routers.size(), 1u);
  const vrrp::VirtualRouterConfig& router = config.virtual_routers[0];
  EXPECT_EQ(router.version, 2);
  EXPECT_EQ(router.password, "s3cret-a");
  EXPECT_EQ(router.advertisement_interval, 1s);
  EXPECT_TRUE(router.preempt);
  EXPECT_FALSE(router.track_proxy);
  EXPECT_THAT(router.track, ElementsAre("chk_haproxy", "chk_port"));
  EXPECT_THAT(config.notify.command, ElementsAre(folder_ / "keepalived-notify"));
}

TEST_F(Import, OfUnicastPeersLoads) {
  const vrrp::Config config = imported("unicast.conf");
  ASSERT_TRUE(config.peer);
  EXPECT_EQ(config.peer->address_v4, IpAddress::parse("192.0.2.11"));
  EXPECT_EQ(config.peer->address_v6, IpAddress::parse("fe80::5054:ff:fe00:11"));
  ASSERT_EQ(config.virtual_routers.size(), 3u);
  EXPECT_EQ(config.virtual_routers[0].preempt_delay, 30s);
  EXPECT_TRUE(config.virtual_routers[1].unicast);
  EXPECT_EQ(config.virtual_routers[2].peer->address_v4, IpAddress::parse("10.0.0.11"));
  EXPECT_TRUE(config.virtual_routers[2].virtual_mac);
  EXPECT_EQ(config.checks.size(), 5u);
}

// The guide shows what import makes of the file beside it.
TEST_F(Import, OfTheGuideIsWhatStandsThere) {
  const std::string folder = VIPAIR_SOURCE_DIR "/conf/examples/guides/keepalived/";
  ctl::CommandLine line;
  line.files = {folder + "keepalived.conf"};
  std::ostringstream out, err;
  ASSERT_EQ(ctl::run_import(line, out, err), 0) << err.str();
  std::string made = out.str();
  for (std::size_t at; (at = made.find(folder)) != std::string::npos;) made.erase(at, folder.size());
  std::ifstream file(folder + "node.conf");
  EXPECT_EQ(made, std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()));
}

TEST_F(Import, OfASyncGroupOverSeveralFilesLoads) {
  const vrrp::Config config = imported("firewall.conf");
  ASSERT_EQ(config.virtual_routers.size(), 2u);
  for (const vrrp::VirtualRouterConfig& router : config.virtual_routers) EXPECT_EQ(router.sync_group, "FW");
}

}  // namespace
}  // namespace vipair
