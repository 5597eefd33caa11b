#include "proxy/server/log_target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>

#include "common/runtime/unique_fd.h"
#include "proxy/server/socket_address.h"

namespace vipair::proxy {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

AccessLog to_syslog(const std::string& where) {
  AccessLog config;
  config.format = AccessLogFormat::combined;
  config.syslog = where;
  return config;
}

std::string receive(const UniqueFd& fd) {
  std::array<char, 16384> buffer{};
  const ssize_t size = ::recv(fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  return size < 0 ? "" : std::string(buffer.data(), static_cast<std::size_t>(size));
}

// The syslog daemon of this machine, as far as a test needs one.
class LocalSyslog : public ::testing::Test {
 protected:
  LocalSyslog() : path_(std::filesystem::temp_directory_path() / ("vipair-syslog-" + std::to_string(::getpid()))) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    fd_ = UniqueFd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ~LocalSyslog() override { std::filesystem::remove(path_); }

  const std::string path_;
  UniqueFd fd_;
};

TEST_F(LocalSyslog, GetsAMessagePerLine) {
  auto target = LogTarget::open(to_syslog(path_));
  ASSERT_TRUE(target) << target.error();
  EXPECT_EQ(target->write("one\ntwo\n"), 0u);
  EXPECT_EQ(receive(fd_), "<134>vipair-proxyd[" + std::to_string(::getpid()) + "]: one");
  EXPECT_THAT(receive(fd_), EndsWith(": two"));
  EXPECT_EQ(receive(fd_), "");
}

TEST_F(LocalSyslog, GetsLongLinesCut) {
  auto target = LogTarget::open(to_syslog(path_));
  ASSERT_TRUE(target);
  std::string line(2 * kSyslogLineMax, 'x');
  line.push_back('\n');
  EXPECT_EQ(target->write(line), 0u);
  const std::string message = receive(fd_);
  EXPECT_EQ(message.size() - message.find(": ") - 2, kSyslogLineMax);
}

TEST_F(LocalSyslog, ThatDoesNotReadLosesLinesAndThoseAreCounted) {
  auto target = LogTarget::open(to_syslog(path_));
  ASSERT_TRUE(target);
  std::string line(1000, 'x');
  line.push_back('\n');
  std::string lines;
  for (int i = 0; i < 20; ++i) lines.append(line);
  std::size_t lost = 0;
  for (int i = 0; i < 50 && lost == 0; ++i) lost = target->write(lines);
  EXPECT_GT(lost, 0u);
}

TEST_F(LocalSyslog, ThatIsGoneIsSaid) {
  auto target = LogTarget::open(to_syslog(path_ + "-absent"));
  ASSERT_FALSE(target);
  EXPECT_THAT(target.error(), HasSubstr("No such file"));
}

TEST(RemoteSyslog, GetsTheStandardHeader) {
  UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const SocketAddress any(*IpEndpoint::parse("127.0.0.1:0"));
  ASSERT_EQ(bind(fd.get(), any.get(), any.length), 0);
  sockaddr_in bound{};
  socklen_t length = sizeof bound;
  ASSERT_EQ(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &length), 0);
  auto target = LogTarget::open(to_syslog("127.0.0.1:" + std::to_string(ntohs(bound.sin_port))));
  ASSERT_TRUE(target) << target.error();
  EXPECT_EQ(target->write("line\n"), 0u);
  const std::string message = receive(fd);
  EXPECT_THAT(message, StartsWith("<134>1 - "));
  EXPECT_THAT(message, EndsWith(" vipair-proxyd " + std::to_string(::getpid()) + " access - line"));
}

}  // namespace
}  // namespace vipair::proxy
