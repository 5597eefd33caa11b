#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/probing.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using test::look;
using test::soon;
using testing::EndsWith;

class FileProbeTest : public testing::Test {
 protected:
  FileProbeTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vipair-file-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    folder = pattern;
  }
  ~FileProbeTest() override { std::filesystem::remove_all(folder); }
  void make(const std::filesystem::path& path) {
    probe = make_file_probe(io, {path}, [this] { ++news; });
  }
  bool is_told() {
    return soon(io, [&] { return std::exchange(news, 0) > 0; });
  }
  static void create(const std::filesystem::path& path) { std::ofstream(path) << "x"; }

  boost::asio::io_context io;
  std::filesystem::path folder;
  int news = 0;
  std::unique_ptr<Probe> probe;
};

TEST_F(FileProbeTest, CreationAndRemovalAreToldAtOnce) {
  make(folder / "maintenance");
  EXPECT_TRUE(look(io, *probe).success);
  create(folder / "maintenance");
  EXPECT_TRUE(is_told());
  const Observation exists = look(io, *probe);
  EXPECT_FALSE(exists.success);
  EXPECT_THAT(exists.reason, EndsWith("/maintenance exists"));
  std::filesystem::remove(folder / "maintenance");
  EXPECT_TRUE(is_told());
  EXPECT_TRUE(look(io, *probe).success);
}

TEST_F(FileProbeTest, FileThatIsMovedInOrReplacedExists) {
  make(folder / "maintenance");
  EXPECT_TRUE(look(io, *probe).success);
  create(folder / "new");
  std::filesystem::rename(folder / "new", folder / "maintenance");
  EXPECT_TRUE(is_told());
  EXPECT_FALSE(look(io, *probe).success);
  create(folder / "newer");
  std::filesystem::rename(folder / "newer", folder / "maintenance");
  EXPECT_TRUE(is_told());
  EXPECT_FALSE(look(io, *probe).success);
}

TEST_F(FileProbeTest, OtherFilesOfTheFolderAreNoMatter) {
  make(folder / "maintenance");
  EXPECT_TRUE(look(io, *probe).success);
  create(folder / "other");
  io.restart();
  io.run_for(30ms);
  EXPECT_EQ(news, 0);
}

TEST_F(FileProbeTest, FolderThatComesLaterIsFollowed) {
  make(folder / "sub" / "maintenance");
  EXPECT_TRUE(look(io, *probe).success);
  std::filesystem::create_directory(folder / "sub");
  EXPECT_TRUE(look(io, *probe).success);
  create(folder / "sub" / "maintenance");
  EXPECT_TRUE(is_told());
  EXPECT_FALSE(look(io, *probe).success);
}

TEST_F(FileProbeTest, FolderThatIsReplacedIsFollowed) {
  std::filesystem::create_directory(folder / "sub");
  make(folder / "sub" / "maintenance");
  EXPECT_TRUE(look(io, *probe).success);
  std::filesystem::rename(folder / "sub", folder / "former");
  EXPECT_TRUE(is_told());
  std::filesystem::create_directory(folder / "sub");
  EXPECT_TRUE(look(io, *probe).success);
  io.restart();
  io.run_for(30ms);  // the end of the former watch is told as well
  news = 0;
  create(folder / "former" / "maintenance");
  io.restart();
  io.run_for(30ms);
  EXPECT_EQ(news, 0) << "that is another folder now";
  create(folder / "sub" / "maintenance");
  EXPECT_TRUE(is_told());
  std::filesystem::remove_all(folder / "sub");
  EXPECT_TRUE(is_told());
  EXPECT_TRUE(look(io, *probe).success);
}

TEST_F(FileProbeTest, DanglingLinkIsAFileToo) {
  make(folder / "maintenance");
  std::filesystem::create_symlink("nowhere", folder / "maintenance");
  EXPECT_FALSE(look(io, *probe).success);
}

}  // namespace
}  // namespace vipair::vrrp
