#include "common/runtime/control_client.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include "common/runtime/unique_fd.h"
#include "gtest/gtest.h"
#include "tests/common/runtime/control_server.h"

namespace vipair {
namespace {

using test::kPatience;
using test::Running;

TEST(ControlFollow, GetsThePiecesUntilItHasEnough) {
  Running server;
  std::string seen;
  auto got = control_follow(server.path(), "/stream", kPatience, [&](std::string_view piece) {
    seen += piece;
    if (seen == "begin\n") server.on_loop([stream = server.stream()] { stream->write("more\n"); });
    return !seen.ends_with("more\n");
  });
  ASSERT_TRUE(got) << got.error();
  EXPECT_EQ(got->status, 200);
  EXPECT_EQ(seen, "begin\nmore\n");
}

TEST(ControlFollow, EndOfTheStreamIsAnErrorAndARefusalIsNone) {
  Running server;
  auto got = control_follow(server.path(), "/stream", kPatience, [&](std::string_view) {
    server.on_loop([stream = server.stream()] { stream->end(); });
    return true;
  });
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error(), server.path() + ": receive: end of stream");
  got = control_follow(server.path(), "/none", kPatience, [](std::string_view) { return true; });
  ASSERT_TRUE(got) << got.error();
  EXPECT_EQ(got->status, 404);
  EXPECT_EQ(got->body, "no such page\n");
}

TEST(ControlRequest, FailureNamesSocketStageAndCause) {
  auto got = control_request("/nowhere/control.sock", "GET", "/", "", kPatience);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error(), "/nowhere/control.sock: connect: No such file or directory");
  got = control_request("/" + std::string(200, 'x'), "GET", "/", "", kPatience);
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().find("a socket path has 1 to 107 bytes"), std::string::npos);
}

// A listener that accepts in the backlog and answers only what it is told.
class MuteServer {
 public:
  MuteServer() {
    char name[] = "/tmp/vipair-control-XXXXXX";
    folder_ = ::mkdtemp(name);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path().data(), path().size());
    listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 4), 0);
  }
  ~MuteServer() { std::filesystem::remove_all(folder_); }
  std::string path() const { return folder_ + "/mute.sock"; }
  void answer_one(const std::string& bytes) {
    UniqueFd fd(::accept(listener_.get(), nullptr, nullptr));
    char buffer[4096];
    (void)!::recv(fd.get(), buffer, sizeof buffer, 0);
    (void)!::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

 private:
  std::string folder_;
  UniqueFd listener_;
};

TEST(ControlRequest, DaemonThatHangsTimesOut) {
  MuteServer server;
  auto got = control_request(server.path(), "GET", "/status", "", std::chrono::milliseconds(20));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error(), server.path() + ": receive: timed out");
}

TEST(ControlRequest, NonsenseAnswersAreErrors) {
  for (const char* bytes : {"", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "nonsense\r\n\r\n",
                            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"}) {
    MuteServer server;
    std::thread answers([&] { server.answer_one(bytes); });
    auto got = control_request(server.path(), "GET", "/status", "", kPatience);
    answers.join();
    ASSERT_FALSE(got) << bytes;
    EXPECT_TRUE(got.error().starts_with(server.path() + ": receive: ")) << got.error();
  }
}

}  // namespace
}  // namespace vipair
