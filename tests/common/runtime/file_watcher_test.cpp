#include "common/runtime/file_watcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

namespace vipair {
namespace {

using ::testing::ElementsAre;

struct Fixture {
  std::string folder;
  boost::asio::io_context io{1};
  std::vector<std::string> changed;
  int calls = 0;
  FileWatcher watcher{io, [this](const std::vector<std::string>& paths) {
                        ++calls;
                        for (const std::string& path : paths) changed.push_back(path.substr(folder.size() + 1));
                      }};

  Fixture() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vipair-watch-XXXXXX").string();
    folder = mkdtemp(pattern.data());
  }
  ~Fixture() { std::filesystem::remove_all(folder); }
  std::string path(const std::string& name) const { return folder + "/" + name; }
  void write(const std::string& name, const std::string& text) { std::ofstream(path(name)) << text; }
  void watch(std::vector<std::string> names) {
    for (std::string& name : names) name = path(name);
    watcher.watch(stamps_of(names));
  }
  // Runs until something was told, or for so long.
  std::vector<std::string> wait(std::chrono::milliseconds patience = std::chrono::seconds(20)) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (changed.empty() && std::chrono::steady_clock::now() < end) io.run_one_for(std::chrono::milliseconds(50));
    return std::exchange(changed, {});
  }
};

TEST(FileWatcher, TellsOfAFileThatIsWritten) {
  Fixture f;
  f.write("a", "1");
  f.write("b", "1");
  f.watch({"a", "b"});
  f.write("a", "22");
  EXPECT_THAT(f.wait(), ElementsAre("a"));
  f.write("b", "22");
  EXPECT_THAT(f.wait(), ElementsAre("b"));
}

TEST(FileWatcher, TellsOfARenameOverIt) {
  Fixture f;
  f.write("a", "1");
  f.watch({"a"});
  f.write("a.new", "2");
  std::filesystem::rename(f.path("a.new"), f.path("a"));
  EXPECT_THAT(f.wait(), ElementsAre("a"));
}

TEST(FileWatcher, TellsOfALinkThatIsTurned) {
  Fixture f;
  std::filesystem::create_directories(f.path("..one"));
  std::filesystem::create_directories(f.path("..two"));
  f.write("..one/a", "1");
  f.write("..two/a", "2");
  std::filesystem::create_symlink("..one", f.path("..data"));
  std::filesystem::create_symlink("..data/a", f.path("a"));
  f.watch({"a"});
  std::filesystem::create_symlink("..two", f.path("..new"));
  std::filesystem::rename(f.path("..new"), f.path("..data"));
  EXPECT_THAT(f.wait(), ElementsAre("a"));
}

TEST(FileWatcher, TellsAtOnceOfWhatChangesTogether) {
  Fixture f;
  f.write("a", "1");
  f.write("b", "1");
  f.watch({"a", "b"});
  f.write("b", "22");
  f.write("a", "22");
  EXPECT_THAT(f.wait(), ElementsAre("a", "b"));
  EXPECT_EQ(f.calls, 1);
}

TEST(FileWatcher, TellsOfAFileThatGoesAndComesBack) {
  Fixture f;
  f.write("a", "1");
  f.watch({"a"});
  std::filesystem::remove(f.path("a"));
  EXPECT_THAT(f.wait(), ElementsAre("a"));
  f.write("a", "1");
  EXPECT_THAT(f.wait(), ElementsAre("a"));
}

TEST(FileWatcher, TellsOfWhatChangedBeforeItBegan) {
  Fixture f;
  f.write("a", "1");
  const FileStamps stamps = stamps_of({f.path("a")});
  f.write("a", "22");
  f.watcher.watch(stamps);
  EXPECT_THAT(f.wait(), ElementsAre("a"));
}

TEST(FileWatcher, IsSilentAboutNeighboursAndForgottenFiles) {
  Fixture f;
  f.write("a", "1");
  f.write("b", "1");
  f.watch({"a", "b"});
  f.watch({"a"});
  f.write("b", "22");
  f.write("c", "1");
  EXPECT_THAT(f.wait(std::chrono::milliseconds(1500)), ElementsAre());
}

}  // namespace
}  // namespace vipair
