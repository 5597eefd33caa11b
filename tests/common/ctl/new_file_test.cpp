#include "common/ctl/new_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace vipair::ctl {
namespace {

class NewFile : public testing::Test {
 protected:
  NewFile() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vipair-new-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    folder_ = pattern;
  }
  ~NewFile() override { std::filesystem::remove_all(folder_); }

  std::string path() const { return folder_ / "file"; }
  std::string content() const {
    std::ifstream file(path());
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  std::filesystem::path folder_;
};

TEST_F(NewFile, HasItsContentAndMode) {
  const mode_t mask = ::umask(0077);
  ASSERT_TRUE(write_new_file(path(), "key\n", 0640));
  ::umask(mask);
  EXPECT_EQ(content(), "key\n");
  struct stat info {};
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640u) << "whatever the mask";
}

TEST_F(NewFile, CanBeReadByTheGroupOfASharedFolder) {
  const std::filesystem::path shared = folder_ / "shared";
  ASSERT_EQ(::mkdir(shared.c_str(), 0750), 0);
  ASSERT_EQ(::chmod(shared.c_str(), 02750), 0);
  ASSERT_TRUE(write_new_file(shared / "key", "key\n", 0600));
  struct stat folder {
  }, file{};
  ASSERT_EQ(::stat(shared.c_str(), &folder), 0);
  ASSERT_EQ(::stat((shared / "key").c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0640u);
  EXPECT_EQ(file.st_gid, folder.st_gid) << "the group that may read it is the folder's";
}

TEST_F(NewFile, NeverOverwrites) {
  ASSERT_TRUE(write_new_file(path(), "first", 0600));
  auto second = write_new_file(path(), "second", 0600);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), path() + " exists already, and is not overwritten");
  EXPECT_EQ(content(), "first");
}

TEST_F(NewFile, DoesNotFollowALink) {
  std::filesystem::create_symlink(folder_ / "elsewhere", path());
  EXPECT_FALSE(write_new_file(path(), "x", 0600));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "elsewhere"));
}

TEST_F(NewFile, ThatCannotBeMadeIsAnError) {
  auto written = write_new_file(folder_ / "none" / "file", "x", 0600);
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error(), testing::HasSubstr("No such file or directory"));
}

TEST(NewFileOnAFullDisk, LeavesNothing) {
  auto written = write_new_file("/dev/full", "x", 0600);
  EXPECT_FALSE(written);
}

}  // namespace
}  // namespace vipair::ctl
