#include "proxy/server/snapshot_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/conversation.h"

namespace vipair::proxy {
namespace {

using ::testing::HasSubstr;

TEST(SnapshotFiles, AreReadAsAWholeOrNamed) {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("vipair-tickets-" + std::to_string(::getpid()));
  Config config = testing::simple_config();
  config.tls.ticket_keys.path = path;
  config.tls.ticket_keys.file = "proxy.conf";
  TicketKeys tickets{WallTime()};
  const auto missing = load_snapshot_files(config, tickets, nullptr);
  ASSERT_FALSE(missing);
  ASSERT_EQ(missing.error().size(), 1u);
  EXPECT_THAT(missing.error()[0].to_string(), HasSubstr(path.string()));
  std::ofstream(path) << std::string(64, 'a') << "\n";
  const auto files = load_snapshot_files(config, tickets, nullptr);
  std::filesystem::remove(path);
  ASSERT_TRUE(files);
  EXPECT_EQ(files->ticket_secrets.size(), 1u);
  EXPECT_TRUE(files->stamps.contains(path));
  EXPECT_EQ(files->tls, nullptr) << "no listener speaks it";
}

}  // namespace
}  // namespace vipair::proxy
