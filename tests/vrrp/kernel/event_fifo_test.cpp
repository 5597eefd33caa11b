#include "vrrp/kernel/event_fifo.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class EventFifoTest : public testing::Test {
 protected:
  EventFifoTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vipair-fifo-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    folder = pattern;
    path = folder / "events";
    (void)std::signal(SIGPIPE, SIG_IGN);  // as the daemon does
  }
  ~EventFifoTest() override { std::filesystem::remove_all(folder); }

  UniqueFd reader() const { return UniqueFd(::open(path.c_str(), O_RDONLY | O_NONBLOCK)); }
  // All that is there, while the writer may go on.
  std::string read(const UniqueFd& fd) {
    std::string text;
    char buffer[65536];
    for (int empty = 0; empty < 3;) {
      const ssize_t size = ::read(fd.get(), buffer, sizeof buffer);
      if (size > 0) text.append(buffer, static_cast<std::size_t>(size));
      empty = size > 0 ? 0 : empty + 1;
      io.restart();
      io.run_for(5ms);
    }
    return text;
  }

  boost::asio::io_context io;
  std::filesystem::path folder;
  std::string path;
  EventFifo fifo{io};
};

TEST_F(EventFifoTest, ReaderGetsLines) {
  ASSERT_TRUE(fifo.use(path));
  struct stat file {};
  ASSERT_EQ(::stat(path.c_str(), &file), 0);
  EXPECT_TRUE(S_ISFIFO(file.st_mode));
  EXPECT_EQ(file.st_mode & 0777u, 0660u);
  const UniqueFd fd = reader();
  fifo.write("one");
  fifo.write("two");
  EXPECT_EQ(read(fd), "one\ntwo\n");
  EXPECT_EQ(fifo.dropped(), 0u);
}

TEST_F(EventFifoTest, NobodyReadingIsDroppedAndCounted) {
  ASSERT_TRUE(fifo.use(path));
  fifo.write("lost");
  EXPECT_EQ(fifo.dropped(), 1u);
  UniqueFd fd = reader();
  fifo.write("heard");
  EXPECT_EQ(read(fd), "heard\n");
  fd.reset();
  fifo.write("lost");
  EXPECT_EQ(fifo.dropped(), 2u);
  fd = reader();
  fifo.write("heard again");
  EXPECT_EQ(read(fd), "heard again\n");
  EXPECT_EQ(fifo.dropped(), 2u);
}

TEST_F(EventFifoTest, ReaderThatComesBackAtOnceMissesNothing) {
  ASSERT_TRUE(fifo.use(path));
  UniqueFd fd = reader();
  fifo.write("one");
  fd = UniqueFd();
  fd = reader();
  fifo.write("two");
  EXPECT_EQ(read(fd), "one\ntwo\n") << "the pipe keeps what nobody has read";
}

TEST_F(EventFifoTest, SlowReaderGetsWholeLinesOnly) {
  ASSERT_TRUE(fifo.use(path));
  const UniqueFd fd = reader();
  const std::string line(100'000, 'x');
  for (int i = 0; i < 50; ++i) fifo.write(line);
  EXPECT_GT(fifo.dropped(), 0u);
  const auto heard = 50 - fifo.dropped();
  EXPECT_EQ(read(fd).size(), heard * (line.size() + 1));
  fifo.write("short");
  EXPECT_EQ(read(fd), "short\n");
}

TEST_F(EventFifoTest, ReaderThatGoesWithinALineLeavesNoHalfForTheNext) {
  ASSERT_TRUE(fifo.use(path));
  UniqueFd fd = reader();
  const std::string line(2 << 20, 'x');  // more than the pipe holds
  fifo.write(line);
  fd.reset();
  io.restart();
  io.run_for(20ms);
  fd = reader();
  fifo.write("short");
  EXPECT_EQ(read(fd), "short\n");
}

TEST_F(EventFifoTest, WhatIsNoPipeIsRefused) {
  std::ofstream(path) << "a file";
  EXPECT_THAT(fifo.use(path).error(), HasSubstr("is no named pipe: remove it"));
  fifo.write("nothing");
  EXPECT_EQ(std::filesystem::file_size(path), 6u);
  std::filesystem::remove(path);
  ASSERT_EQ(::mkfifo((folder / "real").c_str(), 0600), 0);
  std::filesystem::create_symlink("real", path);
  EXPECT_FALSE(fifo.use(path)) << "nor is a link to one";
  EXPECT_THAT(fifo.use(folder / "no" / "such").error(), HasSubstr("No such file or directory"));
  EXPECT_TRUE(fifo.use(folder / "real")) << "made by somebody else";
  EXPECT_TRUE(fifo.use(""));
}

}  // namespace
}  // namespace vipair::vrrp
