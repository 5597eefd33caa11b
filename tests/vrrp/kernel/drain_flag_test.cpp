#include "vrrp/kernel/drain_flag.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace vipair::vrrp {
namespace {

using testing::HasSubstr;

TEST(DrainFlag, IsThereUntilItIsCleared) {
  std::string folder = (std::filesystem::temp_directory_path() / "vipair-drain-XXXXXX").string();
  ASSERT_TRUE(::mkdtemp(folder.data()));
  const DrainFlag flag(folder + "/vrrpd.sock.drained");
  EXPECT_FALSE(flag.is_set());
  EXPECT_TRUE(flag.clear()) << "nothing to clear is no error";
  EXPECT_TRUE(flag.set("yesterday"));
  EXPECT_TRUE(flag.set("today")) << "twice is once";
  EXPECT_TRUE(DrainFlag(folder + "/vrrpd.sock.drained").is_set()) << "another process sees it";
  EXPECT_TRUE(flag.clear());
  EXPECT_FALSE(flag.is_set());
  std::filesystem::remove_all(folder);
}

TEST(DrainFlag, SaysWhatPreventsIt) {
  const DrainFlag flag("/nowhere/vrrpd.sock.drained");
  EXPECT_FALSE(flag.is_set());
  const auto set = flag.set("now");
  ASSERT_FALSE(set);
  EXPECT_THAT(set.error(), HasSubstr("/nowhere/vrrpd.sock.drained: No such file or directory"));
}

}  // namespace
}  // namespace vipair::vrrp
