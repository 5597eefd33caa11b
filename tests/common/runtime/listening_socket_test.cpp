#include "common/runtime/listening_socket.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace vipair {
namespace {

using testing::HasSubstr;

class ListeningSocket : public testing::Test {
 protected:
  ListeningSocket() {
    char name[] = "/tmp/vipair-listen-XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  ~ListeningSocket() override { std::filesystem::remove_all(folder_); }
  std::string path() const { return folder_ + "/a.sock"; }
  static bool is_listening(const UniqueFd& fd) {
    int value = 0;
    socklen_t size = sizeof value;
    return ::getsockopt(fd.get(), SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value == 1;
  }

  std::string folder_;
};

TEST_F(ListeningSocket, IsForItsOwnerAndGroup) {
  const auto fd = listen_on_unix(path(), 4);
  ASSERT_TRUE(fd) << fd.error();
  EXPECT_TRUE(is_listening(*fd));
  struct stat info {};
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660u);
}

TEST_F(ListeningSocket, TakesThePlaceOfAStaleOneOnly) {
  auto first = listen_on_unix(path(), 4);
  ASSERT_TRUE(first) << first.error();
  const auto second = listen_on_unix(path(), 4);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), "another instance runs and answers there");
  first->reset();  // as a crash leaves it
  EXPECT_TRUE(listen_on_unix(path(), 4));
}

TEST_F(ListeningSocket, LeavesAloneWhatIsNoSocket) {
  std::ofstream(path()) << "data";
  const auto fd = listen_on_unix(path(), 4);
  ASSERT_FALSE(fd);
  EXPECT_EQ(fd.error(), "exists and is not a socket");
  EXPECT_EQ(std::filesystem::file_size(path()), 4u);
}

TEST_F(ListeningSocket, PathsHaveALimit) {
  EXPECT_FALSE(unix_address(""));
  EXPECT_FALSE(unix_address(std::string("a\0b", 3)));
  EXPECT_TRUE(unix_address(std::string(107, 'x')));
  const auto fd = listen_on_unix("/" + std::string(107, 'x'), 4);
  ASSERT_FALSE(fd);
  EXPECT_EQ(fd.error(), "a socket path has 1 to 107 bytes");
}

TEST_F(ListeningSocket, TcpGetsAPortAndSaysWhatIsInUse) {
  const auto fd = listen_on_tcp(*IpEndpoint::parse("127.0.0.1:0"), 4);
  ASSERT_TRUE(fd) << fd.error();
  EXPECT_TRUE(is_listening(*fd));
  EXPECT_NE(::fcntl(fd->get(), F_GETFD) & FD_CLOEXEC, 0);
  sockaddr_in own{};
  socklen_t size = sizeof own;
  ASSERT_EQ(::getsockname(fd->get(), reinterpret_cast<sockaddr*>(&own), &size), 0);
  const auto again = listen_on_tcp(*IpEndpoint::parse("127.0.0.1:" + std::to_string(ntohs(own.sin_port))), 4);
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error(), HasSubstr("bind: Address already in use"));
}

}  // namespace
}  // namespace vipair
